"""Which trials are stopped early, and that a run that goes on decides as one that never ended."""

import pytest

from gmm_study.search.searches import Searches
from gmm_study.study import Study
from gmm_study.training.state import TrialState
from tests.search.conftest import Bench, Stored

GRID = """
question: Which step size?
datasets: [digits]
methods: [gmm]
fixed: {max_epochs: 100, layers: {first: 8, last: 4}}
space:
  layers.depth: {grid: [1, 2]}
  learning_rate: {grid: [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 2e-5, 2e-4, 2e-3, 2e-2]}
scheduler: {kind: asha, grace_epochs: 5, reduction_factor: 3}
"""
ASHA = ("search.trials=30", "scheduler={kind: asha, grace_epochs: 5}")


def race(bench: Bench, bounds: list[float], *overrides: str, again: bool = False) -> list[int]:
    """The epochs at which trials of constant bounds, one after the other, are stopped; 0 if not."""
    search = bench.search(*overrides)
    stopped = []
    for bound in bounds:
        if again:
            search = bench.search(*overrides)
        trial_id = search.propose().config.trial_id
        epochs = search.cell.study.scheduler.milestones(100)
        at = next((epoch for epoch in epochs if search.report(trial_id, epoch, bound)), 0)
        search.end(
            trial_id, TrialState.STOPPED if at else TrialState.COMPLETE, None if at else bound
        )
        stopped.append(at)
    return stopped


@pytest.mark.parametrize(
    ("scheduler", "milestones"),
    [
        ("{kind: asha, grace_epochs: 5}", [5, 15, 45]),
        ("{kind: asha, grace_epochs: 1, reduction_factor: 4}", [1, 4, 16, 64]),
        ("{kind: asha, grace_epochs: 100}", []),
        ("{kind: median, grace_epochs: 30}", [30, 60, 90]),
        ("{kind: asha, grace_epochs: 0.15, reduction_factor: 2}", [15, 30, 60]),
        ("{kind: median, grace_epochs: 0.3}", [30, 60, 90]),
    ],
)
def test_trials_may_be_stopped_at_the_milestones_of_the_scheduler(bench, scheduler, milestones):
    study: Study = bench.study(f"scheduler={scheduler}")
    assert study.scheduler.milestones(100) == milestones


def test_a_trial_comes_as_far_on_average_as_successive_halving_lets_it(bench):
    asha = bench.study("scheduler={kind: asha, grace_epochs: 9}").scheduler
    assert asha.expected_epochs(81) == 9 + (27 - 9) / 3 + (81 - 27) / 9
    assert asha.expected_epochs(9) == 9
    assert bench.study().scheduler.expected_epochs(30) == 30


def test_successive_halving_lets_the_best_third_go_on_at_every_milestone(bench):
    assert race(bench, [-9.0, -8.0, -10.0, -7.0, -8.5, -7.5], *ASHA) == [0, 0, 5, 0, 5, 15]


TWO_LENGTHS = """
question: Which?
datasets: [digits]
methods: [gmm]
variations: {short: {max_epochs: 10}, long: {max_epochs: 40}}
space: {learning_rate: {grid: [1e-3]}}
scheduler: {kind: asha, grace_epochs: 0.5, reduction_factor: 2}
report: {x: learning_rate}
"""


def test_trials_of_different_lengths_are_compared_at_the_same_share_of_their_epochs(bench):
    bench.text = TWO_LENGTHS
    plan = bench.plan()
    searches = Searches(plan, bench.store)
    short, long = (trial.config.trial_id for trial in plan.trials)
    assert not searches.falls_behind(short, 5, -1.0)
    assert not searches.falls_behind(long, 5, -9.0)
    assert searches.falls_behind(long, 20, -9.0)


def test_without_a_scheduler_no_trial_is_stopped(bench):
    search = bench.search()
    for bound in (-1.0, -50.0, -100.0):
        trial_id = search.propose().config.trial_id
        assert not search.report(trial_id, 5, bound)
        search.end(trial_id, TrialState.COMPLETE, bound)


def test_the_median_rule_stops_what_is_below_the_median_of_the_complete_ones(bench):
    median = ("scheduler={kind: median, grace_epochs: 10, startup_trials: 3}",)
    bounds = [-9.0, -8.0, -7.0, -8.5, -7.5, -8.1]
    assert race(bench, bounds, *median) == [0, 0, 0, 10, 0, 10]


@pytest.mark.sampled
@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_a_run_that_goes_on_stops_what_an_unbroken_one_would(tmp_path, scheduler):
    bounds = [-9.0, -8.0, -10.0, -7.0, -8.5, -7.5, -7.1, -8.2, -6.0, -9.5]
    stopped = []
    for again in (False, True):
        bench = Bench(tmp_path / str(again))
        bench.folder.mkdir()
        stopped.append(race(bench, bounds, f"scheduler={{kind: {scheduler}}}", again=again))
    assert stopped[0] == stopped[1]
    assert any(stopped[0])


def test_trials_of_a_grid_compete_within_a_value_of_the_reports_axis_alone(bench):
    bench.text = GRID
    plan = bench.plan()
    searches = Searches(plan, bench.store)
    shallow, deep = plan.trials[:9], plan.trials[9:]
    assert {len(trial.config.hyperparameters.layers) for trial in shallow} == {1}
    behind = [searches.falls_behind(t.config.trial_id, 5, -1.0 - n) for n, t in enumerate(shallow)]
    assert behind == [False] + [True] * 8
    assert not searches.falls_behind(deep[0].config.trial_id, 5, -99.0)


def test_what_is_stopped_says_so_in_its_record_and_is_not_complete(bench):
    bench.text = GRID
    plan = bench.plan()
    searches = Searches(plan, bench.store)
    first, second, *_ = (trial.config.trial_id for trial in plan.trials)
    assert not searches.falls_behind(first, 5, -1.0)
    assert searches.falls_behind(second, 5, -2.0)
    assert bench.store.record(second).state(1) is TrialState.STOPPED
    assert bench.store.record(second).result() is None


def test_a_milestone_counts_once_however_often_a_trial_reaches_it(bench):
    bench.text = GRID
    plan = bench.plan()
    first, second, *_ = (trial.config.trial_id for trial in plan.trials)
    assert not Searches(plan, bench.store).falls_behind(first, 5, -1.0)
    resumed = Searches(plan, bench.store)
    assert not resumed.falls_behind(first, 5, -3.0)
    assert resumed.falls_behind(second, 5, -2.0)


def test_a_verdict_that_nobody_acted_on_is_told_again(bench):
    bench.text = GRID
    plan = bench.plan()
    first, second, *_ = (trial.config.trial_id for trial in plan.trials)
    assert not Searches(plan, bench.store).falls_behind(first, 5, -1.0)
    cut_off = Stored(bench.store, plan.cells[plan.trials[0].cell])
    assert cut_off.report(second, 5, -2.0)  # and the driver is gone before it says so
    assert Searches(plan, bench.store).falls_behind(second, 5, -2.0)
    assert bench.store.record(second).state(1) is TrialState.STOPPED


def test_what_another_study_has_stopped_goes_on_in_a_study_without_a_scheduler(bench):
    proposed = bench.search().propose()
    bench.store.record(proposed.config.trial_id).write_status(TrialState.STOPPED, epoch=5)
    Searches(bench.plan(), bench.store).take_up(retried=set())
    assert bench.search().under_way == [proposed.config.trial_id]


def test_epochs_between_milestones_and_bounds_that_are_not_finite_stop_nothing(bench):
    bench.text = GRID
    plan = bench.plan()
    searches = Searches(plan, bench.store)
    first, second, *_ = (trial.config.trial_id for trial in plan.trials)
    assert not searches.falls_behind(first, 5, -1.0)
    assert not searches.falls_behind(second, 4, -9.0)
    assert not searches.falls_behind(second, 5, float("nan"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scheduler: {kind: ash}", ("scheduler.kind: 'ash'", "'asha'")),
        ("scheduler: {kind: asha, grace_epochs: 0}", ("scheduler.grace_epochs: 0",)),
        ("scheduler: {kind: asha, grace_epochs: 2.5}", ("2.5 must be a whole number", "a share")),
        ("scheduler: {kind: asha, grace_epochs: true}", ("scheduler.grace_epochs: True",)),
        ("scheduler: {kind: asha, reduction_factor: 1}", ("scheduler.reduction_factor: 1",)),
        ("scheduler: {grace_epochs: 3}", ("scheduler.kind: is missing",)),
        ("search: {kind: tpe, trials: 3}", ("search.kind: 'tpe' has no axis to draw from",)),
        ("search: {kind: tpe}", ("search.trials: is missing",)),
        (
            "space: {learning_rate: {uniform: [0.1, 0.2]}}\nsearch: {kind: cmaes, trials: 3}",
            ("search.kind: 'cmaes' needs at least two ranges", "use tpe"),
        ),
    ],
)
def test_a_search_or_scheduler_that_cannot_be_used_is_refused_in_a_line(bench, text, words):
    bench.text = f"question: Which?\ndatasets: [digits]\nmethods: [gmm]\n{text}\n"
    with pytest.raises(ValueError, match=r"which\.yaml: ") as refused:
        bench.study()
    for word in words:
        assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_kind_leaves_the_fields_of_the_kind_before_behind(bench):
    asha = "scheduler={kind: asha, reduction_factor: 2, grace_epochs: 4}"
    study = bench.study(asha, "scheduler.kind=median", "search.kind=random")
    assert study.scheduler.grace_epochs == 4
    assert bench.study("scheduler=asha").scheduler.kind == "asha"
    assert study.search.model_dump(exclude_none=True) == {
        "kind": "random",
        "trials": 25,
        "seed": 0,
        "points": [],
    }
