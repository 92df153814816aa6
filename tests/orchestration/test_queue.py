"""The order in which the trials of a study are trained."""

import pytest
from ray.tune.search import Searcher

from gmm_study.orchestration.queue import Queue
from gmm_study.search.searches import Searches
from gmm_study.study import load_study, make_plan
from gmm_study.trials.record_store import RecordStore
from tests.workbench import Workbench

STUDY = """
question: Which trial is trained first?
datasets: [digits]
methods: [gmm]
variations: {{last: {{warm_start: '{second}'}}, second: {{warm_start: '{first}'}}, first: {{}}}}
"""


@pytest.fixture
def queued(tmp_path, monkeypatch):
    """The queue of a study in which each trial begins from the next one, and their ids."""
    bench = Workbench(tmp_path)
    monkeypatch.chdir(tmp_path)
    first, second = "0" * 16, "1" * 16
    for _ in range(3):
        bench.write_study(STUDY.format(first=first, second=second))
        plan = make_plan(load_study("tiny"), {"digits": "0" * 64})
        last, second, first = (trial.config.trial_id for trial in plan.trials)
    searches = Searches(plan, RecordStore(str(tmp_path / "results")))
    return Queue(plan.trials, searches, lambda: 4, lambda trial: None), [first, second, last]


@pytest.mark.parametrize("failed", [False, True])
def test_a_trial_is_held_back_until_the_one_that_it_begins_from_has_ended(queued, failed):
    queue, order = queued
    for number, trial_id in enumerate(order):
        assert queue.suggest(f"tune{number}")["job"]["trial"]["trial_id"] == trial_id
        rest = queue.suggest("another")
        assert rest == (Searcher.FINISHED if trial_id == order[-1] else None)
        queue.on_trial_complete(f"tune{number}", error=failed)
