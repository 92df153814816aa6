"""The schema of a study file: its fields, their defaults and their allowed values.

A variation is a named set of settings on top of the fixed ones. The variations form an axis, and
the effect of each is its paired difference to the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    FiniteFloat,
    StrictStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.axis import AtLeastOne, Axis, Section
from gmm_study.study.dotted import laid_over, leaves, overlap
from gmm_study.study.settings import (
    plain_value,
    refuse_repeated,
    refuse_unknown_setting,
    refuse_unknown_settings,
    with_plain_values,
    without_name,
)
from gmm_study.study.strategies import (
    CmaEsSearch,
    DrawnSearch,
    GridSearch,
    NoScheduler,
    SchedulerChoice,
    Search,
    TpeSearch,
)
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import method_named

VARIATION = "variation"
"""The axis whose values are the labels of a study's variations."""

Text = Annotated[StrictStr, Field(min_length=1)]


SHARE = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"const": "auto"}]}


class Evaluation(Section):
    """The final estimates."""

    samples: int = Hyperparameters.evaluation_samples
    """K of the evaluation: samples per datapoint of the final log p."""
    chunk_rows: AtLeastOne = 4000
    """Sample rows that are in memory at a time; not part of a trial's identity."""

    @field_validator("samples", mode="before")
    @classmethod
    def _check_samples(cls, value: Any) -> int:
        try:
            return Hyperparameters.from_mapping({"evaluation_samples": value}).evaluation_samples
        except InputError as error:
            raise ValueError(without_name(error)) from error


class Resources(Section):
    """What one trial takes, and how many run at a time."""

    cpus: AtLeastOne = 1
    """Cores, each with a thread."""
    gpus: Annotated[float | Literal["auto"], WithJsonSchema(SHARE)] = 0.0
    """The share of a GPU; `auto`: so much that as many trials as fit by their memory share one."""
    concurrent: AtLeastOne | None = None
    """How many trials run at a time at most; null: as many as fit."""
    checkpoint_seconds: Annotated[FiniteFloat, Field(gt=0)] = 10.0
    """Time between two checkpoints of a trial."""
    heartbeat_seconds: Annotated[FiniteFloat, Field(ge=1)] = 3600.0
    """A worker that gets no epoch, no chunk of an evaluation further for so long is ended, and its
    trial taken up again from its checkpoint, as often as that of a worker that died."""
    time_limit_seconds: Annotated[FiniteFloat, Field(gt=0)] | None = None
    """A trial that takes longer, since it was last taken up, is failed and keeps its checkpoint."""

    @field_validator("gpus", mode="before")
    @classmethod
    def _check_gpus(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value == "auto" or (is_number and 0 <= value <= 1):
            return value
        raise ValueError(f"{value!r} must be auto or a number from 0 to 1")


class Report(Section):
    """How the results are laid out."""

    x: StrictStr | None = None
    """The axis of the table's columns and the figure's x; the others are selected over."""


class StudyFile(Section):
    """One declared question; a value of this type can be planned and run."""

    question: Text
    """What is asked, in a sentence."""
    datasets: Annotated[list[Text], Field(min_length=1)]
    """What is trained on: names that `gmm-study data list` shows, or paths of one's own."""
    methods: Annotated[list[Text], Field(min_length=1)]
    """What is trained."""
    replicates: AtLeastOne = 1
    """Seeds of every trial; two at least give error bars."""
    fixed: dict[str, Any] = Field(default_factory=dict)
    """Settings that all trials have."""
    variations: dict[Text, dict[str, Any]] = Field(default_factory=dict)
    """By label, settings laid over the fixed ones; the others are held against the first."""
    space: dict[str, Axis] = Field(default_factory=dict)
    """The settings that are swept, each with its values."""
    search: Search = GridSearch(kind="grid")
    """How the axes that are no grids are searched."""
    scheduler: SchedulerChoice = NoScheduler(kind="none")
    """Which trials are stopped early."""
    evaluation: Evaluation = Evaluation()
    """The final estimates."""
    resources: Resources = Resources()
    """What one trial takes, and how many run at a time."""
    report: Report = Report()
    """How the results are laid out."""
    small: dict[str, Any] | None = None
    """What differs in the variant that runs in a minute."""

    @field_validator("search", "scheduler", mode="before")
    @classmethod
    def _take_a_kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("datasets", "methods")
    @classmethod
    def _refuse_repeated_names(cls, names: list[str]) -> list[str]:
        refuse_repeated(names)
        return names

    @field_validator("methods")
    @classmethod
    def _check_methods(cls, methods: list[str]) -> list[str]:
        for method in methods:
            try:
                method_named(method)
            except InputError as error:
                raise ValueError(without_name(error)) from error
        return methods

    @field_validator("fixed")
    @classmethod
    def _check_fixed(cls, fixed: dict[str, Any]) -> dict[str, Any]:
        refuse_unknown_settings("fixed", fixed)
        return fixed

    @field_validator("variations")
    @classmethod
    def _check_variations(cls, variations: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for label, settings in variations.items():
            if label != label.strip() or not label.isprintable():
                raise InputError(f"variations.{label!r}: must be printable, without blanks around")
            refuse_unknown_settings(f"variations.{label}", settings)
        return variations

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, Axis]) -> dict[str, Axis]:
        for name in space:
            refuse_unknown_setting("space", name)
        return {name: with_plain_values(name, axis) for name, axis in space.items()}

    @model_validator(mode="after")
    def _check(self) -> "StudyFile":
        self._refuse_overlaps()
        self._check_search()
        self._check_settings()
        for name in self.space:
            self.refuse_unread("space.", name)
        for label, settings in self.variations.items():
            for name in settings:
                self.refuse_unread(f"variations.{label}.", name, label)
        axes = [*self.grids, *self.space]
        if self.report.x is not None and self.report.x not in axes:
            hint = did_you_mean(self.report.x, axes) if axes else "there is none"
            raise InputError(f"report.x: '{self.report.x}' is no axis of space; {hint}")
        return self

    def _check_search(self) -> None:
        if isinstance(self.search, DrawnSearch):
            for number, point in enumerate(self.search.points):
                self.search.points[number] = self._plain_point(f"search.points.{number}", point)
        else:
            for name, axis in self.drawn.items():
                raise InputError(
                    f"space.{name}: {axis.kind} must be a grid in a search of kind grid, "
                    "or the search {kind: random, trials: N}"
                )
        if self.is_adaptive and not self.drawn:
            raise InputError(
                f"search.kind: '{self.search.kind}' has no axis to draw from; "
                "give space one, as learning_rate: {log_uniform: [1e-4, 1e-2]}"
            )
        ranges = [name for name, axis in self.drawn.items() if not axis.values]
        if isinstance(self.search, CmaEsSearch) and len(ranges) < 2:
            raise InputError(
                f"search.kind: 'cmaes' needs two ranges of numbers in space, and there are "
                f"{len(ranges)}; take tpe"
            )

    def _plain_point(self, section: str, point: Mapping[str, Any]) -> dict[str, Any]:
        drawn = self.drawn
        for name in point:
            if name not in drawn:
                hint = did_you_mean(name, drawn) if drawn else "there is none"
                raise InputError(f"{section}.{name}: no axis that is drawn from; {hint}")
        plain = {}
        for name, axis in drawn.items():
            if name not in point:
                raise InputError(f"{section}.{name}: missing, a point has a value for every axis")
            plain[name] = plain_value(section, name, point[name])
            if plain[name] not in axis:
                among = axis.values or getattr(axis, axis.kind)
                raise InputError(f"{section}.{name}: {plain[name]} must be in {list(among)}")
        return plain

    @property
    def grids(self) -> dict[str, Sequence[Any]]:
        """The values of each axis that is a grid, that of the variations first."""
        variations = {VARIATION: tuple(self.variations)} if self.variations else {}
        return variations | {name: axis.grid for name, axis in self.space.items() if axis.grid}

    @property
    def drawn(self) -> dict[str, Axis]:
        """The axes that are no grids, from which the search draws."""
        return {name: axis for name, axis in self.space.items() if not axis.grid}

    @property
    def is_adaptive(self) -> bool:
        """Whether the search proposes trials by what those before them reached."""
        return isinstance(self.search, TpeSearch | CmaEsSearch)

    @property
    def x(self) -> str | None:
        """The axis that the report runs along: as declared, else the first that is a grid."""
        return self.report.x or next(iter(self.grids), None)

    def laid(self, axes: Mapping[str, Any]) -> dict[str, Any]:
        """The fixed settings, with those of the variation among the axes laid over them."""
        variation = self.variations[axes[VARIATION]] if VARIATION in axes else {}
        return laid_over(self.fixed, variation)

    def hyperparameters(self, method: str, axes: Mapping[str, Any]) -> Hyperparameters:
        """The configuration of a method at one value for each axis."""
        settings = {
            **self.laid(axes),
            "method": method,
            "evaluation_samples": self.evaluation.samples,
        }
        for name, value in axes.items():
            if name == VARIATION:
                continue
            head, _, part = name.partition(".")
            settings[head] = {**settings.get(head, {}), part: value} if part else value
        return Hyperparameters.from_mapping(settings)

    def refuse_unread(self, section: str, name: str, variation: str | None = None) -> None:
        """Raise `InputError` for a setting that no method reads, in any variation or in one."""
        head = name.partition(".")[0]
        for method, axes in self._probes():
            if variation is not None and axes[VARIATION] != variation:
                continue
            configuration = self.hyperparameters(method, axes)
            try:
                configuration.refuse_unread({head: getattr(configuration, head)})
                return
            except InputError as error:
                reason = error
        raise InputError(f"{section}{reason}")

    def _probes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every method and variation at every value of an axis, the other axes at their start."""
        first = {name: axis.at(0) for name, axis in self.space.items()}
        labels = [{VARIATION: label} for label in self.variations] or [{}]
        for method, label in product(self.methods, labels):
            start = {**label, **first}
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
            for label, settings in self.variations.items():
                if any(overlap(name, other) for other in leaves(settings)):
                    raise InputError(f"variations.{label}.{name}: must not be an axis of space too")

    def _check_settings(self) -> None:
        label: str | None = None
        try:
            swept = {name.partition(".")[0] for name in self.space}
            swept |= {name for settings in self.variations.values() for name in settings}
            Hyperparameters.from_mapping(
                {name: value for name, value in self.fixed.items() if name not in swept}
            )
            for method, axes in self._probes():
                label = axes.get(VARIATION)
                self.hyperparameters(method, axes)
        except InputError as error:
            name = str(error).partition(":")[0]
            section = "space" if name in self.space else "fixed"
            if label is not None and name.partition(".")[0] in self.variations[label]:
                section = f"variations.{label}"
            raise InputError(f"{section}.{error}") from error


class Study(StudyFile):
    """A study as it was loaded: the file's content, its name and the variant of it."""

    name: str
    """The file's name without its ending."""
    variant: str = ""
    """A label, usable as a folder's name, of what departs from the file; empty if nothing does."""
    arguments: tuple[str, ...] = ()
    """What the command line takes to load the same study: its name or path, options behind it."""
