"""A view of the searches in Optuna's storage, for optuna-dashboard: one Optuna study per cell.

`show` reads the histories and adds what the storage does not have yet, so the view can be updated
or rebuilt at any time. No search reads it.
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
from gmm_study.search.history import Proposal, StoredSearch, read_search
from gmm_study.training.state import TrialState
from gmm_study.trials.record import RecordStore

DEFAULT_URL = "sqlite:///optuna.db"


def storage_url() -> str:
    """The URL of the storage: `OPTUNA_STORAGE`, or a database in the current folder."""
    return os.environ.get("OPTUNA_STORAGE") or DEFAULT_URL


def show(store: RecordStore, study: str, keys: Iterable[str], url: str | None = None) -> None:
    """Update the Optuna studies of a study's cells.

    An unfinished trial that no process trains is shown as failed, so that a killed run leaves no
    trial running forever; if it is continued, it is added once more.
    """
    storage: RDBStorage | None = None
    for key in keys:
        search = read_search(store, study, key)
        if search is not None:
            storage = storage or RDBStorage(url or storage_url())
            mark = sha256(f"{key} {store.storage}".encode()).hexdigest()[:8]
            _Shown(storage, f"{study}: {search.cell} ({mark})", search).catch_up(store)


class _Shown:
    """One cell in Optuna's storage."""

    def __init__(self, storage: RDBStorage, name: str, search: StoredSearch) -> None:
        self.storage, self.search = storage, search
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )
        self.distributions: dict[str, BaseDistribution] = distributions(search.drawn)
        self.latest = {trial.user_attrs["proposal"]: trial for trial in self.study.get_trials()}

    def catch_up(self, store: RecordStore) -> None:
        for number, proposal in enumerate(self.search.proposals):
            shown = self.latest.get(number)
            if shown and shown.user_attrs["trial_id"] != proposal.trial_id:
                shown = None  # its records have been deleted since
            if proposal.state is not None:
                self._show(number, proposal, shown, STATES.get(proposal.state, OptunaState.FAIL))
            elif store.record(proposal.trial_id).status().state is TrialState.RUNNING:
                self._show(number, proposal, shown, OptunaState.RUNNING)
            elif shown is not None and shown.state == OptunaState.RUNNING:
                self.storage.set_trial_state_values(self._id_of(shown), OptunaState.FAIL)

    def _show(
        self, number: int, proposal: Proposal, shown: FrozenTrial | None, state: OptunaState
    ) -> None:
        values = None if proposal.value is None else [proposal.value]
        if shown is None or (shown.state.is_finished() and _says(shown) != (state, values)):
            params: dict[str, Any] = {
                name: proposal.axes[name] for name in self.distributions if name in proposal.axes
            }
            self.study.add_trial(
                create_trial(
                    state=state,
                    values=values,
                    params=params,
                    distributions={name: self.distributions[name] for name in params},
                    intermediate_values=proposal.reports,
                    user_attrs={"proposal": number, "trial_id": proposal.trial_id},
                )
            )
            return
        for epoch in proposal.reports.keys() - shown.intermediate_values.keys():
            bound = proposal.reports[epoch]
            self.storage.set_trial_intermediate_value(self._id_of(shown), epoch, bound)
        if shown.state != state:
            self.storage.set_trial_state_values(self._id_of(shown), state, values)

    def _id_of(self, shown: FrozenTrial) -> int:
        """The trial's id in the storage."""
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study_id, shown.number)


def _says(shown: FrozenTrial) -> tuple[OptunaState, list[float] | None]:
    return shown.state, shown.values if shown.state == OptunaState.COMPLETE else None
