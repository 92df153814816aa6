"""One record as rows of the frames; what of it cannot be read is named and costs no other."""

from collections.abc import Mapping
from math import nan
from typing import Any

import pandas as pd
from pyarrow import ArrowException

from gmm_study.addresses import redact
from gmm_study.trials.provenance import in_a_line
from gmm_study.trials.record import Record, RecordStore

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OSError, ArrowException)
"""What a damaged record raises."""


class Reading:
    """What was read of a record: the row of its `trial`, those of its `replicates`.

    `exists` is false of a trial that has no record; `warning` is a line on what cannot be read, and
    then the trial has failed and has no replicates.
    """

    def __init__(self, store: RecordStore, trial_id: str) -> None:
        self.trial: dict[str, Any] = {"trial_id": trial_id, "reason": ""}
        self.replicates: list[dict[str, Any]] = []
        self.warning = ""
        self.exists = True
        self._file = "config.json"
        try:
            self._read(store.record(trial_id).snapshot())
        except UNREADABLE as error:
            self.trial |= {"state": "failed", "status": "failed"}
            why = line(error).rpartition("cannot be read: ")[2]
            self.trial["reason"] = f"{self._file} cannot be read: {why}"
            self.warning = f"{trial_id}: {self.trial['reason']}"
            self.replicates = []

    def _read(self, record: Record) -> None:
        config = record.config()
        if config is not None:
            self.trial |= config.flat()
        self._file = "result.json"
        result = record.result()
        ended = result["replicates"] if result else {}
        if result:
            self._take_result(result)
        self._file = "status.json"
        status = record.status()
        self.exists = bool(config or result or status)
        if config is None and self.exists:
            self._file = "config.json"
            raise FileNotFoundError("it is missing")
        self.trial["status"] = record.state(len(ended) + 1)
        self.trial["state"] = str(result["state"]) if result else self.trial["status"]
        if self.trial["status"] == "failed":
            self.trial["reason"] = line(status.get("error") or "no reason was recorded")

    def _take_result(self, result: Mapping[str, Any]) -> None:
        self.replicates = [
            _replicate_row(self.trial["trial_id"], replicate, outcome)
            for replicate, outcome in result["replicates"].items()
        ]
        self.trial["git_commit"] = result.get("git_commit")
        for name in ("versions", "machine"):
            self.trial[name] = in_a_line(result.get(name))
        self.trial["finished"] = pd.Timestamp(result.get("finished", nan), unit="s", tz="UTC")


def line(error: object) -> str:
    """A reason as one line of bounded length, without passwords and keys."""
    text = " ".join(redact(str(error)).split()) or type(error).__name__
    if isinstance(error, KeyError):
        text = f"{text} is missing"
    return text if len(text) <= 200 else f"{text[:199]}…"


def _replicate_row(trial_id: str, replicate: str, outcome: dict[str, Any]) -> dict[str, Any]:
    row = {"trial_id": trial_id, "replicate": int(replicate), "state": str(outcome["state"])}
    row |= {name: outcome.get(name) for name in ("epochs", "best_epoch", "seconds")}
    figures = outcome.get("metrics", {}).items()
    return row | {name: nan if value is None else float(value) for name, value in figures}
