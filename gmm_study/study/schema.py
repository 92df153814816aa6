"""What a study's file may say: its fields, their defaults and what values they take."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from inspect import signature
from math import exp, log
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.dotted import leaves, overlap
from gmm_study.training.hyperparameters import Hyperparameters, geometric_sizes

SPELT_ELSEWHERE = {
    "method": "methods",
    "methods": "methods",
    "dataset": "datasets",
    "datasets": "datasets",
    "evaluation_samples": "evaluation.samples",
}
"""What `fixed` and `space` refuse, with the field of a study that says it."""

UNKNOWN_FIELD = "unknown_field"

AtLeastOne = Annotated[StrictInt, Field(ge=1)]
Text = Annotated[StrictStr, Field(min_length=1)]


class _Section(BaseModel):
    """A mapping of known fields.

    Its checks raise `ValueError` for what lies at their own place in the file, and `InputError`
    with a line that names the field itself for all else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, values: Any) -> Any:
        for name in values if isinstance(values, Mapping) else ():
            if name not in cls.model_fields:
                hint = did_you_mean(name, cls.model_fields)
                raise PydanticCustomError(UNKNOWN_FIELD, "{name}", {"name": name, "hint": hint})
        return values


class Axis(_Section):
    """The values of one swept setting: a grid, or a distribution that a search draws from."""

    grid: Annotated[list[Any], Field(min_length=1)] | None = None
    choice: Annotated[list[Any], Field(min_length=1)] | None = None
    uniform: tuple[FiniteFloat, FiniteFloat] | None = None
    log_uniform: tuple[FiniteFloat, FiniteFloat] | None = None
    integer: tuple[StrictInt, StrictInt] | None = None

    @model_validator(mode="after")
    def _check(self) -> "Axis":
        if len(self.model_fields_set) != 1 or getattr(self, self.kind) is None:
            raise ValueError(f"needs one of {', '.join(Axis.model_fields)}, as in {{grid: [1, 2]}}")
        if not self.values:
            low, high = getattr(self, self.kind)
            if low >= high:
                raise ValueError(f"{self.kind} [{low}, {high}] must have low below high")
            if self.log_uniform and low <= 0:
                raise ValueError(f"log_uniform [{low}, {high}] must have low above 0")
        return self

    @property
    def kind(self) -> str:
        """The field that is set."""
        return next(iter(self.model_fields_set), "grid")

    @property
    def values(self) -> Sequence[Any]:
        """The values of a grid or a choice, none for a range."""
        return self.grid or self.choice or ()

    def at(self, fraction: float) -> Any:
        """The value that far, in [0, 1), along the axis; equal fractions are equally likely.

        Numbers of a range are rounded to six digits, so that a draw, and with it a trial's
        identity, does not hang on a machine's logarithm.
        """
        if self.values:
            return self.values[min(int(fraction * len(self.values)), len(self.values) - 1)]
        low, high = getattr(self, self.kind)
        if self.integer:
            return min(low + int(fraction * (high - low + 1)), high)
        if self.log_uniform:
            value = exp(log(low) + fraction * (log(high) - log(low)))
        else:
            value = low + fraction * (high - low)
        return min(max(float(f"{value:.6g}"), low), high)

    def probes(self) -> Sequence[Any]:
        """Values that are all usable only if every value of the axis is."""
        if self.values:
            return self.values
        low, high = getattr(self, self.kind)
        between = [] if self.integer else [low + min(0.5, (high - low) / 2)]
        return [low, high, *between]


class GridSearch(_Section):
    """Every cell of the grid once."""

    kind: Literal["grid"]


class RandomSearch(_Section):
    """So many draws of the axes that are no grid, in every cell of the grid."""

    kind: Literal["random"]
    trials: AtLeastOne
    seed: StrictInt = 0


Search = Annotated[GridSearch | RandomSearch, Field(discriminator="kind")]


class Evaluation(_Section):
    """The final estimates."""

    samples: int = Hyperparameters.evaluation_samples
    chunk_rows: AtLeastOne = 4000
    """Sample rows that are in memory at a time; not part of a trial's identity."""

    @field_validator("samples", mode="before")
    @classmethod
    def _check_samples(cls, value: Any) -> int:
        try:
            return Hyperparameters.from_mapping({"evaluation_samples": value}).evaluation_samples
        except InputError as error:
            raise ValueError(_without_name(error)) from error


class Resources(_Section):
    """What one trial takes, and how many run at a time."""

    cpus: AtLeastOne = 1
    gpus: Annotated[StrictFloat, Field(ge=0, le=1)] = 0.0
    concurrent: AtLeastOne | None = None
    """None: as many as fit."""
    checkpoint_seconds: Annotated[FiniteFloat, Field(gt=0)] = 10.0
    """Time between two checkpoints of a trial."""


class Report(_Section):
    """How the results are laid out."""

    x: StrictStr | None = None
    """The axis of the table's columns and the figure's x; the others are selected over."""


class StudyFile(_Section):
    """One declared question; a value of this type can be planned and run."""

    question: Text
    datasets: Annotated[list[Text], Field(min_length=1)]
    methods: Annotated[list[Text], Field(min_length=1)]
    replicates: AtLeastOne = 1
    fixed: dict[str, Any] = Field(default_factory=dict)
    space: dict[str, Axis] = Field(default_factory=dict)
    search: Search = GridSearch(kind="grid")
    evaluation: Evaluation = Evaluation()
    resources: Resources = Resources()
    report: Report = Report()
    small: dict[str, Any] | None = None

    @field_validator("datasets", "methods")
    @classmethod
    def _refuse_repeated_names(cls, names: list[str]) -> list[str]:
        _refuse_repeated(names)
        return names

    @field_validator("methods")
    @classmethod
    def _check_methods(cls, methods: list[str]) -> list[str]:
        for method in methods:
            try:
                Hyperparameters.from_mapping({"method": method})
            except InputError as error:
                raise ValueError(_without_name(error)) from error
        return methods

    @field_validator("fixed")
    @classmethod
    def _check_fixed(cls, fixed: dict[str, Any]) -> dict[str, Any]:
        for name in fixed:
            if "." in name:
                raise InputError(f"fixed.{name}: must be nested mappings, not a dotted name")
        for name in leaves(fixed):
            _refuse_unknown_setting("fixed", name)
        return fixed

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, Axis]) -> dict[str, Axis]:
        for name in space:
            _refuse_unknown_setting("space", name)
        return {name: _with_plain_values(name, axis) for name, axis in space.items()}

    @model_validator(mode="after")
    def _check(self) -> "StudyFile":
        self._refuse_overlaps()
        if isinstance(self.search, GridSearch):
            for name, axis in self.space.items():
                if not axis.grid:
                    raise InputError(
                        f"space.{name}: {axis.kind} must be a grid in a search of kind grid, "
                        "or the search {kind: random, trials: N}"
                    )
        self._check_settings()
        for name in self.space:
            self.refuse_unread("space.", name)
        if self.report.x is not None and self.report.x not in self.space:
            hint = did_you_mean(self.report.x, self.space) if self.space else "there is none"
            raise InputError(f"report.x: '{self.report.x}' is no axis of space; {hint}")
        return self

    @property
    def x(self) -> str | None:
        """The axis that the report runs along: as declared, else the first that is a grid."""
        grids = (name for name, axis in self.space.items() if axis.grid)
        return self.report.x or next(grids, None)

    def hyperparameters(self, method: str, axes: Mapping[str, Any]) -> Hyperparameters:
        """The configuration of a method at one value for each axis."""
        settings = {
            **self.fixed,
            "method": method,
            "evaluation_samples": self.evaluation.samples,
        }
        for name, value in axes.items():
            head, _, part = name.partition(".")
            settings[head] = {**settings.get(head, {}), part: value} if part else value
        return Hyperparameters.from_mapping(settings)

    def refuse_unread(self, section: str, name: str) -> None:
        """Raise `InputError` for a setting that no method of the study reads."""
        head = name.partition(".")[0]
        for method, axes in self._probes():
            configuration = self.hyperparameters(method, axes)
            try:
                configuration.refuse_unread({head: getattr(configuration, head)})
                return
            except InputError as error:
                reason = error
        raise InputError(f"{section}{reason}")

    def _probes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every method at every value of every axis, the other axes at their start."""
        start = {name: axis.at(0) for name, axis in self.space.items()}
        for method in self.methods:
            yield method, start
            for name, axis in self.space.items():
                for value in axis.probes():
                    yield method, start | {name: value}

    def _refuse_overlaps(self) -> None:
        names = [("fixed", name) for name in leaves(self.fixed)]
        for name in self.space:
            for section, other in names:
                if overlap(name, other):
                    raise InputError(f"space.{name}: must not be in {section} too, as '{other}' is")
            names.append(("space", name))

    def _check_settings(self) -> None:
        try:
            swept = {name.partition(".")[0] for name in self.space}
            Hyperparameters.from_mapping(
                {name: value for name, value in self.fixed.items() if name not in swept}
            )
            for method, axes in self._probes():
                self.hyperparameters(method, axes)
        except InputError as error:
            section = "space" if str(error).partition(":")[0] in self.space else "fixed"
            raise InputError(f"{section}.{error}") from error


class Study(StudyFile):
    """A study as it was loaded: the file's content, its name and the variant of it."""

    name: str
    """The file's name without its ending."""
    variant: str = ""
    """A label, usable as a folder's name, of what departs from the file; empty if nothing does."""


def _refuse_unknown_setting(section: str, name: str) -> None:
    if name in SPELT_ELSEWHERE:
        raise InputError(f"{section}.{name}: a study says this in '{SPELT_ELSEWHERE[name]}'")
    known = {spec.name for spec in fields(Hyperparameters)} - set(SPELT_ELSEWHERE)
    known |= {f"layers.{part}" for part in signature(geometric_sizes).parameters}
    if name not in known:
        raise InputError(f"{section}.{name}: no such setting; {did_you_mean(name, known)}")


def _with_plain_values(name: str, axis: Axis) -> Axis:
    """The axis with numbers as numbers, however they were written, and layers as text."""
    if not axis.values:
        return axis
    values = [_plain(name, value) for value in axis.values]
    try:
        _refuse_repeated(values)
    except ValueError as error:
        raise InputError(f"space.{name}.{axis.kind}: {error}") from error
    return axis.model_copy(update={axis.kind: values})


def _plain(name: str, value: Any) -> Any:
    if value is None:
        raise InputError(f"space.{name}: null must be a value")
    try:
        if "." in name:  # a part of layers, all of which are sizes or counts of them
            return Hyperparameters.from_mapping({"layers": [value]}).layers[0]
        value = getattr(Hyperparameters.from_mapping({name: value}), name)
    except InputError as error:
        raise InputError(f"space.{name}: {_without_name(error)}") from error
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _refuse_repeated(values: Sequence[Any]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} must be there once only")
        seen.add(value)


def _without_name(error: InputError) -> str:
    return str(error).partition(": ")[2]
