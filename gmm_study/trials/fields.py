"""Fields of a JSON object, checked one by one: an error names the field and what it must be."""

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T", int, str, dict[str, Any])

_WORDS: dict[type, str] = {int: "an integer", str: "a text", dict: "an object"}


def field_of(document: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """A required field, an `int`, `str` or `dict`. Raises `ValueError`."""
    value = _value_of(document, name)
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ValueError(f"{name}: {value!r} must be {_WORDS[kind]}")
    return value


def number_of(document: Mapping[str, Any], name: str) -> float:
    """A required number. Raises `ValueError`."""
    value = _value_of(document, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {value!r} must be a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large") from None


def optional_field(document: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """A field that may be missing or null. Raises `ValueError` for any other value."""
    return None if document.get(name) is None else field_of(document, name, kind)


def optional_number(document: Mapping[str, Any], name: str) -> float | None:
    """A number that may be missing or null. Raises `ValueError` for any other value."""
    return None if document.get(name) is None else number_of(document, name)


def flag_of(document: Mapping[str, Any], name: str) -> bool:
    """A field that is true or false, and false if it is missing. Raises `ValueError`."""
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: {value!r} must be true or false")
    return value


def _value_of(document: Mapping[str, Any], name: str) -> Any:
    if name not in document:
        raise ValueError(f"{name} is missing")
    return document[name]
