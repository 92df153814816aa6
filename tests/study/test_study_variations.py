"""Variations: one detail at a time, laid over what is fixed, as an axis of its own."""

import pytest

from gmm_study.study import make_plan

CHECKSUMS = {"digits": "d" * 64, "dna": "a" * 64}
STUDY = """
fixed: {learning_rate: 3e-3, layers: {depth: 2, first: 8, last: 4}, samples: 10}
variations:
  authors: {}
  glorot weights: {initialisation: glorot}
  no baseline: {q_baseline: none}
  "K=1": {samples: 1}
small:
  variations: {authors: {}, "K=2": {samples: 2}}
"""
LABELS = ["authors", "glorot weights", "no baseline", "K=1"]


@pytest.fixture
def plan(load):
    def planned(text, *overrides, **options):
        return make_plan(load(text, *overrides, **options), CHECKSUMS)

    return planned


def trial(plan, label, method="gmm"):
    """The one trial of a method at a variation."""
    (found,) = [
        place
        for place in plan.places
        if place.axes["variation"] == label and place.config.hyperparameters.method == method
    ]
    return found


def test_each_variation_is_laid_over_what_is_fixed(plan):
    expanded = plan(STUDY, "method=gmm")
    assert [t.axes for t in expanded.trials] == [{"variation": label} for label in LABELS]
    settings = {t.axes["variation"]: t.config.hyperparameters for t in expanded.trials}
    reference = settings["authors"]
    assert (reference.samples, reference.q_baseline, reference.layers) == (10, "uniform", (8, 4))
    assert settings["K=1"].samples == 1
    assert settings["no baseline"].q_baseline == "none"
    assert settings["glorot weights"].initialisation == "glorot"
    assert {s.learning_rate for s in settings.values()} == {0.003}


def test_a_variation_of_a_part_keeps_the_other_parts(plan):
    text = STUDY.replace('"K=1": {samples: 1}', "deep: {layers: {depth: 3}}")
    assert trial(plan(text), "deep").config.hyperparameters.layers == (8, 6, 4)
    text = STUDY.replace('"K=1": {samples: 1}', "wide: {layers: [20, 10]}")
    assert trial(plan(text), "wide").config.hyperparameters.layers == (20, 10)


def test_the_report_runs_along_the_variations_unless_it_says_otherwise(load):
    text = STUDY + "space: {batch_size: {grid: [50, 100]}}\n"
    assert load(text).x == "variation"
    assert load(text, "report.x=batch_size").x == "batch_size"


def test_a_variation_has_every_cell_of_the_space(plan):
    expanded = plan(STUDY + "space: {batch_size: {grid: [50, 100]}}\n", "method=gmm")
    assert [(t.axes["variation"], t.axes["batch_size"]) for t in expanded.trials] == [
        (label, size) for label in LABELS for size in (50, 100)
    ]


def test_a_trial_is_named_by_its_variation(plan):
    expanded = plan(STUDY, "method=gmm")
    assert expanded.trials[0].label == "digits gmm variation=authors"
    assert expanded.trials[1].label == "digits gmm variation='glorot weights'"


def test_identity_hangs_on_what_a_variation_sets_and_not_on_its_label(plan):
    renamed = plan(STUDY.replace('"K=1"', "one sample"))
    assert {t.config.trial_id for t in plan(STUDY).trials} == {
        t.config.trial_id for t in renamed.trials
    }


def test_a_variation_that_a_method_does_not_read_has_a_place_and_shares_a_trial(plan):
    expanded = plan(STUDY)
    of_vae = [t for t in expanded.trials if t.config.hyperparameters.method == "vae"]
    assert [t.axes["variation"] for t in of_vae] == ["authors", "K=1"]
    assert len(expanded.trials) == 4 + 4 + 2
    assert len(expanded.places) == 4 * 3
    shared = expanded.shared()
    assert list(shared) == [of_vae[0].config.trial_id]
    assert [place.axes["variation"] for place in shared[of_vae[0].config.trial_id]] == LABELS[:3]


def test_two_values_of_an_axis_that_train_alike_have_a_place_each(plan):
    expanded = plan(
        "fixed: {layers: {depth: 1, first: 8}}\nspace: {layers.last: {grid: [2, 4]}}", "method=gmm"
    )
    assert len(expanded.trials) == 1
    assert [place.axes for place in expanded.places] == [{"layers.last": 2}, {"layers.last": 4}]


def test_a_random_search_draws_the_same_in_every_variation(plan):
    text = STUDY.replace("learning_rate: 3e-3, ", "")
    text += "space: {learning_rate: {log_uniform: [1e-4, 1e-2]}}\nsearch: {kind: random, trials: 3}"
    expanded = plan(text, "methods=[gmm, vae]")
    rates = {
        label: [p.axes["learning_rate"] for p in expanded.places if p.axes["variation"] == label]
        for label in LABELS
    }
    assert len(set(rates["authors"])) == 6
    assert all(drawn == rates["authors"] for drawn in rates.values())
    methods = [t.config.hyperparameters.method for t in expanded.trials]
    assert (methods.count("gmm"), methods.count("vae")) == (4 * 3, 2 * 3)


def test_the_small_variant_has_variations_of_its_own(plan):
    expanded = plan(STUDY, "method=gmm", small=True)
    assert [t.axes["variation"] for t in expanded.trials] == ["authors", "K=2"]


def test_overrides_reach_into_variations_and_replace_them(load):
    changed = load(STUDY, "variations.no baseline.samples=5").variations
    assert changed["no baseline"] == {"q_baseline": "none", "samples": 5}
    assert list(changed) == LABELS
    assert load(STUDY, "variations.more.l2=0.1").variations["more"] == {"l2": 0.1}
    replaced = load(STUDY, "variations={plain: {}, steep: {learning_rate: 1e-2}}").variations
    assert list(replaced) == ["plain", "steep"]


def test_without_its_variations_a_study_no_longer_reports_along_them(load):
    study = load(f"{STUDY}report: {{x: variation}}\n", "variations={}")
    assert study.x is None


def test_an_overridden_setting_stays_overlaid_by_the_variations(plan):
    expanded = plan(STUDY, "samples=7", "method=gmm")
    samples = {t.axes["variation"]: t.config.hyperparameters.samples for t in expanded.trials}
    assert samples == {"authors": 7, "glorot weights": 7, "no baseline": 7, "K=1": 1}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("variations: {a: {}, b: {sample: 1}}", ["variations.b.sample:", "'samples'"]),
        ("variations: {a: {q_baseline: nne}}", ["variations.a.q_baseline:", "'nne'", "'none'"]),
        ("variations: {a: {}, K=0: {samples: 0}}", ["variations.K=0.samples:", "0", "at least 1"]),
        ("variations: {a: {layers.depth: 2}}", ["variations.a.layers.depth:", "nested"]),
        ("variations: {a: {method: vae}}", ["variations.a.method:", "'methods'"]),
        ("variations: {a: {evaluation_samples: 9}}", ["variations.a.", "'evaluation.samples'"]),
        ("variations: {a: 5}", ["variations.a:", "5", "mapping"]),
        ("variations: {a: }", ["variations.a:", "mapping"]),
        ("variations: [a]", ["variations:", "mapping"]),
        ("variations: {'': {}}", ["variations"]),
        ("variations: {' a': {}}", ["variations.", "blanks"]),
        ("variations: {a: {momentum: 0.5}}", ["variations.a.momentum:", "optimizer sgd"]),
        (
            "variations: {a: {samples: 1}}\nspace: {samples: {grid: [1, 2]}}",
            ["variations.a.samples:", "space"],
        ),
        (
            "variations: {a: {layers: [8]}}\nspace: {layers.depth: {grid: [1, 2]}}",
            ["variations.a.layers.depth:", "space"],
        ),
        ("variations: {a: {}}\nreport: {x: variations}", ["report.x:", "'variation'"]),
        ("variation: {a: {}}", ["variation:", "'variations'"]),
        ("fixed: {variation: a}", ["fixed.variation:", "'variations'"]),
    ],
)
def test_an_unusable_variation_is_refused_by_its_label_and_field(refusal, text, named):
    line = refusal(text)
    assert all(part in line for part in ["question.yaml", *named])


def test_a_setting_that_a_variation_alone_reads_is_accepted(load):
    load("variations: {adam: {}, sgd: {optimizer: sgd, momentum: 0.5}}")


def test_data_sets_that_cannot_be_had_leave_no_trials_and_are_named(load):
    study = load("", "datasets=[dna, digits, web]", "method=gmm")
    plan = make_plan(study, CHECKSUMS)
    assert [t.config.dataset for t in plan.trials] == ["dna", "digits"]
    assert plan.without_data == ("web",)
