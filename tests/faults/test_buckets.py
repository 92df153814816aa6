"""Records in a bucket of S3: nothing is lost or trained twice, whatever dies or fails."""

import os
import random
import signal
from collections import Counter

import pytest

from gmm_study.trials.record_store import RecordStore
from tests.faults.test_drivers import (
    EPOCHS,
    ONE_TRIAL,
    ended,
    figures_of_all,
    run_and_kill_the_worker,
    undisturbed,
)
from tests.faults.test_records import BEFORE, DAMAGE, STATE, a_trial_left_at, finished
from tests.s3_server import EMPTY_LIST, THROTTLED, failure
from tests.workbench import Workbench, wait_until

pytestmark = pytest.mark.fault

ADDRESS = "s3://studies/results"


@pytest.fixture
def bench(tmp_path, s3, monkeypatch):
    """A folder of a user's own, with its records in a bucket."""
    monkeypatch.setenv("GMM_STUDY_STORAGE", ADDRESS)
    bench = Workbench(tmp_path, EPOCHS)
    bench.storage = ADDRESS
    return bench


def results_written(s3):
    """How often each trial's result was written."""
    names = (path for method, path in s3.requests if method == "PUT")
    return Counter(name.split("/")[-2] for name in names if name.endswith("/result.json"))


def test_a_second_run_trains_nothing_and_all_commands_read_the_bucket(bench, s3):
    bench.run("run", "tiny", *ONE_TRIAL)
    before = bench.results()
    assert figures_of_all(bench) == undisturbed(bench)
    s3.requests.clear()
    assert "nothing to train" in bench.call("run", "tiny", *ONE_TRIAL).stdout
    assert "1 complete" in bench.call("status", "tiny", *ONE_TRIAL).stdout
    assert "1 complete" in bench.call("report", "tiny", *ONE_TRIAL).stdout
    bench.call("sync", "tiny", *ONE_TRIAL)
    assert bench.results() == before
    assert not results_written(s3)
    assert not (bench.folder / "results").exists()


def test_what_a_run_has_read_is_not_fetched_again_by_status_and_report(bench, s3):
    bench.run("run", "tiny", *ONE_TRIAL)
    for command in ("status", "report"):
        s3.requests.clear()
        assert "1 complete" in bench.call(command, "tiny", *ONE_TRIAL).stdout
        assert s3.requests == [("GET", "/studies")] * 2, "whether it exists, and what is in it"


def test_a_killed_driver_and_a_killed_worker_lose_nothing(bench, s3, times, fault):
    count = times(5, 1)
    for _ in range(count):
        driver = bench.start("run", "tiny", *ONE_TRIAL)
        wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
        os.killpg(driver.pid, signal.SIGKILL)
        ended(driver)
        run_and_kill_the_worker(bench)
        assert figures_of_all(bench) == undisturbed(bench)
        assert set(results_written(s3).values()) == {1}
        left = [entry.name for entry in bench.store.folder.entries(recursive=True)]
        assert not [name for name in left if ".owner" in name or "previous" in name]
        s3.requests.clear()
        bench.store.folder.delete()
    fault("S3: the driver and all its processes killed", count)
    fault("S3: a worker killed with SIGKILL", count)


def test_of_two_drivers_that_start_together_one_runs_the_study(bench, s3, times, fault):
    count = times(5, 1)
    for _ in range(count):
        drivers = [bench.start("run", "tiny", *ONE_TRIAL) for _ in range(2)]
        outputs = [driver.communicate(timeout=300) for driver in drivers]
        assert sorted(driver.returncode for driver in drivers) == [0, 2], outputs
        (declined,) = (err for out, err in outputs if not out)
        assert declined.strip().count("\n") == 0
        assert "is being run by process" in declined
        assert set(results_written(s3).values()) == {1}
        s3.requests.clear()
        bench.store.folder.delete()
    fault("S3: two drivers of a study that start together", count)


def test_two_studies_that_share_a_trial_train_it_once(bench, s3, fault):
    text = (bench.folder / "studies" / "tiny.yaml").read_text()
    bench.write_study(text, name="other")
    drivers, said = [bench.start("run", name, *ONE_TRIAL) for name in ("tiny", "other")], []
    for driver in drivers:
        out, err = driver.communicate(timeout=300)
        assert driver.returncode == 0, out + err
        said.append("(1 by another process)" in out)
    assert sorted(said) == [False, True]
    assert figures_of_all(bench) == undisturbed(bench)
    assert set(results_written(s3).values()) == {1}
    fault("S3: two studies that start the same trial at once", 1)


@pytest.mark.parametrize("what", ["credentials that expire", "a bucket that is deleted"])
def test_a_bucket_that_cannot_be_used_any_more_ends_the_run_with_a_line(bench, s3, fault, what):
    expected = {
        "credentials that expire": failure("400 Bad Request", "ExpiredToken"),
        "a bucket that is deleted": failure("404 Not Found", "NoSuchBucket"),
    }[what]
    driver = bench.start("run", "tiny", *ONE_TRIAL)
    wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
    s3.answers = lambda request: expected
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 2, out + err
    *_, line = err.splitlines()
    assert line.startswith("gmm-study: storage: ")
    assert ("credentials" if "expire" in what else "there is no bucket 'studies'") in line
    assert "Traceback" not in out + err
    assert not (bench.folder / "reports" / "tiny" / "index.html").exists()
    s3.answers = lambda request: None
    bench.run("run", "tiny", *ONE_TRIAL, "--retry-failed")
    assert figures_of_all(bench) == undisturbed(bench)
    fault(f"S3: {what} during a run", 1)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(s3, tmp_path, times, fault, kind):
    draw, count = random.Random(kind), times(20, 2)
    expected = finished(RecordStore(str(tmp_path)).record("undisturbed"))
    for turn in range(count):
        record = a_trial_left_at(f"{ADDRESS}/{turn}", epoch=3)
        record.write_file(STATE, DAMAGE[kind](record.read_file(STATE), draw))
        assert finished(record) == expected
        assert record.read_file(BEFORE) is None
    fault(f"S3: a checkpoint {kind}", count)


def test_a_server_that_throttles_one_request_in_four_costs_nothing(bench, s3, fault):
    draw, throttled = random.Random(1), []

    def answer(request):
        if draw.random() < 0.25:
            throttled.append(request["PATH_INFO"])
            return THROTTLED
        return None

    s3.answers = answer
    bench.run("run", "tiny", *ONE_TRIAL)
    s3.heal()
    assert len(throttled) > 10
    assert figures_of_all(bench) == undisturbed(bench)
    fault("S3: requests throttled", len(throttled))


def test_a_server_that_hangs_while_a_trial_runs_costs_nothing(bench, s3, fault):
    driver = bench.start("run", "tiny", *ONE_TRIAL)
    wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
    s3.hang()
    before = len(s3.requests)
    wait_until(lambda: len(s3.requests) > before + 2)
    s3.heal()
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, out + err
    assert figures_of_all(bench) == undisturbed(bench)
    fault("S3: the server hangs for a while", 1)


def test_a_list_that_does_not_show_the_records_yet_trains_nothing_again(bench, s3, fault):
    bench.run("run", "tiny", *ONE_TRIAL)
    before = bench.results()
    s3.requests.clear()
    s3.answers = lambda request: (
        ("200 OK", EMPTY_LIST) if "list-type=2" in request["QUERY_STRING"] else None
    )
    bench.run("run", "tiny", *ONE_TRIAL)
    s3.heal()
    assert not results_written(s3)
    assert bench.results() == before
    fault("S3: a list that does not show the records yet", 1)
