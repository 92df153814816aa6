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
from gmm_study.orchestration.gpus import share_of_a_gpu
from gmm_study.orchestration.live_view import LiveView
from gmm_study.orchestration.mirror import Mirror
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
    labels = {trial.config.trial_id: trial.label for trial in missing}
    view = LiveView(console, labels, len(plan.trials) - len(missing))
    with Interrupt().watched() as interrupt, view:
        _tune(plan, missing, datasets, store, view, mirror, interrupt)
    return Outcome(view.ended, interrupt.pressed)


def _tune(
    plan: Plan,
    missing: Sequence[PlannedTrial],
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    view: LiveView,
    mirror: Mirror,
    interrupt: Interrupt,
) -> None:
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET_RAY.items()})
    from ray import tune

    from gmm_study.orchestration.following import Follower, StopOnInterrupt
    from gmm_study.orchestration.trainable import TrialTrainable

    _count_no_callbacks()
    study = plan.study
    resources = study.resources
    jobs = [{"trial": trial.config.to_json(), "replicates": study.replicates} for trial in missing]
    with _ray(resources), tempfile.TemporaryDirectory(prefix="gmm-study-") as scratch:
        store.check_writable()
        mirror.flush()
        gpu_share = share_of_a_gpu(study, missing, datasets)
        trainable = tune.with_parameters(
            TrialTrainable,
            datasets=dict(datasets),
            storage=store.storage,
            threads=resources.cpus,
            gpu_share=gpu_share,
            chunk_rows=study.evaluation.chunk_rows,
            checkpoint_seconds=resources.checkpoint_seconds,
        )
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": gpu_share}),
            param_space={"job": tune.grid_search(jobs)},
            tune_config=tune.TuneConfig(
                reuse_actors=True, max_concurrent_trials=resources.concurrent
            ),
            run_config=tune.RunConfig(
                name=study.name,
                storage_path=scratch,
                verbose=0,
                stop=StopOnInterrupt(interrupt),
                callbacks=[Follower(store, view, mirror)],
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
def _ray(resources: Resources) -> Iterator[None]:
    """A quiet Ray, started or joined, that has what a trial asks for."""
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    address = os.environ.get("RAY_ADDRESS", "local")
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    try:
        _check_resources(resources, ray.cluster_resources())
        yield
    finally:
        # A collection in another thread that frees one of Ray's objects now would end the process.
        gc.disable()
        ray.shutdown()
        gc.enable()


def _check_resources(asked: Resources, available: Mapping[str, Any]) -> None:
    if asked.gpus == "auto" and not available.get("GPU"):
        raise InputError("resources.gpus: auto asks for a GPU, Ray has none; 0 trains on CPUs")
    least_gpus = 0.0 if asked.gpus == "auto" else asked.gpus
    for field_name, resource, wanted in (("cpus", "CPU", asked.cpus), ("gpus", "GPU", least_gpus)):
        there = available.get(resource, 0)
        if wanted > there:
            raise InputError(
                f"resources.{field_name}: a trial asks for {wanted:g}, Ray has {there:g} in all"
            )
