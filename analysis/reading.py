"""One record as rows of the frames; a file that cannot be read is named and costs no other."""

from typing import Any

import pandas as pd
from pyarrow import ArrowException

from gmm_study.addresses import redact
from gmm_study.training.state import TrialState
from gmm_study.trials.provenance import in_a_line
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.result import TrialResult
from gmm_study.trials.status import TrialStatus

UNREADABLE = (ValueError, OSError, ArrowException)
"""What a damaged record raises."""


class Reading:
    """What was read of a record: the row of its `trial`, and the rows of its `replicates`.

    `exists` is false of a trial that has no record. `warnings` has a line for each file that cannot
    be read. Without its `config.json`, the trial keeps its state and its replicates, as in a plan,
    but has no settings; without its `result.json`, it counts as failed and has no replicates.
    """

    def __init__(self, store: RecordStore, trial_id: str) -> None:
        self.trial: dict[str, Any] = {"trial_id": trial_id, "reason": ""}
        self.replicates: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.exists = True
        try:
            record = store.record(trial_id)
            configured = self._read_config(record)
            self._read_standing(record, configured)
        except UNREADABLE as error:
            reason, failed = self._warn("result.json", error), str(TrialState.FAILED)
            self.trial |= {"state": failed, "status": failed, "reason": reason}

    def _warn(self, file: str, error: Exception) -> str:
        why = line(error).rpartition("cannot be read: ")[2]
        reason = f"{file} cannot be read: {why}"
        self.warnings.append(f"{self.trial['trial_id']}: {reason}")
        return reason

    def _read_config(self, record: Record) -> bool:
        """Take the settings; whether there is a configuration, readable or not."""
        try:
            config = record.config()
        except UNREADABLE as error:
            self._warn("config.json", error)
            return True
        if config is not None:
            self.trial |= config.flat()
        return config is not None

    def _read_standing(self, record: Record, configured: bool) -> None:
        standing = record.standing(replicates=0)
        if standing.problem:
            raise ValueError(standing.problem)
        self.exists = bool(configured or standing.result or standing.status != TrialStatus())
        if standing.result and not configured:  # a trial may fail before it has written any
            self._warn("config.json", FileNotFoundError("it is missing"))
        if standing.result:
            self._take_result(standing.result)
        self.trial |= {"state": str(standing.state), "status": str(standing.rest)}
        if standing.rest is TrialState.FAILED:
            self.trial["reason"] = line(standing.status.error or "no reason was recorded")

    def _take_result(self, result: TrialResult) -> None:
        trial_id = self.trial["trial_id"]
        self.replicates = [{"trial_id": trial_id, **row} for row in result.rows()]
        self.trial |= {
            "git_commit": result.git_commit,
            "versions": in_a_line(result.versions),
            "machine": in_a_line(result.machine),
            "finished": pd.Timestamp(result.finished, unit="s", tz="UTC"),
        }


def line(error: object) -> str:
    """A reason as one line of bounded length, without passwords and keys."""
    text = " ".join(redact(str(error)).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"
