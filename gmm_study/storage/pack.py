"""Files of a folder in one Parquet file: to be shipped, and to be read where the folder is not.

The file has the columns `path`, from the folder, and `content`. It is written in the order of the
paths, so equal files give an equal pack.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

SCHEMA = pa.schema([("path", pa.string()), ("content", pa.binary())])


class Pack:
    """The files in some packs, of which later ones win. Raises `OSError` for an unreadable one."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = list(paths)

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The content of every file by its path; read on first use."""
        found: dict[str, bytes] = {}
        for path in self._paths:
            table = pyarrow.parquet.read_table(path, schema=SCHEMA)
            found |= zip(*(table[name].to_pylist() for name in SCHEMA.names), strict=True)
        return found


def write_pack(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a pack of these files, by their paths."""
    columns = [sorted(files), [files[path] for path in sorted(files)]]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    pyarrow.parquet.write_table(
        pa.table(arrays, schema=SCHEMA), partial, compression="zstd", compression_level=19
    )
    partial.replace(target)
