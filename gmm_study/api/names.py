"""A study's name belongs to one file, because its report and its experiment in MLflow go by name.

The folder of a study's reports names the file in `study.json`, from the first run or sync. A report
of an older version names none; it is that of the file in `studies`, if there is one.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gmm_study.errors import InputError
from gmm_study.study import Study
from gmm_study.study.load import PAPER, STUDIES

OWNER = "study.json"


@contextmanager
def claimed(study: Study, reports: Path) -> Iterator[None]:
    """Claim the name; a study that is refused in the context gives a new claim back.

    Raises `InputError` if the name is that of another file, or if it cannot be claimed.
    """
    were_there = reports.exists()
    is_new = claim_name(study, reports)
    try:
        yield
    except InputError:
        if is_new:
            _withdraw(reports / study.name)
        if not were_there:
            with suppress(OSError):  # it is not empty
                reports.rmdir()
        raise


def claim_name(study: Study, reports: Path) -> bool:
    """Let the folder of a study's reports say that it is the study's; returns whether that is new.

    Raises `InputError` if it is that of another file, or if it cannot be written.
    """
    check_name(study, reports)
    folder = reports / study.name
    if not study.file or _owner(folder) == Path(study.file):
        return False
    claim = json.dumps({"file": os.path.relpath(study.file, Path.cwd())}) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
            new = Path(scratch) / OWNER
            new.write_text(claim)
            try:
                _link(new, folder / OWNER)  # of two that begin together, one succeeds
            except FileExistsError:
                check_name(study, reports)
                new.replace(folder / OWNER)
    except OSError as error:
        raise InputError(f"the report cannot be written: {error}") from None
    return True


def check_name(study: Study, reports: Path) -> None:
    """Raise `InputError` if the reports of the study's name are those of another file.

    A file that does not exist any more has been renamed or moved, and has no claim. The name of the
    published tables' folder is no study's.
    """
    folder = reports / study.name
    if study.name == PAPER:
        taken = f"{folder} has the published tables"
        raise InputError(f"{study.name}: {taken}; give the study another name")
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


def _link(new: Path, target: Path) -> None:
    """Give a file another name. Raises `FileExistsError` if that is taken."""
    try:
        target.hardlink_to(new)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with target.open("x") as file:
            file.write(new.read_text())


def _withdraw(folder: Path) -> None:
    """Remove the claim of a study, and its folder if that is empty."""
    with suppress(OSError):
        (folder / OWNER).unlink()
        folder.rmdir()


def _owner(folder: Path) -> Path | None:
    """The file whose reports are in a folder; None if that is unknown."""
    try:
        return Path.cwd() / str(json.loads((folder / OWNER).read_text())["file"])
    except (OSError, ValueError, LookupError, TypeError):
        shipped = STUDIES / f"{folder.name}.yaml"
        return shipped.absolute() if folder.exists() and shipped.exists() else None
