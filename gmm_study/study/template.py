"""A new study: a commented file that can be run as it is, to be changed."""

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import yaml

from gmm_study.data import list_datasets
from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.load import STUDIES
from gmm_study.training.hyperparameters import Hyperparameters

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
SCHEMA = STUDIES / "study.schema.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA.name}\n"
"""By which an editor finds the schema, if it is there."""


def write_study(name: str, datasets: Sequence[str] = (), methods: Sequence[str] = ()) -> Path:
    """Write `studies/NAME.yaml`, with the template's data sets and methods unless some are given.

    Raises `InputError` for a name that cannot be one, a study that is there already, an unknown
    data set or method, and a folder that cannot be written.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"name: '{name}' must be letters, digits, _ and -, at most 100, without an ending"
        )
    path = STUDIES / f"{name}.yaml"
    text = study_text(name, datasets, methods)
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{path}: is there already; take another name, or change it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def study_text(name: str, datasets: Sequence[str], methods: Sequence[str]) -> str:
    """The template for a study of that name."""
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
        if name not in known and not Path(name).expanduser().exists():
            hint = did_you_mean(name, known)
            raise InputError(f"dataset: '{name}' is neither a name nor a path that is here; {hint}")
