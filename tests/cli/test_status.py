"""`status` says where a study stands while it runs, after it, and after a crash."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gmm_study.training.state import TrialState
from tests.cli.planned import finish, open_runs
from tests.workbench import Workbench, wait_until

ROOT = Path(__file__).parents[2]


def test_a_study_nobody_has_started_is_pending_and_its_time_unknown(bench):
    output = bench.call("status", "tiny").stdout
    assert "4 pending" in output
    assert "estimated time: unknown, as no trial has finished yet" in output


def test_a_failed_trial_has_the_last_line_of_its_error_and_the_path_of_its_log(bench):
    run, *_ = open_runs(bench.folder)
    run.record.write_status(TrialState.FAILED, error="first line\nValueError: the last line")
    output = bench.call("status", "tiny").stdout
    assert "failed: data.npz gmm" in output or "failed: data gmm" in output
    assert "ValueError: the last line" in output
    assert "first line" not in output
    assert "log.txt" not in output
    run.record.write_file("log.txt", b"Traceback")
    flowed = bench.call("status", "tiny").stdout.replace("\n", "")
    assert f"{run.record.path}/log.txt" in flowed


def test_a_record_that_cannot_be_read_is_said_to_be_so(bench):
    run, *_ = open_runs(bench.folder)
    run.record.write_file("result.json", b"{")
    assert "result.json cannot be read" in bench.call("status", "tiny").stdout.replace("\n", "")


def test_what_is_left_is_told_by_the_trials_that_have_ended(bench):
    first, *others = open_runs(bench.folder)
    finish(first)
    for run in others:
        run.pause()
    output = bench.call("status", "tiny").stdout
    assert "1 complete" in output
    assert re.search(r"nothing is running; estimated time: about \d+:\d\d", output)


TRAIN = """
import sys
from pathlib import Path
from tests.cli.planned import open_runs

run, *_ = open_runs(Path(sys.argv[1]), "methods=[gmm]", "layers=[6,3]")
while True:
    run.advance()
    run.save()
"""


@pytest.mark.process
def test_another_terminal_sees_a_study_run_and_a_dead_ones_trials_do_not_run(tmp_path):
    bench = Workbench(tmp_path, epochs=100_000)
    with subprocess.Popen([sys.executable, "-c", TRAIN, str(tmp_path)], cwd=ROOT) as trains:
        wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
        output = bench.call("status", "tiny").stdout.replace("\n", " ")
        trains.kill()
    shown = r"running: .*epoch \d+ of at most 100000, bound -\S+, at most \S+ left, on \S+"
    assert re.search(shown, output)
    assert re.search(r"time left: at most about \d+:\d\d", output)
    after = bench.call("status", "tiny").stdout
    assert "running:" not in after
    assert "4 pending" in after


def test_watching_ends_when_nothing_runs(bench):
    assert "4 pending" in bench.call("status", "tiny", "--watch").stdout
