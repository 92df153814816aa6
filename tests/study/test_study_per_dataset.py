"""Settings for each data set: on top of what is fixed, below those of methods."""

import pytest

from gmm_study.study import make_plan

HEAD = "question: Which?\ndatasets: [digits, bars, my.csv]\nmethods: [gmm, vae]\n"
CHECKSUMS = {"digits": "d" * 64, "bars": "b" * 64, "my.csv": "m" * 64}
STUDY = """
fixed: {max_epochs: 50, samples: 7, layers: {depth: 2, first: 8, last: 4}}
per_dataset:
  digits: {max_epochs: 20, layers: {last: 2}}
  my.csv: {max_epochs: 30, samples: 9}
per_method:
  vae: {samples: 1}
"""


@pytest.fixture
def settings_of(load):
    """The configurations by data set and method."""

    def settings(text, *overrides, **options):
        plan = make_plan(load(text, *overrides, head=HEAD, **options), CHECKSUMS)
        return {
            (place.config.dataset, place.config.hyperparameters.method): (
                place.config.hyperparameters
            )
            for place in plan.places
        }

    return settings


def test_a_data_set_has_its_own_settings_over_the_fixed_ones(settings_of):
    found = settings_of(STUDY)
    epochs = {dataset: found[dataset, "gmm"].max_epochs for dataset in CHECKSUMS}
    assert epochs == {"digits": 20, "bars": 50, "my.csv": 30}
    assert found["digits", "gmm"].layers == (8, 2)
    assert found["bars", "gmm"].layers == (8, 4)


def test_the_settings_of_a_method_lie_over_those_of_a_data_set(settings_of):
    found = settings_of(STUDY)
    assert (found["my.csv", "gmm"].samples, found["my.csv", "vae"].samples) == (9, 1)


def test_a_trial_is_the_same_as_in_a_study_of_its_data_set_alone(load):
    text = "space: {learning_rate: {log_uniform: [1e-3, 1e-1]}}\n"
    text += "search: {kind: random, trials: 3, screen: {confirm: 1}}\nreplicates: 2\n"
    both = make_plan(load(f"{text}per_dataset: {{bars: {{max_epochs: 9}}}}", head=HEAD), CHECKSUMS)
    alone = make_plan(load(f"{text}fixed: {{max_epochs: 9}}", "dataset=bars", head=HEAD), CHECKSUMS)
    of_bars = [t for t in both.trials if t.config.dataset == "bars"]
    assert [t.config.trial_id for t in of_bars] == [t.config.trial_id for t in alone.trials]
    assert {t.cell for t in of_bars} == set(alone.cells)


def test_an_override_sets_one_setting_of_one_data_set(settings_of):
    found = settings_of(STUDY, "per_dataset.my.csv.max_epochs=3", "per_dataset.bars.l1=1e-3")
    assert found["my.csv", "gmm"].max_epochs == 3
    assert (found["bars", "gmm"].l1, found["digits", "gmm"].l1) == (0.001, 0)
    whole = settings_of(
        STUDY, "per_dataset.digits={max_epochs: 4}", "per_dataset.my.csv={max_epochs: 5}"
    )
    assert whole["digits", "gmm"].layers == (8, 4)
    assert (whole["my.csv", "gmm"].max_epochs, whole["my.csv", "gmm"].samples) == (5, 7)


def test_fixing_or_sweeping_a_setting_replaces_that_of_single_data_sets(load, settings_of):
    assert {each.max_epochs for each in settings_of(STUDY, "max_epochs=2").values()} == {2}
    study = load(STUDY, "space.max_epochs.grid=[1, 2]", head=HEAD)
    assert study.per_dataset == {"digits": {"layers": {"last": 2}}, "my.csv": {"samples": 9}}


def test_the_small_variant_may_change_the_settings_of_a_data_set(settings_of):
    text = f"{STUDY}small: {{fixed: {{max_epochs: 2}}, per_dataset: {{bars: {{max_epochs: 1}}}}}}\n"
    found = settings_of(text, small=True)
    epochs = {dataset: found[dataset, "gmm"].max_epochs for dataset in CHECKSUMS}
    assert epochs == {"digits": 2, "bars": 1, "my.csv": 2}


def test_a_data_set_that_an_override_takes_out_takes_its_settings_with_it(load):
    assert list(load(STUDY, "dataset=digits", head=HEAD).per_dataset) == ["digits"]
    assert load(STUDY, "dataset=bars", head=HEAD).per_dataset == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("per_dataset: {dna: {samples: 1}}", ["per_dataset.dna:", "datasets (digits, bars,"]),
        ("per_dataset: {bars: {sample: 1}}", ["per_dataset.bars.sample:", "'samples'"]),
        ("per_dataset: {bars: {samples: 0}}", ["per_dataset.bars.samples:", "0", "at least 1"]),
        ("per_dataset: {bars: {momentum: 0.5}}", ["per_dataset.bars.momentum:", "optimizer sgd"]),
        ("per_dataset: {bars: 5}", ["per_dataset.bars:", "5", "mapping"]),
        ("per_dataset: [bars]", ["per_dataset:", "mapping"]),
        ("per_dataset: {my.csv: {stages: 3}}", ["per_dataset.my.csv.stages:", "list"]),
        (
            "per_dataset: {bars: {samples: 1}}\nspace: {samples: {grid: [1, 2]}}",
            ["space.samples:", "per_dataset.bars"],
        ),
        ("small: {per_dataset: {bars: {sample: 1}}}", ["small.per_dataset.bars.sample:"]),
        ("small: {per_dataset: 3}", ["small.per_dataset:", "3", "mapping"]),
    ],
)
def test_unusable_settings_of_a_data_set_are_refused_by_their_field(refusal, text, named):
    line = refusal(text, head=HEAD)
    assert all(part in line for part in ["question.yaml", *named])


def test_what_is_not_meant_is_named_by_its_data_set(load):
    text = "fixed: {schedule: cosine, max_epochs: 9}\nper_dataset: {bars: {hold_epochs: 9}}"
    (line,) = load(text, head=HEAD).notes
    assert line.startswith("hold_epochs: 9 leaves no epoch of 9")
    assert line.endswith("(gmm on bars, vae on bars)")
