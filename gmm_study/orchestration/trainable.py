"""A trial as Ray Tune runs it: an actor that trains into the record, one after another."""

import gc
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ray import tune

from gmm_study.data import Dataset
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import RecordStore
from gmm_study.trials.shortage import LESS, is_out_of_memory, what_would_help

if TYPE_CHECKING:
    from gmm_study.trials.run import TrialRun

REPORT_EVERY = 1.0
"""Seconds of work between two reports to the driver."""


class TrialTrainable(tune.Trainable):
    """Trains one trial into its record; the actor then takes the next trial.

    The record holds the checkpoint, so a trial that starts again goes on from there. A trial that
    another process is training is waited for. An error of a trial is written into its record and
    ends that trial alone. Only the actor imports torch: the driver needs this class, and no torch.
    """

    current: "TrialRun | None" = None
    chunk_rows: int

    def setup(
        self,
        config: dict[str, Any],
        datasets: dict[str, Dataset],
        storage: str,
        threads: int,
        gpu_share: float,
        chunk_rows: int,
        checkpoint_seconds: float,
    ) -> None:
        """Take the first trial; the data come through Ray's object store, once a node."""
        import torch

        torch.set_num_threads(threads)
        self.datasets = datasets
        self.store = RecordStore(storage)
        self.device = "cuda" if gpu_share else "cpu"
        if 0 < gpu_share < 1:  # a share that Ray counts limits nothing by itself
            torch.cuda.set_per_process_memory_fraction(gpu_share)
        self.study_chunk_rows = chunk_rows
        self.checkpoint_seconds = checkpoint_seconds
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Work for about `REPORT_EVERY` seconds and tell how far the trial is."""
        try:
            return self._work()
        except Exception as error:
            if not self._may_try_with_less_memory(error):
                return self._fail(error)
        # Here the error is forgotten, and with it the tensors of the calls that it came from.
        self._give_memory_back()
        self.tried_with_less = True
        self.chunk_rows = max(1, self.chunk_rows // LESS)
        return self.step()

    def cleanup(self) -> None:
        """Keep what an unfinished trial has reached."""
        if self.current is not None and not self.current.finished:
            self.current.pause()

    def _begin(self, config: dict[str, Any]) -> None:
        self.trial_config = TrialConfig.from_json(config["job"]["trial"])
        self.record = self.store.record(self.trial_config.trial_id)
        self.replicates = config["job"]["replicates"]
        self.chunk_rows = self.study_chunk_rows
        self.tried_with_less = False
        self.current = None

    def _work(self) -> dict[str, Any]:
        if self.current is None and self.record.trained_elsewhere():
            time.sleep(REPORT_EVERY)
            return self._report("waiting", done=False)
        run = self.current = self.current or self._open()
        until = time.monotonic() + REPORT_EVERY
        progress = run.progress()
        while not run.finished and time.monotonic() < until:
            progress = run.advance()
        state = str(run.result()["state"]) if run.finished else "running"
        return self._report(state, **vars(progress), done=run.finished)

    def _may_try_with_less_memory(self, error: Exception) -> bool:
        """Once a trial: from its checkpoint, with a smaller chunk of the evaluation."""
        return is_out_of_memory(error) and not self.tried_with_less

    def _give_memory_back(self) -> None:
        import torch

        self.current = None
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _fail(self, error: Exception) -> dict[str, Any]:
        reason = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
        if is_out_of_memory(error):
            reason = what_would_help(error, self.device, self.chunk_rows)
        with suppress(OSError):
            self.record.write_status("failed", error=reason, traceback=traceback.format_exc())
        self.current = None
        return self._report("failed", error=reason, done=True)

    def _open(self) -> "TrialRun":
        from gmm_study.trials.run import TrialRun

        return TrialRun(
            self.trial_config,
            self.datasets[self.trial_config.dataset_sha256],
            range(self.replicates),
            self.record,
            self.device,
            self.chunk_rows,
            self.checkpoint_seconds,
        )

    def _report(self, state: str, **details: Any) -> dict[str, Any]:
        return {"trial": self.trial_config.trial_id, "state": state, **details}
