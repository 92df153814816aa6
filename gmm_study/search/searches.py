"""The searches of all cells of a plan, as the driver uses them.

The cell with the fewest running trials proposes next. A search thus knows as many results as it can
before it proposes, and it is reproducible if there are as many cells as workers. A scheduler stops
trials at milestones, epochs at which every worker is sure to report. A stopped trial has the state
`stopped` in its record and keeps its checkpoint; a study without a scheduler continues it.

With a screening, every trial is first trained with few seeds, and what a search learns of it is
their mean. Once all trials of a cell have ended, its best ones are trained with all seeds.
"""

from collections import defaultdict
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import replace
from math import isfinite
from time import monotonic
from typing import TYPE_CHECKING

from gmm_study.study.plan import Plan, PlannedTrial
from gmm_study.study.strategies import Scheduler
from gmm_study.training.state import TrialState
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.selection import Scores

if TYPE_CHECKING:
    from gmm_study.search.cell_search import CellSearch


class Searches:
    """Proposes trials until the study has enough, and decides which trials to stop.

    Without an adaptive search it proposes nothing; without a scheduler it stops nothing; without a
    screening it confirms nothing; without any of these, Optuna is not imported. Everything that an
    answer depends on is stored before the answer is given. If the storage cannot be written, the
    run continues: losing a search loses no records.
    """

    def __init__(
        self, plan: Plan, store: RecordStore, clock: Callable[[], float] = monotonic
    ) -> None:
        """`clock` gives the time in seconds; its zero does not matter."""
        self.study, self.store = plan.study, store
        self._clock, self._began = clock, clock()
        self._cells = self._opened(plan) if plan.cells else {}
        self._before = max((cell.history.seconds for cell in self._cells.values()), default=0.0)
        self._cells_of: dict[str, list[CellSearch]] = defaultdict(list)
        self._milestones: dict[str, list[int]] = {}
        self._trials_of: dict[str, dict[str, PlannedTrial]] = defaultdict(dict)
        self._confirmed = set(plan.confirmed) if plan.study.screening else set()
        for trial in plan.places:
            if trial.cell:
                self._watch(trial, self._cells[trial.cell])
                self._cells[trial.cell].enter(trial.config.trial_id)
        self._store()

    @property
    def unproposed(self) -> int:
        """The number of trials yet to be proposed."""
        return sum(cell.unproposed for cell in self._cells.values())

    @property
    def unconfirmed(self) -> int:
        """The number of trials, at most, that are yet to be chosen for all seeds."""
        return sum(
            cell.unconfirmed(list(self._trials_of[key])) for key, cell in self._cells.items()
        )

    @property
    def over(self) -> int:
        """The number of searches that have taken their hours."""
        return sum(cell.history.is_over for cell in self._cells.values())

    def take_up(self, retried: set[str]) -> None:
        """Update the searches with all trials that have ended by now, except the `retried` ones."""
        for cell in self._cells.values():
            for trial_id in set(cell.under_way) - retried:
                self._catch_up(trial_id)
        self._store()

    def next(self) -> PlannedTrial | None:
        """The next trial to train; None if all have been proposed.

        It comes from the cell with the fewest running trials, so that a search knows as many
        results as it can before it proposes the next trial.
        """
        for cell in self._cells.values():
            cell.close_if_over()
        self._store()
        while open_cells := [cell for cell in self._cells.values() if cell.unproposed]:
            cell = min(open_cells, key=lambda cell: cell.running)
            trial = cell.propose()
            self._store()
            if trial is None:
                continue
            trial_id = trial.config.trial_id
            elsewhere = bool(self._cells_of[trial_id])
            self._watch(trial, cell)
            if not (self._catch_up(trial_id) or elsewhere):
                return trial
        return None

    def confirm(self, awaited: Container[str] = ()) -> list[PlannedTrial]:
        """The trials of screenings that have ended, to be trained with all seeds from now on.

        Each is given once. `awaited` are the ids of the trials that are being trained.
        """
        chosen: list[PlannedTrial] = []
        if self.study.screening is None:
            return chosen
        for key, cell in self._cells.items():
            trials = self._trials_of[key]
            for trial_id in cell.confirm(list(trials), awaited):
                if trial_id not in self._confirmed:
                    chosen.append(replace(trials[trial_id], replicates=self.study.replicates))
                    self._confirmed.add(trial_id)
                    self._milestones[trial_id] = []
        self._store()
        return chosen

    def milestones(self, trial: PlannedTrial) -> list[int]:
        """The epochs at which a trial must report and may be stopped; none of a confirmed one."""
        scheduler = self.study.prolonged_scheduler
        if not isinstance(scheduler, Scheduler) or trial.config.trial_id in self._confirmed:
            return []
        return scheduler.milestones(trial.config.hyperparameters.total_epochs)

    def falls_behind(self, trial_id: str, epoch: int, bound: float) -> bool:
        """Whether to stop a trial that has reached a bound (nats) at an epoch.

        It is stopped if it falls behind in all of its cells. Its record is then marked as stopped.
        """
        if epoch not in self._milestones.get(trial_id, ()) or not isfinite(bound):
            return False
        scheduler = self.study.prolonged_scheduler
        is_share = isinstance(scheduler, Scheduler) and scheduler.is_share
        step = epoch // self._milestones[trial_id][0] if is_share else None
        behind = [cell.report(trial_id, epoch, bound, step) for cell in self._cells_of[trial_id]]
        if all(behind):
            with suppress(OSError):  # a later run then continues the trial
                self.store.record(trial_id).write_status(TrialState.STOPPED, epoch=epoch)
            self._end(trial_id, TrialState.STOPPED, {})
        self._store()
        return all(behind)

    def ended(self, trial_id: str) -> None:
        """Update the searches with the state and the figures in the trial's record."""
        if self._cells_of.get(trial_id):
            self._catch_up(trial_id)
            self._store()

    def pause(self) -> None:
        """Store the time that the searches have taken, at the end of a run."""
        for cell in self._cells.values():
            cell.pause()
        self._store()

    def is_confirmed(self, trial: PlannedTrial) -> bool:
        """Whether a trial is to have all seeds after a screening."""
        return self.study.screening is not None and trial.replicates == self.study.replicates

    def _elapsed(self) -> float:
        """The seconds that this run and those before it have taken."""
        return self._before + self._clock() - self._began

    def _opened(self, plan: Plan) -> "dict[str, CellSearch]":
        from gmm_study.search.cell_search import CellSearch

        cells = plan.cells.items()
        return {key: CellSearch(self.store, cell, self._elapsed) for key, cell in cells}

    def _watch(self, trial: PlannedTrial, cell: "CellSearch") -> None:
        self._trials_of[cell.cell.key].setdefault(trial.config.trial_id, trial)
        self._milestones[trial.config.trial_id] = self.milestones(trial)
        cells = self._cells_of[trial.config.trial_id]
        if cell not in cells:
            cells.append(cell)

    def _catch_up(self, trial_id: str) -> bool:
        """End a trial whose record says that it has ended; returns whether it has.

        A study without a scheduler continues a stopped trial.
        """
        state, scores = objective(self.store.record(trial_id), self.study.first_replicates)
        is_over = state.is_over and (state is not TrialState.STOPPED or self._may_stop)
        if is_over:
            self._end(trial_id, state, scores)
        return is_over

    @property
    def _may_stop(self) -> bool:
        return isinstance(self.study.scheduler, Scheduler)

    def _end(self, trial_id: str, state: TrialState, scores: Scores) -> None:
        for cell in self._cells_of[trial_id]:
            cell.end(trial_id, state, scores)

    def _store(self) -> None:
        """Store new events; if that fails, they are stored with the next ones."""
        for cell in self._cells.values():
            with suppress(OSError):
                cell.history.store()


def objective(record: Record, replicates: int) -> tuple[TrialState, Scores]:
    """The state of a trial and, if it is complete, what it is selected by.

    A complete trial that is no candidate, because a replicate diverged, counts as diverged.
    """
    standing = record.standing(replicates)
    if standing.state is not TrialState.COMPLETE or standing.result is None:
        return standing.state, {}
    scores = standing.result.scores(replicates)
    return (TrialState.COMPLETE if scores else TrialState.DIVERGED), scores
