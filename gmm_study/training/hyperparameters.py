"""One configuration of a method: which of its settings have an effect, its stages, its identity.

The settings are declared in `declared.py`.
"""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from functools import cache, cached_property
from typing import Any

from gmm_study.errors import InputError, did_you_mean
from gmm_study.training.declared import ENDS_AT_A_RATE, Declared
from gmm_study.training.method import Method
from gmm_study.training.methods import (
    METHODS,
    OPTIONAL_SETTINGS,
    added_setting,
    added_settings,
    method_named,
)
from gmm_study.training.stages import parse_stages
from gmm_study.training.values import check, convert


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(Declared):
    """One configuration of a method, its model and its training.

    Raises `InputError` for a value outside its range.
    """

    added: tuple[tuple[str, Any], ...] = ()
    """The settings that are given of those that packages add to methods, by name."""

    def __post_init__(self) -> None:
        for name, value in self.added:
            if spec := added_setting(name, self.method):
                check(spec, value)
        for spec in declared_settings().values():
            value = getattr(self, spec.name)
            if value is not spec.default:
                check(spec, value)
        if not self.stages:
            self._check_together()
        for number, stage in enumerate(self.stages):
            try:
                replace(self, stages=(), **dict(stage))
            except InputError as error:
                inside = str(error).partition(":")[0] in dict(stage)
                raise InputError(f"stages.{number}.{error}" if inside else str(error)) from None

    def _check_together(self) -> None:
        """Raise `InputError` if settings do not fit each other."""
        for name in ("samples", "criterion_samples"):
            count = getattr(self, name)
            if count is not None and count < self.declaration.least_samples:
                least = f"{self.declaration.least_samples} for method {self.method}"
                raise InputError(f"{name}: {count} must be at least {least}")
        if self.schedule in ENDS_AT_A_RATE and self.final_learning_rate > self.learning_rate:
            raise InputError(
                f"final_learning_rate: {self.final_learning_rate:g} must be at most the "
                f"learning_rate, {self.learning_rate:g}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Hyperparameters":
        """The configuration with these settings, which may be text or numbers of any type.

        Raises `InputError` for an unknown name or an invalid value.
        """
        specs, added = declared_settings(), dict[str, Any]()
        for name in values:
            if name in specs:
                continue
            method = str(values.get("method", cls.method))
            spec = added_setting(name, method)
            if spec is None:
                method_named(method)  # which may be unknown, and add it
                known = [*specs, *(each.name for each in added_settings())]
                raise InputError(f"{name}: no such setting; {did_you_mean(name, known)}")
            added[name] = convert(spec, values[name])
        plain: dict[str, Any] = {
            name: parse_stages(value, specs) if name == "stages" else convert(specs[name], value)
            for name, value in values.items()
            if name in specs
        }
        return cls(**plain, added=tuple(sorted(added.items())))

    def value_of(self, name: str) -> Any:
        """The value of a setting, also of one that a package adds."""
        if name in declared_settings():
            return getattr(self, name)
        spec = added_setting(name, self.method)
        return dict(self.added).get(name, None if spec is None else spec.default)

    def canonical(self) -> dict[str, Any]:
        """The settings that are used, with defaults filled in. Equal ones train the same model.

        It only depends on the settings of every stage, not on where they are written: a setting
        has the value of the first stage that uses it, and `stages` holds what differs from that.
        There are no `stages` if there is only one.
        """
        stages = [stage._of_one_stage() for stage in self.stage_list]
        first: dict[str, Any] = {}
        for stage in stages:
            first = {**stage, **first}
        values = {name: first[name] for name in self._specs if name in first}
        if len(stages) > 1:
            values["stages"] = [
                {name: value for name, value in stage.items() if value != first[name]}
                for stage in stages
            ]
        return values

    def _of_one_stage(self) -> dict[str, Any]:
        """`canonical` of a configuration without stages."""
        specs = self._specs
        values = {name: self.value_of(name) for name in self.names_read}
        for name, value in list(values.items()):
            if value is None and name != "samples":  # no limit
                del values[name]
            elif specs[name].type in (float, float | None) and type(value) is not float:
                values[name] = float(value)
        values["layers"] = list(self.layers)
        if "samples" in values:
            values["samples"] = self.training_samples
        del values["stages"]
        return values

    @property
    def names_read(self) -> tuple[str, ...]:
        """The settings that have an effect in this configuration."""
        if not self.stages:
            return _read_where(self.method, *[getattr(self, name) for name in _deciding()])
        read = {name for stage in self.stage_list for name in stage.names_read}
        everywhere = set.intersection(*[{name for name, _ in stage} for stage in self.stages])
        return tuple(name for name in self._specs if name in read - everywhere)

    @cached_property
    def stage_list(self) -> "tuple[Hyperparameters, ...]":
        """The configuration of every stage; this one alone if there are no stages."""
        return tuple(replace(self, stages=(), **dict(each)) for each in self.stages) or (self,)

    @property
    def total_epochs(self) -> int:
        """The limit of epochs over all stages."""
        return sum(stage.max_epochs for stage in self.stage_list)

    def prolonged(self, factor: int) -> "Hyperparameters":
        """The same training with all its durations, in every stage, `factor` times as long."""
        if factor == 1:
            return self
        stages = tuple(
            tuple((name, _prolonged(name, value, factor)) for name, value in stage)
            for stage in self.stages
        )
        of_all = {name: _prolonged(name, getattr(self, name), factor) for name in durations()}
        return replace(self, stages=stages, **of_all)

    @property
    def _specs(self) -> Mapping[str, Field[Any]]:
        """The settings that its method may read, by name."""
        declared, adds = declared_settings(), self.declaration.adds
        for spec in adds:
            if spec.name in declared:
                raise InputError(f"method: '{self.method}' adds '{spec.name}', which is built in")
        return declared | {spec.name: spec for spec in adds} if adds else declared

    @property
    def declaration(self) -> Method:
        """The declaration of the method. `InputError` if it comes from a broken package."""
        return method_named(self.method)

    def identity(self) -> dict[str, Any]:
        """The part of the canonical settings that a trial's id depends on."""
        values = self.canonical()
        added = ((spec.name, spec.default) for spec in self.declaration.adds)
        for name, default in (*_uncounted().items(), *added):
            if values.get(name) == default:
                values.pop(name, None)
        return values

    def identity_of_training(self) -> dict[str, Any]:
        """The part of it that training depends on: without the settings of the evaluation."""
        specs = self._specs
        return {
            name: value
            for name, value in self.identity().items()
            if specs[name].metadata["group"] != "Evaluation"
        }

    @property
    def training_samples(self) -> int:
        """K of training: the setting `samples`, or the method's default."""
        if self.samples is not None:
            return self.samples
        return self.declaration.samples

    def refuse_unread(self, names: Mapping[str, Any]) -> None:
        """Raise `InputError` for the first of `names` that has no effect in this configuration."""
        for number, stage in enumerate(self.stages if "stages" in names else ()):
            try:
                self.stage_list[number].refuse_unread(dict(stage))
            except InputError as error:
                raise InputError(f"stages.{number}.{error}") from None
        for spec in declared_settings().values():
            if spec.name in names and spec.name not in self.names_read:
                if self.stages and all(spec.name in dict(stage) for stage in self.stages):
                    raise InputError(
                        f"{spec.name}: {names[spec.name]!r} would have no effect; every stage has "
                        "its own"
                    )
                raise InputError(
                    f"{spec.name}: {names[spec.name]!r} would have no effect; "
                    f"{self._what_it_needs(spec)}"
                )

        for name in names:
            if name not in self._specs:  # a package adds it to another method
                wanted = " or ".join(methods_that_read(name))
                raise InputError(
                    f"{name}: {names[name]!r} would have no effect; it needs method {wanted}, "
                    f"not {self.method}"
                )

    def _what_it_needs(self, spec: Field[Any]) -> str:
        """What a setting that is not used here needs, and what there is instead."""
        needed = dict(spec.metadata["read_by"])
        if spec.name in OPTIONAL_SETTINGS:
            needed["method"] = methods_that_read(spec.name)
        for name, wanted in needed.items():
            found = dict.fromkeys(str(getattr(stage, name)) for stage in self.stage_list)
            if not found.keys() & {*wanted}:
                return f"it needs {name} {' or '.join(wanted)}, not {' and '.join(found)}"
        wishes = [f"{name} {' or '.join(wanted)}" for name, wanted in needed.items()]
        return f"it needs {' and '.join(wishes)} in one stage"


def methods_that_read(name: str) -> list[str]:
    """The names of the usable methods that read a setting."""
    usable = METHODS.usable()[0].values()
    return [each.name for each in usable if name in each.settings or each.added_setting(name)]


@cache
def declared_settings() -> dict[str, Field[Any]]:
    """The settings of this package by name. Cached: a plan makes a hundred thousand trials."""
    return {spec.name: spec for spec in fields(Hyperparameters) if spec.metadata}


@cache
def durations() -> dict[str, int]:
    """The settings of which a longer training has more, with the value that means no time."""
    starts = {spec.name: spec.metadata["duration_from"] for spec in declared_settings().values()}
    return {name: start for name, start in starts.items() if start is not None}


def _prolonged(name: str, value: Any, factor: int) -> Any:
    start = durations().get(name)
    return value if start is None or value is None else start + (value - start) * factor


@cache
def _uncounted() -> dict[str, Any]:
    """The settings that are left out of the id at their default, with that default."""
    late = (
        spec for spec in declared_settings().values() if not spec.metadata["in_identity_at_default"]
    )
    return {spec.name: spec.default for spec in late}


@cache
def _deciding() -> tuple[str, ...]:
    """The settings, other than the method, on whose values it depends which settings are used."""
    return tuple(
        dict.fromkeys(
            name for spec in declared_settings().values() for name in spec.metadata["read_by"]
        )
    )


@cache
def _read_where(method: str, *values: str) -> tuple[str, ...]:
    """The settings that a method uses, given the values of the deciding settings."""
    unread = {*OPTIONAL_SETTINGS} - {*method_named(method).settings}
    decided = dict(zip(_deciding(), values, strict=True))
    read = (
        spec.name
        for spec in declared_settings().values()
        if spec.name not in unread
        and all(decided[name] in among for name, among in spec.metadata["read_by"].items())
    )
    return (*read, *(spec.name for spec in method_named(method).adds))
