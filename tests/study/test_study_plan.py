"""Which trials a study has, and what their identity hangs on."""

import pytest

from gmm_study.study import make_plan
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig

CHECKSUMS = {"digits": "d" * 64, "dna": "a" * 64}
RANDOM = """
methods: [gmm]
space: {{samples: {{grid: {grid}}}, learning_rate: {{log_uniform: [1e-4, 1e-2]}}}}
search: {{kind: random, trials: {trials}, seed: {seed}}}
"""
HEAD = "question: Which?\ndatasets: [digits]\n"


@pytest.fixture
def plan(load):
    def planned(text, *overrides, **options):
        return make_plan(load(text, *overrides, **options), CHECKSUMS)

    return planned


def ids(plan):
    return [trial.config.trial_id for trial in plan.trials]


def draws(plan, **where):
    """The learning rates of the trials that lie at the given values."""
    return [
        trial.axes["learning_rate"]
        for trial in plan.trials
        if all(trial.axes[name] == value for name, value in where.items())
    ]


def test_a_grid_has_every_cell_once_for_every_method_and_dataset(plan):
    expanded = plan(
        "space: {layers: {grid: [[8], [8, 4]]}, samples: {grid: [1, 2, 3]}}",
        "datasets=[digits, dna]",
    )
    cells = {
        (
            trial.config.dataset,
            trial.config.hyperparameters.method,
            trial.config.hyperparameters.layers,
            trial.config.hyperparameters.samples,
        )
        for trial in expanded.trials
    }
    assert len(expanded.trials) == len(set(ids(expanded))) == len(cells) == 2 * 3 * 2 * 3


def test_trials_are_ordered_by_dataset_then_x_then_method(plan):
    expanded = plan(
        "space: {samples: {grid: [1, 2]}, layers: {grid: [[8], [8, 4]]}}",
        "datasets=[dna, digits]",
        "methods=[rws, gmm]",
        "report.x=layers",
    )
    assert expanded.x == "layers"
    order = [
        (t.config.dataset, t.axes["layers"], t.axes["samples"], t.config.hyperparameters.method)
        for t in expanded.trials
    ]
    assert order == [
        (dataset, layers, samples, method)
        for dataset in ("dna", "digits")
        for layers in ("8", "8,4")
        for samples in (1, 2)
        for method in ("rws", "gmm")
    ]


def test_a_trial_is_the_configuration_that_its_axes_and_the_fixed_settings_say(plan):
    expanded = plan(
        "fixed: {layers: {first: 48, last: 12}, learning_rate: 3e-3}\n"
        "space: {layers.depth: {grid: [2, 3]}}\nevaluation: {samples: 70}",
        "method=rws",
    )
    settings = {"method": "rws", "learning_rate": 0.003, "evaluation_samples": 70}
    for trial, layers, depth in zip(expanded.trials, ([48, 12], [48, 24, 12]), (2, 3), strict=True):
        expected = Hyperparameters.from_mapping({**settings, "layers": layers})
        assert trial.config == TrialConfig(expected, "digits", CHECKSUMS["digits"])
        assert trial.axes == {"layers.depth": depth}


def test_a_study_without_a_space_has_one_trial_a_method(plan):
    expanded = plan("fixed: {layers: [8]}")
    assert [t.config.hyperparameters.method for t in expanded.trials] == ["gmm", "rws", "vae"]
    assert expanded.x is None


def test_identity_does_not_hang_on_the_place_in_a_study_or_on_how_a_value_is_written(plan):
    swept = plan("space: {samples: {grid: [1, 5]}}\nfixed: {learning_rate: 0.001, layers: [8, 4]}")
    other = plan(
        "fixed: {samples: 5, layers: '8,4'}\nspace: {learning_rate: {grid: [1e-2, 1e-3]}}\n"
        "replicates: 9\nresources: {cpus: 2}\nevaluation: {chunk_rows: 7}",
        "methods=[vae, gmm]",
    )
    assert set(ids(swept)) & set(ids(other)) == {
        trial.config.trial_id
        for trial in swept.trials
        if trial.axes["samples"] == 5 and trial.config.hyperparameters.method != "rws"
    }


def test_identity_hangs_on_the_datas_checksum(load):
    study = load("space: {samples: {grid: [1, 5]}}")
    one, other = (make_plan(study, {"digits": checksum}) for checksum in ("a", "b"))
    assert not set(ids(one)) & set(ids(other))


def test_adding_values_axes_and_methods_keeps_the_trials_there_were(plan):
    few = plan("space: {samples: {grid: [1, 5]}}", "methods=[gmm]")
    more = plan("space: {seed: {grid: [1, 0]}, samples: {grid: [9, 5, 1]}}")
    assert set(ids(few)) < set(ids(more))


def test_a_method_is_not_multiplied_over_an_axis_that_it_does_not_read(plan):
    expanded = plan("space: {q_baseline: {grid: [uniform, none]}, samples: {grid: [1, 2, 3]}}")
    of_vae = [t for t in expanded.trials if t.config.hyperparameters.method == "vae"]
    assert [trial.axes for trial in of_vae] == [{"samples": samples} for samples in (1, 2, 3)]
    assert len(expanded.trials) == 2 * 2 * 3 + 3


def test_a_random_search_does_not_multiply_over_an_axis_that_a_method_does_not_read(plan):
    expanded = plan(
        "space: {q_baseline: {grid: [uniform, none]}, learning_rate: {uniform: [1e-4, 1e-2]}}\n"
        "search: {kind: random, trials: 4}",
        "methods=[gmm, vae]",
    )
    methods = [trial.config.hyperparameters.method for trial in expanded.trials]
    assert (methods.count("gmm"), methods.count("vae")) == (8, 4)


def test_every_grid_cell_gets_its_own_random_draws(plan):
    expanded = plan(RANDOM.format(grid=[1, 5], trials=6, seed=0), head=HEAD)
    one, other = draws(expanded, samples=1), draws(expanded, samples=5)
    assert len(set(one)) == len(set(other)) == 6
    assert not set(one) & set(other)


def test_a_cells_draws_do_not_hang_on_other_cells_or_on_other_axes(plan):
    few = plan(RANDOM.format(grid=[5], trials=4, seed=0), head=HEAD)
    more = plan(
        RANDOM.format(grid=[1, 5, 9], trials=4, seed=0),
        "methods=[vae, gmm]",
        "space.batch_size.integer=[10, 100]",
        head=HEAD,
    )
    of_gmm = [t for t in more.trials if t.config.hyperparameters.method == "gmm"]
    kept = [t.axes["learning_rate"] for t in of_gmm if t.axes["samples"] == 5]
    assert kept == draws(few)
    assert set(ids(few)) <= set(
        ids(plan(RANDOM.format(grid=[1, 5], trials=4, seed=0), head=HEAD)),
    )


def test_more_trials_keep_the_first_draws_and_another_seed_keeps_none(plan):
    few, more, other = (
        plan(RANDOM.format(grid=[5], trials=trials, seed=seed), head=HEAD)
        for trials, seed in ((3, 0), (8, 0), (3, 1))
    )
    assert ids(more)[:3] == ids(few)
    assert not set(ids(few)) & set(ids(other))


@pytest.mark.parametrize(
    ("axis", "low", "high", "median"),
    [
        ("learning_rate: {log_uniform: [1e-4, 1e-2]}", 1e-4, 1e-2, 1e-3),
        ("learning_rate: {uniform: [0.1, 0.3]}", 0.1, 0.3, 0.2),
        ("samples: {integer: [1, 99]}", 1, 99, 50),
        ("samples: {choice: [1, 2, 3]}", 1, 3, 2),
    ],
)
def test_draws_lie_in_their_range_and_half_of_them_below_its_middle(plan, axis, low, high, median):
    count = 400
    expanded = plan(
        f"space: {{{axis}, seed: {{integer: [0, 1000000]}}}}\n"
        f"search: {{kind: random, trials: {count}}}",
        "method=gmm",
    )
    name = axis.partition(":")[0]
    values = [trial.axes[name] for trial in expanded.trials]
    assert low <= min(values) <= max(values) <= high
    below = sum((value < median) + 0.5 * (value == median) for value in values)
    standard_error = (count / 4) ** 0.5
    assert abs(below - count / 2) < 4 * standard_error


def test_an_integer_axis_reaches_both_of_its_ends(plan):
    expanded = plan(
        "space: {samples: {integer: [2, 4]}}\nsearch: {kind: random, trials: 50}", "method=gmm"
    )
    assert {trial.axes["samples"] for trial in expanded.trials} == {2, 3, 4}


def test_a_random_search_whose_drawn_axis_is_fixed_runs_each_cell_once(plan):
    text = RANDOM.format(grid=[1, 5], trials=6, seed=0)
    assert len(plan(text, "learning_rate=1e-3", head=HEAD).trials) == 2


def test_a_study_may_have_thousands_of_trials(plan):
    expanded = plan(
        f"space: {{seed: {{grid: {list(range(2500))}}}, samples: {{grid: [1, 2]}}}}", "method=gmm"
    )
    assert len(set(ids(expanded))) == 5000


def test_a_report_runs_along_the_first_axis_that_has_values_not_along_a_drawn_one(plan):
    space = "space: {learning_rate: {log_uniform: [1e-4, 1e-2]}, samples: {grid: [1, 5]}}\n"
    assert plan(space + "search: {kind: random, trials: 2}", "method=gmm").x == "samples"
    drawn = "space: {learning_rate: {log_uniform: [1e-4, 1e-2]}}\n"
    assert plan(drawn + "search: {kind: random, trials: 2}", "method=gmm").x is None


@pytest.mark.parametrize(
    "text",
    [
        "fixed: {warm_start: runs/mine}",
        "per_method: {gmm: {warm_start: runs/mine}}",
        "variations: {cold: {}, warm: {warm_start: runs/mine}}",
        "space: {warm_start: {grid: [runs/mine, 0123456789abcdef]}}",
    ],
)
def test_a_path_to_begin_from_starts_in_the_folder_where_the_study_was_loaded(
    load, text, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    study = load(text, "methods=[gmm]")
    here = [trial.config.trial_id for trial in make_plan(study, CHECKSUMS).trials]
    monkeypatch.chdir(tmp_path / "elsewhere")
    plan = make_plan(study, CHECKSUMS)
    assert [trial.config.trial_id for trial in plan.trials] == here
    begun = {trial.config.hyperparameters.warm_start for trial in plan.trials}
    assert str(tmp_path / "runs/mine") in begun


def test_a_study_that_begins_from_a_trial_or_from_nothing_stays_as_it_is(load):
    plan = make_plan(load("variations: {a: {}, b: {warm_start: 0123456789abcdef}}"), CHECKSUMS)
    begun = {trial.config.hyperparameters.warm_start for trial in plan.trials}
    assert begun == {None, "0123456789abcdef"}
