"""The stages of a training, as a setting: what each of them changes, in plain values.

A stage is stored as pairs of a name and a value, so that a configuration stays hashable; people
write a list of mappings, or its JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from gmm_study.errors import InputError, did_you_mean
from gmm_study.training.methods import added_settings
from gmm_study.training.values import convert

Stage = tuple[tuple[str, Any], ...]
"""The settings that a stage changes, by name, in the order in which they are declared."""
EXAMPLE = "[{max_epochs: 200}, {max_epochs: 20, learning_rate: 1e-3}]"


def parse_stages(value: Any, specs: Mapping[str, Field[Any]]) -> tuple[Stage, ...]:
    """The stages in a list of mappings or in its JSON, given all settings by name.

    Raises `InputError` for anything else, and for a setting that a stage cannot change.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise InputError(f"stages: '{value}' must be a list, such as {EXAMPLE}") from None
    if not isinstance(value, list | tuple):
        raise InputError(f"stages: {value!r} must be a list, such as {EXAMPLE}")
    return tuple(_stage(number, each, specs) for number, each in enumerate(value))


def _stage(number: int, given: Any, specs: Mapping[str, Field[Any]]) -> Stage:
    place = f"stages.{number}"
    if isinstance(given, tuple):  # as it is stored
        given = dict(given)
    if not isinstance(given, Mapping):
        raise InputError(f"{place}: {given!r} must be a mapping, such as {{max_epochs: 20}}")
    changeable = [name for name, spec in specs.items() if spec.metadata["by_stage"]]
    for name in given:
        if name in changeable:
            continue
        if name in specs or any(name == spec.name for spec in added_settings()):
            raise InputError(f"{place}.{name}: a stage cannot change it; put it beside stages")
        raise InputError(f"{place}.{name}: no such setting; {did_you_mean(str(name), changeable)}")
    try:
        return tuple((name, convert(specs[name], given[name])) for name in specs if name in given)
    except InputError as error:
        raise InputError(f"{place}.{error}") from None
