"""What the driver hears from Ray Tune about the trials, and tells it."""

from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial

from gmm_study.orchestration.live_view import LiveView
from gmm_study.orchestration.mirror import Mirror
from gmm_study.trials.record import RecordStore


class _StaysInTheDriver:
    """Pickled empty: Ray Tune stores callbacks for a restore of its own, which is never used."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Follower(_StaysInTheDriver, Callback):
    """Passes every report of a trial to the live view and to MLflow's mirror."""

    def __init__(
        self, store: RecordStore, view: LiveView, mirror: Mirror, heartbeat_seconds: float
    ) -> None:
        self.store = store
        self.view = view
        self.mirror = mirror
        self.heartbeat_seconds = heartbeat_seconds
        self.heard_at: dict[str, float] = {}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A worker takes a trial up, or again."""
        self.heard_at[trial.trial_id] = monotonic()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial worked on, or ended."""
        self.heard_at[trial.trial_id] = monotonic()
        self.view.update(result)
        self.mirror.tell(result["trial"])

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial's worker died and was not taken up again."""
        trial_id = trial.config["job"]["trial"]["trial_id"]
        error = str(trial.get_error()).strip()
        *_, reason = error.splitlines() or ["the worker died"]
        if monotonic() - self.heard_at.get(trial.trial_id, monotonic()) > self.heartbeat_seconds:
            reason = (  # the watchdog ended the worker; nothing else lives so long and is silent
                f"it hung: no step further in {self.heartbeat_seconds:g} s, "
                "resources.heartbeat_seconds; taken up again as often as a worker may die"
            )
        record = self.store.record(trial_id)
        record.log(error)
        with suppress(OSError):
            record.write_status("failed", error=reason)
        self.view.update({"trial": trial_id, "state": "failed", "error": reason})
        self.mirror.tell(trial_id)


class Interruptible(Protocol):
    """Something that can be asked to stop."""

    pressed: bool


class StopOnInterrupt(_StaysInTheDriver, Stopper):
    """Stops all trials once the user has asked for it; each keeps what it has reached."""

    def __init__(self, interrupt: Interruptible) -> None:
        self.interrupt = interrupt

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No trial is stopped for its results."""
        return False

    def stop_all(self) -> bool:
        """Whether all are to stop now."""
        return self.interrupt.pressed
