"""A study's name belongs to one file, because its report and its experiment in MLflow go by name.

The folder of a study's reports names the file in `study.json`. A report of an older version names
none; it is that of the file in `studies`, if there is one.
"""

import json
import os
from pathlib import Path

from gmm_study.errors import InputError
from gmm_study.study import Study
from gmm_study.study.load import STUDIES

OWNER = "study.json"


def claim_name(study: Study, reports: Path) -> None:
    """Let the folder of a study's reports say that it is the study's.

    Raises `InputError` if it is that of another file, and `OSError` if it cannot be written.
    """
    check_name(study, reports)
    folder = reports / study.name
    if study.file and _owner(folder) != Path(study.file):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.path.relpath(study.file, Path.cwd())
        (folder / OWNER).write_text(json.dumps({"file": file}) + "\n")


def check_name(study: Study, reports: Path) -> None:
    """Raise `InputError` if the reports of the study's name are those of another file.

    A file that does not exist any more has been renamed or moved, and has no claim.
    """
    folder = reports / study.name
    owner = _owner(folder)
    if not study.file or owner is None or not owner.exists():
        return
    if not Path(study.file).exists() or owner.samefile(study.file):
        return
    names = [os.path.relpath(path, Path.cwd()) for path in (study.file, owner)]
    raise InputError(
        f"study: '{names[0]}' would replace the report and the MLflow experiment of '{names[1]}', "
        f"which has the same name; rename one of the files, or remove {folder} to give it the name"
    )


def _owner(folder: Path) -> Path | None:
    """The file whose reports are in a folder; None if that is unknown."""
    try:
        return Path.cwd() / str(json.loads((folder / OWNER).read_text())["file"])
    except (OSError, ValueError, LookupError, TypeError):
        shipped = STUDIES / f"{folder.name}.yaml"
        return shipped.absolute() if folder.exists() and shipped.exists() else None
