"""A study with its data, its plan and its records."""

import shlex
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gmm_study.addresses import redact
from gmm_study.api.datasets import StudyData
from gmm_study.api.defaults import RESULTS
from gmm_study.api.feedback import Working, silently
from gmm_study.errors import InputError
from gmm_study.phrases import plural
from gmm_study.study import Cell, Plan, PlannedTrial, Planner, Study, load_study
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.standing import Standing
from gmm_study.trials.survey import configurations, survey

if TYPE_CHECKING:
    import pandas as pd

    from gmm_study.data import Dataset
    from gmm_study.estimates import RemainingCost
    from gmm_study.search.history import History


class PlannedStudy:
    """The trials of a study, and the state of each of them in a storage.

    Reads the data sets whose checksum is not known in advance. Raises `InputError` if the storage
    is not a valid address, if none of the study's data sets is available, and for the relative path
    of a data set if the current folder has changed since the study was loaded.
    """

    def __init__(
        self, study: Study | str | Path, storage: str = RESULTS, working: Working = silently
    ) -> None:
        self.study = study if isinstance(study, Study) else load_study(study)
        self.store = RecordStore(storage)
        check_data_paths(self.study)
        self.storage = storage
        self._folder = Path.cwd()
        self.data = StudyData(self.study.datasets, working)
        if not self.store.is_local:
            self.store.exists()  # a wrong address is reported before anything else is done
        self.search_problems: dict[str, None] = {}
        """One line for each search history that cannot be read."""
        self._histories: dict[str, History] = {}
        self._working = working
        with working("planning"):
            self._planner = Planner(self.study, self.data.checksums, self._history)
            self.plan: Plan = self._planner.plan()
        self._has_looked = False

    @property
    def command(self) -> str:
        """The command line that runs the same study."""
        words = ["gmm-study", "run", *(self.study.words or (self.study.name,))]
        storage = redact(self.storage_from_here)
        words += ["--storage", storage] if storage != RESULTS else []
        return shlex.join(words)

    @property
    def storage_from_here(self) -> str:
        """The storage as given, or its full address if the current folder has changed since."""
        return self.storage if Path.cwd() == self._folder else self.store.storage

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each note on the study or its data, each data set that is not available and
        each search whose history was lost."""
        return (*self.study.notes, *self.data.notes, *self.data.missing, *self.search_problems)

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """The standing of every trial, by id, as of the first call; `refresh` reads it again."""
        counts = {trial.config.trial_id: trial.replicates for trial in self.plan.trials}
        # Later looks are quick, and may happen while something else is on the terminal.
        with silently("") if self._has_looked else self._working("reading the records"):
            found = survey(self.store, counts, counts)
        self._has_looked = True
        return found

    @cached_property
    def states(self) -> dict[str, TrialState]:
        """The state of every trial, by id."""
        return {trial_id: standing.state for trial_id, standing in self.standings.items()}

    @property
    def unproposed(self) -> int:
        """How many trials the searches have yet to propose."""
        return sum(self.plan.unproposed.values())

    @property
    def unconfirmed(self) -> int:
        """How many trials, at most, are yet to be chosen for all seeds of the study."""
        return sum(self.plan.unconfirmed.values())

    @property
    def taken_over(self) -> int:
        """How many trials the searches have taken over from earlier records."""
        return sum(history.earlier for history in self._histories.values())

    @property
    def searches_over(self) -> int:
        """The number of searches that propose no more because `search.hours` are over."""
        return sum(history.is_over for history in self._histories.values())

    def refresh(self) -> None:
        """Read the proposals of the searches and the standing of every trial again."""
        for history in self._histories.values():
            history.read()
        self.plan = self._planner.plan()
        for cached in ("standings", "states"):
            self.__dict__.pop(cached, None)

    def take_over(self) -> None:
        """Let searches that have not begun take over earlier trials, if the study asks for it.

        Raises `InputError` if the storage cannot be read or written.
        """
        if not self.study.is_adaptive:
            return
        from gmm_study.search.earlier import take_over

        try:
            with self._working("looking for earlier trials"):
                added = take_over(self.plan, self.store)
        except OSError as error:
            raise InputError(
                f"search.from_records: the earlier trials cannot be read: {redact(str(error))}; "
                "make the storage readable and writable, or leave from_records out"
            ) from None
        if added:
            self.refresh()

    def plan_now(self) -> Plan:
        """The plan with the current proposals of the searches."""
        self.refresh()
        return self.plan

    def missing(self, retry_failed: bool = False) -> list[PlannedTrial]:
        """The trials that are to be trained: those without a result, in the plan's order.

        A trial that a scheduler has stopped is not among them, unless the study has no scheduler.
        """
        left_alone = set() if retry_failed else {TrialState.FAILED}
        if self.study.scheduler.kind != "none":
            left_alone.add(TrialState.STOPPED)
        states = [(trial, self.states[trial.config.trial_id]) for trial in self.plan.trials]
        return [trial for trial, state in states if not (state.has_result or state in left_alone)]

    def remaining(self) -> list[PlannedTrial]:
        """The missing trials, and one stand-in for each trial that a search has yet to propose."""
        return [*self.missing(), *self.plan.stand_ins()]

    def estimate(self, may_calibrate: bool = True) -> "RemainingCost | None":
        """The time and memory that the remaining trials will take; None if none remains.

        If no record shows how fast a method is, this trains a few batches of it for about a second,
        without writing anything. If that is not allowed, the time is unknown.
        """
        from gmm_study.estimates import estimate

        remaining = self.remaining()
        if not remaining:
            return None
        return estimate(
            self.plan,
            remaining,
            self.standings,
            self.datasets(self.plan.trials),
            self.store,
            self._working("calibrating") if may_calibrate else None,
        )

    def datasets(self, trials: Iterable[PlannedTrial]) -> "dict[str, Dataset]":
        """By checksum, the data of these trials, and of those yet to be proposed or confirmed."""
        needed = {trial.config.dataset_sha256: trial.config.dataset for trial in trials}
        needed |= {cell.dataset_sha256: cell.dataset for cell in self.plan.open_cells}
        return self.data.by_checksum(needed)

    def repair_configs(self) -> None:
        """Rewrite a missing or unreadable `config.json` of trials that have ended."""
        configs = {trial.config.trial_id: trial.config for trial in self.plan.trials}
        ended = [trial_id for trial_id in configs if self.states[trial_id].has_result]
        for trial_id in set(ended) - configurations(self.store, ended).keys():
            self.store.record(trial_id).write_config(configs[trial_id])

    def state_counts(self) -> list[tuple[str, int]]:
        """How many trials are in each state, by its name."""
        return sorted(Counter(self.states.values()).items())

    def frame(self) -> "pd.DataFrame":
        """A row for each trial: `trial_id`, `state`, `dataset`, `method`, and the values of its
        axes."""
        import pandas as pd

        rows = [
            {
                "trial_id": trial.config.trial_id,
                "state": str(self.states[trial.config.trial_id]),
                "dataset": trial.config.dataset,
                "method": trial.config.hyperparameters.method,
                **trial.axes,
            }
            for trial in self.plan.trials
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.counts()}>"

    def counts(self) -> str:
        """One line such as `depth_sweep: 12 trials of 3 replicates: 8 complete, 4 pending`."""
        parts = [f"{count} {state}" for state, count in self.state_counts()]
        parts += [f"{self.unproposed} to be proposed"] if self.unproposed else []
        parts += [f"at most {self.unconfirmed} to be confirmed"] if self.unconfirmed else []
        over = self.searches_over
        parts += [f"search.hours over in {plural(over, 'cell')}"] if over else []
        parts += [f"{self.taken_over} taken over from earlier records"] if self.taken_over else []
        return (
            f"{self.study.name}: {plural(len(self.plan.trials) + self.unproposed, 'trial')} of "
            f"{self._seeds()}: {', '.join(parts)}"
        )

    def _seeds(self) -> str:
        """`3 replicates`, or with a screening `1 replicate (3 chosen for 5)`."""
        first = plural(self.study.first_replicates, "replicate")
        if self.study.screening is None:
            return first
        return (
            f"{first} ({len(self.plan.confirmed) or 'the best'} chosen for {self.study.replicates})"
        )

    def _history(self, cell: Cell) -> "History":
        if cell.key not in self._histories:
            from gmm_study.search.history import History

            self._histories[cell.key] = History(self.store, cell)
        history = self._histories[cell.key]
        self.search_problems |= {history.problem: None} if history.problem else {}
        return history


def check_storage(store: RecordStore) -> None:
    """Raise `InputError` if a storage does not exist.

    The default one need not: it is missing where no study was run yet.
    """
    if store.given != RESULTS:
        store.check_exists()


def check_data_paths(study: Study) -> None:
    """Raise `InputError` if the path of a data set leads from another folder than the current."""
    from gmm_study.data import path_of
    from gmm_study.data.registry import DATASETS

    if study.was_loaded_here:
        return
    for name in study.datasets:
        if name not in DATASETS and not path_of(name).is_absolute():
            raise InputError(
                f"datasets: '{name}' is a path from '{study.folder}', in which the study was "
                f"loaded, and the current folder is '{Path.cwd()}'; load the study again here, or "
                "give the full path of the data"
            )
