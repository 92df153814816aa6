"""A folder of files that are replaced whole: on this machine, or in any pyarrow file system."""

import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import pyarrow.fs

from gmm_study.storage.bucket import Bucket, Content
from gmm_study.storage.file_systems import OBJECT_STORES, as_os_errors, open_address
from gmm_study.storage.layers import Layers, Prefers
from gmm_study.storage.listing import Listing
from gmm_study.storage.pack import Pack
from gmm_study.storage.stamp import Stamp

PARTIAL = ".partial"
SET_ASIDE = ".folder"
"""How the new name of a folder ends that had the name of a file."""
FEW = 64
"""The most files of a bucket that are looked up one by one; more are found in a list."""


class Entry(NamedTuple):
    """A file or a folder inside a folder."""

    name: str
    """Its path from the folder."""
    is_file: bool
    stamp: Stamp


@dataclass(frozen=True)
class Folder:
    """A folder, which need not exist yet. All methods raise `OSError` if the storage fails."""

    file_system: pyarrow.fs.FileSystem
    path: str
    listing: Listing | Layers | None = field(default=None, compare=False, repr=False)
    """What `read_file`, `stamps` and `folders` go by, if it is given, in place of the storage."""

    @classmethod
    def at(cls, address: str) -> Self:
        """The folder at a path or a URI. Raises `InputError` if that cannot be a folder."""
        return cls(*open_address(address))

    def inside(self, name: str) -> "Folder":
        """A folder inside this one."""
        return Folder(self.file_system, f"{self.path}/{name}", self.listing)

    def listed(self, names: Iterable[str]) -> "Folder":
        """The folder to read from, and not to write to: what the folders `names` in it hold now.

        In an S3 bucket they are listed once, and files that have not changed since they were last
        read come from the user's cache. Elsewhere it is the folder itself.
        """
        if isinstance(self.listing, Layers):
            return Folder(self.file_system, self.path, self.listing.listed(names))
        bucket = self.bucket()
        if bucket is None:
            return self
        return Folder(self.file_system, self.path, Listing(bucket, self.path, names))

    def over(self, pack: Pack, prefers: Prefers) -> "Folder":
        """The folder to read from, and not to write to: it and, below it, a pack (`Layers`)."""
        return Folder(self.file_system, self.path, Layers(self, pack, prefers))

    @property
    def parent(self) -> "Folder":
        """The folder that it is in."""
        return Folder(self.file_system, self.path.rpartition("/")[0])

    @property
    def is_local(self) -> bool:
        """Whether this machine can open its files by their paths."""
        return isinstance(self.file_system, pyarrow.fs.LocalFileSystem)

    def bucket(self, urgent: bool = False) -> Bucket | None:
        """The bucket that holds it, if one of several processes can be the only one to write.

        With `urgent`, a server that does not answer is given up after seconds.
        """
        return Bucket.of(self.file_system, urgent) if self.file_system.type_name == "s3" else None

    def try_to_write(self) -> None:
        """Write an empty file and remove it."""
        probe = f".writable.{uuid.uuid4().hex[:8]}"
        self.write_file(probe, b"")
        self.delete_file(probe)

    def create(self) -> None:
        """Make the folder if it is missing; a bucket needs none."""
        if self.file_system.type_name not in OBJECT_STORES:
            with as_os_errors():
                self.file_system.create_dir(self.path, recursive=True)

    def read_file(self, name: str) -> bytes | None:
        """The content of a file, None if there is no such file. `ValueError` for a folder."""
        path = f"{self.path}/{name}"
        if self.listing is not None:
            return self.listing.read(path)
        try:
            if self.is_local:
                with open(path, "rb") as file:
                    return file.read()
            if bucket := self.bucket():
                found = bucket.read(path)
                return found and found.content
            with as_os_errors(), self.file_system.open_input_stream(path) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise ValueError(f"{path} cannot be read: it is a folder, not a file") from None

    def write_file(self, name: str, content: bytes, kept_as: str | None = None) -> None:
        """Replace a file atomically: readers see the old content or the new, never a part.

        With `kept_as`, the old content is kept under that name. For a moment it may be there alone.
        A folder in the place of the file is renamed, with all that it holds.
        """
        target = f"{self.path}/{name}"
        if not self.is_local:
            Folder(self.file_system, target).parent.create()
            self._keep(name, kept_as)
            with as_os_errors(), self.file_system.open_output_stream(target) as stream:
                stream.write(content)
            return
        partial = f"{target}.{uuid.uuid4().hex[:8]}{PARTIAL}"
        try:
            with _new_file(partial) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._keep(name, kept_as)
            _put(partial, target)
        finally:
            Path(partial).unlink(missing_ok=True)

    def read_tagged(self, name: str, urgent: bool = False) -> Content | None:
        """The content of a file and the tag of this version, None if there is no such file.

        The tag is empty where there are no conditional writes. `ValueError` for a folder.
        """
        bucket = self.bucket(urgent) if self.listing is None else None
        if bucket is not None:
            return bucket.read(f"{self.path}/{name}")
        content = self.read_file(name)
        return None if content is None else Content(content, "")

    def write_if_unchanged(
        self, name: str, content: bytes, tag: str | None, urgent: bool = False
    ) -> str | None:
        """Replace a file whose tag is still `tag`, or make one that is still missing (None).

        Returns the new tag; None if another process was quicker. Where there are no conditional
        writes, the file is replaced in any case.
        """
        bucket = self.bucket(urgent)
        if bucket is not None:
            return bucket.write(f"{self.path}/{name}", content, tag)
        self.write_file(name, content)
        return ""

    def delete_file(self, name: str) -> None:
        """Remove one file, if it exists."""
        with suppress(FileNotFoundError), as_os_errors():
            self.file_system.delete_file(f"{self.path}/{name}")

    def delete(self) -> None:
        """Remove the folder with all that it holds. Raises `FileNotFoundError` if it is missing."""
        with as_os_errors():
            self.file_system.delete_dir(self.path)

    def folders(self) -> set[str]:
        """The names of the folders inside."""
        if self.listing is not None:
            return self.listing.folders
        return {entry.name for entry in self.entries() if not entry.is_file}

    def entries(self, recursive: bool = False) -> list[Entry]:
        """The files and folders inside; none if the folder does not exist."""
        selector = pyarrow.fs.FileSelector(self.path, allow_not_found=True, recursive=recursive)
        with as_os_errors():
            return [self._entry(info) for info in self.file_system.get_file_info(selector)]

    def stamps(self, names: Sequence[str]) -> list[Stamp | None]:
        """The stamp of each file, None where there is no such file."""
        if self.listing is not None:
            return [self.listing.stamp(f"{self.path}/{name}") for name in names]
        if not self.is_local and len(names) > FEW:
            listed = {each.name: each.stamp for each in self.entries(recursive=True)}
            return [listed.get(name) for name in names]
        with as_os_errors():
            found = self.file_system.get_file_info([f"{self.path}/{name}" for name in names])
        return [self._entry(info).stamp if info.is_file else None for info in found]

    def is_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.stamps([name]) != [None]

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
        """Remove the files that a process was writing when it died; a bucket has none.

        Hidden folders inside are left alone, because another process may be writing there.
        """
        if not self.is_local:
            return
        for name in (entry.name for entry in self.entries(recursive=True)):
            if name.endswith(PARTIAL) and not name.startswith(".") and "/." not in name:
                self.delete_file(name)

    def _entry(self, info: pyarrow.fs.FileInfo) -> Entry:
        name = info.path.removeprefix(f"{self.path}/")
        return Entry(name, info.is_file, Stamp(info.mtime_ns, info.size))

    def _keep(self, name: str, kept_as: str | None) -> None:
        """Keep the content of a file under another name, if there is such a file."""
        if kept_as is None:
            return
        if self.file_system.type_name not in OBJECT_STORES:
            with suppress(FileNotFoundError), as_os_errors():
                self.file_system.move(f"{self.path}/{name}", f"{self.path}/{kept_as}")
        elif self.is_file(name):
            with as_os_errors():
                self.file_system.copy_file(f"{self.path}/{name}", f"{self.path}/{kept_as}")


def _new_file(path: str) -> BinaryIO:
    """Open a file for writing; its folder is made if it is missing."""
    try:
        return open(path, "wb")
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return open(path, "wb")


def _put(partial: str, target: str) -> None:
    """Rename a file, and before it a folder that has the name."""
    try:
        os.replace(partial, target)
    except IsADirectoryError:
        os.replace(target, f"{target}.{uuid.uuid4().hex[:8]}{SET_ASIDE}")
        os.replace(partial, target)
