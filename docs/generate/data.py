"""The reference of the data sets, generated from their registry."""

from docs.generate.markdown import code, table

HEAD = """# Data sets

<!-- Written by `make docs`; do not edit. -->

These are the names that `datasets`, `--dataset` and `DATASET` accept. `digits` is part of
scikit-learn, and `bars` is generated. The others are downloaded when they are first used;
`gmm-study data fetch NAME` only downloads one. Every download is checked: its length, its checksum
if one is published, its shapes and its values. `gmm-study data list` shows where each data set
would be read from now. To use [your own data](../how-to/own-data.md), give a path.

`GMM_STUDY_DATA` names a folder that is searched before anything is downloaded; the column *file*
shows its layout. `GMM_STUDY_CACHE` names the folder in which downloads are kept. `rcv1` and
`silhouettes` have no published checksum; only their shapes and values are checked.
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
        rows.append((code(entry.name), str(entry.dims), shape, sizes, entry.source, files))
    headings = ("name", "dims", "image", "train / valid / test", "source", "file")
    return "\n".join([HEAD, table(headings, rows)])
