"""The driver's callbacks from Ray Tune: reports of trials, deaths of workers, and when to stop."""

from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial

from gmm_study.addresses import redact
from gmm_study.orchestration.admission import Admission
from gmm_study.orchestration.live_view import LiveView
from gmm_study.orchestration.ray_internals import forget_moving_averages
from gmm_study.search.searches import Searches
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.status import WAITING, Phase


class StaysInTheDriver:
    """Is pickled empty: Ray Tune stores callbacks for its own restore, which is not used."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class TrialReports(StaysInTheDriver, Callback):
    """Passes every report of a trial to the live view and the searches."""

    def __init__(
        self,
        store: RecordStore,
        view: LiveView,
        searches: Searches,
        heartbeat_seconds: float,
    ) -> None:
        self.store = store
        self.view = view
        self.searches = searches
        self.heartbeat_seconds = heartbeat_seconds
        self.heard_at: dict[str, float] = {}
        self.dead: set[tuple[str | None, int | None]] = set()

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A worker starts or restarts a trial."""
        self.heard_at[trial.trial_id] = monotonic()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has reported progress or its end."""
        self.heard_at[trial.trial_id] = monotonic()
        if result["state"] == WAITING:
            self._release(result["trial"])
        elif result["state"] not in (TrialState.RUNNING, TrialState.STOPPED):
            self.searches.ended(result["trial"])
        self.view.update(result)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial has ended."""
        forget_moving_averages(trial)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial's worker died, and another one will continue the trial."""
        if trial.last_result:
            self.dead.add((trial.last_result["hostname"], trial.last_result["pid"]))

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial's worker died too often, and the trial is not restarted."""
        trial_id = trial.config["job"]["trial"]["trial_id"]
        error = redact(str(trial.get_error())).strip()
        *_, reason = error.splitlines() or ["the worker died"]
        if monotonic() - self.heard_at.get(trial.trial_id, monotonic()) > self.heartbeat_seconds:
            reason = (  # only a worker that the watchdog has ended was silent for so long
                f"it hung: no progress in {self.heartbeat_seconds:g} s, "
                "resources.heartbeat_seconds, each time it was resumed"
            )
        record = self.store.record(trial_id)
        with suppress(OSError):
            if not record.trained_elsewhere():
                record.log(error)
                record.write_status(TrialState.FAILED, error=reason)
        self.searches.ended(trial_id)
        self.view.update({"trial": trial_id, "state": TrialState.FAILED, "error": reason})

    def _release(self, trial_id: str) -> None:
        """Release a trial whose worker is dead, for another worker that waits for it.

        That worker may be on another host and cannot check this itself. It is called whenever the
        worker reports that it waits, because the dead one may have written its status for a moment
        longer.
        """
        with suppress(OSError):
            self.store.record(trial_id).release_from(self.dead)


class Interruptible(Protocol):
    """Knows whether the user has asked to stop."""

    pressed: bool


class StopTrials(StaysInTheDriver, Stopper):
    """Stops a trial that falls behind, and all trials if the user asks for it or a node is refused.

    A stopped trial keeps its checkpoint.
    """

    def __init__(
        self, interrupt: Interruptible, searches: Searches, admission: Admission | None
    ) -> None:
        self.interrupt = interrupt
        self.searches = searches
        self.admission = admission

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether a trial falls behind; if so, its result gets the state `stopped`."""
        if result["state"] != TrialState.RUNNING or result["phase"] != Phase.TRAINING:
            return False
        behind = self.searches.falls_behind(result["trial"], result["epoch"], result["bound"])
        if behind:
            result["state"] = TrialState.STOPPED
        return behind

    def stop_all(self) -> bool:
        """Whether all trials are to stop now."""
        if self.admission is None:
            return self.interrupt.pressed
        self.admission.follow()
        return self.interrupt.pressed or self.admission.problem is not None
