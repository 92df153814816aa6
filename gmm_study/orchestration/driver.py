"""The driver: hands the missing trials of a plan to Ray Tune and follows them."""

import gc
import logging
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from rich.console import Console

from gmm_study.data import Dataset
from gmm_study.errors import InputError
from gmm_study.orchestration.live_view import LiveView
from gmm_study.orchestration.mirror import Mirror
from gmm_study.search.searches import Searches
from gmm_study.study import Plan, PlannedTrial
from gmm_study.study.schema import Resources
from gmm_study.trials.record import RecordStore

QUIET_RAY = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "600",
}
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
WORKER_CRASHES = 3
"""How often a trial whose worker died is taken up again from its record."""


@dataclass
class Outcome:
    """How a run of a study ended: trials by state, of those that were to be trained."""

    states: Counter[str]
    wanted: int
    interrupted: bool


class Interrupt:
    """Whether Ctrl-C or SIGTERM asked to stop; a second one is an ordinary KeyboardInterrupt."""

    def __init__(self) -> None:
        self.pressed = False

    @contextmanager
    def watched(self) -> Iterator["Interrupt"]:
        """Take the first signal as a request to stop cleanly."""
        before = {number: signal.signal(number, self._press) for number in STOP_SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.signal(number, signal.default_int_handler)


def run_trials(
    plan: Plan,
    missing: Sequence[PlannedTrial],
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    mirror: Mirror,
    console: Console,
) -> Outcome:
    """Train the `missing` trials of a plan into the store and tell the mirror of them.

    `datasets` are by checksum. Raises `InputError` where the study asks for more than there is.
    """
    searches = Searches(plan, store)
    searches.take_up(retried={trial.config.trial_id for trial in missing})
    labels = {trial.config.trial_id: trial.label for trial in missing}
    view = LiveView(console, labels, len(plan.trials) - len(missing), searches)
    with Interrupt().watched() as interrupt, view:
        _tune(plan, missing, datasets, store, view, mirror, searches, interrupt)
    return Outcome(view.ended, view.wanted, interrupt.pressed)


def _tune(
    plan: Plan,
    missing: Sequence[PlannedTrial],
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    view: LiveView,
    mirror: Mirror,
    searches: Searches,
    interrupt: Interrupt,
) -> None:
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET_RAY.items()})
    from ray import tune

    from gmm_study.orchestration.following import Follower, Stopping
    from gmm_study.orchestration.queue import Queue
    from gmm_study.orchestration.trainable import TrialTrainable

    _count_no_callbacks()
    study = plan.study
    resources = study.resources

    def announce(trial: PlannedTrial) -> None:
        view.expect(trial)
        mirror.expect(trial)

    with _ray(resources) as slots, tempfile.TemporaryDirectory(prefix="gmm-study-") as scratch:
        store.check_writable()
        mirror.flush()
        trainable = tune.with_parameters(
            TrialTrainable,
            datasets=dict(datasets),
            storage=store.storage,
            threads=resources.cpus,
            device="cuda" if resources.gpus else "cpu",
            chunk_rows=study.evaluation.chunk_rows,
            checkpoint_seconds=resources.checkpoint_seconds,
        )
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": resources.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=Queue(missing, searches, slots, study.replicates, announce),
                num_samples=-1,
                reuse_actors=True,
                max_concurrent_trials=resources.concurrent,
            ),
            run_config=tune.RunConfig(
                name=study.name,
                storage_path=scratch,
                verbose=0,
                stop=Stopping(interrupt, searches),
                callbacks=[Follower(store, view, mirror, searches)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=WORKER_CRASHES),
            ),
        ).fit()
        mirror.flush()  # while Ray ends, which mostly waits


def _count_no_callbacks() -> None:
    """Spare the two seconds in which Tune imports MLflow, to count callbacks for statistics."""
    with suppress(ImportError):  # a detail of Ray's, which may move
        from ray.air._internal import usage

        usage.tag_callbacks = lambda callbacks: False


@contextmanager
def _ray(resources: Resources) -> Iterator[int]:
    """A quiet Ray, started or joined, that has what a trial asks for; gives how many fit in it."""
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    address = os.environ.get("RAY_ADDRESS", "local")
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    try:
        available = ray.cluster_resources()
        _check_resources(resources, available)
        yield _slots(resources, available)
    finally:
        # A collection in another thread that frees one of Ray's objects now would end the process.
        gc.disable()
        ray.shutdown()
        gc.enable()


def _slots(asked: Resources, available: Mapping[str, Any]) -> int:
    wanted = {"CPU": asked.cpus, "GPU": asked.gpus}
    fit = min(int(available[name] / amount) for name, amount in wanted.items() if amount)
    return min(fit, asked.concurrent or fit)


def _check_resources(asked: Resources, available: Mapping[str, Any]) -> None:
    for field_name, resource in (("cpus", "CPU"), ("gpus", "GPU")):
        wanted, there = getattr(asked, field_name), available.get(resource, 0)
        if wanted > there:
            raise InputError(
                f"resources.{field_name}: a trial asks for {wanted:g}, Ray has {there:g} in all"
            )
