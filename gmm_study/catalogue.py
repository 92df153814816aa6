"""Declarations by name: built-in ones, and those that installed packages add by entry points.

Methods and data sets use the same mechanism. All other code asks the declaration for what it needs
(which settings a method uses, whether it has a p*, what its bound is called, what a step costs) and
never tests for a name. To keep planning fast, installed packages are searched only for a name that
is not built in, and a package is imported only where its name is used. A broken plug-in raises a
one-line error there. The package is not part of a trial's identity: the method's name is, and the
record stores the package's version.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from re import fullmatch
from typing import Any, Generic, Protocol, TypeVar

from gmm_study.errors import InputError

NAME = r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*"
"""A valid name of an entry point. It cannot be mistaken for a file name or an option's value."""


class Declaration(Protocol):
    """The object that an entry point names."""

    @property
    def name(self) -> str:
        """The name by which users choose it, equal to that of the entry point."""


Declared = TypeVar("Declared", bound=Declaration)


class Catalogue(Mapping[str, Declared], Generic[Declared]):
    """The declarations of one kind by name: first the built-in ones, then those of other packages.

    Another package declares one by an entry point of `group`, `NAME = "module:object"`, whose
    object is of the type `kind` and has that name. Installed packages are searched (in about 40 ms)
    only for a name that is not built in, or to list all; a package is imported only when its own
    declaration is needed. If a declaration is unusable, using it raises an `InputError` of one line
    that names the package and the entry point; the others are not affected. A built-in name cannot
    be overridden.
    """

    def __init__(
        self,
        group: str,
        field: str,
        kind: type[Declared],
        built_in: Mapping[str, Declared],
        check: Callable[[Declared], None] = lambda declared: None,
    ) -> None:
        self.group = group
        self.built_in = built_in
        self._field, self._kind, self._check = field, kind, check
        self._loaded: dict[EntryPoint, Declared] = {}

    def __getitem__(self, name: str) -> Declared:
        if name in self.built_in:
            return self.built_in[name]
        points = self._added(name)
        if len(points) > 1:
            packages = " and ".join(sorted(map(_package, points)))
            raise InputError(
                f"{self._field}: '{name}' is declared by the packages {packages}; uninstall one"
            )
        return self._load(points[0])

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or (isinstance(name, str) and bool(self._points(name)))

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from sorted(name for name in self._names() if name not in self.built_in)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def package_of(self, name: str) -> str | None:
        """The package that declares the name, None if it is built in."""
        return None if name in self.built_in else _package(self._added(name)[0])

    def usable(self) -> tuple[dict[str, Declared], list[str]]:
        """All usable declarations, and one line about each entry point that is not usable."""
        found, problems = dict[str, Declared](), []
        for name in self:
            try:
                found[name] = self[name]
            except InputError as error:
                problems.append(str(error))
        for name in self._names():
            problems += [
                f"{self._field}: '{name}' of {_origin(point)} is not used: that name is built in"
                for point in self._points(name)
                if name in self.built_in
            ]
        return found, problems

    def _added(self, name: str) -> tuple[EntryPoint, ...]:
        points = self._points(name)
        if not points:
            raise KeyError(name)
        return points

    def _points(self, name: str) -> tuple[EntryPoint, ...]:
        return self._names().get(name, ()) if fullmatch(NAME, name) else ()

    def _names(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        return _installed(self.group, tuple(sys.path))

    def _load(self, point: EntryPoint) -> Declared:
        if point not in self._loaded:
            try:
                self._loaded[point] = self._checked(point, point.load())
            except Exception as error:  # importing a module of others may raise anything
                what = f"{self._field}: '{point.name}' of {_origin(point)} cannot be used"
                raise InputError(f"{what}: {_reason(error)}") from error
        return self._loaded[point]

    def _checked(self, point: EntryPoint, declared: Any) -> Declared:
        if not isinstance(declared, self._kind):
            wanted = f"{self._kind.__module__}.{self._kind.__qualname__}"
            raise InputError(f"it is of type {type(declared).__name__}, not {wanted}")
        if declared.name != point.name:
            raise InputError(f"it has the name '{declared.name}', not that of the entry point")
        self._check(declared)
        return declared


def resolved(reference: str | Callable[..., Any], needed_by: str) -> Callable[..., Any]:
    """The object that `module:name` refers to, imported now; a callable is returned as it is.

    Raises `InputError`, which begins with `needed_by`, if it cannot be imported.
    """
    if callable(reference):
        return reference
    try:
        found: Callable[..., Any] = resolve_name(reference)
    except Exception as error:
        raise InputError(
            f"{needed_by}: '{reference}' cannot be imported: {_reason(error)}"
        ) from error
    return found


def called(function: Callable[[], Any], needed_by: str) -> Any:
    """The result of another package's `function`; its errors become one-line `InputError`s."""
    try:
        return function()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{needed_by}: {_reason(error)}") from error


@cache
def _installed(group: str, path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of a group by name, for the packages found in `path`."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        found[point.name] = (*found.get(point.name, ()), point)
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


def _origin(point: EntryPoint) -> str:
    return f"the package {_package(point)} (entry point {point.name} = {point.value})"


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, InputError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
