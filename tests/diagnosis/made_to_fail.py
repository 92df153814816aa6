"""Small runs: a good one, and others that were made to fail, each in its own way."""

from functools import cache
from pathlib import Path

import numpy as np

import gmm_study
from gmm_study.api.diagnoses import DiagnosedReplicate, diagnose
from gmm_study.data import load_dataset
from gmm_study.diagnosis.finding import Finding

FEW = "few.npz"
"""Digits with 100 training rows."""
GOOD = {
    "method": "rws",
    "layers": [24, 12],
    "learning_rate": 3e-2,
    "schedule": "cosine",
    "max_epochs": 60,
    "patience": 1000,
}
GMM = {"layers": [24, 12], "learning_rate": 1e-2, "max_epochs": 20, "patience": 1000}
RUNS = {
    "good": GOOD,
    "rising": GOOD | {"schedule": "constant", "learning_rate": 1e-2, "max_epochs": 12},
    "collapsed": GMM | {"l1": 0.1},
    "few rows": GOOD
    | {"dataset": FEW, "layers": [100], "batch_size": 20, "max_epochs": 60, "schedule": "constant"},
    "few rows of a vae": {
        "dataset": FEW,
        "method": "vae",
        "layers": [200, 20],
        "learning_rate": 3e-3,
        "max_epochs": 120,
        "patience": 1000,
        "batch_size": 20,
    },
    "dead": GMM | {"layers": [50, 25], "l1": 3e-3, "max_epochs": 30, "learning_rate": 3e-2},
    "saturated": GMM | {"learning_rate": 0.5, "max_epochs": 30},
    "noise": GMM | {"samples": 1, "q_baseline": "none"},
    "no gradient": GMM | {"samples": 1},
    "few samples": GOOD | {"evaluation_samples": 5},
    "too small": GMM | {"learning_rate": 3e-5},
    "diverged": {"method": "vae", "layers": [16, 4], "learning_rate": 30.0, "max_epochs": 5},
}


class Runs:
    """Trains a run when it is first asked for, and diagnoses it once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        digits = load_dataset("digits")
        few = {"train": digits.train[:100], "valid": digits.valid, "test": digits.test}
        np.savez(folder / FEW, **few)
        self.of = cache(self._of)

    def record(self, name: str) -> Path:
        """The record of a run."""
        place = self.folder / f"of {name}" / name  # a folder of its own, without rivals
        if not place.exists():
            settings = dict(RUNS[name])
            dataset = settings.pop("dataset", "digits")
            dataset = str(self.folder / FEW) if dataset == FEW else dataset
            gmm_study.train(dataset, output=place, device="cpu", threads=1, **settings)
        return place

    def _of(self, name: str) -> DiagnosedReplicate:
        quick = {"evaluation_samples": 300, "device": "cpu", "threads": 1}
        (replicate,) = diagnose(self.record(name), **quick).replicates
        return replicate

    def finding(self, name: str, rule: str) -> Finding:
        """The verdict of a rule, which must have judged."""
        (found,) = [each for each in self.of(name).verdicts if each.rule == rule]
        assert isinstance(found, Finding), found
        return found
