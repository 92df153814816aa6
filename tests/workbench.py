"""A folder of a user's own: a small data set, a small study, and the command line in it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from socket import create_connection, socket
from unittest.mock import patch

import numpy as np
import pytest

from gmm_study.trials.record_store import RecordStore

GMM_STUDY = Path(sys.executable).with_name("gmm-study")
STUDY = """
question: Does a tiny model gain from depth?
datasets: [data.npz]
methods: [gmm, vae]
replicates: 2
fixed: {{max_epochs: {epochs}, patience: 1000, batch_size: 50}}
space:
  layers: {{grid: [[6], [6, 3]]}}
evaluation: {{samples: 20}}
resources: {{checkpoint_seconds: 0.2}}
"""


class Workbench:
    """A folder with `data.npz` and `studies/tiny.yaml`, and what was made there."""

    def __init__(self, folder: Path, epochs: int = 4) -> None:
        self.folder = folder
        self.storage = str(folder / "results")
        self.environment: dict[str, str] = {}
        rng = np.random.default_rng(0)
        prototypes = rng.integers(0, 2, (4, 12))
        rows = prototypes[rng.integers(0, 4, 400)] ^ (rng.random((400, 12)) < 0.1)
        splits = {"train": rows[:200], "valid": rows[200:300], "test": rows[300:]}
        np.savez(folder / "data.npz", **{k: v.astype(np.uint8) for k, v in splits.items()})
        self.write_study(STUDY.format(epochs=epochs))

    def write_study(self, text: str, name: str = "tiny") -> None:
        """Write `studies/NAME.yaml`."""
        (self.folder / "studies").mkdir(exist_ok=True)
        (self.folder / "studies" / f"{name}.yaml").write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `gmm-study ARGUMENTS` in the folder, in a process group of its own."""
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        return subprocess.Popen(
            [GMM_STUDY, *arguments],
            cwd=self.folder,
            env=environment | {"COLUMNS": "200"} | self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self, *arguments: str, status: int = 0, within: float = 300.0
    ) -> subprocess.CompletedProcess[str]:
        """Run `gmm-study ARGUMENTS` to its end, which must have the given exit status."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=within)
        assert process.returncode == status, out + err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def call(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """The same as `run`, in this process: quicker where it does not matter which."""
        return call(self.folder, *arguments, status=status)

    def files(self) -> set[str]:
        """Every file below the folder but locks."""
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return {str(path) for path in paths if ".drivers" not in path.parts}

    def results(self) -> dict[str, dict]:
        """The content of every `result.json`, by trial id."""
        return self._documents("result.json")

    def statuses(self) -> dict[str, dict]:
        """The content of every `status.json`, by trial id."""
        return self._documents("status.json")

    @property
    def store(self) -> RecordStore:
        """Its records."""
        return RecordStore(self.storage)

    def _documents(self, name: str) -> dict[str, dict]:
        store = self.store
        found = {trial_id: store.record(trial_id).read_json(name) for trial_id in store.trial_ids()}
        return {trial_id: document for trial_id, document in found.items() if document is not None}


def call(folder: Path, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    """`gmm-study ARGUMENTS` in a folder, in this process, with the given exit status."""
    from gmm_study.cli import main

    words, out, err = ["gmm-study", *map(str, arguments)], StringIO(), StringIO()
    with (
        chdir(folder),
        patch.object(sys, "argv", words),
        patch.dict(os.environ),  # in which a study leaves settings of Ray
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main()
    code = end.value.code or 0
    assert code == status, out.getvalue() + err.getvalue()
    return subprocess.CompletedProcess(words, int(code), out.getvalue(), err.getvalue())


def curves(record):
    """The rows of a record's curves, but for the times that its training took."""
    return [row for row in record.metrics().to_pylist() if row["metric"] != "seconds"]


def figures(result: dict) -> dict:
    """What of a result hangs on neither the clock nor the commit."""
    names = ("state", "epochs", "best_epoch", "metrics")
    return {
        index: {name: replicate[name] for name in names}
        for index, replicate in result["replicates"].items()
    }


def wait_until(condition: Callable[[], object], seconds: float = 300.0) -> None:
    """Wait for a condition; an AssertionError where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens there."""
    try:
        create_connection((host, port)).close()
    except OSError:
        return False
    return True
