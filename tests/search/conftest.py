"""Searches over two settings, without training: what a trial reaches is a formula."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log10
from pathlib import Path

import pytest

from gmm_study.search.cell_search import CellSearch
from gmm_study.search.history import History
from gmm_study.study import Cell, PlannedTrial, Study, load_study, make_plan
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P

STUDY = """
question: Which step size and how many samples?
datasets: [digits]
methods: [gmm]
fixed: {max_epochs: 30}
space:
  learning_rate: {log_uniform: [1e-5, 1e-1]}
  samples: {integer: [2, 50]}
search: {kind: tpe, trials: 25, startup_trials: 5}
"""
SHA = {"digits": "0" * 64, "bars": "1" * 64}


def reached(trial: PlannedTrial, epoch: int = 30) -> float:
    """A bound that is best at a learning rate of 1e-3 and 20 samples, and grows with epochs."""
    settings = trial.config.hyperparameters
    samples = settings.training_samples
    distance = (log10(settings.learning_rate) + 3) ** 2 + ((samples - 20) / 20) ** 2
    return -distance - 1 / epoch


class Stored(CellSearch):
    """Stores at once what happens, as `Searches` does."""

    def propose(self):
        return self._then_store(super().propose())

    def report(self, *arguments):
        return self._then_store(super().report(*arguments))

    def end(self, trial_id, state, value):
        """A value is log p, of a trial whose bound is a nat lower; old records have a bound alone.

        Those are given as what they are selected by.
        """
        if not isinstance(value, Mapping):
            value = {} if value is None else {VALID_LOG_P: value, VALID_BOUND: value - 1.0}
        return self._then_store(super().end(trial_id, state, value))

    def _then_store(self, answer):
        self.history.store()
        return answer


@dataclass
class Bench:
    """A store, and the study of a text with overrides."""

    folder: Path
    text: str = STUDY

    @property
    def store(self) -> RecordStore:
        return RecordStore(str(self.folder / "results"))

    def study(self, *overrides: str) -> Study:
        path = self.folder / "which.yaml"
        path.write_text(self.text)
        return load_study(str(path), overrides)

    def plan(self, *overrides: str):
        return make_plan(self.study(*overrides), SHA, lambda cell: History(self.store, cell))

    def cells(self, *overrides: str) -> list[Cell]:
        return list(self.plan(*overrides).cells.values())

    def search(self, *overrides: str) -> CellSearch:
        """The search of the first cell, as a new process would open it."""
        return Stored(self.store, self.cells(*overrides)[0])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def work(
    search: CellSearch, trials: int, state: Callable = lambda trial: TrialState.COMPLETE
) -> list:
    """Propose trials and end each at once; gives their values on the axes."""
    found = []
    for _ in range(trials):
        trial = search.propose()
        if trial is None:
            break
        found.append(trial.axes)
        ended = state(trial)
        bound = reached(trial) if ended is TrialState.COMPLETE else None
        search.end(trial.config.trial_id, ended, bound)
    return found
