"""Trains one trial into its record: train, evaluate, resume; without Ray and without MLflow.

A trial always resumes from its record, so a killed worker, a killed driver and a second run all
take the same path. If a checkpoint cannot be written (for example on a full disk), the trial warns
and tries again later. Only a result that cannot be written is a failure, and the trial then resumes
from the last checkpoint.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmm_study.data import Dataset
from gmm_study.training.checkpoint import (
    PREVIOUS_FILE,
    TRAINING_FILE,
    checkpoint_files,
    resume_training,
)
from gmm_study.training.ending import AVERAGED, criterion_of, rise
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import METHODS
from gmm_study.training.replicate import Replicate
from gmm_study.training.state import TrialState
from gmm_study.training.trainer import Trainer
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.continuing import continue_earlier, note_in_index
from gmm_study.trials.evaluation import (
    evaluate_on_test,
    evaluate_on_validation,
    has_collapsed,
)
from gmm_study.trials.pictures import write_pictures
from gmm_study.trials.progress import (
    Progress,
    Speed,
    progress_at_the_end,
    progress_of,
    samples_of_an_epoch,
)
from gmm_study.trials.provenance import provenance
from gmm_study.trials.record import TRIAL_SILENT_SECONDS, Record
from gmm_study.trials.result import ReplicateResult, TrialResult
from gmm_study.trials.selection import VALID_BOUND
from gmm_study.trials.warm_start import begin_warm

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 10.0
"""Seconds between checkpoints."""


class TrainedElsewhereError(Exception):
    """Another process is training the trial, or has taken it over from this one."""


class TrialRun:
    """A trial being trained: call `advance` until `finished`. The record holds all progress.

    A replicate that has ended in the record is not trained again, even if the record has no
    checkpoint of it. The trial is locked for this process until it is finished, paused or left. If
    another process still holds it after `patience` seconds, this raises `TrainedElsewhereError`.
    `watch` is called after every epoch with 0, and after every chunk of an evaluation with its
    number of rows.

    A new trial that `continues` goes on from the earlier trial in the record `earlier`, or from one
    in its store, if its training begins with that trial's.
    """

    def __init__(
        self,
        config: TrialConfig,
        dataset: Dataset,
        replicates: Sequence[int],
        record: Record,
        device: str = "cpu",
        chunk_rows: int = 4000,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        patience: float = 0.0,
        watch: Callable[[int], object] = lambda rows: None,
        continues: bool = True,
        earlier: Record | None = None,
    ) -> None:
        if not record.take_up(patience):
            raise TrainedElsewhereError
        self.config = config
        self.record = record
        self.chunk_rows = chunk_rows
        self.checkpoint_seconds = checkpoint_seconds
        self.watch = watch
        self.warning: str | None = None
        self._within_epoch = False
        self._new_trainer = partial(Trainer, config.hyperparameters, dataset, replicates, device)
        self.trainer = self._new_trainer()
        self._other_curves: list[dict[str, Any]] = []
        """The rows of the curves of replicates that have ended and have no state to go on from."""
        try:
            self.ended = self._resume()
            self.datapoints = self._stored_datapoints()
            if not self.finished:
                if continues and self.trainer.is_fresh:
                    continue_earlier(record, config, self.trainer, earlier)
                begin_warm(self.trainer, record, earlier or record, self.ended)
        except BaseException:
            self.leave()
            raise
        self._saved_at = time.monotonic()
        self._speed = Speed()
        if self.finished:
            self._close()
        else:
            record.write_config(config)
            self._write_status(TrialState.RUNNING)

    @property
    def finished(self) -> bool:
        """Whether every replicate has ended and has its final metrics."""
        return self.trainer.replicates.keys() <= self.ended.keys()

    def advance(self) -> Progress:
        """Train all replicates for one epoch, or evaluate one replicate.

        Saves from time to time and at the end. Only the last save must succeed. If an earlier one
        fails, `warning` in the status says so, and the next one is tried when it is due.
        """
        started = time.monotonic()
        if not self.trainer.finished:
            samples = samples_of_an_epoch(self.trainer)
            self._within_epoch = True  # until it has been trained to its end
            self.trainer.train_epoch()
            self._within_epoch = False
            self._live()
            self._speed.add(samples, time.monotonic() - started)
        elif self._unevaluated():
            self._end(self._unevaluated()[0])
        if self.finished:
            self.save()
            self._write_pictures()
            self._write_datapoints()
            self._check_owner()
            result = self.result()
            self._write_status(result.state)
            note_in_index(self.record, self.config, self.trainer)
            self.record.write_result(result)
            self._close()
        elif time.monotonic() - self._saved_at > self.checkpoint_seconds:
            self._try_to_save()
        return self.progress()

    def _live(self, rows: int = 0) -> None:
        """Give a sign of life from time to time, for hosts that can only look at the status."""
        self.watch(rows)
        if time.monotonic() - self._told_at > TRIAL_SILENT_SECONDS / 4:
            with suppress(OSError):
                self._check_owner()
                self._write_status(TrialState.RUNNING)

    def save(self, state: TrialState = TrialState.RUNNING) -> None:
        """Write the checkpoint, the curves and the given state.

        Raises `TrainedElsewhereError` if another process has taken the trial over.
        """
        self._check_owner()
        kept_as = {TRAINING_FILE: PREVIOUS_FILE}
        self.record.write_checkpoint(checkpoint_files(self.trainer), kept_as)
        own = (
            {"replicate": replicate.index, **row}
            for replicate in self.trainer.replicates.values()
            for row in replicate.curve
        )
        self.record.write_metrics([*self._other_curves, *own])
        self.warning = None
        self._write_status(state)
        self._saved_at = time.monotonic()

    def pause(self) -> None:
        """Save, and release the trial to any process; a stopped trial stays stopped.

        If an epoch was interrupted, the last checkpoint stays, as a part of that epoch would be
        trained twice.
        """
        stopped = self.record.status().state is TrialState.STOPPED
        state = TrialState.STOPPED if stopped else TrialState.PENDING
        try:
            with suppress(TrainedElsewhereError):
                if self._within_epoch:
                    self._check_owner()
                    self._write_status(state)
                else:
                    self.save(state)
        finally:
            self.leave()

    def leave(self) -> None:
        """Release the trial to any process without saving."""
        self.record.release()

    def progress(self) -> Progress:
        """The progress of the trial."""
        if not self.finished:
            return progress_of(self.trainer, self._speed)
        epochs = self.config.hyperparameters.total_epochs
        return progress_at_the_end([self.ended[index] for index in self.trainer.replicates], epochs)

    def result(self) -> TrialResult:
        """The results of the replicates that have ended."""
        return TrialResult(
            self.config.trial_id,
            dict(sorted(self.ended.items())),
            finished=time.time(),
            **provenance(METHODS.package_of(self.config.hyperparameters.method)),
        )

    def _check_owner(self) -> None:
        """Raise `TrainedElsewhereError` before a file of the next owner is overwritten."""
        if self.record.is_lost():
            raise TrainedElsewhereError

    def _close(self) -> None:
        """Finish the record of a trial that has ended."""
        with suppress(OSError):
            self.record.delete_file(f"checkpoint/{PREVIOUS_FILE}")
        self.leave()

    def _try_to_save(self) -> None:
        try:
            self.save()
        except OSError as error:
            self.warning = f"no checkpoint of epoch {self.progress().epoch} was written: {error}"
            logger.warning("trial %s: %s", self.config.trial_id, self.warning)
            self._saved_at = time.monotonic()
            with suppress(OSError):
                self._write_status(TrialState.RUNNING)

    def _resume(self) -> dict[int, ReplicateResult]:
        """Continue from the record; gives the replicates that have ended.

        If the last training state cannot be read, the one before it gives the same result and only
        costs time. Without any, the replicates that have no result are trained again.
        """
        try:
            result = self.record.result()
        except ValueError:
            result = None
        ended = dict(result.replicates) if result else {}
        self._resume_training()
        fresh = {index for index, each in self.trainer.replicates.items() if each.epoch == 0}
        if not self.trainer.replicates.keys() <= ended.keys():
            left_out = fresh & ended.keys()
            self.trainer.leave_out(left_out)
            self._other_curves = self._stored_curves(left_out)
        return ended

    def _resume_training(self) -> None:
        """Continue from the last state of the training that can be read, if there is one."""
        for name in (TRAINING_FILE, PREVIOUS_FILE):
            content = self.record.read_file(f"checkpoint/{name}")
            if content is None:
                continue
            try:
                resume_training(self.trainer, content)
                return
            except ValueError as error:
                logger.warning("trial %s: %s: %s", self.config.trial_id, name, error)
                # A file that is no good must not be kept in the place of one that may be.
                self.record.delete_file(f"checkpoint/{name}")
                self.trainer = self._new_trainer()

    def _stored_curves(self, replicates: Collection[int]) -> list[dict[str, Any]]:
        """The rows of the curves of some replicates; none if they cannot be read."""
        try:
            rows: list[dict[str, Any]] = self.record.metrics().to_pylist() if replicates else []
        except ValueError as error:
            logger.warning("trial %s: %s", self.config.trial_id, error)
            return []
        return [row for row in rows if row["replicate"] in replicates]

    def _stored_datapoints(self) -> dict[int, NDArray[np.float32]]:
        """log p of every test datapoint of the replicates that have ended.

        A damaged file is replaced in the end. An `OSError` may pass, so it ends the trial here.
        """
        try:
            stored = self.record.datapoints() if self.ended else {}
        except ValueError as error:
            logger.warning("trial %s: %s", self.config.trial_id, error)
            return {}
        return {index: values for index, values in stored.items() if index in self.ended}

    def _write_datapoints(self) -> None:
        """Write log p of every test datapoint; an error does not cost the result."""
        try:
            self.record.write_datapoints(dict(sorted(self.datapoints.items())))
        except Exception as error:
            self.warning = f"log p of the test datapoints was not written: {error}"
            logger.warning("trial %s: %s", self.config.trial_id, self.warning)

    def _write_status(self, state: TrialState) -> None:
        self._told_at = time.monotonic()
        progress = self.progress()
        warning = {"warning": self.warning} if self.warning else {}
        self.record.write_status(
            state,
            epoch=progress.epoch,
            max_epochs=progress.max_epochs,
            phase=progress.phase,
            bound=progress.bound if isfinite(progress.bound) else None,
            seconds_left=round(progress.seconds_left, 1),
            **warning,
        )

    def _write_pictures(self) -> None:
        """Draw what the first replicate generates that is complete and has a model here.

        An error does not cost the result.
        """
        best = [
            r.index for r in self.trainer.replicates.values() if r.state is TrialState.COMPLETE
        ][:1]
        try:
            for replicate in best:
                model, dataset = self.trainer.best_model([replicate]), self.trainer.dataset
                hyperparameters = self.config.hyperparameters
                epochs = self.trainer.replicates[replicate].epoch
                write_pictures(self.record, hyperparameters, model, dataset, replicate, epochs)
        except Exception as error:
            logger.warning("trial %s has no pictures: %s", self.config.trial_id, error)

    def _unevaluated(self) -> list[Replicate]:
        replicates = self.trainer.replicates.values()
        return [
            r for r in replicates if r.state is not TrialState.RUNNING and r.index not in self.ended
        ]

    def _end(self, replicate: Replicate) -> None:
        metrics, collapsed = {}, False
        if replicate.state is TrialState.COMPLETE:
            model, dataset = self.trainer.best_model([replicate.index]), self.trainer.dataset
            settings = self.trainer.settings_of(replicate.index)
            asked = (settings, model, dataset, replicate.index, self.chunk_rows)
            on_valid = evaluate_on_validation(*asked, self._live)
            on_test = evaluate_on_test(*asked, self._live)
            collapsed = has_collapsed(on_valid, dataset)
            metrics = {
                VALID_BOUND: replicate.best_bound,
                **on_valid,
                **_rise_of(replicate, settings),
            }
            metrics |= on_test.metrics
            self.datapoints[replicate.index] = on_test.log_p
        self.ended[replicate.index] = ReplicateResult(
            replicate.state,
            replicate.epoch,
            replicate.best_epoch,
            round(replicate.seconds, 3),
            {name: value if isfinite(value) else nan for name, value in metrics.items()},
            provenance()["git_commit"],
            replicate.ending,
            replicate.kept,
            collapsed,
        )


def _rise_of(replicate: Replicate, settings: Hyperparameters) -> dict[str, float]:
    """The slope of its validation criterion at the end, nats per epoch, if it has one."""
    criterion = criterion_of(settings)
    averaged = replicate.points(f"{criterion}{AVERAGED}") if replicate.kept == "averaged" else []
    found = rise(averaged or replicate.points(criterion))
    return dict(zip(("valid/rise", "valid/rise_se"), found, strict=True)) if found else {}
