"""A study submitted with `ray job submit` to a real job server on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cluster.nodes import ENVIRONMENT
from tests.workbench import Workbench, answers, free_port, wait_until

pytestmark = pytest.mark.fault

COMMANDS = Path(sys.executable).parent
HEAD = "--head --block --node-ip-address=127.0.0.1 --num-cpus=1 --object-store-memory=100000000"
ENDS_IN = 300.0
"""Seconds in which a command of the job server ends, as does the longest job here."""
DASHBOARD = "--include-dashboard=true --dashboard-host=127.0.0.1"


class JobServer:
    """The head of a cluster of one node, with Ray's dashboard, which takes jobs."""

    def __init__(self, folder: str) -> None:
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        self.environment = os.environ | ENVIRONMENT
        self.environment["PATH"] = f"{COMMANDS}:{os.environ['PATH']}"  # for `gmm-study` in a job
        ports = [f"--port={free_port()}", f"--dashboard-port={port}"]
        ports.append(f"--dashboard-agent-listen-port={free_port()}")
        command = [COMMANDS / "ray", "start", *HEAD.split(), *DASHBOARD.split(), *ports]
        self.process = subprocess.Popen(
            [*command, f"--temp-dir={folder}"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(port) and not self._call("list").returncode)

    def _call(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [COMMANDS / "ray", "job", words[0], f"--address={self.address}", *words[1:]]
        return subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=ENDS_IN,
        )

    def submit(self, folder: Path, *entrypoint: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a copy of a folder, to its end."""
        said = json.dumps({"env_vars": {"GMM_STUDY_GIT_COMMIT": "c0ffee"}})
        options = ("--working-dir=.", f"--runtime-env-json={said}", "--", *entrypoint)
        return self._call("submit", *options, cwd=folder)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def server():
    # Paths of sockets must be short, which those of pytest's folders are not.
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        server = JobServer(folder)
        yield server
        server.close()


def test_a_submitted_study_writes_its_records_to_the_storage_and_the_commit_into_them(
    server, tmp_path, fault
):
    (tmp_path / "here").mkdir()
    bench = Workbench(tmp_path / "here", epochs=2)
    storage = tmp_path / "shared" / "results"
    study = ("gmm-study", "run", "tiny", "--storage", str(storage))
    job = server.submit(bench.folder, *study)
    assert job.returncode == 0, job.stdout + job.stderr
    assert "trained 4 of 4 trials: 4 complete" in job.stdout
    assert "1 trial at a time on 1 core each" in job.stdout
    results = [json.loads(path.read_text()) for path in storage.glob("*/result.json")]
    assert {result["git_commit"] for result in results} == {"c0ffee"}
    assert len(results) == 4
    again = server.submit(bench.folder, *study)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "nothing to train" in again.stdout
    fault("a study submitted to a job server, and once more")


def test_a_submitted_study_that_would_lose_its_records_is_refused_in_one_line(server, tmp_path):
    bench = Workbench(tmp_path)
    job = server.submit(bench.folder, "gmm-study", "run", "tiny")
    assert job.returncode != 0
    said = {line for line in (job.stdout + job.stderr).splitlines() if "gmm-study: " in line}
    assert len(said) == 1
    assert "is in the working folder of a Ray job" in said.pop()
    assert not bench.results()
