"""Whether a named data set is the published one: by the bytes of its files, or by its contents.

A published file is recognised by git's id of its bytes. A copy that was rebuilt has other bytes, so
its contents count: all rows of train and valid in order, and the rows of test in any order, as the
mean over them does not depend on it. But trials are compared test row by test row, so two orders
must never look the same: the checksum, and with it the ids of trials, depends on the order. The
published order is kept. All other copies get one canonical order, so they are one data set.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmm_study.data.dataset import SPLITS, Dataset
from gmm_study.data.registry import NamedDataset, RemoteFile
from gmm_study.errors import InputError


def is_published(entry: NamedDataset, file: RemoteFile, path: Path, name: str) -> bool:
    """Whether a file has the bytes of the published one; False if those are not known.

    Raises InputError, which calls the file `name`, if they differ and only they are known.
    """
    if file.git_blob is None:
        return False
    found = _git_blob(path)
    if found != file.git_blob and not entry.has_known_contents:
        raise InputError(
            f"{name} is not the published one: its git blob id is {found}, expected {file.git_blob}"
        )
    return found == file.git_blob


def check_contents(entry: NamedDataset, dataset: Dataset, where: str) -> Dataset:
    """`dataset` itself if its contents are those known for the entry, or if none are known.

    If its test rows are in another order, or the published order is not known, they are returned
    in canonical order, and a note says so. Raises InputError, which begins with `where`, for any
    other difference.
    """
    if dataset.sha256 == entry.sha256 or not entry.has_known_contents:
        return dataset
    canonical = dataset.with_canonical_test()
    if canonical.sha256 != entry.canonical_sha256:
        found, expected = (
            (dataset.sha256, entry.sha256)
            if entry.canonical_sha256 is None
            else (canonical.sha256, f"{entry.canonical_sha256}, in any order of the test rows")
        )
        raise InputError(
            f"{where}: the contents differ from data set '{entry.name}': "
            f"sha256 {found}, expected {expected}"
        )
    order = (
        "whether its test rows are in the same order is not known"
        if entry.sha256 is None
        else "its test rows are in another order"
    )
    note = (
        f"{entry.name}: a copy of the published file; {order}, so it is a data set of its own, "
        "whose trials have other ids"
    )
    return replace(canonical, notes=(note,))


def check_shapes(entry: NamedDataset, splits: Mapping[str, NDArray[np.uint8]], name: str) -> None:
    """Raise InputError, which begins with `name`, for a split without the declared shape."""
    for split, rows in splits.items():
        declared = (entry.sizes[SPLITS.index(split)], entry.dims)
        if rows.shape != declared:
            raise InputError(
                f"{name}, split '{split}': shape {rows.shape}; "
                f"data set '{entry.name}' has {declared} there"
            )


def _git_blob(path: Path) -> str:
    """Git's id of a file's contents: sha1 over 'blob', the length and the bytes."""
    contents = path.read_bytes()
    digest = hashlib.sha1(b"blob %d\0" % len(contents), usedforsecurity=False)
    digest.update(contents)
    return digest.hexdigest()
