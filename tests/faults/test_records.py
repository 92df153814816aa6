"""Records that are damaged, disks that are full, trials that hang or diverge."""

import json
import os
import random
import resource
import subprocess
from collections import deque
from contextlib import ExitStack, contextmanager, suppress

import pytest
import torch

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.cli.planned import open_runs, train_all
from tests.faults.test_drivers import EPOCHS, ONE_TRIAL, figures_of_all, undisturbed
from tests.training.small import a_dataset, some_hyperparameters
from tests.workbench import Workbench, figures, wait_until

pytestmark = pytest.mark.fault

DATA = a_dataset()
CONFIG = TrialConfig(some_hyperparameters(), DATA.name, DATA.sha256)
STATE, BEFORE = "checkpoint/training.safetensors", "checkpoint/training.previous.safetensors"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def flipped(content, draw):
    bit = draw.randrange(8 * len(content))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def cut(content, draw):
    return content[: draw.randrange(len(content))]


def garbage(content, draw):
    return draw.randbytes(draw.randrange(1, 2000))


DAMAGE = {"truncated": cut, "with a flipped bit": flipped, "replaced by garbage": garbage}


def a_trial_left_at(folder, epoch):
    """The record of a trial that was left after a checkpoint an epoch."""
    record = Record.at(str(folder))
    run = TrialRun(CONFIG, DATA, range(2), record)
    for _ in range(epoch):
        run.advance()
        run.save()
    run.leave()
    return record


def finished(record):
    run = TrialRun(CONFIG, DATA, range(2), record)
    while not run.finished:
        run.advance()
    return figures(record.result().to_json())


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The figures of the trial when nothing disturbs it."""
    return finished(Record.at(str(tmp_path_factory.mktemp("undisturbed"))))


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, times, fault, expected, kind):
    draw, damage = random.Random(kind), DAMAGE[kind]
    count = times(100, 5)
    for turn in range(count):
        record = a_trial_left_at(tmp_path / str(turn), epoch=3)
        record.write_file(STATE, damage(record.read_file(STATE), draw))
        run = TrialRun(CONFIG, DATA, range(2), record)
        at = run.progress().epoch
        run.leave()
        assert at == 2 or (kind == "with a flipped bit" and at == 3)  # one of the header's blanks
        assert finished(record) == expected
        assert record.read_file(BEFORE) is None
    fault(f"a checkpoint {kind}", count)


def test_both_checkpoints_damaged_or_gone_trains_the_trial_anew(tmp_path, fault, expected):
    for number, damage in enumerate(DAMAGE.values()):
        record = a_trial_left_at(tmp_path / str(number), epoch=3)
        for name in (STATE, BEFORE):
            record.write_file(name, damage(record.read_file(name), random.Random(number)))
        assert finished(record) == expected
    record = a_trial_left_at(tmp_path / "gone", epoch=3)
    for name in (STATE, BEFORE):
        record.delete_file(name)
    assert finished(record) == expected
    fault("both checkpoints damaged or gone", len(DAMAGE) + 1)


def test_a_crash_between_the_two_steps_of_a_checkpoint(tmp_path, fault, expected):
    record = a_trial_left_at(tmp_path, epoch=3)
    os.replace(tmp_path / STATE, tmp_path / BEFORE)
    (tmp_path / f"{STATE}.12345678.partial").write_bytes(b"half")
    run = TrialRun(CONFIG, DATA, range(2), record)
    assert run.progress().epoch == 3
    run.leave()
    assert finished(record) == expected
    assert not list(tmp_path.rglob("*.partial"))
    fault("a crash between the two steps of a checkpoint", 1)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "status.json",
        "result.json",
        "metrics.parquet",
        "datapoints.parquet",
        "checkpoint/meta.json",
    ],
)
def test_a_file_of_a_running_trial_half_written(tmp_path, times, fault, expected, name):
    draw, count = random.Random(name), times(10, 1)
    for turn in range(count):
        record = a_trial_left_at(tmp_path / str(turn), epoch=3)
        content = record.read_file(name) or b'{"state": "complete", "replicates": {"0": {'
        for damage in (lambda content, draw: b"", cut, garbage):
            record.write_file(name, damage(content, draw))
            record.state(2)
            assert not record.trained_elsewhere()
        assert finished(record) == expected
        assert record.config().trial_id == CONFIG.trial_id
        assert record.metrics().num_rows > 0
    fault(f"{name} of a trial half written", 3 * count)


def test_damaged_files_of_finished_records_end_no_command(tmp_path, fault, times):
    bench = Workbench(tmp_path)
    train_all(tmp_path)
    before = figures_of_all(bench)
    trials = sorted((tmp_path / "results").glob("[!.]*"))
    commands = [("plan", "tiny"), ("status", "tiny"), ("report", "tiny")]
    damages, count = deque((lambda content, draw: b"", cut, garbage)), times(3, 1)
    names = ("config.json", "status.json", "metrics.parquet", "datapoints.parquet", "result.json")
    for name in names:
        for damage in list(damages)[:count]:
            for trial in trials[:2]:
                path = trial / name
                path.write_bytes(damage(path.read_bytes() or b"{}", random.Random(name)))
            for command in commands:
                bench.call(*command)
            bench.call("run", "tiny", status=1 if name == "result.json" else 0)
        damages.rotate()
    bench.run("run", "tiny", "--retry-failed")
    assert figures_of_all(bench) == before
    assert set(bench.call("plan", "tiny").stdout.split()) >= {"complete"}
    fault("files of finished records damaged", len(names) * count * 2)


@contextmanager
def a_small_disk(folder):
    """A file system of its own in memory, of 2 MiB. Skips where nobody may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk):
    """A disk on which small files still fit, and no checkpoint."""
    ballast, page = disk / "ballast", 4096
    with ballast.open("wb", buffering=0) as file:
        while os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize > 4 * page:
            file.write(bytes(page))
    yield
    ballast.unlink()


@contextmanager
def no_large_files(pid):
    """No file that the process writes may grow beyond 8 KiB."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, hard))
    yield
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def a_running_trial(bench, disk):
    """A driver of one trial that has a checkpoint, the trial's folder and its worker's id."""
    options = (*ONE_TRIAL, "--storage", str(disk))
    driver = bench.start("run", "tiny", *options)
    wait_until(lambda: any(status["epoch"] for status in statuses(disk)))
    (trial,) = disk.glob("[!.]*/")
    (status,) = statuses(disk)
    return driver, options, trial, status["pid"]


def statuses(disk):
    return [json.loads(path.read_text()) for path in disk.glob("*/status.json")]


@pytest.mark.parametrize(
    ("kind", "to_the_end"),
    [
        ("a disk without room", True),
        ("a limit on a file's size", False),
        pytest.param("a disk without room", False, marks=pytest.mark.slow),
        pytest.param("a limit on a file's size", True, marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_is_full_costs_no_checkpoint(tmp_path, fault, kind, to_the_end):
    bench = Workbench(tmp_path, EPOCHS)
    disk = tmp_path / "results"
    with ExitStack() as stack:
        if kind == "a disk without room":
            stack.enter_context(a_small_disk(disk))
        driver, options, trial, worker = a_running_trial(bench, disk)
        good = (trial / STATE).read_bytes()
        with full(disk) if kind == "a disk without room" else no_large_files(worker):
            wait_until(lambda: any("warning" in status for status in statuses(disk)))
            good = (trial / STATE).read_bytes()
            if to_the_end:
                out, err = driver.communicate(timeout=300)
                assert driver.returncode == 1, out + err
                (status,) = statuses(disk)
                assert status["state"] == "failed"
                assert ("No space left" in status["error"]) == (kind == "a disk without room")
                assert "OSError" in (trial / "log.txt").read_text()
                assert (trial / STATE).read_bytes() == good
        if to_the_end:
            bench.run("run", "tiny", *options, "--retry-failed")
        else:
            out, err = driver.communicate(timeout=300)
            assert driver.returncode == 0, out + err
        result = json.loads((trial / "result.json").read_text())
        assert not list(disk.rglob("*.partial"))
        assert {trial.name: figures(result)} == undisturbed(bench)
    fault(f"{kind}, {'to the end' if to_the_end else 'for a while'}", 1)


def test_a_trial_that_hangs_is_taken_up_again_or_fails_with_its_stack(tmp_path, fault):
    bench = Workbench(tmp_path, EPOCHS)
    (run,) = open_runs(tmp_path, "methods=[gmm]", "layers=[6,3]")
    run.advance()
    run.pause()
    trial = tmp_path / "results" / run.config.trial_id
    state = (trial / STATE).read_bytes()
    (trial / STATE).unlink()
    os.mkfifo(trial / STATE)  # who reads it waits for ever
    log, heartbeat = trial / "log.txt", "resources.heartbeat_seconds="
    bench.run("run", "tiny", *ONE_TRIAL, "--set", heartbeat + "3.0", status=1)
    (status,) = bench.statuses().values()
    assert status["state"] == "failed"
    assert "hung" in status["error"]
    assert "3 s" in status["error"]
    assert log.read_text().count("Timeout (0:00:03)!") == 4
    assert "read_file" in log.read_text()
    log.unlink()
    driver = bench.start("run", "tiny", *ONE_TRIAL, "--set", heartbeat + "10.0", "--retry-failed")
    wait_until(lambda: log.exists() and "Timeout" in log.read_text())
    (tmp_path / "state").write_bytes(state)
    os.replace(tmp_path / "state", trial / STATE)
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, out + err
    assert figures_of_all(bench) == undisturbed(bench)
    fault("a trial that hangs", 5)


def test_a_trial_beyond_its_time_limit_fails_and_goes_on_from_its_checkpoint(tmp_path, fault):
    bench = Workbench(tmp_path, EPOCHS)
    limit = ("--set", "resources.time_limit_seconds=1.0")
    bench.run("run", "tiny", *ONE_TRIAL, *limit, status=1)
    (status,) = bench.statuses().values()
    assert status["state"] == "failed"
    assert "resources.time_limit_seconds, 1 s" in status["error"]
    assert "resources.time_limit_seconds" in bench.call("status", "tiny", *ONE_TRIAL).stdout
    (trial_id,) = bench.statuses()
    record = Record.at(str(tmp_path / "results" / trial_id))
    epoch = max(record.metrics()["epoch"].to_pylist())
    assert 0 < epoch < EPOCHS
    assert f"epoch {epoch} is kept" in status["error"]
    assert "Traceback" in (tmp_path / "results" / trial_id / "log.txt").read_text()
    bench.run("run", "tiny", *ONE_TRIAL, "--retry-failed")
    assert figures_of_all(bench) == undisturbed(bench)
    fault("a trial beyond its time limit", 1)


def test_replicates_that_diverge_cost_the_others_nothing(tmp_path, fault):
    bench = Workbench(tmp_path)
    bench.write_study(
        """
question: What does it cost to step too far?
datasets: [data.npz]
methods: [gmm]
replicates: 4
fixed: {layers: [6], optimizer: sgd, max_epochs: 4, batch_size: 50}
space: {learning_rate: {grid: [1e-2, 1.2e37, 1e38]}}
evaluation: {samples: 20}
"""
    )
    output = bench.run("run", "tiny").stdout
    assert "2 complete, 1 diverged" in output
    states = sorted(
        sorted(replicate["state"] for replicate in result["replicates"].values())
        for result in bench.results().values()
    )
    assert states[0] == ["complete"] * 4
    assert states[1] == ["complete", "diverged", "diverged", "diverged"]
    assert states[2] == ["diverged"] * 4
    for result in bench.results().values():
        for replicate in result["replicates"].values():
            assert bool(replicate["metrics"]) == (replicate["state"] == "complete")
    before = bench.results()
    assert "nothing to train" in bench.call("run", "tiny").stdout
    assert bench.results() == before
    fault("replicates that diverge: some, and all of a trial", 7)
