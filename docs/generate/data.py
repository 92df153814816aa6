"""The reference of the data sets, generated from their registry."""

from typing import TYPE_CHECKING

from docs.generate.markdown import code, table

if TYPE_CHECKING:
    from gmm_study.data import NamedDataset

HEAD = """# Data sets

<!-- Written by `make docs`; do not edit. -->

These are the names that `datasets`, `--dataset` and `DATASET` accept. `digits` is part of
scikit-learn, and `bars` is generated. The others are downloaded when they are first used;
`gmm-study data fetch NAME` only downloads one. `gmm-study data list` shows where each data set
would be read from now. To use [your own data](../how-to/own-data.md), give a path.

`GMM_STUDY_DATA` names a folder that is searched before anything is downloaded; the column *file*
shows its layout. `GMM_STUDY_CACHE` names the folder in which downloads are kept.

## What is checked

Every file is checked when it is read: that it is complete, its shapes, that all values are 0 or 1,
and what the column *checked* names:

- *contents*: a checksum of the rows is known. The bytes of the file do not matter, so a rebuilt or
  recompressed copy is accepted.
- *contents, any order*: the same, but the published order of the test rows is not known here.
- *bytes*: only the git blob id of the published file is known, so no other copy is accepted.
- *shapes*: nothing more is known.

The test rows of a copy may come in another order than those of the published file, because a mean
does not depend on it; `train` and `valid` may not. Trials are compared test row by test row, so a
trial's id depends on the order, and the published file and such a copy are two data sets, whose
trials are never mixed. A line says so. All copies in other orders are the same data set, because
their test rows are sorted, with the first column first, and shuffled by one fixed permutation. So
the first test rows, to which `--datapoints N` limits an evaluation, are still a sample of all.
Where the published order is not known, every copy but the published file itself is treated so.

`adult` and `connect4` are known by rebuilt copies without the order of their test rows. `train` and
`valid` are those of the density estimation benchmark. The test rows of `adult` are the others of
LIBSVM's a9a, those of `connect4` the other positions of all 67,557. `ocr_letters` is known by a
copy that was rebuilt from the raw letters, from which the published file can be made byte for byte.

## The data sets
"""


def data() -> str:
    """The text of the page."""
    from gmm_study.data.registry import REGISTRY

    rows = []
    for entry in REGISTRY.values():
        sizes = " / ".join(f"{size:,}" for size in entry.sizes)
        files = ", ".join(code(file.path) for file in entry.files)
        if len(entry.files) > 1:
            files = code(entry.files[0].path.replace(".train.", ".{train,valid,test}."))
        shape = "x".join(map(str, entry.image_shape or ()))
        facts = (str(entry.dims), shape, sizes, entry.source, files, _checked(entry))
        rows.append((code(entry.name), *facts))
    headings = ("name", "dims", "image", "train / valid / test", "source", "file", "checked")
    return "\n".join([HEAD, table(headings, rows)])


def _checked(entry: "NamedDataset") -> str:
    if entry.sha256:
        return "contents"
    if entry.canonical_sha256:
        return "contents, any order"
    return "bytes" if any(file.git_blob for file in entry.files) else "shapes"
