"""The order in which Ray Tune runs the trials of a study.

Tune gets one trial at a time: first the missing trials of the plan, then those that the searches
propose, and at last those that are confirmed with all seeds. A trial that begins from the model of
another trial of the run waits until that one has ended.
"""

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from ray.tune.search import Searcher

from gmm_study.orchestration.callbacks import StaysInTheDriver
from gmm_study.search.searches import Searches
from gmm_study.study import PlannedTrial

ASK_EVERY = 5.0
"""Seconds between two checks of the size of the cluster."""


class Queue(StaysInTheDriver, Searcher):
    """Gives Tune the missing trials of a plan, then those that its searches propose or confirm.

    A search is asked only when a trial could start at once, so that it knows all earlier results.
    A trial whose `warm_start` names another one that is still to be trained is held back until that
    one has ended in any state; without a result of it, the waiting trial then fails by itself.
    """

    def __init__(
        self,
        missing: Iterable[PlannedTrial],
        searches: Searches,
        at_a_time: Callable[[], int],
        announce: Callable[[PlannedTrial], None],
    ) -> None:
        super().__init__()
        self.missing = deque(missing)
        self.searches = searches
        self.at_a_time = at_a_time
        self.announce = announce
        self._handed_out: dict[str, str] = {}  # our id of each trial by that of Tune
        self._unended = {trial.config.trial_id for trial in self.missing}
        self._places, self._asked_at = at_a_time(), monotonic()

    def suggest(self, trial_id: str) -> Any:
        """The job of the next trial; None if Tune is to wait until a running trial ends."""
        if not self.missing and self.searches.unproposed:
            if self._is_busy():
                return None
            self._add([self.searches.next()])
        if not self.missing:
            self._add(self.searches.confirm(awaited=self._unended))
        trial = next(filter(self._may_begin, self.missing), None)
        if trial is None:
            more = self.missing or (self._handed_out and self.searches.unconfirmed)
            return None if more else Searcher.FINISHED
        self.missing.remove(trial)
        self._handed_out[trial_id] = trial.config.trial_id
        job = {
            "trial": trial.config.to_json(),
            "replicates": trial.replicates,
            "milestones": self.searches.milestones(trial),
        }
        return {"job": job}

    def _is_busy(self) -> bool:
        """Whether another trial would have to wait. Checked repeatedly, as a cluster may grow."""
        if len(self._handed_out) < self._places:
            return False
        if monotonic() > self._asked_at + ASK_EVERY:
            self._places, self._asked_at = self.at_a_time(), monotonic()
        return len(self._handed_out) >= self._places

    def _may_begin(self, trial: PlannedTrial) -> bool:
        """Whether the trial that it begins from, if this run trains one, has ended."""
        return trial.config.hyperparameters.warm_start not in self._unended

    def _add(self, trials: Iterable[PlannedTrial | None]) -> None:
        """Add trials of the searches."""
        for trial in filter(None, trials):
            self.announce(trial)
            self.missing.append(trial)
            self._unended.add(trial.config.trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial has ended in any state; the searches learn of it from its record."""
        self._unended.discard(self._handed_out.pop(trial_id, ""))

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a continued run reads the records and needs no state of Tune."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing, because nothing was saved."""
