"""The measurement of a GPU runs where little is installed, and says so where no GPU is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
ABSENT = "click ipywidgets matplotlib mlflow numba optuna pandas pooch pyarrow pydantic ray rich"
ABSENT += " rich_click scipy sklearn tabulate tqdm yaml PIL"
BARE = f"""
import runpy, sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, *more):
        if name.split(".")[0] not in {ABSENT.split()}:
            return super().find_spec(name, *more)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
runpy.run_module("bench.gpu", run_name="__main__", alter_sys=True)
"""


def on_a_bare_machine(*arguments):
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", BARE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_it_says_so_in_one_line_and_fails(tmp_path):
    run = on_a_bare_machine("--folder", str(tmp_path))
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert "GPU" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_small_case_on_a_cpu_runs_with_torch_numpy_and_safetensors_alone(tmp_path):
    run = on_a_bare_machine("--device", "cpu", "--folder", str(tmp_path))
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert {row["passed"] for row in report["checks"]} == {"yes"}
    assert "no figure of a GPU" in report["facts"]["device"]
    text = (tmp_path / "gpu.md").read_text()
    for part in ("checks", "steps", "targets", "launches", "epochs"):
        assert report[part]
        assert f"## {part.capitalize()}" in text
