"""Settings in a study file: which names are allowed where, and their values in plain form."""

import json
import re
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.axis import Axis
from gmm_study.study.dotted import leaves
from gmm_study.training.hyperparameters import Hyperparameters, declared_settings
from gmm_study.training.methods import added_settings
from gmm_study.training.stages import EXAMPLE
from gmm_study.training.values import geometric_sizes

SPELT_ELSEWHERE = {
    "method": "methods",
    "methods": "methods",
    "dataset": "datasets",
    "datasets": "datasets",
    "evaluation_samples": "evaluation.samples",
    "selection_samples": "evaluation.selection_samples",
    "z_samples": "evaluation.z_samples",
    "variation": "variations",
}
"""Names that `fixed`, `space` and `variations` reject, with the field to use instead."""
PARTS = {"per_dataset": "datasets", "per_method": "methods"}
"""The sections with settings of single data sets or methods, by the list that names all of these.

The later section lies over the earlier.
"""
_PART_OF_STAGES = re.compile(rf"((?:fixed\.|(?:{'|'.join(PARTS)}|variations)\..+\.)?stages)\.")


def refuse_unknown_settings(section: str, settings: Mapping[str, Any]) -> None:
    """Raise `InputError` for the first of the nested settings that is not allowed there."""
    for name in settings:
        if "." in name:
            raise InputError(
                f"{section}.{name}: must be written as nested mappings, not as a dotted name"
            )
    for name in leaves(settings):
        refuse_unknown_setting(section, name)


def known_settings(installed: bool = False) -> set[str]:
    """The names that `fixed` and `space` accept; parts of a setting have dotted names.

    `installed`: also those that installed packages add, for which these are searched.
    """
    whole = declared_settings().keys() - set(SPELT_ELSEWHERE)
    added = {spec.name for spec in added_settings()} if installed else set()
    return whole | added | {f"layers.{part}" for part in signature(geometric_sizes).parameters}


def refuse_unknown_setting(section: str, name: str) -> None:
    """Raise `InputError` if a setting with this dotted name is not allowed there."""
    if name in SPELT_ELSEWHERE:
        raise InputError(f"{section}.{name}: must be set in '{SPELT_ELSEWHERE[name]}' instead")
    refuse_part_of_stages(f"{section}.{name}")
    known = known_settings()
    known = known if name in known else known_settings(installed=True)
    head, _, part = name.partition(".")
    if part and head in known and not any(each.startswith(f"{head}.") for each in known):
        raise InputError(f"{section}.{head}: must be one value, not a mapping with '{part}'")
    if name not in known:
        raise InputError(f"{section}.{name}: no such setting; {did_you_mean(name, known)}")


def refuse_part_of_stages(path: str) -> None:
    """Raise `InputError` if a dotted name leads into the list of stages, which has no names."""
    if match := _PART_OF_STAGES.match(path):
        raise InputError(
            f"{path}: no such setting; '{match[1]}' must be a whole list, such as {EXAMPLE}"
        )


def with_plain_values(name: str, axis: Axis) -> Axis:
    """The axis with its values in plain form."""
    if not axis.values:
        return axis
    values = [plain_value("space", name, value) for value in axis.values]
    try:
        refuse_repeated(values)
    except ValueError as error:
        raise InputError(f"space.{name}.{axis.kind}: {error}") from error
    return axis.model_copy(update={axis.kind: values})


def plain_value(section: str, name: str, value: Any) -> Any:
    """A value of an axis in plain form: a number even if written as text; a list as text."""
    if value is None:
        raise InputError(f"{section}.{name}: null is not allowed; give a value")
    try:
        if "." in name:  # a part of layers, which is a size or a number of layers
            return Hyperparameters.from_mapping({"layers": [value]}).layers[0]
        value = Hyperparameters.from_mapping({name: value}).value_of(name)
    except InputError as error:
        inside = str(error).startswith(f"{name}.")  # a part of it, such as stages.1.samples
        said = str(error) if inside else f"{name}: {without_name(error)}"
        raise InputError(f"{section}.{said}") from error
    if name == "stages":
        return json.dumps([dict(stage) for stage in value])
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def refuse_repeated(values: Sequence[Any]) -> None:
    """Raise `ValueError` for a repeated value."""
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} must be listed only once")
        seen.add(value)


def without_name(error: InputError) -> str:
    """The line of an error without the field at its beginning."""
    return str(error).partition(": ")[2]
