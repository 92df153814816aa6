"""A folder over a pack: what is in the folder is read from there, and the rest from the pack.

What belongs together is read from one of them, never from both: a folder inside, or a hidden one
three names deep with a file of the same name, as a history of an older version is.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from gmm_study.storage.pack import Pack
from gmm_study.storage.stamp import Stamp

if TYPE_CHECKING:
    from gmm_study.storage.folder import Folder

HIDDEN_DEPTH = 3
Prefers = Callable[[str, Mapping[str, bytes]], bool]


class Layers:
    """What is read of a folder that lies over a pack.

    `prefers` says whether a folder inside, by its name, is to be read from the folder although the
    pack has these files of it, by their paths. A hidden one is read from there if it is not shorter
    than in the pack, in bytes.
    """

    def __init__(self, own: "Folder", pack: Pack, prefers: Prefers) -> None:
        self._own, self._pack, self._prefers = own, pack, prefers
        self._packed: dict[str, dict[str, bytes]] = {}
        for name, content in pack.files.items():
            self._packed.setdefault(_unit(name), {})[name] = content
        self._from_own: dict[str, bool] = {}

    @property
    def folders(self) -> set[str]:
        """The names of the folders in both."""
        return self._own.folders() | {unit.partition("/")[0] for unit in self._packed}

    def packed(self) -> dict[str, dict[str, bytes]]:
        """What is read from the pack: by what belongs together, the files by their paths."""
        return {unit: files for unit, files in self._packed.items() if not self.is_own(unit)}

    def listed(self, names: Iterable[str]) -> "Layers":
        """The same, over what the folders `names` hold now."""
        return Layers(self._own.listed(names), self._pack, self._prefers)

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
        unit = _unit(name)
        packed = self._packed.get(unit)
        if packed is None:
            return True
        if unit not in self._from_own:
            longer = unit.startswith(".") and self._size(unit) >= sum(map(len, packed.values()))
            self._from_own[unit] = longer or (
                not unit.startswith(".") and self._prefers(unit, packed)
            )
        return self._from_own[unit]

    def _size(self, unit: str) -> int:
        """The bytes of the folder's own files of a hidden unit."""
        (single,) = self._own.stamps([f"{unit}.json"])
        inside = [entry.stamp for entry in self._own.inside(unit).entries()]
        return sum(stamp.size or 0 for stamp in (single, *inside) if stamp)

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self._own.path}/")


def _unit(name: str) -> str:
    """What a file is read together with: the folder that it is in, by its name."""
    parts = name.split("/")
    if not name.startswith("."):
        return parts[0]
    return "/".join(parts[:HIDDEN_DEPTH]).removesuffix(".json")
