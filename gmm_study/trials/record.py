"""The record of a trial: one folder that is the truth about it.

    config.json       what was trained (written first)
    status.json       how far it is, or why it failed (rewritten while it runs)
    metrics.parquet   tidy curves: replicate, epoch, split, metric, value
    checkpoint/       model.safetensors, meta.json, and the state to resume from
    result.json       the replicates that have ended, with their final figures (written last)

Every file is replaced whole or not at all.
"""

import json
import os
import re
import socket
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.trials.config import TrialConfig

METRICS_SCHEMA = pa.schema(
    [
        ("replicate", pa.int32()),
        ("epoch", pa.int32()),
        ("split", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)
SILENT_FOR = 600.0
"""Seconds without news after which a trial that runs on another host counts as stopped."""


class RecordStore:
    """The records under one storage address: a folder, or a URI of any pyarrow file system."""

    def __init__(self, storage: str) -> None:
        self.storage = _address(storage)
        self.file_system, self.root = _resolve(storage)

    def check_writable(self) -> None:
        """Raise `InputError` if no record could be written here."""
        Record(self.file_system, self.root).check_writable()

    def record(self, trial_id: str) -> "Record":
        """The record of a trial, whether it exists or not. `InputError` for an id with a path."""
        if not re.fullmatch(r"\w[\w.-]*", trial_id):
            raise InputError(
                f"trial id: {trial_id!r} is none; it must name a folder of the storage"
            )
        return Record(self.file_system, f"{self.root}/{trial_id}")

    def trial_ids(self) -> list[str]:
        """The ids of all trials that have a record."""
        selector = pyarrow.fs.FileSelector(self.root, allow_not_found=True)
        folders = self.file_system.get_file_info(selector)
        return sorted(
            info.base_name for info in folders if info.type == pyarrow.fs.FileType.Directory
        )


@dataclass(frozen=True)
class Record:
    """One trial's folder."""

    file_system: pyarrow.fs.FileSystem
    path: str

    @classmethod
    def at(cls, folder: str) -> "Record":
        """The record in a folder of its own, outside any store."""
        return cls(*_resolve(folder))

    def check_writable(self) -> None:
        """Raise `InputError` if the record could not be written."""
        try:
            self.write_file(".writable", b"")
            self.file_system.delete_file(f"{self.path}/.writable")
        except OSError as error:
            reason = redact(str(error))
            raise InputError(f"storage: '{self.path}' cannot be written: {reason}") from None

    def write_config(self, config: TrialConfig) -> None:
        """Create the record."""
        self._write_json("config.json", config.to_json())

    def config(self) -> TrialConfig | None:
        """The configuration, None where there is no record."""
        document = self._read_json("config.json")
        return None if document is None else TrialConfig.from_json(document)

    def write_status(self, state: str, **details: Any) -> None:
        """Say that the trial is `running`, `pending` or has `failed`, with what else is known.

        Addresses in texts, an error's for instance, are written without their passwords and keys.
        """
        details = {
            name: redact(value) if isinstance(value, str) else value
            for name, value in details.items()
        }
        process = {"host": socket.gethostname(), "pid": os.getpid()}
        self._write_json("status.json", {"state": state, "time": time.time(), **process, **details})

    def status(self) -> dict[str, Any]:
        """What was last said of the trial; empty where nothing was."""
        return self._read_json("status.json") or {}

    def trained_elsewhere(self) -> bool:
        """Whether another living process is training the trial."""
        status = self.status()
        if status.get("state") != "running":
            return False
        if status["host"] == socket.gethostname():
            return status["pid"] != os.getpid() and _is_alive(status["pid"])
        return bool(time.time() - status["time"] < SILENT_FOR)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """State which replicates have ended and their final figures."""
        self._write_json("result.json", dict(result))

    def result(self) -> dict[str, Any] | None:
        """The result, None where no replicate has one yet. Raises `ValueError` if unreadable."""
        return self._read_json("result.json")

    def state(self, replicates: int) -> str:
        """`pending`, `running`, `complete`, `diverged`, `failed` or `stopped` (by a scheduler).

        For the replicates that are wanted.
        A record that cannot be read counts as failed.
        """
        try:
            result, status = self.result() or {"replicates": {}}, self.status()
            if all(str(replicate) in result["replicates"] for replicate in range(replicates)):
                if result["state"] not in ("complete", "diverged"):
                    raise ValueError(f"state: {result['state']!r} is none")
                return str(result["state"])
            state = str(status.get("state", "pending"))
            if state == "running" and status["pid"] != os.getpid():
                return "running" if self.trained_elsewhere() else "pending"
            return state if state in ("running", "failed", "stopped") else "pending"
        except (ValueError, LookupError, TypeError):
            return "failed"

    def write_metrics(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the curves: rows of replicate, epoch, split, metric, value."""
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=METRICS_SCHEMA)
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink)
        self.write_file("metrics.parquet", sink.getvalue().to_pybytes())

    def metrics(self) -> pa.Table:
        """The curves; an empty table where there are none yet."""
        content = self.read_file("metrics.parquet")
        if content is None:
            return METRICS_SCHEMA.empty_table()
        return pyarrow.parquet.read_table(pa.BufferReader(content))

    def write_checkpoint(self, files: Mapping[str, bytes]) -> None:
        """Replace the files of the checkpoint, in the order given."""
        for name, content in files.items():
            self.write_file(f"checkpoint/{name}", content)

    def write_file(self, name: str, content: bytes) -> None:
        """Replace one file whole: readers see the old content or the new, never a part."""
        target = f"{self.path}/{name}"
        self.file_system.create_dir(target.rpartition("/")[0], recursive=True)
        if not isinstance(self.file_system, pyarrow.fs.LocalFileSystem):
            with self.file_system.open_output_stream(target) as stream:
                stream.write(content)
            return
        partial = f"{target}.{uuid.uuid4().hex[:8]}.partial"
        try:
            with open(partial, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            Path(partial).unlink(missing_ok=True)

    def read_file(self, name: str) -> bytes | None:
        """The content of one file, None where there is none."""
        try:
            with self.file_system.open_input_stream(f"{self.path}/{name}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def _write_json(self, name: str, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, indent=2, allow_nan=False)
        self.write_file(name, (text + "\n").encode())

    def _read_json(self, name: str) -> dict[str, Any] | None:
        content = self.read_file(name)
        if content is None:
            return None
        try:
            document = json.loads(content)
        except ValueError as error:
            raise ValueError(f"{self.path}/{name} cannot be read: {error}") from None
        return dict(document)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _resolve(storage: str) -> tuple[pyarrow.fs.FileSystem, str]:
    try:
        file_system, path = pyarrow.fs.FileSystem.from_uri(_address(storage))
    except (pa.ArrowInvalid, OSError) as error:
        shown, reason = redact(storage), redact(str(error).splitlines()[0])
        raise InputError(f"storage: '{shown}' is no folder or address: {reason}") from None
    if isinstance(file_system, pyarrow.fs.LocalFileSystem) and Path(path).is_file():
        raise InputError(f"storage: '{storage}' is a file; give a folder")
    return file_system, path.rstrip("/")


def _address(storage: str) -> str:
    """A URI that means the same in every process, whatever its current folder."""
    return storage if "://" in storage else Path(storage).expanduser().resolve().as_uri()
