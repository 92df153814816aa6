"""Commands that only look import nothing heavy, so that they answer at once."""

import subprocess
import sys

import pytest

from tests.cli.planned import train_all
from tests.workbench import STUDY

pytestmark = pytest.mark.process

HEAVY = {"torch", "ray", "mlflow", "pandas", "numba", "sklearn", "scipy", "matplotlib"}


@pytest.mark.parametrize("arguments", [("--help",), ("plan", "tiny"), ("status", "tiny")])
def test_a_command_that_only_looks_imports_no_heavy_package(bench, arguments):
    bench.write_study(STUDY.format(epochs=1).replace("data.npz", "digits"))
    train_all(bench.folder, "replicates=1")  # so that their pace tells what a plan needs to know
    code = (
        f"import sys; sys.argv = ['gmm-study', *{arguments}]\n"
        "from gmm_study.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('loaded', *sys.modules)"
    )
    command = [sys.executable, "-c", code]
    output = subprocess.check_output(command, cwd=bench.folder, text=True)
    loaded = set(output.rpartition("loaded ")[2].split())
    assert "gmm_study.cli" in loaded
    assert not loaded & HEAVY


def test_what_the_driver_hands_to_ray_imports_no_torch(bench):
    code = "import sys, gmm_study.orchestration.trainable; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "ray" in loaded
    assert not loaded & {"torch", "mlflow", "numba"}
