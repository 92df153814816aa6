"""Dotted names of settings: `layers.depth` is `depth` in the mapping `layers`."""

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
    """Whether two dotted names set the same: they are equal, or one lies in the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def assign(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, making mappings on the way; `InputError` at a non-mapping."""
    head, _, rest = path.partition(".")
    if not rest:
        document[head] = value
        return
    inner = document.setdefault(head, {})
    if not isinstance(inner, dict):
        raise InputError(f"{path}: {inner!r} is no mapping that could hold '{rest}'")
    assign(inner, rest, value)


def laid_over(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others laid over them; of two mappings at one name the values are joined."""
    joined = dict(settings)
    for name, value in more.items():
        old = joined.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = {**old, **value}
        joined[name] = value
    return joined


def remove(document: dict[str, Any], name: str) -> None:
    """Take out all that overlaps a dotted name."""
    for key, value in list(document.items()):
        inside = name.removeprefix(f"{key}.")
        if isinstance(value, dict) and inside != name:
            remove(value, inside)
        elif overlap(key, name):
            del document[key]
