"""What an adaptive search proposes, and that it goes on where it stood."""

import json
from math import log10

import pytest
from optuna.trial import TrialState as Shown

from gmm_study.search.history import _digest
from gmm_study.search.searches import Searches
from gmm_study.training.state import TrialState
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P
from tests.search.conftest import Bench, Stored, reached, work
from tests.trials.results import result_of

KINDS = ("tpe", "cmaes")


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_proposes_as_many_trials_as_it_is_asked_for(bench, kind):
    search = bench.search(f"search.kind={kind}")
    assert len(work(search, 100)) == 25
    assert search.propose() is None
    assert search.unproposed == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_proposes_values_within_its_axes(bench, kind):
    for axes in work(bench.search(f"search.kind={kind}"), 25):
        assert 1e-5 <= axes["learning_rate"] <= 1e-1
        assert axes["samples"] in range(2, 51)


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_learns_from_what_its_trials_reached(bench, kind):
    search = bench.search(f"search.kind={kind}", "search.trials=60")
    away = [abs(log10(axes["learning_rate"]) + 3) for axes in work(search, 60)]
    assert sum(away[-10:]) < 0.5 * sum(away[:10])


@pytest.mark.parametrize("kind", KINDS)
def test_equal_searches_propose_alike_and_another_seed_proposes_otherwise(tmp_path, kind):
    def proposals(name, *overrides):
        folder = tmp_path / name
        folder.mkdir()
        return work(Bench(folder).search(f"search.kind={kind}", *overrides), 12)

    assert proposals("one") == proposals("two")
    assert proposals("other", "search.seed=1") != proposals("one again")


@pytest.mark.sampled
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stops", [(1,), (3, 7), (6, 7, 8)])
def test_a_search_that_is_cut_off_proposes_on_as_if_it_never_was(tmp_path, kind, stops):
    whole, parts = Bench(tmp_path / "whole"), Bench(tmp_path / "parts")
    for bench in (whole, parts):
        bench.folder.mkdir()
    expected = work(whole.search(f"search.kind={kind}"), 20)
    found = []
    for stop in (*stops, 20):
        found += work(parts.search(f"search.kind={kind}"), stop - len(found))
    assert found == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_proposal_that_is_under_way_when_the_search_is_cut_off_is_not_proposed_again(bench, kind):
    search = bench.search(f"search.kind={kind}")
    work(search, 4)
    pending = search.propose()
    again = bench.search(f"search.kind={kind}")
    assert again.under_way == [pending.config.trial_id]
    assert [trial.axes for trial in bench.plan(f"search.kind={kind}").trials][-1] == pending.axes
    again.end(pending.config.trial_id, TrialState.COMPLETE, reached(pending))
    assert len(work(again, 100)) == 20


def test_more_trials_extend_a_search_and_fewer_show_its_beginning(bench):
    first = work(bench.search("search.trials=6"), 100)
    extended = work(bench.search("search.trials=10"), 100)
    assert len(extended) == 4
    plan = bench.plan("search.trials=10")
    assert [trial.axes for trial in plan.trials] == first + extended
    assert sum(plan.unproposed.values()) == 0
    assert len(bench.plan("search.trials=3").trials) == 3


def test_a_plan_has_the_proposals_so_far_and_says_how_many_are_to_come(bench):
    assert bench.plan().trials == ()
    assert sum(bench.plan().unproposed.values()) == 25
    proposed = work(bench.search(), 7)
    plan = bench.plan()
    assert [trial.axes for trial in plan.trials] == proposed
    assert sum(plan.unproposed.values()) == 18


def test_more_replicates_keep_what_was_proposed(bench):
    proposed = work(bench.search(), 7)
    assert [trial.axes for trial in bench.plan("replicates=5").trials] == proposed


@pytest.mark.parametrize(
    "change",
    ["learning_rate=1e-3", "max_epochs=40", "search.seed=3", "space.samples.integer=[2,60]"],
)
def test_another_setting_axis_or_seed_is_another_search(bench, change):
    work(bench.search(), 3)
    assert bench.plan(change).trials == ()


def test_every_cell_of_the_grid_around_a_search_has_its_own_seeded_search(bench):
    around = ("methods=[gmm,rws]", "datasets=[digits,bars]", "space.layers.grid=[[8],[8,4]]")
    cells = bench.cells(*around)
    assert len({cell.key for cell in cells}) == len(cells) == 8
    assert {cell.label for cell in cells} >= {"digits gmm layers=8", "bars rws layers=8,4"}
    firsts = {str(work(type(bench.search())(bench.store, cell), 1)) for cell in cells}
    assert len(firsts) == 8


def test_a_cell_proposes_the_same_whatever_cells_stand_beside_it(bench):
    alone = bench.cells()[0].key
    assert alone in {cell.key for cell in bench.cells("methods=[rws,gmm]")}


def test_the_points_of_a_search_are_tried_first(bench):
    points = "[{learning_rate: 0.002, samples: 20}, {learning_rate: 0.01, samples: 3}]"
    proposed = work(bench.search(f"search.points={points}"), 4)
    assert proposed[:2] == [
        {"learning_rate": 0.002, "samples": 20},
        {"learning_rate": 0.01, "samples": 3},
    ]
    resumed = bench.search(f"search.points={points}")
    assert resumed.propose().axes not in proposed


def test_a_trial_that_is_proposed_twice_is_trained_once(tmp_path):
    text = """
question: Which of two?
datasets: [digits]
methods: [gmm]
space: {learning_rate: {choice: [1e-3, 1e-2]}}
search: {kind: tpe, trials: 20}
"""
    bench = Bench(tmp_path, text)
    assert len(work(bench.search(), 100)) == 2
    assert bench.search().unproposed == 0
    assert len(bench.plan().trials) == 2


def test_trials_that_diverge_or_fail_are_no_longer_under_way_and_the_search_goes_on(bench):
    ends = [TrialState.DIVERGED, TrialState.FAILED, TrialState.COMPLETE]
    search = bench.search()
    assert len(work(search, 9, lambda trial: ends[trial.config.hyperparameters.samples % 3])) == 9
    assert not search.under_way
    assert not bench.search().under_way


def test_a_history_that_cannot_be_read_costs_the_search_and_not_a_record(bench):
    proposed = work(bench.search(), 5)
    (path,) = (bench.folder / "results" / ".searches" / "which").iterdir()
    for content in (
        b"",
        b"{",
        b"[]",
        b'{"events": [{"event": "propose"}]}',
        path.read_bytes()[:99],
    ):
        path.write_bytes(content)
        assert bench.plan().trials == ()
        assert work(bench.search(), 5) == proposed


def test_a_version_of_optuna_that_draws_otherwise_goes_on_from_what_was_proposed(bench):
    proposed = work(bench.search(), 6)
    (path,) = (bench.folder / "results" / ".searches" / "which").iterdir()
    document = json.loads(path.read_text().replace(str(proposed[2]["learning_rate"]), "0.05"))
    document["sha256"] = _digest(document["drawn"], document["events"])
    path.write_text(json.dumps(document))
    again = bench.search()
    assert again.history.proposals()[2]["learning_rate"] == 0.05
    assert not again.under_way
    assert len(work(again, 100)) == 19


def test_what_is_told_twice_counts_once(tmp_path):
    def proposals(name, times):
        folder = tmp_path / name
        folder.mkdir()
        search, found = Bench(folder).search(), []
        for _ in range(12):
            trial = search.propose()
            found.append(trial.axes)
            for _ in range(times):
                search.end(trial.config.trial_id, TrialState.COMPLETE, reached(trial))
        return found

    assert proposals("once", 1) == proposals("thrice", 3)


def values_of(search):
    return [trial.value for trial in search._study.get_trials(states=[Shown.COMPLETE])]


def test_trials_are_compared_by_log_p_and_all_by_bounds_from_the_first_old_record_on(bench):
    search, bounds = bench.search(), []
    for number in range(8):
        trial = search.propose()
        bounds.append(reached(trial))
        both = {VALID_BOUND: bounds[-1], VALID_LOG_P: 5.0 * number}
        search.end(trial.config.trial_id, TrialState.COMPLETE, both)
    assert values_of(search) == values_of(bench.search()) == [5.0 * each for each in range(8)]
    old, pending = search.propose(), search.propose()
    search.end(old.config.trial_id, TrialState.COMPLETE, {VALID_BOUND: reached(old)})
    bounds.append(reached(old))
    for either in (search, bench.search()):
        assert values_of(either) == bounds
        assert either.under_way == [pending.config.trial_id]
    search.end(pending.config.trial_id, TrialState.COMPLETE, reached(pending))
    assert values_of(search) == [*bounds, reached(pending) - 1.0]
    again = bench.search()
    assert again.propose().axes == search.propose().axes


def test_a_trial_of_two_cells_ends_in_both_also_after_a_restart(tmp_path):
    text = """
question: Does a name make a difference?
datasets: [digits]
methods: [gmm]
variations: {one: {}, other: {}}
space: {learning_rate: {log_uniform: [1e-4, 1e-1]}}
search: {kind: tpe, trials: 3, points: [{learning_rate: 0.01}]}
"""
    bench = Bench(tmp_path, text)
    searches = Searches(bench.plan(), bench.store)
    shared = searches.next()
    assert searches.next().config.trial_id != shared.config.trial_id
    restarted = Searches(bench.plan(), bench.store)
    record = bench.store.record(shared.config.trial_id)
    record.write_result(result_of(shared.config.trial_id, {"valid/bound": -3.0}))
    restarted.ended(shared.config.trial_id)
    for cell in bench.plan().cells.values():
        assert shared.config.trial_id not in Stored(bench.store, cell).under_way


def test_another_variation_of_what_is_drawn_in_part_is_another_search(tmp_path):
    text = """
question: Which depth?
datasets: [digits]
methods: [gmm]
variations: {{wide: {{layers: {{first: {first}, last: 5}}}}}}
space: {{layers.depth: {{integer: [1, 4]}}}}
search: {{kind: tpe, trials: 3}}
"""
    keys = {Bench(tmp_path, text.format(first=first)).cells()[0].key for first in (50, 90)}
    assert len(keys) == 2


def test_another_rate_of_a_stage_is_another_search_over_the_rates_of_the_others(tmp_path):
    text = """
question: Which rate?
datasets: [digits]
methods: [gmm]
fixed: {{stages: [{{learning_rate: {first}}}, {{max_epochs: 3}}]}}
space: {{learning_rate: {{log_uniform: [1e-4, 1e-1]}}}}
search: {{kind: tpe, trials: 3}}
"""
    keys = {Bench(tmp_path, text.format(first=first)).cells()[0].key for first in (0.1, 0.2)}
    assert len(keys) == 2
