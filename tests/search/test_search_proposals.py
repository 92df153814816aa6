"""What an adaptive search proposes, and that it goes on where it stood."""

import json
import shutil
from hashlib import sha256
from math import log10

import pytest
from optuna.samplers import CmaEsSampler, TPESampler
from optuna.trial import TrialState as Shown

from gmm_study.search.history import PAGE, History
from gmm_study.search.searches import Searches
from gmm_study.storage.folder import Folder
from gmm_study.study import Planner
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P
from tests.search.conftest import SHA, Bench, Stored, reached, work
from tests.trials.results import result_of

KINDS = ("tpe", "cmaes")
CMAES = "search.kind=cmaes"


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
    early, late = 0.0, 0.0
    for seed in range(4):
        search = bench.search(f"search={{kind: {kind}, trials: 60, seed: {seed}}}")
        away = [abs(log10(axes["learning_rate"]) + 3) for axes in work(search, 60)]
        early, late = early + sum(away[:10]), late + sum(away[-10:])
    assert late < 0.5 * early


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


def pages_of(bench):
    (folder,) = (bench.folder / "results" / ".searches" / "which").iterdir()
    return sorted(folder.iterdir())


def test_a_history_that_cannot_be_read_costs_the_search_and_not_a_record(bench):
    proposed = work(bench.search(), 5)
    (path,) = pages_of(bench)
    for content in (
        b"",
        b"{",
        b"[]",
        b'{"events": [{"event": "propose"}]}',
        path.read_bytes()[:99],
    ):
        path.write_bytes(content)
        assert bench.plan().trials == ()
        (problem,) = [History(bench.store, cell).problem for cell in bench.cells()]
        assert problem.endswith("is damaged, so the search of 'digits gmm' starts again")
        assert work(bench.search(), 5) == proposed


LONG = f"search.trials={2 * PAGE}"


def test_a_long_history_is_read_as_it_was_written_and_damage_costs_only_what_came_after(bench):
    search = bench.search(LONG)
    events = search.history.events
    proposed = work(search, 2 * PAGE)
    *_, third, last = pages_of(bench)
    assert History(bench.store, search.cell).events == events
    assert len(events) == 4 * PAGE
    third.write_bytes(last.read_bytes())
    cut = History(bench.store, search.cell)
    assert cut.events == events[: 2 * PAGE]
    assert cut.problem.endswith(f"goes on from its event {2 * PAGE}")
    assert work(bench.search(LONG), 2 * PAGE) == proposed[PAGE:]
    assert History(bench.store, search.cell).events == events
    assert not History(bench.store, search.cell).problem


def test_an_event_is_stored_by_one_small_write_however_long_the_history_is(bench, monkeypatch):
    written = []
    write = Folder.write_file
    monkeypatch.setattr(
        Folder,
        "write_file",
        lambda folder, name, content: (written.append(content), write(folder, name, content)),
    )
    search = bench.search(LONG)
    work(search, 2 * PAGE)
    assert len(written) == len(search.history.events)
    largest = [max(map(len, written[start : start + PAGE])) for start in range(0, 4 * PAGE, PAGE)]
    assert max(largest) < 1.1 * min(largest)


def test_a_reader_that_follows_a_search_reads_only_what_is_new(bench, monkeypatch):
    search = bench.search(LONG)
    reader = History(bench.store, search.cell)
    seen = []
    read = Folder.read_file
    monkeypatch.setattr(
        Folder, "read_file", lambda folder, name: (seen.append(name), read(folder, name))[1]
    )
    looks = []
    for _ in range(4 * PAGE // 10):
        work(search, 5)
        seen.clear()
        reader.read()
        looks.append(len(seen))
        assert reader.events == search.history.events
    assert max(looks) <= 3
    assert sum(looks) < 1.5 * len(looks)


def test_a_search_of_an_older_version_goes_on_from_its_single_file(bench):
    search = bench.search(LONG)
    work(search, PAGE + 3)
    (path,) = {page.parent for page in pages_of(bench)}
    drawn = json.loads(pages_of(bench)[0].read_text())["drawn"]
    events = search.history.events.copy()
    digest = sha256(json.dumps([drawn, events], sort_keys=True).encode()).hexdigest()
    old = {"cell": "digits gmm", "drawn": drawn, "events": events, "sha256": digest}
    shutil.rmtree(path)
    path.with_suffix(".json").write_text(json.dumps(old))
    assert len(bench.plan(LONG).trials) == PAGE + 3
    expected = work(search, 4)
    shutil.rmtree(path)
    assert work(bench.search(LONG), 4) == expected
    assert History(bench.store, search.cell).events == search.history.events


def test_a_plan_that_follows_a_search_expands_only_its_new_proposals(bench, monkeypatch):
    search = bench.search()
    planner = Planner(bench.study(), SHA, lambda cell: search.history)
    assert planner.plan() is planner.plan()
    work(search, 20)
    assert len(planner.plan().trials) == 20
    made = []
    new = TrialConfig.__init__
    monkeypatch.setattr(
        TrialConfig, "__init__", lambda self, *args: (made.append(1), new(self, *args))[1]
    )
    axes = work(search, 3)
    made.clear()
    plan = planner.plan()
    assert len(made) == 3
    assert [trial.axes for trial in plan.trials[-3:]] == axes
    assert plan.trials == bench.plan().trials
    assert planner.plan() is plan


def test_a_version_of_optuna_that_draws_otherwise_goes_on_from_what_was_proposed(
    bench, monkeypatch
):
    proposed = work(bench.search(CMAES), 6)
    drawn = CmaEsSampler.sample_relative

    def otherwise(*arguments):
        return {name: 0.5 * value for name, value in drawn(*arguments).items()}

    monkeypatch.setattr(CmaEsSampler, "sample_relative", otherwise)
    again = bench.search(CMAES)
    assert again.history.proposals == proposed
    assert not again.under_way
    assert len(work(again, 100)) == 19


def test_a_search_goes_on_without_drawing_its_proposals_again(bench, monkeypatch):
    work(bench.search(), 20)
    draws = []
    draw = TPESampler.sample_independent
    monkeypatch.setattr(
        TPESampler,
        "sample_independent",
        lambda *args: (draws.append(1), draw(*args))[1],
    )
    search = bench.search()
    assert not draws
    search.propose()
    assert len(draws) == 2  # axes


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
