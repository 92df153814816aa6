"""A search whose driver is killed: it goes on, and ends as one that nobody disturbed."""

import json
import os
import random
import signal
from pathlib import Path

import pytest

from tests.workbench import Workbench, figures, wait_until

pytestmark = pytest.mark.fault

STUDY = """
question: Which step size?
datasets: [data.npz]
methods: [gmm, vae]
fixed: {max_epochs: 60, patience: 1000, batch_size: 20, layers: [6, 3]}
space:
  learning_rate: {log_uniform: [1e-4, 1e-1]}
  samples: {integer: [2, 12]}
search: {kind: tpe, trials: 8, startup_trials: 3}
scheduler: {kind: asha, grace_epochs: 5}
evaluation: {samples: 20}
resources: {checkpoint_seconds: 0.2, concurrent: 1}
"""
"""One trial at a time, so that it is no matter what ends first."""


def searches_of(bench):
    """What was proposed and how it ended, cell by cell."""
    folder = bench.folder / "results" / ".searches" / "searched"
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())["events"]
        for path in folder.rglob("*.json")
    }


def test_a_search_whose_driver_is_killed_ends_as_an_undisturbed_one(tmp_path, fault, times):
    benches = []
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
        benches.append(Workbench(tmp_path / name))
        benches[-1].write_study(STUDY, "searched")
    undisturbed, killed = benches
    kills, choose = times(10, 1), random.Random(0)
    searched = ("run", "searched", "--set", f"search.trials={times(8, 5)}")
    undisturbed.run(*searched)
    for _ in range(kills):
        driver = killed.start(*searched)
        wanted = len(killed.statuses()) + choose.randint(1, max(1, 8 // kills))
        wait_until(lambda n=wanted, d=driver: len(killed.statuses()) >= n or d.poll() is not None)
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
        workers = {status["pid"] for status in killed.statuses().values()}
        wait_until(lambda pids=workers: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    killed.run(*searched)
    assert searches_of(killed) == searches_of(undisturbed)
    found, expected = killed.results(), undisturbed.results()
    assert found.keys() == expected.keys()
    assert all(figures(found[each]) == figures(expected[each]) for each in expected)
    fault("driver of a search by tpe and asha killed", kills)
