"""A folder of files that are replaced whole: on this machine, or in any pyarrow file system."""

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.fs

from gmm_study.addresses import redact
from gmm_study.errors import InputError

PARTIAL = ".partial"
SET_ASIDE = ".folder"
"""How the new name of a folder ends that had the name of a file."""


@dataclass(frozen=True)
class Folder:
    """A folder, which need not exist yet."""

    file_system: pyarrow.fs.FileSystem
    path: str

    @classmethod
    def at(cls, address: str) -> Self:
        """The folder at a path or a URI. Raises `InputError` if that cannot be a folder."""
        return cls(*resolve(address))

    @property
    def is_local(self) -> bool:
        """Whether this machine can open its files by their paths."""
        return isinstance(self.file_system, pyarrow.fs.LocalFileSystem)

    def check_writable(self) -> None:
        """Raise `InputError` if no file can be written here."""
        probe = f"{self.path}/.writable.{uuid.uuid4().hex[:8]}"
        try:
            self.file_system.create_dir(self.path, recursive=True)
            with self.file_system.open_output_stream(probe) as stream:
                stream.write(b"")
            self.file_system.delete_file(probe)
        except OSError as error:
            reason = redact(str(error))
            raise InputError(f"storage: '{self.path}' cannot be written: {reason}") from None

    def read_file(self, name: str) -> bytes | None:
        """The content of a file, None if there is no such file. `ValueError` for a folder."""
        path = f"{self.path}/{name}"
        try:
            if self.is_local:
                with open(path, "rb") as file:
                    return file.read()
            with self.file_system.open_input_stream(path) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise ValueError(f"{path} cannot be read: it is a folder, not a file") from None

    def write_file(self, name: str, content: bytes, kept_as: str | None = None) -> None:
        """Replace a file atomically: readers see the old content or the new, never a part.

        With `kept_as`, the old content is kept under that name. For a moment it is there alone. A
        folder in the place of the file is renamed, with all that it holds.
        """
        target = f"{self.path}/{name}"
        self.file_system.create_dir(target.rpartition("/")[0], recursive=True)
        if not self.is_local:
            self._keep(name, kept_as)
            with self.file_system.open_output_stream(target) as stream:
                stream.write(content)
            return
        partial = f"{target}.{uuid.uuid4().hex[:8]}{PARTIAL}"
        try:
            with open(partial, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._keep(name, kept_as)
            _put(partial, target)
        finally:
            Path(partial).unlink(missing_ok=True)

    def delete_file(self, name: str) -> None:
        """Remove one file, if it exists."""
        with suppress(FileNotFoundError):
            self.file_system.delete_file(f"{self.path}/{name}")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """The JSON object in a file, None if there is no such file. `ValueError` if unreadable."""
        content = self.read_file(name)
        if content is None:
            return None
        try:
            document = json.loads(content)
        except ValueError as error:
            raise ValueError(f"{self.path}/{name} cannot be read: {error}") from None
        if not isinstance(document, dict):
            raise ValueError(f"{self.path}/{name} cannot be read: it is not a JSON object")
        return document

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Replace a file by a JSON object. Raises `ValueError` for a number that is not finite."""
        text = json.dumps(document, indent=2, allow_nan=False)
        self.write_file(name, (text + "\n").encode())

    def remove_partial_files(self) -> None:
        """Remove the files that a process was writing when it died.

        Hidden folders inside are left alone, because another process may be writing there.
        """
        selector = pyarrow.fs.FileSelector(self.path, allow_not_found=True, recursive=True)
        for info in self.file_system.get_file_info(selector):
            name = info.path.removeprefix(f"{self.path}/")
            if name.endswith(PARTIAL) and not name.startswith(".") and "/." not in name:
                self.delete_file(name)

    def _keep(self, name: str, kept_as: str | None) -> None:
        """Rename a file to the name that it is kept under, if there is one."""
        if kept_as is not None:
            with suppress(FileNotFoundError):
                self.file_system.move(f"{self.path}/{name}", f"{self.path}/{kept_as}")


def _put(partial: str, target: str) -> None:
    """Rename a file, and before it a folder that has the name."""
    try:
        os.replace(partial, target)
    except IsADirectoryError:
        os.replace(target, f"{target}.{uuid.uuid4().hex[:8]}{SET_ASIDE}")
        os.replace(partial, target)


def resolve(storage: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system and the path of an address. Raises `InputError` if it cannot be a folder."""
    try:
        file_system, path = pyarrow.fs.FileSystem.from_uri(address_of(storage))
    except (pa.ArrowInvalid, OSError) as error:
        shown, reason = redact(storage), redact(str(error).splitlines()[0])
        raise InputError(f"storage: '{shown}' is not a folder or an address: {reason}") from None
    if isinstance(file_system, pyarrow.fs.LocalFileSystem) and Path(path).is_file():
        raise InputError(f"storage: '{storage}' is a file; give a folder")
    if not path.strip("/"):
        wanted = (
            "it names no bucket and no folder; give one, such as results or s3://BUCKET/results"
        )
        raise InputError(f"storage: '{redact(storage)}' is not a folder or an address: {wanted}")
    return file_system, path.rstrip("/")


def address_of(storage: str) -> str:
    """A URI with the same meaning in every process, whatever its current folder."""
    return storage if "://" in storage else Path(storage).expanduser().resolve().as_uri()
