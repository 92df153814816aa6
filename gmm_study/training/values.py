"""The values of settings: the allowed range of a setting, and parsing a value from text."""

import re
from collections.abc import Collection, Mapping
from dataclasses import Field, field
from math import isfinite
from os.path import normpath
from pathlib import PurePath
from typing import Any

from gmm_study.addresses import redact
from gmm_study.errors import InputError, did_you_mean
from gmm_study.paths import expanded


def setting(
    default: Any,
    help: str,
    *,
    group: str,
    choices: Collection[str] | None = None,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    read_by: Mapping[str, tuple[str, ...]] | None = None,
    in_identity_at_default: bool = True,
    by_stage: bool = False,
    duration_from: int | None = None,
) -> Any:
    """A field of `Hyperparameters` with its help and its allowed values.

    `read_by` names another setting and those of its values for which this one has an effect. Use
    `in_identity_at_default=False` for a setting that is added to a released version: it is left out
    of a trial's id at its default, so that the ids of older records stay the same. `by_stage` says
    that a stage of a training may change it. `duration_from` says that a longer training has more
    of it, and which value means no time: 0 of a number of epochs, 1 of the number of an epoch.
    """
    facts = {
        "help": help,
        "group": group,
        "choices": choices,
        "at_least": at_least,
        "above": above,
        "below": below,
        "read_by": read_by or {},
        "in_identity_at_default": in_identity_at_default,
        "by_stage": by_stage,
        "duration_from": duration_from,
    }
    return field(default=default, metadata=facts)


def new_setting(
    name: str,
    default: float | str,
    help: str,
    *,
    choices: Collection[str] | None = None,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Field[Any]:
    """A setting that the method of a package adds: a whole number, a number, or one of `choices`.

    Its type is that of its default. It is no part of a trial's identity at its default, so a later
    version of the package can add one.
    """
    kind = type(default)
    if kind not in (int, float, str) or (kind is str and (not choices or default not in choices)):
        raise InputError(f"{name}: {default!r} must be a number, or a text among its choices")
    if not name.isidentifier():
        raise InputError(f"{name}: the name of a setting must be letters, digits and underscores")
    spec: Field[Any] = setting(
        default,
        help,
        group="Method",
        choices=choices,
        at_least=at_least,
        above=above,
        below=below,
        in_identity_at_default=False,
    )
    spec.name, spec.type = name, kind
    check(spec, default)
    return spec


def geometric_sizes(depth: int, first: int, last: int) -> tuple[int, ...]:
    """Layer sizes that form a geometric sequence from `first` to `last`, rounded, at least 1."""
    if depth == 1:
        return (first,)
    ratio = (last / first) ** (1.0 / (depth - 1))
    return tuple(max(1, round(first * ratio**layer)) for layer in range(depth))


def parse_layers(value: Any) -> tuple[int, ...]:
    """Layer sizes from a list, from a rule `{depth, first, last}`, or from the text of either."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.strip("[]{} ").split(",") if part.strip()]
        if any("=" in part for part in parts):
            value = dict(part.partition("=")[::2] for part in parts)
        else:
            value = parts
    if isinstance(value, Mapping):
        if set(value) != {"depth", "first", "last"}:
            raise InputError(f"layers: {dict(value)} must have exactly depth, first and last")
        rule = {name: _whole(f"layers.{name}", size) for name, size in value.items()}
        for name, size in rule.items():
            if size < 1:
                raise InputError(f"layers.{name}: {size} must be at least 1")
        return geometric_sizes(**rule)
    sizes = [value] if isinstance(value, int) else value
    if not isinstance(sizes, list | tuple) or not sizes:
        raise InputError(f"layers: {value!r} must be a list of sizes or {{depth, first, last}}")
    return tuple(_whole("layers", size) for size in sizes)


def convert(spec: Field[Any], value: Any) -> Any:
    """The value of a setting, given as text or a number; `InputError` if it is invalid."""
    if spec.name == "layers":
        return parse_layers(value)
    if value is None and spec.default is None:
        return None
    kind = spec.type
    if kind in (int, int | None):
        return _whole(spec.name, value)
    if kind in (float, float | None):
        return _number(spec.name, value)
    if spec.name == "warm_start":
        return _place(spec.name, value)
    if not isinstance(value, str):
        raise InputError(f"{spec.name}: {value!r} must be one of {', '.join(_choices(spec))}")
    return value


def is_trial_id(text: str) -> bool:
    """Whether a text is the id of a trial."""
    return re.fullmatch(r"[0-9a-f]{16}", text) is not None


def _place(name: str, value: Any) -> str:
    """The id of a trial as it is, an address as it is, and a path as an absolute one without `..`.

    Symbolic links are not followed, as a path would then mean something else on another machine.
    """
    if not isinstance(value, str | PurePath) or not str(value).strip():
        raise InputError(f"{name}: {value!r} must be the id of a trial or a path")
    text = str(value).strip()
    if redact(text) != text:
        raise InputError(
            f"{name}: '{redact(text)}' must not have keys in it, because it is stored; give them "
            "in the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if is_trial_id(text) or "://" in text:
        return text
    return normpath(expanded(text, f"{name}:").absolute())


def _whole(name: str, value: Any) -> int:
    if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
        return int(value)  # exact, while a float might round
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(name, value)
    if number != int(number):
        raise InputError(f"{name}: {value!r} must be a whole number")
    return int(number)


def _number(name: str, value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not isfinite(number):
        raise InputError(f"{name}: {value!r} must be a finite number")
    return number


def _choices(spec: Field[Any]) -> Collection[str]:
    choices: Collection[str] | None = spec.metadata["choices"]
    return () if choices is None else choices


def check(spec: Field[Any], value: Any) -> None:
    """Raise `InputError` for a value outside the setting's choices or range."""
    choices, facts = _choices(spec), spec.metadata
    if spec.metadata["choices"] is not None and value not in choices:
        raise InputError(f"{spec.name}: '{value}' is unknown; {did_you_mean(value, choices)}")
    for number in value if isinstance(value, tuple) else (value,):
        if facts["at_least"] is not None and number < facts["at_least"]:
            raise InputError(f"{spec.name}: {number} must be at least {facts['at_least']}")
        if facts["above"] is not None and number <= facts["above"]:
            raise InputError(f"{spec.name}: {number} must be above {facts['above']}")
        if facts["below"] is not None and number >= facts["below"]:
            raise InputError(f"{spec.name}: {number} must be below {facts['below']}")
