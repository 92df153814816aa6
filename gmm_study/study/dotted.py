"""Dotted names of settings: `layers.depth` is the key `depth` in the mapping `layers`."""

from collections.abc import Iterator, Mapping
from typing import Any

from gmm_study.errors import InputError


def leaves(values: Mapping[str, Any]) -> Iterator[str]:
    """The dotted names of all values in nested mappings."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{leaf}" for leaf in leaves(value))
        else:
            yield name


def overlap(one: str, other: str) -> bool:
    """Whether two dotted names are equal, or one contains the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def assign(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path and create mappings on the way.

    Raises `InputError` if a value on the way is not a mapping.
    """
    head, _, rest = path.partition(".")
    if not rest:
        document[head] = value
        return
    inner = document.setdefault(head, {})
    if not isinstance(inner, dict):
        raise InputError(f"{path}: {inner!r} must be a mapping to contain '{rest}'")
    assign(inner, rest, value)


def laid_over(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Settings updated by others; two mappings of the same name are merged."""
    joined = dict(settings)
    for name, value in more.items():
        old = joined.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = {**old, **value}
        joined[name] = value
    return joined


def remove(document: dict[str, Any], name: str) -> None:
    """Remove everything that overlaps a dotted name."""
    for key, value in list(document.items()):
        inside = name.removeprefix(f"{key}.")
        if isinstance(value, dict) and inside != name:
            remove(value, inside)
        elif overlap(key, name):
            del document[key]
