"""The schema of a study file: its fields, their defaults and their allowed values.

The settings of a trial are laid over each other in this order: those of the preset, the fixed ones,
those of its data set, of its method and of its variation, and its values on the axes of the space.
A variation is a named set of settings. The variations form an axis, and the effect of each is its
paired difference to the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    Field,
    StrictStr,
    field_validator,
    model_validator,
)

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.axis import Axis
from gmm_study.study.dotted import laid_over, leaves, overlap
from gmm_study.study.section import AtLeastOne, Section
from gmm_study.study.sections import Evaluation, Report, Resources
from gmm_study.study.settings import (
    PARTS,
    plain_value,
    refuse_repeated,
    refuse_unknown_setting,
    refuse_unknown_settings,
    with_plain_values,
    without_name,
)
from gmm_study.study.strategies import (
    AdaptiveSearch,
    CmaEsSearch,
    DrawnSearch,
    GridSearch,
    NoScheduler,
    SchedulerChoice,
    Screening,
    Search,
)
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import method_named
from gmm_study.training.presets import preset_named

VARIATION = "variation"
"""The name of the axis that the variations form; its values are their labels."""

OWN_SETTINGS = {"dataset": "per_dataset", "method": "per_method", VARIATION: "variations"}
"""The sections that lie over the fixed settings, the lowest first, by what has settings there."""

Text = Annotated[StrictStr, Field(min_length=1)]


class Probe(NamedTuple):
    """One configuration of a study, by what decides on its settings."""

    dataset: str
    method: str
    axes: dict[str, Any]

    @property
    def variation(self) -> str | None:
        """The label of its variation."""
        return self.axes.get(VARIATION)


class StudyFile(Section):
    """The content of a study file; a valid instance can be planned and run."""

    question: Text
    """The research question, in one sentence."""
    datasets: Annotated[list[Text], Field(min_length=1)]
    """Data sets: names that `gmm-study data list` shows, or paths of your own files."""
    methods: Annotated[list[Text], Field(min_length=1)]
    """Methods: names that `gmm-study methods` shows."""
    replicates: AtLeastOne = 1
    """Number of seeds of every trial; at least two are needed for error bars."""
    preset: StrictStr | None = None
    """A named set of settings under all others, such as `authors`; null: the defaults alone."""
    fixed: dict[str, Any] = Field(default_factory=dict)
    """Settings of all trials."""
    per_dataset: dict[Text, dict[str, Any]] = Field(default_factory=dict)
    """Settings of the trials on one data set, on top of the fixed ones, by its name."""
    per_method: dict[Text, dict[str, Any]] = Field(default_factory=dict)
    """Settings of the trials of one method, on top of the fixed ones and of those of a data set, by
    the method's name."""
    variations: dict[Text, dict[str, Any]] = Field(default_factory=dict)
    """Sets of settings on top of the fixed ones, by label; each is compared with the first."""
    space: dict[str, Axis] = Field(default_factory=dict)
    """The settings that are swept, each with an axis of values."""
    search: Search = GridSearch(kind="grid")
    """The search over the axes that are not grids."""
    scheduler: SchedulerChoice = NoScheduler(kind="none")
    """The scheduler that stops trials early."""
    longer: AtLeastOne = 1
    """Factor of all durations of the training: limits of epochs and of seconds, patience, warm-ups,
    the epochs of the learning rate's schedule, and the scheduler's grace epochs."""
    evaluation: Evaluation = Evaluation()
    """The final estimates on the test data."""
    resources: Resources = Resources()
    """The resources of each trial, and how many run at a time."""
    report: Report = Report()
    """The layout of the report."""
    small: dict[str, Any] | None = None
    """Changes that make the small variant, which runs in a minute."""

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

    @field_validator("preset")
    @classmethod
    def _check_preset(cls, preset: str | None) -> str | None:
        try:
            return None if preset is None else preset_named(preset).name
        except InputError as error:
            raise ValueError(without_name(error)) from error

    @field_validator("fixed")
    @classmethod
    def _check_fixed(cls, fixed: dict[str, Any]) -> dict[str, Any]:
        refuse_unknown_settings("fixed", fixed)
        return fixed

    @field_validator("per_method")
    @classmethod
    def _check_per_method(cls, per_method: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for method, settings in per_method.items():
            try:
                method_named(method)
            except InputError as error:
                raise InputError(f"per_method.{method}: {without_name(error)}") from error
            refuse_unknown_settings(f"per_method.{method}", settings)
        return per_method

    @field_validator("per_dataset")
    @classmethod
    def _check_per_dataset(cls, per_dataset: dict[str, Any]) -> dict[str, Any]:
        for dataset, settings in per_dataset.items():
            refuse_unknown_settings(f"per_dataset.{dataset}", settings)
        return per_dataset

    @field_validator("variations")
    @classmethod
    def _check_variations(cls, variations: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for label, settings in variations.items():
            if label != label.strip() or not label.isprintable():
                raise InputError(
                    f"variations.{label!r}: must be printable text without blanks around it"
                )
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
        for section, parts in PARTS.items():
            names = getattr(self, parts)
            for name in getattr(self, section):
                if name not in names:
                    hint = f"add it to {parts} ({', '.join(names)}) or remove it here"
                    raise InputError(f"{section}.{name}: not among the study's {parts}; {hint}")
        self._refuse_overlaps()
        self._check_search()
        self._check_settings()
        self._make_paths_absolute()
        for name in self.space:
            self.refuse_unread("space.", name)
        for owner, section in OWN_SETTINGS.items():
            for label, settings in getattr(self, section).items():
                for name in settings:
                    self.refuse_unread(f"{section}.{label}.", name, **{owner: label})
        axes = [*self.grids, *self.space]
        if self.report.x is not None and self.report.x not in axes:
            hint = did_you_mean(self.report.x, axes) if axes else "the study has no axes"
            raise InputError(f"report.x: '{self.report.x}' is not an axis of space; {hint}")
        return self

    def _check_search(self) -> None:
        if isinstance(self.search, DrawnSearch):
            for number, point in enumerate(self.search.points):
                self.search.points[number] = self._plain_point(f"search.points.{number}", point)
        else:
            for name, axis in self.drawn.items():
                raise InputError(
                    f"space.{name}: {axis.kind} requires a search such as "
                    "{kind: random, trials: N}; a search of kind grid needs a grid here"
                )
        if self.screening and self.first_replicates >= self.replicates:
            raise InputError(
                f"search.screen.replicates: {self.first_replicates} must be less than replicates, "
                f"{self.replicates}; raise that, or set search.screen to null"
            )
        if self.screening and not self.drawn:
            raise InputError(
                "search.screen: there is nothing to screen without an axis to draw from; "
                "add one to space, such as learning_rate: {log_uniform: [1e-4, 1e-2]}"
            )
        if self.is_adaptive and not self.drawn:
            raise InputError(
                f"search.kind: '{self.search.kind}' has no axis to draw from; "
                "add one to space, such as learning_rate: {log_uniform: [1e-4, 1e-2]}"
            )
        ranges = [name for name, axis in self.drawn.items() if not axis.values]
        if isinstance(self.search, CmaEsSearch) and len(ranges) < 2:
            raise InputError(
                f"search.kind: 'cmaes' needs at least two ranges of numbers in space, not "
                f"{len(ranges)}; use tpe instead"
            )

    def _plain_point(self, section: str, point: Mapping[str, Any]) -> dict[str, Any]:
        drawn = self.drawn
        for name in point:
            if name not in drawn:
                hint = did_you_mean(name, drawn) if drawn else "the study has no such axis"
                raise InputError(f"{section}.{name}: not an axis that is drawn from; {hint}")
        plain = {}
        for name, axis in drawn.items():
            if name not in point:
                raise InputError(f"{section}.{name}: missing; a point needs a value for every axis")
            plain[name] = plain_value(section, name, point[name])
            if plain[name] not in axis:
                among = axis.values or getattr(axis, axis.kind)
                raise InputError(f"{section}.{name}: {plain[name]} must be in {list(among)}")
        return plain

    @property
    def grids(self) -> dict[str, Sequence[Any]]:
        """The values of each axis that is a grid, with the variations first."""
        variations = {VARIATION: tuple(self.variations)} if self.variations else {}
        return variations | {name: axis.grid for name, axis in self.space.items() if axis.grid}

    @property
    def drawn(self) -> dict[str, Axis]:
        """The axes that are not grids, from which the search draws."""
        return {name: axis for name, axis in self.space.items() if not axis.grid}

    @property
    def is_adaptive(self) -> bool:
        """Whether the search proposes trials by the results of earlier ones."""
        return isinstance(self.search, AdaptiveSearch)

    @property
    def screening(self) -> Screening | None:
        """How trials are screened; None if all of them are trained with all seeds."""
        return self.search.screen if isinstance(self.search, DrawnSearch) else None

    @property
    def first_replicates(self) -> int:
        """The number of seeds with which a trial is trained first."""
        return self.screening.replicates if self.screening else self.replicates

    @property
    def x(self) -> str | None:
        """The x-axis of the report: `report.x` if given, else the first grid."""
        return self.report.x or next(iter(self.grids), None)

    @property
    def own_settings(self) -> list[dict[str, Any]]:
        """The settings of every data set, method and variation that has some of its own."""
        sections = (getattr(self, section) for section in OWN_SETTINGS.values())
        return [settings for section in sections for settings in section.values()]

    def laid(self, probe: Probe) -> dict[str, Any]:
        """The settings of a probe without those that are swept."""
        preset = preset_named(self.preset).of_method(probe.method) if self.preset else {}
        own = [
            getattr(self, section).get(getattr(probe, owner), {})
            for owner, section in OWN_SETTINGS.items()
        ]
        return reduce(laid_over, own, laid_over(preset, self.fixed))

    def hyperparameters(self, probe: Probe) -> Hyperparameters:
        """The configuration of a probe."""
        settings = {
            **self.laid(probe),
            "method": probe.method,
            "evaluation_samples": self.evaluation.samples,
            "selection_samples": self.evaluation.selection_samples,
            "z_samples": self.evaluation.z_samples,
        }
        for name, value in probe.axes.items():
            if name == VARIATION:
                continue
            head, _, part = name.partition(".")
            settings[head] = {**settings.get(head, {}), part: value} if part else value
        return Hyperparameters.from_mapping(settings).prolonged(self.longer)

    @property
    def prolonged_scheduler(self) -> SchedulerChoice:
        """The scheduler of trainings that are `longer` times as long."""
        return self.scheduler.prolonged(self.longer)

    def refuse_unread(self, section: str, name: str, **only: str) -> None:
        """Raise `InputError` for a setting that no trial uses.

        `only` names one `dataset`, `method` or `variation`: the others do not count.
        """
        head = name.partition(".")[0]
        for probe in self.probes(only.get("dataset")):
            if any(getattr(probe, owner) != wanted for owner, wanted in only.items()):
                continue
            configuration = self.hyperparameters(probe)
            try:
                configuration.refuse_unread({head: getattr(configuration, head)})
                return
            except InputError as error:
                reason = error
        raise InputError(f"{section}{reason}")

    def probes(self, dataset: str | None = None) -> Iterator[Probe]:
        """Every method and variation at every value of each axis, the others at their start.

        These are of one data set if it is given. Else all data sets are probed if one of them has
        its own settings, and the first of them if none has.
        """
        first = {name: axis.at(0) for name, axis in self.space.items()}
        labels = [{VARIATION: label} for label in self.variations] or [{}]
        every = self.datasets if self.per_dataset else self.datasets[:1]
        for name, method, label in product([dataset] if dataset else every, self.methods, labels):
            start = {**label, **first}
            yield Probe(name, method, start)
            for swept, axis in self.space.items():
                for value in axis.probes():
                    yield Probe(name, method, start | {swept: value})

    def _make_paths_absolute(self) -> None:
        """Let relative paths start from the folder that is the current one now, for good."""
        for settings in (self.fixed, *self.own_settings):
            given = {name: value for name, value in settings.items() if name == "warm_start"}
            plain = Hyperparameters.from_mapping(given)
            settings.update({name: getattr(plain, name) for name in given})

    def _refuse_overlaps(self) -> None:
        names = [("fixed", name) for name in leaves(self.fixed)]
        for section in PARTS:
            for part, settings in getattr(self, section).items():
                names += [(f"{section}.{part}", name) for name in leaves(settings)]
        for name in self.space:
            for section, other in names:
                if overlap(name, other):
                    raise InputError(f"space.{name}: must not be set in {section} too ('{other}')")
            names.append(("space", name))
            for label, settings in self.variations.items():
                if any(overlap(name, other) for other in leaves(settings)):
                    raise InputError(
                        f"variations.{label}.{name}: must not be an axis of space as well"
                    )

    def _check_settings(self) -> None:
        probe: Probe | None = None
        try:
            swept = {name.partition(".")[0] for name in self.space}
            for changed in self.own_settings:
                swept |= changed.keys()
            for name, value in self.fixed.items():
                if name not in swept:  # alone: rules between settings are for whole configurations
                    Hyperparameters.from_mapping({name: value})
            for probe in self.probes():
                self.hyperparameters(probe)
        except InputError as error:
            name = str(error).partition(":")[0]
            raise InputError(f"{self._section_of(name, probe)}.{error}") from error

    def _section_of(self, name: str, probe: Probe | None) -> str:
        """The section that sets the setting of a probe, or a part of it."""
        head = name.partition(".")[0]
        for owner, section in reversed(OWN_SETTINGS.items()) if probe else ():
            label = getattr(probe, owner)
            if head in getattr(self, section).get(label, {}):
                return f"{section}.{label}"
        return "space" if name in self.space or head in self.space else "fixed"


class Study(StudyFile):
    """A loaded study: the content of its file, its name and its variant."""

    name: str
    """The name of the file, without its ending."""
    variant: str = ""
    """A label of the changes to the file, usable as a folder's name; empty if there are none."""
    arguments: tuple[str, ...] = ()
    """The command line's arguments that load the same study: name or path, then options."""
    folder: str = ""
    """The folder that was the current one when it was loaded; relative paths start there."""
    file: str = ""
    """The path of its file."""
    notes: tuple[str, ...] = ()
    """One line for each thing that is probably not meant, such as a schedule that never acts."""

    @property
    def was_loaded_here(self) -> bool:
        """Whether the current folder is still the one in which it was loaded."""
        return not self.folder or Path.cwd() == Path(self.folder)

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments that load the same study from what is now the current folder."""
        moved = bool(self.arguments) and not self.was_loaded_here
        return (self.file, *self.arguments[1:]) if moved else self.arguments

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy. A changed one has no notes and, as no command line loads it, no `arguments`."""
        changed = {"arguments": (), "notes": (), **update} if update else None
        return super().model_copy(update=changed, deep=deep)
