"""Packages that add to gmm-study, on Python's path for one test."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.workbench import Workbench

torch.set_num_threads(1)  # the tensors are tiny: threads would only wait for each other

EXAMPLE = Path(__file__).parents[2] / "examples" / "rloo"


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory):
    """Where the example is installed, by pip and without a network."""
    folder = tmp_path_factory.mktemp("example")
    source = shutil.copytree(EXAMPLE, folder / "source")  # in which pip leaves what it builds
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    command += ["--no-index", "--disable-pip-version-check", "--target", str(folder / "site")]
    subprocess.run([*command, str(source)], check=True, capture_output=True, text=True)
    return folder / "site"


@pytest.fixture
def example(example_folder, monkeypatch):
    """The example is installed."""
    monkeypatch.syspath_prepend(example_folder)
    return example_folder


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A user's folder, with no folder of data sets."""
    monkeypatch.delenv("GMM_STUDY_DATA", raising=False)
    return Workbench(tmp_path)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package of one module with these lines and entry points, as pip leaves it."""

    def add(package: str, lines: str, methods: str = "", datasets: str = "") -> None:
        site = tmp_path / f"site of {package}"
        facts = site / f"{package}-1.0.dist-info"
        facts.mkdir(parents=True)
        (site / f"{package}.py").write_text(lines)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(
            f"[gmm_study.methods]\n{methods}\n[gmm_study.datasets]\n{datasets}\n"
        )
        monkeypatch.syspath_prepend(site)

    return add
