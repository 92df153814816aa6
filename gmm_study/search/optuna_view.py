"""A view of the searches in Optuna's storage, for optuna-dashboard: one Optuna study per cell.

The view reads the histories and adds what the storage does not have yet, so it can be updated or
rebuilt at any time. No search reads it.
"""

import os
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from gmm_study.search.cell_search import STATES
from gmm_study.search.distributions import distributions
from gmm_study.search.history import History
from gmm_study.search.outcomes import Outcomes, Proposal
from gmm_study.study import Cell
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore

DEFAULT_URL = "sqlite:///optuna.db"


def storage_url() -> str:
    """The URL of the storage: `OPTUNA_STORAGE`, or a database in the current folder."""
    return os.environ.get("OPTUNA_STORAGE") or DEFAULT_URL


class OptunaView:
    """The Optuna studies of a study's cells.

    What is in the storage is read once; later updates only read and write what is new.
    """

    def __init__(self, store: RecordStore, url: str | None = None) -> None:
        self.store = store
        self._url = url or storage_url()
        self._storage: RDBStorage | None = None
        self._shown: dict[str, _Shown] = {}

    def update(self, cells: Iterable[Cell]) -> None:
        """Show all events of these cells.

        An unfinished trial that no process trains is shown as failed, so that a killed run leaves
        no trial running forever; if it is continued, it is added once more.
        """
        for cell in cells:
            if cell.key not in self._shown:
                history = History(self.store, cell)
                if not history.events:
                    continue
                self._storage = self._storage or RDBStorage(self._url)
                mark = sha256(f"{cell.key} {self.store.storage}".encode()).hexdigest()[:8]
                name = f"{cell.study.name}: {cell.label} ({mark})"
                self._shown[cell.key] = _Shown(self._storage, name, history)
            self._shown[cell.key].catch_up(self.store)


class _Shown:
    """One cell in Optuna's storage."""

    def __init__(self, storage: RDBStorage, name: str, history: History) -> None:
        self.storage, self.history = storage, history
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )
        self.study_id = storage.get_study_id_from_name(name)
        self.distributions: dict[str, BaseDistribution] = distributions(history.cell.study.drawn)
        self.latest = {trial.user_attrs["proposal"]: trial for trial in self.study.get_trials()}
        self.outcomes, self._taken = Outcomes(), 0
        self._unended: set[int] = set()

    def catch_up(self, store: RecordStore) -> None:
        """Show what has changed, and the trials that a process trains."""
        self.history.read()
        new = self.history.events[self._taken :]
        due = sorted(self.outcomes.take(new) | self._unended)
        self._taken += len(new)
        proposals = self.outcomes.proposals
        self._unended |= {number for number in due if proposals[number].state is None}
        for number in due:
            self._update(number, proposals[number], store)
            if proposals[number].state is not None:
                self._unended.discard(number)

    def _update(self, number: int, proposal: Proposal, store: RecordStore) -> None:
        shown = self.latest.get(number)
        if shown and shown.user_attrs["trial_id"] != proposal.trial_id:
            shown = None  # its records have been deleted since
        if proposal.state is not None:
            self._show(number, proposal, shown, STATES.get(proposal.state, OptunaState.FAIL))
        elif store.record(proposal.trial_id).status().state is TrialState.RUNNING:
            self._show(number, proposal, shown, OptunaState.RUNNING)
        elif shown is not None and shown.state == OptunaState.RUNNING:
            self.storage.set_trial_state_values(self._id_of(shown), OptunaState.FAIL)
            self._read_again(number, shown)

    def _show(
        self, number: int, proposal: Proposal, shown: FrozenTrial | None, state: OptunaState
    ) -> None:
        value = self.outcomes.value(proposal)
        values = None if value is None else [value]
        if shown is None or (shown.state.is_finished() and _says(shown) != (state, values)):
            self._add(number, proposal, state, values)
            return
        new = proposal.reports.keys() - shown.intermediate_values.keys()
        for epoch in new:
            bound = proposal.reports[epoch]
            self.storage.set_trial_intermediate_value(self._id_of(shown), epoch, bound)
        if shown.state != state:
            self.storage.set_trial_state_values(self._id_of(shown), state, values)
        if new or shown.state != state:
            self._read_again(number, shown)

    def _add(
        self, number: int, proposal: Proposal, state: OptunaState, values: list[float] | None
    ) -> None:
        params: dict[str, Any] = {
            name: proposal.axes[name] for name in self.distributions if name in proposal.axes
        }
        trial = create_trial(
            state=state,
            values=values,
            params=params,
            distributions={name: self.distributions[name] for name in params},
            intermediate_values=proposal.reports,
            user_attrs={"proposal": number, "trial_id": proposal.trial_id},
        )
        trial_id = self.storage.create_new_trial(self.study_id, trial)
        self.latest[number] = self.storage.get_trial(trial_id)

    def _read_again(self, number: int, shown: FrozenTrial) -> None:
        self.latest[number] = self.storage.get_trial(self._id_of(shown))

    def _id_of(self, shown: FrozenTrial) -> int:
        """The trial's id in the storage."""
        return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, shown.number)


def _says(shown: FrozenTrial) -> tuple[OptunaState, list[float] | None]:
    return shown.state, shown.values if shown.state == OptunaState.COMPLETE else None
