"""Writes a new study from a template: a commented file that runs unchanged."""

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import yaml

from gmm_study.data import list_datasets, path_of
from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.load import STUDIES
from gmm_study.training.hyperparameters import Hyperparameters

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
SCHEMA = STUDIES / "study.schema.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA.name}\n"
"""The first line of a study, by which an editor finds the schema."""


def write_study(name: str, datasets: Sequence[str] = (), methods: Sequence[str] = ()) -> Path:
    """Write `studies/NAME.yaml`; the default data sets and methods are those of the template.

    Raises `InputError` for an invalid name, an existing study, an unknown data set or method, and a
    folder that cannot be written.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"name: '{name}' must have at most 100 letters, digits, _ and -, and no file ending"
        )
    path = STUDIES / f"{name}.yaml"
    text = study_text(name, datasets, methods)
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{path}: already exists; choose another name, or edit it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def study_text(name: str, datasets: Sequence[str], methods: Sequence[str]) -> str:
    """The text of a new study of that name."""
    _check(datasets, methods)
    template = files("gmm_study.study") / "template.yaml"
    text = template.read_text(encoding="utf-8").replace("NAME", name)
    for field, values in (("datasets", datasets), ("methods", methods)):
        if values:
            before, _, rest = text.partition(f"\n{field}: ")
            after = rest.partition("\n")[2]
            text = f"{before}\n{_line(field, values)}\n{after}"
    return (MODELINE if SCHEMA.is_file() else "") + text


def _line(field: str, values: Iterable[str]) -> str:
    document = {field: list(dict.fromkeys(values))}
    return yaml.safe_dump(document, default_flow_style=None, width=float("inf")).strip()


def _check(datasets: Sequence[str], methods: Sequence[str]) -> None:
    for method in methods:
        Hyperparameters.from_mapping({"method": method})
    known = [info.name for info in list_datasets()] if datasets else []
    for name in datasets:
        if name not in known and not path_of(name).exists():
            hint = did_you_mean(name, known)
            raise InputError(
                f"dataset: '{name}' is neither a known data set nor an existing path; {hint}"
            )
