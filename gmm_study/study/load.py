"""Loads a study by name or path, and checks it completely."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.amend import (
    label,
    overridden_setting,
    parse_override,
    with_overrides,
    with_small,
)
from gmm_study.study.configurations import refuse_unread
from gmm_study.study.explain import explain
from gmm_study.study.notes import notes_on
from gmm_study.study.read import read_document
from gmm_study.study.schema import Study, StudyFile

PAPER = "paper"
"""The folder of the published tables among the reports, so no study's name."""
STUDIES = Path("studies")
"""The folder in which studies are searched by name."""


def load_study(
    name_or_path: str | Path, overrides: Sequence[str] = (), small: bool = False
) -> Study:
    """The study of a file, its small variant merged over it, and then the overrides.

    `name_or_path` is NAME for `studies/NAME.yaml` under the current folder, or the path of a
    `.yaml` file. An override is KEY=VALUE, where KEY is a field of the study (`replicates`,
    `search.trials`, `space.samples`), `dataset`, `method`, or a hyperparameter, which is fixed and
    leaves the space (`max_epochs`, `layers.depth`). The file and its small variant are checked
    whether they are asked for or not.

    Raises `InputError`, one line, for all that cannot be used.
    """
    if not isinstance(name_or_path, str | Path):
        raise InputError(f"study: {name_or_path!r} must be a name or the path of a .yaml file")
    if isinstance(overrides, str) or not all(isinstance(text, str) for text in overrides):
        raise InputError(f"overrides: {overrides!r} must be a list of texts KEY=VALUE")
    name_or_path = str(name_or_path)
    path = _find(name_or_path)
    document = read_document(path)
    with _faults_at(f"{path}: "):
        content = StudyFile.model_validate(document)
    if content.small is not None:
        with _faults_at(f"{path}: small."):
            document_small = with_small(document, content.small)
            content_small = StudyFile.model_validate(document_small)
        if small:
            document, content = document_small, content_small
    elif small:
        raise InputError(f"{path}: small: the study has no small variant; add a section small")
    overridden: list[str] = []
    if overrides:
        with _faults_at(f"{path}: "):
            parsed = [parse_override(text) for text in overrides]
            document = with_overrides(document, parsed)
        with _faults_at(f"{path} with {', '.join(overrides)}: "):
            content = StudyFile.model_validate(document)
            overridden += filter(None, (overridden_setting(key) for key, _ in parsed))
            for setting in overridden:
                refuse_unread(content, "", setting)
    return Study.model_construct(
        name=path.stem,
        variant=label(small, overrides),
        arguments=_arguments(name_or_path, overrides, small),
        folder=str(Path.cwd()),
        file=str(path.absolute()),
        notes=notes_on(content, overridden, small),
        **dict(content),
    )


def _arguments(name_or_path: str, overrides: Sequence[str], small: bool) -> tuple[str, ...]:
    options = ["--small"] if small else []
    options += [word for text in overrides for word in ("--set", text)]
    return (name_or_path, *options)


def _find(name_or_path: str) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".yaml":
        if path.stem.startswith("."):
            raise InputError(f"{path}: a study's name must not begin with a dot")
        return path
    shipped = {path.stem: path for path in sorted(STUDIES.glob("*.yaml"))}
    if name_or_path in shipped:
        return shipped[name_or_path]
    hint = did_you_mean(name_or_path, shipped) if shipped else f"there is no folder {STUDIES}"
    raise InputError(f"{name_or_path}: no such study, and not the path of a .yaml file; {hint}")


@contextmanager
def _faults_at(place: str) -> Iterator[None]:
    """Report errors from inside as one line that begins with `place`."""
    try:
        yield
    except (ValidationError, InputError) as error:
        fault = explain(error) if isinstance(error, ValidationError) else str(error)
        printable = "".join(c if c.isprintable() else " " for c in f"{place}{fault}")
        raise InputError(" ".join(printable.split())) from error
