"""The page of the data sets, from their table."""

from docs.generate.markdown import code, table

HEAD = """# Data sets

<!-- Written by `make docs`; do not edit. -->

What `datasets`, `--dataset` and `DATASET` take by name. `digits` comes with scikit-learn and `bars`
is generated; the others are downloaded when first used (`gmm-study data fetch NAME` does only that)
and checked: length, checksum where one is published, shapes, values. `gmm-study data list` says
where each would come from now. [Your own data](../how-to/own-data.md) are given by a path.

`GMM_STUDY_DATA` names a folder that is searched before any download, in the layout of the column
*file*; `GMM_STUDY_CACHE` says where downloads are kept. `rcv1` and `silhouettes` have no published
checksum: their shape and values are checked.
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
    headings = ("name", "dims", "picture", "train / valid / test", "source", "file")
    return "\n".join([HEAD, table(headings, rows)])
