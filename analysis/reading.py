"""One record as rows of the frames; a file that cannot be read is named and costs no other."""

from typing import Any

import pandas as pd
from pyarrow import ArrowException

from gmm_study.addresses import redact
from gmm_study.training.state import TrialState
from gmm_study.trials.provenance import in_a_line
from gmm_study.trials.record import Record, RecordStore
from gmm_study.trials.result import TrialResult
from gmm_study.trials.status import TrialStatus

UNREADABLE = (ValueError, OSError, ArrowException)
"""What a damaged record raises."""


class Reading:
    """What was read of a record: the row of its `trial`, and the rows of its `replicates`.

    `exists` is false of a trial that has no record. `warning` is a line on what cannot be read; the
    trial then counts as failed and has no replicates.
    """

    def __init__(self, store: RecordStore, trial_id: str) -> None:
        self.trial: dict[str, Any] = {"trial_id": trial_id, "reason": ""}
        self.replicates: list[dict[str, Any]] = []
        self.warning = ""
        self.exists = True
        self._file = "config.json"
        try:
            self._read(store.record(trial_id))
        except UNREADABLE as error:
            why = line(error).rpartition("cannot be read: ")[2]
            reason, failed = f"{self._file} cannot be read: {why}", str(TrialState.FAILED)
            self.trial |= {"state": failed, "status": failed, "reason": reason}
            self.warning = f"{trial_id}: {reason}"
            self.replicates = []

    def _read(self, record: Record) -> None:
        config = record.config()
        if config is not None:
            self.trial |= config.flat()
        self._file = "result.json"
        standing = record.standing(replicates=0)
        if standing.problem:
            raise ValueError(standing.problem)
        if standing.result:
            self._take_result(standing.result)
        self.exists = bool(config or standing.result or standing.status != TrialStatus())
        if config is None and self.exists:
            self._file = "config.json"
            raise FileNotFoundError("it is missing")
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
