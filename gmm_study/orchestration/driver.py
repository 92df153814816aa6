"""The driver: gives the missing trials of a plan to Ray Tune, and restarts trials of dead workers.

Ray Tune's own checkpoints and restore are not used: a trial resumes from its record, so a killed
worker, a killed driver and a second run all take the same path. Tune's files go to a temporary
folder. Trials report about once a second, not once per epoch.
"""

import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from gmm_study.data import Dataset
from gmm_study.orchestration.cluster import prepare_ray, ray_at
from gmm_study.orchestration.gpus import share_of_a_gpu
from gmm_study.orchestration.live_view import LiveView
from gmm_study.orchestration.nodes import trials_at_a_time
from gmm_study.orchestration.ray_internals import count_no_callbacks
from gmm_study.phrases import at_a_time
from gmm_study.search.searches import Searches
from gmm_study.study import Plan, PlannedTrial, Study
from gmm_study.trials.record_store import RecordStore

if TYPE_CHECKING:
    from ray import tune

    from gmm_study.orchestration.callbacks import StopTrials, TrialReports
    from gmm_study.orchestration.queue import Queue

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
WORKER_CRASHES = 3
"""How often a trial whose worker died is restarted from its record."""


@dataclass
class Outcome:
    """The result of a run of a study: the number of trials by state, of those to be trained."""

    states: Counter[str]
    elsewhere: int
    """How many of these another process has trained."""
    wanted: int
    confirmed: Counter[str]
    """The same for the trials that were trained with all seeds after a screening."""
    confirmed_elsewhere: int
    to_confirm: int
    interrupted: bool
    over: int
    """The number of searches that have taken their hours."""


class Interrupt:
    """Whether Ctrl-C or SIGTERM was received; a second one raises KeyboardInterrupt as usual."""

    def __init__(self) -> None:
        self.pressed = False

    @contextmanager
    def watched(self) -> Iterator["Interrupt"]:
        """Treat the first signal as a request to stop cleanly."""
        if threading.current_thread() is not threading.main_thread():
            yield self  # signals reach the main thread alone
            return
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        self.take_signals()
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def take_signals(self) -> None:
        """Handle the signals here alone; Ray's C++ handler would also print a stack."""
        if threading.current_thread() is threading.main_thread() and not self.pressed:
            for number in STOP_SIGNALS:
                signal.signal(number, self._press)

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.signal(number, signal.default_int_handler)


def run_trials(
    plan: Plan,
    missing: Sequence[PlannedTrial],
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    console: Console,
    address: str | None = None,
) -> Outcome:
    """Train the `missing` trials of a plan into the store.

    `datasets` are by checksum, `address` is that of a Ray cluster. Raises `InputError` if the study
    needs more resources than there are.
    """
    searches = Searches(plan, store)
    searches.take_up(retried={trial.config.trial_id for trial in missing})
    view = LiveView(console, missing, len(plan.trials) - len(missing), searches)
    with Interrupt().watched() as interrupt, view:
        try:
            _tune(plan, missing, datasets, store, view, searches, interrupt, address)
        finally:
            searches.pause()
    return Outcome(
        view.ended,
        view.elsewhere,
        view.wanted,
        view.confirmed,
        view.confirmed_elsewhere,
        view.to_confirm,
        interrupt.pressed,
        searches.over,
    )


def _tune(
    plan: Plan,
    missing: Sequence[PlannedTrial],
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    view: LiveView,
    searches: Searches,
    interrupt: Interrupt,
    address: str | None,
) -> None:
    prepare_ray()
    from gmm_study.orchestration.callbacks import StopTrials, TrialReports
    from gmm_study.orchestration.queue import Queue

    count_no_callbacks()
    study = plan.study
    resources = study.resources
    say = partial(view.console.print, markup=False, highlight=False)
    if interrupt.pressed:
        return
    with (
        ray_at(address, resources, store, study.methods, say) as admission,
        tempfile.TemporaryDirectory(prefix="gmm-study-") as scratch,
    ):
        interrupt.take_signals()
        gpu_share, without = share_of_a_gpu(study, [*missing, *plan.extremes()], datasets)
        places = partial(trials_at_a_time, resources, gpu_share)
        together = min(places(), view.wanted + view.to_confirm)
        say(at_a_time(together, resources.cpus, gpu_share) + (f" ({without})" if without else ""))
        if interrupt.pressed:
            return
        file = admission.file if admission else None
        trainable = _trainable(study, datasets, store, gpu_share, file)
        queue = Queue(missing, searches, places, view.expect)
        stop = StopTrials(interrupt, searches, admission)
        reports = TrialReports(store, view, searches, resources.heartbeat_seconds)
        _tuner(study, trainable, queue, stop, reports, scratch).fit()
        if admission and admission.problem:
            raise admission.problem


def _tuner(
    study: Study,
    trainable: Any,
    queue: "Queue",
    stop: "StopTrials",
    reports: "TrialReports",
    scratch: str,
) -> "tune.Tuner":
    """Tune, which takes trials from the queue and restarts those of dead workers."""
    from ray import tune

    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=queue,
            num_samples=-1,
            reuse_actors=True,
            max_concurrent_trials=study.resources.concurrent,
        ),
        run_config=tune.RunConfig(
            name=study.name,
            storage_path=scratch,
            verbose=0,
            stop=stop,
            callbacks=[reports],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=WORKER_CRASHES),
        ),
    )


def _trainable(
    study: Study,
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    gpu_share: float,
    admission_file: str | None,
) -> Any:
    """The class that trains any trial of the study, with the arguments that all trials share."""
    from ray import tune

    from gmm_study.orchestration.trainable import TrialTrainable

    resources = study.resources
    trainable = tune.with_parameters(
        TrialTrainable,
        datasets=dict(datasets),
        storage=store.storage,
        threads=resources.cpus,
        gpu_share=gpu_share,
        admission_file=admission_file,
        chunk_rows=study.evaluation.chunk_rows,
        checkpoint_seconds=resources.checkpoint_seconds,
        heartbeat_seconds=resources.heartbeat_seconds,
        time_limit_seconds=resources.time_limit_seconds,
    )
    return tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": gpu_share})
