"""The fields of a study file, their defaults and the allowed values of each one alone.

A variation is a named set of settings. The variations form an axis, and the effect of each is its
paired difference to the first.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, StrictStr, field_validator

from gmm_study.errors import InputError
from gmm_study.study.axis import Axis
from gmm_study.study.section import AtLeastOne, Section
from gmm_study.study.sections import Evaluation, Gradients, Report, Resources
from gmm_study.study.settings import (
    refuse_repeated,
    refuse_unknown_setting,
    refuse_unknown_settings,
    with_plain_values,
    without_name,
)
from gmm_study.study.strategies import (
    AdaptiveSearch,
    DrawnSearch,
    GridSearch,
    NoScheduler,
    SchedulerChoice,
    Screening,
    Search,
)
from gmm_study.training.methods import method_named
from gmm_study.training.presets import preset_named

VARIATION = "variation"
"""The name of the axis that the variations form; its values are their labels."""

Text = Annotated[StrictStr, Field(min_length=1)]


class StudyFields(Section):
    """The fields of a study file, each of them checked alone."""

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
    gradients: Gradients | None = None
    """The gradients to assess of the trained models; null: none."""
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
    def prolonged_scheduler(self) -> SchedulerChoice:
        """The scheduler of trainings that are `longer` times as long."""
        return self.scheduler.prolonged(self.longer)
