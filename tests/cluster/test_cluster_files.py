"""The files in `cluster/` start real clusters that studies run on."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cluster.nodes import ENVIRONMENT
from tests.workbench import Workbench, free_port, wait_until

pytestmark = pytest.mark.fault

FILES = Path(__file__).parent.parent.parent / "cluster"
SHIMS = {
    "scontrol": 'echo "127.0.0.1\nother"',
    "srun": 'echo "$*" >> srun.log; while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
}
LITTLE = "--num-cpus=1 --object-store-memory=100000000"


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A project's folder on machines that have no Ray of their own yet, nor a token."""
    settings = {name: value for name, value in ENVIRONMENT.items() if "CLUSTER" not in name}
    settings |= {"HOME": str(tmp_path), "RAY_AUTH_MODE": "token", "RAY_OPTIONS": LITTLE}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    # Paths of sockets must be short, which those of pytest's folders are not.
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Workbench(tmp_path)


def started(bench, script, *words, **environment):
    return subprocess.Popen(
        [FILES / script, *words],
        cwd=bench.folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def processes_of(session):
    """The processes of a session that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def nothing_is_left(process):
    """Wait for the end of all that a script started."""
    wait_until(lambda: not processes_of(process.pid))


def test_plain_machines_make_a_cluster_until_they_are_told_to_end(bench):
    port = free_port()
    cluster = started(bench, "machines.sh", "127.0.0.1", "127.0.0.1", PORT=str(port))
    try:
        assert f"127.0.0.1:{port} on 2 machines" in cluster.stdout.readline()
        token = bench.folder / ".ray" / "auth_token"
        assert token.stat().st_mode & 0o077 == 0
        bench.run("run", "tiny", "--address", f"127.0.0.1:{port}")
        assert len(bench.results()) == 4
    finally:
        os.kill(cluster.pid, signal.SIGTERM)
        cluster.communicate(timeout=120)
        nothing_is_left(cluster)


def test_a_slurm_job_runs_a_study_on_its_nodes_and_ends_all_of_them(bench):
    shims = bench.folder / "shims"
    shims.mkdir()
    for name, command in SHIMS.items():
        (shims / name).write_text(f"#!/bin/sh\n{command}\n")
        (shims / name).chmod(0o755)
    job = started(
        bench,
        "slurm.sh",
        "tiny",
        "--set",
        "methods=[gmm]",
        PATH=f"{shims}:{os.environ['PATH']}",
        SLURM_SUBMIT_DIR=str(bench.folder),
        SLURM_JOB_ID=str(free_port() - 20000),
        SLURM_JOB_NODELIST="two",
        SLURM_CPUS_PER_TASK="1",
    )
    out, err = job.communicate(timeout=300)
    assert job.returncode == 0, out + err
    assert len(bench.results()) == 2
    nodes = (bench.folder / "srun.log").read_text()
    assert "--nodelist=127.0.0.1" in nodes
    assert "--exclude=127.0.0.1" in nodes
    nothing_is_left(job)
