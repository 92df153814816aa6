"""The search of one cell: an Optuna study in memory, driven by the events of the cell's history.

A cell is a method, a data set and one value of every grid.
Milestones are decided within the cell by Optuna's pruners. Ray Tune's schedulers are not used,
because they compare all trials of a run and can only be saved as pickles.
"""

from collections.abc import Callable, Container, Sequence
from typing import Any

import optuna
from optuna.trial import Trial, create_trial
from optuna.trial import TrialState as OptunaState

from gmm_study.search.distributions import distributions, plain_values
from gmm_study.search.history import (
    OF_NO_TRIAL,
    Event,
    History,
    end_event,
    hours_of,
    metric_of_events,
    scores_of,
)
from gmm_study.search.sampling import pruner_of, sampler_of
from gmm_study.study.expansion import yet_to_confirm
from gmm_study.study.plan import Cell, PlannedTrial
from gmm_study.study.strategies import AdaptiveSearch, CmaEsSearch, DrawnSearch
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.selection import Scores

STATES = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.STOPPED: OptunaState.PRUNED,
}
"""Optuna's state of an ended trial; every other state (diverged, failed) is FAIL in Optuna."""

optuna.logging.set_verbosity(optuna.logging.ERROR)


class CellSearch:
    """Proposes trials of a cell, and decides which of them fall behind.

    Its answers depend only on the cell's key and on earlier events, so replaying the events of its
    history restores its state; no state of Optuna is stored. The objective is what trials are
    selected by, averaged over replicates: log p of the validation data, or the best validation
    bound from the first trial on that has only that. The search then starts again from its events,
    so that Optuna never compares the two.
    """

    def __init__(
        self, store: RecordStore, cell: Cell, elapsed: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`elapsed` gives the seconds that all runs of the study have taken so far."""
        self.cell = cell
        self._elapsed = elapsed
        self.history = History(store, cell)
        self._axes = cell.study.drawn if cell.study.is_adaptive else {}
        self._distributions = distributions(self._axes)
        self._replay()

    def _replay(self) -> None:
        """Start from nothing, and repeat the events."""
        self._selected_by = metric_of_events(self.history.events)
        self._study = optuna.create_study(
            direction="maximize", sampler=sampler_of(self.cell), pruner=pruner_of(self.cell)
        )
        # Optuna may propose the same values again. That is one trial here, but each proposal is a
        # trial of Optuna's, and each has to be told the result.
        self._under_way: dict[str, list[Trial]] = {}
        self._ended: dict[str, tuple[TrialState, Scores]] = {}
        self._params: dict[str, dict[str, Any]] = {}
        self._points = self._distinct_points()
        self._proposed = 0
        self._behind: dict[tuple[str, int], bool] = {}
        for event in self.history.events:
            self._do(event)

    @property
    def under_way(self) -> list[str]:
        """The ids of the trials that have been proposed and have not ended."""
        return list(self._under_way)

    @property
    def running(self) -> int:
        """The number of trials that have been proposed and have not ended."""
        return len(self._under_way)

    @property
    def unproposed(self) -> int:
        """The number of trials yet to be proposed."""
        search = self.cell.study.search
        if not isinstance(search, AdaptiveSearch) or self.history.is_over:
            return 0
        return max(0, search.trials - self._proposed)

    def close_if_over(self) -> None:
        """Propose no more trials if the search has taken its hours."""
        hours = hours_of(self.cell)
        if self.unproposed and hours is not None and self._elapsed() >= 3600 * hours:
            self._note({"event": "close", "hours": hours})

    def pause(self) -> None:
        """Note the time that the search has taken, if it has a limit and may go on."""
        if self.unproposed and hours_of(self.cell) is not None:
            self._note({"event": "pause"})

    def propose(self) -> PlannedTrial | None:
        """The next trial that is new to the cell; None if all have been proposed."""
        while self.unproposed:
            point = self._points[0] if self._points else None
            trial = self._ask(point)
            axes = point or plain_values(self._axes, trial.params)
            planned = self.cell.trial(axes)
            trial_id = planned.config.trial_id
            is_new = not self._knows(trial_id)
            self._take(trial_id, trial, axes)  # also if it is not new: Optuna learns its result
            given = {"given": True} if point else {}
            self._note({"event": "propose", "trial_id": trial_id, "axes": axes, **given})
            if is_new:
                return planned
        return None

    def unconfirmed(self, trial_ids: Sequence[str]) -> int:
        """How many trials, at most, are yet to be chosen for all seeds.

        `trial_ids` are the trials of the cell that the study has so far.
        """
        return yet_to_confirm(self.cell.study, self.history, trial_ids, self.unproposed)

    def confirm(self, trial_ids: Sequence[str], awaited: Container[str] = ()) -> list[str]:
        """Those of these trials that are chosen for all seeds: none before all have ended.

        `trial_ids` are as for `unconfirmed`; `awaited` are trained now, perhaps once more.
        """
        screening = self.cell.study.screening
        if screening is None or self.unproposed or self.history.has_chosen(trial_ids):
            return []
        if any(each in self._under_way or each in awaited for each in trial_ids):
            return []
        scores = {each: self._ended[each][1] for each in trial_ids if each in self._ended}
        values = {each: own[self._selected_by] for each, own in scores.items() if own}
        best = sorted(values, key=lambda each: -values[each])[: screening.confirm]
        among = {"replicates": screening.replicates, "among": self.history.among(trial_ids)}
        self._note({"event": "confirm", "trial_ids": best, **among})
        return best

    def enter(self, trial_id: str) -> None:
        """Add a trial of the plan that the search did not propose."""
        if not self._knows(trial_id):
            self._add({"event": "propose", "trial_id": trial_id, "axes": {}, "given": True})

    def report(self, trial_id: str, epoch: int, bound: float, step: int | None = None) -> bool:
        """Record a trial's bound at a milestone; returns whether the trial falls behind.

        A milestone counts once; reporting it again gives the same answer. `step` is the milestone
        as a multiple of the grace, if that is a share of the trial's epochs.
        """
        if (trial_id, epoch) in self._behind:
            return self._behind[trial_id, epoch]
        if trial_id not in self._under_way:
            return False
        event = {"event": "report", "trial_id": trial_id, "epoch": epoch, "bound": bound}
        return self._add(event | ({} if step is None else {"step": step}))

    def end(self, trial_id: str, state: TrialState, scores: Scores) -> None:
        """Record the end of a trial, once; a complete one has `scores`."""
        if trial_id not in self._under_way and self._ended.get(trial_id) == (state, scores):
            return
        event = end_event(trial_id, state, scores)
        if scores and self._selected_by not in scores:
            self._note(event)
            self._replay()
        else:
            self._add(event)

    def _add(self, event: Event) -> bool:
        behind = self._do(event)
        self._note(event)
        return behind

    def _note(self, event: Event) -> None:
        """Add an event to the history; with its time if the search has a limit."""
        limited = hours_of(self.cell) is not None
        self.history.add(event | ({"seconds": round(self._elapsed(), 1)} if limited else {}))

    def _do(self, event: Event) -> bool:
        """Apply an event; returns whether a report shows that the trial falls behind."""
        if event["event"] in OF_NO_TRIAL:
            return False
        trial_id = event["trial_id"]
        if event["event"] == "propose":
            self._take(trial_id, self._ask_again(event), event["axes"])
        elif event["event"] == "earlier":
            self._params[trial_id] = event["axes"]
            self._ended[trial_id] = TrialState.COMPLETE, scores_of(event)
            self._tell_of(trial_id)
        elif event["event"] == "end":
            self._end(trial_id, TrialState(event["state"]), scores_of(event))
        elif trial_id in self._under_way:
            # One of its proposals is enough: several equal ones would count as competitors.
            first = self._under_way[trial_id][0]
            first.report(event["bound"], event["step"] if "step" in event else event["epoch"])
            self._behind[trial_id, event["epoch"]] = first.should_prune()
            return self._behind[trial_id, event["epoch"]]
        return False

    def _knows(self, trial_id: str) -> bool:
        return trial_id in self._ended or trial_id in self._under_way

    def _distinct_points(self) -> list[dict[str, Any]]:
        """The points of the search, of which those that were proposed are then removed."""
        search = self.cell.study.search
        points = search.points if isinstance(search, DrawnSearch) else []
        return [point for number, point in enumerate(points) if point not in points[:number]]

    def _ask(self, axes: dict[str, Any] | None) -> Trial:
        if axes:
            self._study.enqueue_trial(axes)
        return self._study.ask(self._distributions)

    def _ask_again(self, event: Event) -> Trial:
        """Repeat the proposal of an event, even if this version of Optuna would draw another.

        Only a sampler with a state has to draw it again.
        """
        has_state = isinstance(self.cell.study.search, CmaEsSearch)
        if event.get("given") or not has_state:
            return self._ask(event["axes"])
        trial = self._ask(None)
        if plain_values(self._axes, trial.params) != event["axes"]:
            # What was proposed has been trained, so it is enqueued as if it were given.
            self._study.tell(trial, state=OptunaState.FAIL)
            trial = self._ask(event["axes"])
        return trial

    def _take(self, trial_id: str, trial: Trial, axes: dict[str, Any]) -> None:
        """Register a proposal. Optuna may propose a trial twice, so it may have ended already."""
        self._proposed += 1
        if axes in self._points:
            self._points.remove(axes)
        self._under_way.setdefault(trial_id, []).append(trial)
        self._params[trial_id] = trial.params
        if trial_id in self._ended:
            self._end(trial_id, *self._ended[trial_id])

    def _end(self, trial_id: str, state: TrialState, scores: Scores) -> None:
        before, _ = self._ended.get(trial_id, (None, None))
        self._ended[trial_id] = state, scores
        trials, verdict = self._under_way.pop(trial_id, []), STATES.get(state, OptunaState.FAIL)
        value = scores.get(self._selected_by)
        if value is None and verdict is OptunaState.COMPLETE:
            verdict = OptunaState.FAIL
        for trial in trials:
            self._study.tell(trial, value, state=verdict)
        is_news = verdict is OptunaState.COMPLETE and before is not TrialState.COMPLETE
        if not trials and is_news:  # its proposals were told that it failed; it was retried
            self._tell_of(trial_id)

    def _tell_of(self, trial_id: str) -> None:
        """Tell Optuna of a complete trial that no proposal of it stands for."""
        _, scores = self._ended[trial_id]
        value, params = scores[self._selected_by], self._params[trial_id]
        self._study.add_trial(
            create_trial(value=value, params=params, distributions=self._distributions)
        )
