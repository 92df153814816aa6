"""A folder over a pack: what is in the folder is read from there, and the rest from the pack.

What belongs together is read from one of them, never from both: each folder inside is whole in the
folder if it has a certain file there; a hidden one, three names deep, if it has there at least as
many files as in the pack.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gmm_study.storage.pack import Pack
from gmm_study.storage.stamp import Stamp

if TYPE_CHECKING:
    from gmm_study.storage.folder import Folder

HIDDEN_DEPTH = 3


class Layers:
    """What is read of a folder that lies over a pack. `whole` is the name of that file."""

    def __init__(self, own: "Folder", pack: Pack, whole: str) -> None:
        self._own, self._pack, self._whole = own, pack, whole
        self._from_own: dict[str, bool] = {}

    @property
    def folders(self) -> set[str]:
        """The names of the folders in both."""
        return self._own.folders() | {path.partition("/")[0] for path in self._pack.files}

    def listed(self, names: Iterable[str]) -> "Layers":
        """The same, over what the folders `names` hold now."""
        return Layers(self._own.listed(names), self._pack, self._whole)

    def read(self, path: str) -> bytes | None:
        """The content of a file, by its whole path; None if there is none."""
        name = self._name(path)
        return self._own.read_file(name) if self.is_own(name) else self._pack.files.get(name)

    def stamp(self, path: str) -> Stamp | None:
        """The stamp of a file, by its whole path; None if there is none."""
        name = self._name(path)
        if self.is_own(name):
            return self._own.stamps([name])[0]
        content = self._pack.files.get(name)
        return None if content is None else Stamp(None, len(content))

    def is_own(self, name: str) -> bool:
        """Whether a folder, or what is in it, is read from the folder and not from the pack."""
        hidden = name.startswith(".")
        inside = "/".join(name.split("/")[: HIDDEN_DEPTH if hidden else 1])
        if inside not in self._from_own:
            packed = self._pack.inside(inside)
            self._from_own[inside] = (
                not packed
                or (not hidden and self._own.is_file(f"{inside}/{self._whole}"))
                or (hidden and len(self._own.inside(inside).entries()) >= len(packed))
            )
        return self._from_own[inside]

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self._own.path}/")
