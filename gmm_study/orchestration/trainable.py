"""A trial as Ray Tune runs it: an actor that trains one trial after another into its record.

A failing trial does not raise in the actor. It writes the reason into its record and the traceback
into the record's `log.txt`, and the actor takes the next trial. Tune only restarts a worker that
died.
"""

import gc
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ray import tune

from gmm_study.addresses import redact
from gmm_study.data import Dataset
from gmm_study.orchestration.admission import is_admitted
from gmm_study.orchestration.watchdog import Watchdog
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.shortage import LESS, is_out_of_memory, what_would_help
from gmm_study.trials.status import WAITING

if TYPE_CHECKING:
    from gmm_study.trials.run import TrialRun

REPORT_EVERY = 1.0
"""Seconds between two reports to the driver."""


class TimeLimitError(Exception):
    """A trial exceeded its time limit."""


class TrialTrainable(tune.Trainable):
    """Trains one trial into its record; the actor then takes the next trial.

    The record holds the checkpoint, so a restarted trial continues from it. If another process is
    training the trial, the actor waits. An error of a trial is written into its record and ends
    only that trial; a trial that hangs ends the process. Only the actor imports torch, because the
    driver imports this class and must not import torch.
    """

    current: "TrialRun | None" = None
    watchdog: Watchdog | None = None
    chunk_rows: int

    def setup(
        self,
        config: dict[str, Any],
        datasets: dict[str, Dataset],
        storage: str,
        threads: int,
        gpu_share: float,
        admission_file: str | None,
        chunk_rows: int,
        checkpoint_seconds: float,
        heartbeat_seconds: float,
        time_limit_seconds: float | None,
    ) -> None:
        """Take the first trial. The data come through Ray's object store, once per node."""
        import torch

        torch.set_num_threads(threads)
        self.datasets = datasets
        self.store = RecordStore(storage)
        self.device = "cuda" if gpu_share else "cpu"
        if 0 < gpu_share < 1:  # Ray only counts the share and does not enforce it
            torch.cuda.set_per_process_memory_fraction(gpu_share)
        self.admission_file = admission_file
        self.study_chunk_rows = chunk_rows
        self.checkpoint_seconds = checkpoint_seconds
        self.heartbeat_seconds = heartbeat_seconds
        self.time_limit_seconds = time_limit_seconds
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        self.cleanup()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Work for about `REPORT_EVERY` seconds and report the progress."""
        if not self._is_admitted():
            time.sleep(REPORT_EVERY)
            return self._report(WAITING, done=False)
        try:
            self.watchdog = self.watchdog or Watchdog(self.heartbeat_seconds, self.record)
            with self.watchdog:
                report = self._work()
            if report["done"]:
                self._leave()
            return report
        except Exception as error:
            if not self._may_try_with_less_memory(error):
                return self._fail(error)
        # The error is freed by now, and with it the tensors in the frames of its traceback.
        self._give_memory_back()
        self.tried_with_less = True
        self.chunk_rows = max(1, self.chunk_rows // LESS)
        return self.step()

    def cleanup(self) -> None:
        """Save the progress of an unfinished trial."""
        try:
            if self.current is not None and not self.current.finished:
                self.current.pause()
        finally:
            self._leave()

    def _is_admitted(self) -> bool:
        """Whether this node of a cluster may train. Until it may, nothing is written."""
        if self.admission_file and is_admitted(self.store, self.admission_file):
            self.admission_file = None
        return self.admission_file is None

    def _begin(self, config: dict[str, Any]) -> None:
        self.trial_config = TrialConfig.from_json(config["job"]["trial"])
        self.record = self.store.record(self.trial_config.trial_id)
        self.replicates = config["job"]["replicates"]
        self.milestones = set(config["job"]["milestones"])
        self.chunk_rows = self.study_chunk_rows
        self.tried_with_less = self.has_waited = False

    def _leave(self) -> None:
        """Release the trial in whatever state it is."""
        self.record.release()
        if self.watchdog is not None:
            self.watchdog.close()
        self.current = self.watchdog = None

    def _work(self) -> dict[str, Any]:
        from gmm_study.trials.run import TrainedElsewhereError

        until = time.monotonic() + REPORT_EVERY
        try:
            return self._train(until)
        except TrainedElsewhereError:
            time.sleep(max(0.0, until - time.monotonic()))
            return self._leave_to_other()

    def _leave_to_other(self) -> dict[str, Any]:
        """Wait, from the next step on, for the process that has the trial."""
        self.record.release()
        self.current, self.has_waited = None, True
        return self._report(WAITING, done=False)

    def _train(self, until: float) -> dict[str, Any]:
        is_new = self.current is None
        run = self.current = self.current or self._open()
        was_trained_elsewhere = is_new and self.has_waited and run.finished
        progress = run.progress()
        if is_new and not run.finished and progress.epoch in self.milestones:
            return self._report(
                TrialState.RUNNING, **vars(progress), done=False
            )  # if nobody heard of it
        while not run.finished and time.monotonic() < until:
            progress = run.advance()
            self._check_time_limit(run)
            if progress.epoch in self.milestones:
                break
        if not run.finished:
            return self._report(TrialState.RUNNING, **vars(progress), done=False)
        return self._report(
            run.result().state, **vars(progress), done=True, elsewhere=was_trained_elsewhere
        )

    def _check_time_limit(self, run: "TrialRun") -> None:
        limit = self.time_limit_seconds
        if limit is not None and not run.finished and time.monotonic() - self.taken_up > limit:
            run.save()
            raise TimeLimitError(
                f"it took longer than resources.time_limit_seconds, {limit:g} s; its checkpoint of "
                f"epoch {run.progress().epoch} is kept"
            )

    def _may_try_with_less_memory(self, error: Exception) -> bool:
        """Whether to retry from the checkpoint with a smaller evaluation chunk; once per trial."""
        return is_out_of_memory(error) and not self.tried_with_less

    def _give_memory_back(self) -> None:
        import torch

        self._leave()
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _fail(self, error: Exception) -> dict[str, Any]:
        if self._has_lost():
            return self._leave_to_other()
        said = redact("".join(traceback.format_exception_only(error)))
        reason = said.strip().splitlines()[-1]
        if isinstance(error, TimeLimitError):
            reason = str(error)
        elif is_out_of_memory(error):
            reason = what_would_help(error, self.device, self.chunk_rows)
        self.record.log(redact(traceback.format_exc()))
        with suppress(OSError):
            self.record.write_status(TrialState.FAILED, error=reason)
        self._leave()
        return self._report(TrialState.FAILED, error=reason, done=True)

    def _has_lost(self) -> bool:
        """Whether another process has taken the trial over, whose record is left alone."""
        with suppress(OSError):
            return self.record.is_lost()
        return False

    def _open(self) -> "TrialRun":
        from gmm_study.trials.run import TrialRun

        self.taken_up = time.monotonic()
        return TrialRun(
            self.trial_config,
            self.datasets[self.trial_config.dataset_sha256],
            range(self.replicates),
            self.record,
            self.device,
            self.chunk_rows,
            self.checkpoint_seconds,
            patience=REPORT_EVERY,
            watch=self._pet,
            # A scheduler must hear of every milestone.
            continues=not self.milestones,
        )

    def _pet(self, rows: int = 0) -> None:
        """Tell the watchdog that the trial makes progress."""
        if self.watchdog is not None:
            self.watchdog.pet()

    def _report(self, state: str, **details: Any) -> dict[str, Any]:
        return {"trial": self.trial_config.trial_id, "state": state, **details}
