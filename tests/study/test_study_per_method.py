"""Settings for each method: on top of what is fixed, below variations and axes."""

import pytest

from gmm_study.study import make_plan

CHECKSUMS = {"digits": "d" * 64}
STUDY = """
fixed: {learning_rate: 1e-2, layers: {first: 8, last: 4}, max_epochs: 50}
per_method:
  vae: {learning_rate: 3e-3, activation: tanh, layers: {last: 2}}
  rws: {q_baseline: none}
space:
  layers.depth: {grid: [1, 2]}
small:
  fixed: {max_epochs: 3}
"""


@pytest.fixture
def settings_of(load):
    """The configurations of the first depth by method."""

    def settings(text, *overrides, **options):
        plan = make_plan(load(text, *overrides, **options), CHECKSUMS)
        found = {}
        for place in plan.places:
            found.setdefault(place.config.hyperparameters.method, place.config.hyperparameters)
        return found

    return settings


def test_a_method_has_its_own_settings_over_the_fixed_ones(settings_of):
    found = settings_of(STUDY)
    rates = {method: settings.learning_rate for method, settings in found.items()}
    assert rates == {"gmm": 0.01, "rws": 0.01, "vae": 0.003}
    assert found["vae"].activation == "tanh"
    assert (found["gmm"].q_baseline, found["rws"].q_baseline) == ("uniform", "none")
    assert {settings.max_epochs for settings in found.values()} == {50}


def test_a_part_of_a_setting_keeps_the_other_parts(load):
    plan = make_plan(load(STUDY), CHECKSUMS)
    layers = {(p.config.hyperparameters.method, p.axes["layers.depth"]): p for p in plan.places}
    assert layers["gmm", 2].config.hyperparameters.layers == (8, 4)
    assert layers["vae", 2].config.hyperparameters.layers == (8, 2)


def test_settings_of_one_method_leave_the_trials_of_the_others_as_they_are(load):
    with_rates = make_plan(load(STUDY), CHECKSUMS)
    without = make_plan(load(STUDY, "per_method={}"), CHECKSUMS)

    def ids(plan, method):
        return [
            trial.config.trial_id
            for trial in plan.trials
            if trial.config.hyperparameters.method == method
        ]

    assert ids(with_rates, "gmm") == ids(without, "gmm")
    assert not set(ids(with_rates, "vae")) & set(ids(without, "vae"))


def test_a_variation_applies_to_all_methods_and_lies_over_their_settings(load):
    text = "per_method: {vae: {learning_rate: 3e-3}}\n"
    text += "variations: {as it is: {}, slow: {learning_rate: 1e-4}}"
    plan = make_plan(load(text), CHECKSUMS)
    rates = {
        (place.axes["variation"], place.config.hyperparameters.method): (
            place.config.hyperparameters.learning_rate
        )
        for place in plan.places
    }
    assert rates["as it is", "vae"] == 0.003
    assert {rates["slow", method] for method in ("gmm", "rws", "vae")} == {0.0001}


@pytest.mark.parametrize("key", ["per_method.vae.learning_rate", "per_method.gmm.learning_rate"])
def test_an_override_sets_one_setting_of_one_method(settings_of, key):
    method = key.split(".")[1]
    found = settings_of(STUDY, f"{key}=1e-4")
    assert found[method].learning_rate == 0.0001
    assert found["vae"].activation == "tanh"
    assert found["rws"].learning_rate == 0.01


def test_fixing_a_setting_for_all_methods_replaces_that_of_single_ones(settings_of):
    found = settings_of(STUDY, "learning_rate=1e-3")
    assert {settings.learning_rate for settings in found.values()} == {0.001}
    found = settings_of(STUDY, "layers={first: 6, last: 3}")
    assert {settings.layers for settings in found.values()} == {(6,)}
    assert found["vae"].activation == "tanh"


def test_sweeping_a_setting_replaces_that_of_single_methods(load):
    study = load(STUDY, "space.learning_rate.grid=[1e-3, 1e-2]")
    assert "learning_rate" not in study.per_method["vae"]
    assert len(make_plan(study, CHECKSUMS).trials) == 3 * 2 * 2


def test_the_small_variant_may_change_the_settings_of_a_method(settings_of):
    assert settings_of(STUDY, small=True)["vae"].max_epochs == 3
    text = f"{STUDY}  per_method: {{vae: {{max_epochs: 2}}, gmm: {{l2: 0.1}}}}\n"
    found = settings_of(text, small=True)
    assert {m: s.max_epochs for m, s in found.items()} == {"gmm": 3, "rws": 3, "vae": 2}
    assert (found["vae"].learning_rate, found["gmm"].l2) == (0.003, 0.1)


def test_a_method_that_an_override_takes_out_takes_its_settings_with_it(load):
    assert load(STUDY, "method=gmm").per_method == {}
    assert list(load(STUDY, "methods=[gmm, vae]").per_method) == ["vae"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("per_method: {vea: {samples: 1}}", ["per_method.vea:", "'vae'"]),
        ("per_method: {vae: {sample: 1}}", ["per_method.vae.sample:", "'samples'"]),
        ("per_method: {vae: {samples: 0}}", ["per_method.vae.samples:", "0", "at least 1"]),
        ("per_method: {vae: {layers: [8, 0]}}", ["per_method.vae.layers:", "0"]),
        ("per_method: {vae: {layers.depth: 2}}", ["per_method.vae.layers.depth:", "nested"]),
        ("per_method: {vae: {method: gmm}}", ["per_method.vae.method:", "'methods'"]),
        ("per_method: {vae: {z_samples: 9}}", ["per_method.vae.", "'evaluation.z_samples'"]),
        ("per_method: {vae: {q_baseline: none}}", ["per_method.vae.q_baseline:", "gmm or rws"]),
        ("per_method: {gmm: {activation: tanh}}", ["per_method.gmm.activation:", "not gmm"]),
        ("per_method: {vae: {momentum: 0.5}}", ["per_method.vae.momentum:", "optimizer sgd"]),
        ("per_method: {vae: 5}", ["per_method.vae:", "5", "mapping"]),
        ("per_method: {vae: }", ["per_method.vae:", "mapping"]),
        ("per_method: [vae]", ["per_method:", "mapping"]),
        (
            "per_method: {vae: {samples: 1}}\nspace: {samples: {grid: [1, 2]}}",
            ["space.samples:", "per_method.vae"],
        ),
        (
            "per_method: {vae: {layers: [8]}}\nspace: {layers.depth: {grid: [1, 2]}}",
            ["space.layers.depth:", "per_method.vae"],
        ),
        ("small: {per_method: {vae: {sample: 1}}}", ["small.per_method.vae.sample:"]),
        ("small: {per_method: 3}", ["small.per_method:", "3", "mapping"]),
    ],
)
def test_unusable_settings_of_a_method_are_refused_by_their_field(refusal, text, named):
    line = refusal(text)
    assert all(part in line for part in ["question.yaml", *named])


def test_settings_of_a_method_that_the_study_does_not_have_are_refused(refusal):
    head = "question: Which?\ndatasets: [digits]\nmethods: [gmm]\n"
    line = refusal("per_method: {vae: {samples: 1}}", head=head)
    assert "per_method.vae:" in line
    assert "methods (gmm)" in line


def test_a_setting_that_a_method_reads_with_some_values_of_an_axis_is_accepted(load):
    load("per_method: {vae: {momentum: 0.5}}\nspace: {optimizer: {grid: [adam, sgd]}}")


def test_a_search_goes_on_unless_the_settings_of_its_own_method_change(load):
    text = "space: {learning_rate: {log_uniform: [1e-3, 1e-1]}}\nsearch: {kind: tpe, trials: 3}\n"

    def keys(*overrides):
        plan = make_plan(load(text, *overrides), CHECKSUMS)
        return {cell.method: key for key, cell in plan.cells.items()}

    before, after = keys(), keys("per_method.vae.activation=tanh")
    assert (before["gmm"], before["rws"]) == (after["gmm"], after["rws"])
    assert before["vae"] != after["vae"]


def test_a_setting_of_a_method_that_none_of_its_stages_uses_is_refused(refusal):
    line = refusal(
        "fixed: {schedule: cosine, stages: [{schedule: constant}, {schedule: step}]}\n"
        "per_method: {vae: {final_learning_rate: 1e-5}}"
    )
    assert "per_method.vae.final_learning_rate: 1e-05 would have no effect" in line
    assert "not constant and step" in line
