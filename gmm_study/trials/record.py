"""The record of a trial: one folder that holds everything known about it.

    config.json         what was trained (written first)
    status.json         its progress, or why it failed (rewritten while it runs)
    metrics.parquet     tidy curves: replicate, epoch, split, metric, value
    checkpoint/         model.safetensors, meta.json, and the state to resume from
    datapoints.parquet  log p of every test datapoint, of the replicates that have ended
    gradients.json      the quality of gradients of its models, if a study asks for it
    result.json         the replicates that have ended, with their final metrics (written last)
    log.txt             the tracebacks of errors, if there were any (grows)
    .lock               held by the process that trains the trial, in a local folder
    .owner              the process that trains the trial, in a bucket

The worker that trains a trial writes its record, so nothing is lost if the driver dies. Every file
except the log is replaced atomically. The record is the only copy of the truth; MLflow and the
reports are derived from it.

Unreadable files are never trusted. If `result.json` is unreadable, the trial counts as failed, and
`--retry-failed` evaluates it again from its checkpoint; if both checkpoints are unreadable, it is
trained again. An unreadable `status.json` is ignored. A folder that has the name of a file is
unreadable too.
"""

import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from gmm_study.addresses import redact
from gmm_study.storage import holding, locks
from gmm_study.storage.folder import Folder
from gmm_study.storage.ownership import Sign
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.datapoints import DATAPOINTS_FILE, datapoints_content, datapoints_of
from gmm_study.trials.result import TrialResult
from gmm_study.trials.standing import Standing
from gmm_study.trials.status import TrialStatus

METRICS_SCHEMA = pa.schema(
    [
        ("replicate", pa.int32()),
        ("epoch", pa.int32()),
        ("split", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)
TRIAL_SILENT_SECONDS = 600.0
"""Seconds without a sign of life after which a trial on another host counts as abandoned."""
TRIAL_BEAT_EVERY = 60.0
"""Seconds between two signs of life of the process that trains a trial, in a bucket."""
LOG, RESULT = "log.txt", "result.json"
GRADIENTS_FILE = "gradients.json"

T = TypeVar("T")


class Record(Folder):
    """The folder of one trial."""

    @classmethod
    def of(cls, folder: Folder) -> "Record":
        """The record that a folder holds, or will hold."""
        return cls(folder.file_system, folder.path, folder.listing)

    def write_config(self, config: TrialConfig) -> None:
        """Create the record."""
        self.write_json("config.json", config.to_json())

    def config(self) -> TrialConfig | None:
        """The configuration, None if there is no record. Raises `ValueError` if unreadable."""
        return self._parsed("config.json", TrialConfig.from_json)

    def write_status(self, state: TrialState, **details: Any) -> None:
        """Replace the status: the state, this process, the time, and `details` of `TrialStatus`.

        Passwords and keys of addresses in texts, such as error messages, are removed.
        """
        details = {
            name: redact(value) if isinstance(value, str) else value
            for name, value in details.items()
        }
        process = {"host": socket.gethostname(), "pid": os.getpid()}
        self.write_json("status.json", {"state": state, "time": time.time(), **process, **details})

    def status(self) -> TrialStatus:
        """The last status; an empty one if there is none or it is unreadable."""
        try:
            return self._parsed("status.json", TrialStatus.from_json) or TrialStatus()
        except ValueError:
            return TrialStatus()

    def take_up(self, seconds: float = 0.0) -> bool:
        """Take the trial for this process; False if another process still has it after the wait.

        In a bucket there is no wait, and the process gives signs of life until it releases the
        trial. Removes files that a process that died left half written.
        """
        if not self.is_local:
            return holding.take(self._sign, TRIAL_BEAT_EVERY) is None
        taken = True
        with suppress(OSError):  # without locks it goes by what the status says
            self.create()
            taken = locks.take(self._lock_path, seconds)
        if not taken or self.trained_elsewhere():
            self.release()
            return False
        self.remove_partial_files()
        return True

    def release(self) -> None:
        """Release the trial, so that any process can train it."""
        locks.give_back(self._lock_path)
        holding.give_back(self._sign)

    def is_lost(self) -> bool:
        """Whether the trial was taken from this process; asks the storage. Raises `OSError`."""
        return holding.is_lost(self._sign)

    def release_from(self, dead: Collection[tuple[str | None, int | None]]) -> None:
        """Release the trial if a process has it that is among the `dead`: (host, pid)."""
        status = self.status()
        if status.state is TrialState.RUNNING and (status.host, status.pid) in dead:
            details = {"epoch": status.epoch, "max_epochs": status.max_epochs}
            self.write_status(TrialState.PENDING, **details)
        if not self.is_local:
            self._sign.remove_of(dead)

    def trained_elsewhere(self) -> bool:
        """Whether another living process is training the trial."""
        return self._is_trained_elsewhere(self.status())

    def _is_trained_elsewhere(self, status: TrialStatus) -> bool:
        if status.state is not TrialState.RUNNING:
            return False
        if not self.is_local:
            owner = self._sign.living()
            return owner is not None and not owner.is_this_process
        if status.host != socket.gethostname():
            return status.time is not None and time.time() - status.time < TRIAL_SILENT_SECONDS
        held = locks.held_elsewhere(self._lock_path)
        if held is not None:
            return held
        pid = status.pid
        return pid is not None and pid != os.getpid() and locks.is_alive(pid)

    def log(self, text: str) -> None:
        """Add a paragraph to the record's log. An error in writing it is ignored."""
        entry = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.strip()}\n\n".encode()
        with suppress(OSError):
            if self.is_local:
                with self.open_log() as file:
                    file.write(entry)
            else:
                self.write_file(LOG, (self.read_file(LOG) or b"") + entry)

    def open_log(self) -> IO[bytes]:
        """The log, opened for appending; only on a local file system."""
        self.create()
        return open(f"{self.path}/{LOG}", "ab")

    def write_result(self, result: TrialResult) -> None:
        """Replace the result."""
        self.write_json(RESULT, result.to_json())

    def result(self) -> TrialResult | None:
        """The result, None if no replicate has one yet. Raises `ValueError` if unreadable."""
        return self._parsed(RESULT, TrialResult.from_json)

    def standing(self, replicates: int) -> Standing:
        """The standing of the trial, given the number of wanted replicates."""
        found = self._standing(replicates)
        is_open = found.state is TrialState.PENDING and found.status.state is not TrialState.PENDING
        if self.listing is not None and is_open:  # it may have ended since it was listed
            found = replace(self, listing=None)._standing(replicates)
        return found

    def _standing(self, replicates: int) -> Standing:
        try:
            result = self.result()
        except ValueError as error:
            return Standing(TrialState.FAILED, TrialState.FAILED, problem=str(error))
        status = self.status()
        rest = self._state_by(status)
        ended = result is not None and result.has(range(replicates))
        return Standing(result.state if result and ended else rest, rest, result, status)

    def _state_by(self, status: TrialStatus) -> TrialState:
        """The state of replicates without a result; `running` only if a living process has them."""
        if status.state is TrialState.RUNNING and status.pid != os.getpid():
            elsewhere = self._is_trained_elsewhere(status)
            return TrialState.RUNNING if elsewhere else TrialState.PENDING
        return TrialState.PENDING if status.state.has_result else status.state

    def state(self, replicates: int) -> TrialState:
        """The state of the wanted replicates; `failed` if the result cannot be read."""
        return self.standing(replicates).state

    def write_metrics(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the curves: rows of replicate, epoch, split, metric, value."""
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=METRICS_SCHEMA)
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink)
        self.write_file("metrics.parquet", sink.getvalue().to_pybytes())

    def metrics(self) -> pa.Table:
        """The curves; an empty table if there are none yet. `ValueError` if unreadable."""
        content = self.read_file("metrics.parquet")
        if content is None:
            return METRICS_SCHEMA.empty_table()
        try:
            return pyarrow.parquet.ParquetFile(pa.BufferReader(content)).read().cast(METRICS_SCHEMA)
        except (OSError, pa.ArrowException) as error:
            path = f"{self.path}/metrics.parquet"
            raise ValueError(f"{path} cannot be read: {error}".splitlines()[0]) from None

    def write_datapoints(self, values: Mapping[int, NDArray[np.float32]]) -> None:
        """Replace log p of every test datapoint: by replicate `[N]`, in nats."""
        self.write_file(DATAPOINTS_FILE, datapoints_content(values))

    def datapoints(self) -> dict[int, NDArray[np.float32]]:
        """log p of every test datapoint in nats, by replicate `[N]`, in the order of the data.

        Empty if there is no such file, and without the replicates that ended before such values
        were stored. Every call reads the file. Raises `ValueError` if it is unreadable.
        """
        content = self.read_file(DATAPOINTS_FILE)
        try:
            return {} if content is None else datapoints_of(content)
        except ValueError as error:
            raise ValueError(f"{self.path}/{DATAPOINTS_FILE} cannot be read: {error}") from None

    def write_gradients(self, asked: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the quality of gradients: what was asked for, and a row for each of its figures.

        The rows are those of `gradients.GradientAssessment` with a `replicate`. What other studies
        asked for stays, unless the file is unreadable.
        """
        try:
            others = [each for each in self._assessed() if each["asked"] != asked]
        except ValueError:
            others = []
        assessed = [*others, {"asked": asked, "rows": list(rows)}]
        self.write_json(GRADIENTS_FILE, {"assessed": assessed})

    def gradients(self, asked: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """The rows of figures of the gradients that were asked for; None if there are none.

        Raises `ValueError` if the file is unreadable.
        """
        return next((each["rows"] for each in self._assessed() if each["asked"] == asked), None)

    def _assessed(self) -> list[dict[str, Any]]:
        """Everything in the file of gradients. The first files held a single assessment."""
        found = self._parsed(GRADIENTS_FILE, lambda each: each.get("assessed", [each]))
        return found or []

    def write_checkpoint(
        self, files: Mapping[str, bytes], kept_as: Mapping[str, str] | None = None
    ) -> None:
        """Replace the files of the checkpoint, in the given order.

        `kept_as` gives the names under which the previous contents of files are kept.
        """
        for name, content in files.items():
            former = (kept_as or {}).get(name)
            self.write_file(f"checkpoint/{name}", content, former and f"checkpoint/{former}")

    def _parsed(self, name: str, parse: Callable[[dict[str, Any]], T]) -> T | None:
        """What a file says, None if there is no such file. Raises `ValueError` if unreadable."""
        document = self.read_json(name)
        try:
            return None if document is None else parse(document)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{self.path}/{name} cannot be read: {error}") from None

    @property
    def _lock_path(self) -> str:
        return f"{self.path}/.lock"

    @property
    def _sign(self) -> Sign:
        return Sign(self, ".owner", TRIAL_SILENT_SECONDS)
