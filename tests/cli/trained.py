"""Trained records for the commands that take one, and those commands in this process."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gmm_study.data import load_dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.once import run_once
from tests.workbench import call


def train(folder: Path, dataset: str = "digits", replicates: int = 1, **settings) -> Path:
    """A record of a tiny model that has learned a little."""
    data = load_dataset(dataset)
    tiny = {"layers": (8, 4), "max_epochs": 3, "evaluation_samples": 10} | settings
    config = TrialConfig(Hyperparameters.from_mapping(tiny), data.name, data.sha256)
    run_once(config, data, replicates, folder, device="cpu", threads=1)
    return folder


def write_bits(path: Path, dims: int = 12) -> None:
    """Data that are no images."""
    rows = np.random.default_rng(0).integers(0, 2, (60, dims))
    np.savez(path, train=rows[:40], valid=rows[40:50], test=rows[50:])


@dataclass
class Commands:
    """The command line as a user calls it in a folder, without starting a process."""

    folder: Path

    def run(self, *arguments: object, status: int = 0) -> str:
        """What is printed; the exit status must be the one given."""
        done = call(self.folder, *arguments, status=status)
        assert done.stderr == ""
        return done.stdout

    def complaint(self, *arguments: object) -> str:
        """The one line on standard error; nothing is printed or written."""
        before = sorted(self.folder.rglob("*"))
        done = call(self.folder, *arguments, status=2)
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert sorted(self.folder.rglob("*")) == before
        return done.stderr
