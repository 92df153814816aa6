"""The state of all trials of a plan, read from their records.

No process is asked: the records say which process trains a trial, how far it is and how long it
will take. This works from any machine and after a crash. The store's folder is listed once, and
only the records that exist are read, in parallel.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow.fs

from gmm_study.trials.record import LOG, Record, RecordStore

READERS = 16


@dataclass(frozen=True)
class Standing:
    """What one trial's record said when it was read."""

    state: str = "pending"
    ended: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The replicates that have ended, by index, as in `result.json`."""
    status: Mapping[str, Any] = field(default_factory=dict)
    on_gpu: bool = False
    problem: str = ""
    """What of the record cannot be read."""

    @property
    def epoch(self) -> int:
        """From which the replicates that have not ended go on."""
        unfinished = self.status.get("state") in ("running", "pending", "failed", "stopped")
        return int(self.status.get("epoch", 0)) if unfinished else 0

    def unended(self, replicates: int) -> int:
        """How many of the replicates that are wanted have not ended."""
        return sum(str(replicate) not in self.ended for replicate in range(replicates))

    def reached(self, replicates: int) -> str:
        """What a trial that is to go on has reached, as `2 of 3 replicates, epoch 30`."""
        ended = replicates - self.unended(replicates)
        parts = [f"{ended} of {replicates} replicates"] if 0 < ended < replicates else []
        return ", ".join([*parts, *([f"epoch {self.epoch}"] if self.epoch else [])])


def survey(store: RecordStore, trial_ids: Iterable[str], replicates: int) -> dict[str, Standing]:
    """Where each trial stands; a trial without a record is not asked for, and is `pending`."""
    wanted = list(dict.fromkeys(trial_ids))
    there = set(store.trial_ids())
    standings = dict.fromkeys(wanted, Standing())
    recorded = [trial_id for trial_id in wanted if trial_id in there]
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda each: _standing(store.record(each), replicates), recorded)
        standings.update(zip(recorded, found, strict=True))
    return standings


def log_of(record: Record) -> str | None:
    """Where the log of a trial is, None if it has none."""
    path = f"{record.path}/{LOG}"
    found = record.file_system.get_file_info(path).type
    return path if found == pyarrow.fs.FileType.File else None


def _standing(record: Record, replicates: int) -> Standing:
    read = record.snapshot()
    state = read.state(replicates)
    try:
        result, status = read.result() or {}, read.status()
        ended = {
            str(index): fields
            for index, fields in result.get("replicates", {}).items()
            if isinstance(fields, dict)
        }
        machine = result.get("machine")
        on_gpu = isinstance(machine, dict) and bool(machine.get("gpu"))
        float(status.get("epoch") or 0), float(status.get("seconds_left") or 0)
        return Standing(state, ended, status, on_gpu)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return Standing(state, problem=str(error))
