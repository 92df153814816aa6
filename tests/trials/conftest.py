import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from gmm_study.trials.record_store import RecordStore

torch.set_num_threads(1)  # the tensors are tiny: threads would only wait for each other

TAKE_UP = """
import sys
from gmm_study.trials.record import Record
record = Record.at(sys.argv[1])
print(record.take_up(), flush=True)
record.write_status("running", epoch=0)
print("running", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def another_process():
    """`with another_process(folder):` a living process has taken up the trial of a folder."""

    @contextmanager
    def taken_up(folder):
        command = [sys.executable, "-c", TAKE_UP, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            assert process.stdout.readline() == "True\n"
            assert process.stdout.readline() == "running\n"
            try:
                yield process
            finally:
                process.kill()

    return taken_up


@pytest.fixture
def stores(tmp_path):
    return RecordStore(str(tmp_path / "one")), RecordStore(str(tmp_path / "other"))
