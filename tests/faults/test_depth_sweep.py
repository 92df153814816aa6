"""The shipped study whose driver is killed again and again ends as one that nobody disturbed."""

import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from gmm_study.trials.record import Record
from tests.faults.test_drivers import ended
from tests.workbench import Workbench, curves, figures, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

STUDIES = Path(__file__).parents[2] / "studies"


def a_bench(folder):
    folder.mkdir()
    bench = Workbench(folder)
    shutil.copy(STUDIES / "depth_sweep.yaml", folder / "studies")
    return bench


def epochs_of(bench):
    return sum(status.get("epoch", 0) for status in bench.statuses().values())


def test_depth_sweep_with_its_driver_killed_again_and_again_ends_bit_for_bit_as_undisturbed(
    tmp_path, fault
):
    kills, step, arguments = 20, 40, ("run", "depth_sweep")
    undisturbed, killed = a_bench(tmp_path / "undisturbed"), a_bench(tmp_path / "killed")
    undisturbed.run(*arguments, within=1800)
    choose, count = random.Random(0), 0
    for _ in range(kills):
        driver = killed.start(*arguments)
        until = epochs_of(killed) + choose.randint(0, step)
        wait_until(lambda d=driver, n=until: epochs_of(killed) > n or d.poll() is not None, 600)
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            count += 1
        ended(driver)
    killed.run(*arguments, within=1800)
    found, expected = killed.results(), undisturbed.results()
    assert len(expected) == 12
    assert found.keys() == expected.keys()
    assert {each: figures(found[each]) for each in found} == {
        each: figures(expected[each]) for each in expected
    }
    for each in found:
        records = [Record.at(str(b.folder / "results" / each)) for b in (undisturbed, killed)]
        assert curves(records[0]) == curves(records[1])
    fault("the driver of depth_sweep killed", count)
