"""Searches and schedulers: how a study searches its space, and which trials it stops early."""

from math import ceil
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, WithJsonSchema, field_validator

from gmm_study.study.section import AtLeastOne, Number, Section

EPOCHS_OR_SHARE = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ]
}


class GridSearch(Section):
    """One trial for every combination of grid values."""

    kind: Literal["grid"]


class Screening(Section):
    """Few seeds for every trial of a search, and all seeds for the best trials of each cell.

    Few seeds are enough to tell most trials from the best, and cost a fraction. Chosen trials keep
    the seeds that they have.
    """

    replicates: AtLeastOne = 1
    """Number of seeds with which every trial is trained first."""
    confirm: AtLeastOne = 3
    """Number of trials of every cell, the best on the validation data, that are then trained with
    all seeds of the study. The report selects among these alone."""


class DrawnSearch(Section):
    """A number of trials in every cell of the grid: first the points, then draws of the search.

    Points that are known to be good give good results even if the search is cut short.
    """

    kind: str
    trials: AtLeastOne
    """Number of trials in every cell."""
    seed: StrictInt = 0
    """Seed of the draws."""
    points: list[dict[str, Any]] = Field(default_factory=list)
    """Settings that are tried first, each with a value for every axis that is not a grid."""
    screen: Screening | None = None
    """Few seeds for every trial, all for the best ones: a mapping, such as {replicates: 1, confirm:
    3}."""


class RandomSearch(DrawnSearch):
    """Random draws, all of which are known before the first trial is trained."""

    kind: Literal["random"]


class AdaptiveSearch(DrawnSearch):
    """Draws that depend on the results of the earlier trials of the cell."""

    from_records: StrictBool = False
    """Begin with the results of all trials in the storage that are trials of the cell, whatever
    study trained them. They become trials of the study too, and do not count in `trials`."""
    hours: Annotated[Number, Field(gt=0)] | None = None
    """Hours that the runs of the study take together before its searches propose no more trials.
    Trials that have begun are trained to their end."""


class TpeSearch(AdaptiveSearch):
    """Draws by a tree-structured Parzen estimator of the good trials of the cell so far."""

    kind: Literal["tpe"]
    startup_trials: AtLeastOne = 10
    """Number of random draws at the start."""


class CmaEsSearch(AdaptiveSearch):
    """Draws by the evolution strategy CMA-ES; it needs at least two ranges of numbers."""

    kind: Literal["cmaes"]


Search = Annotated[GridSearch | RandomSearch | TpeSearch | CmaEsSearch, Field(discriminator="kind")]


class NoScheduler(Section):
    """Every trial is trained to its end."""

    kind: Literal["none"]

    def expected_epochs(self, max_epochs: float) -> float:
        """The epochs that a trial reaches on average."""
        return max_epochs

    def prolonged(self, factor: int) -> Self:
        """The scheduler of a training that is `factor` times as long."""
        return self


class Scheduler(Section):
    """Stops trials that fall behind in their cell, by their validation bound at milestones."""

    kind: str
    grace_epochs: Annotated[int | float, WithJsonSchema(EPOCHS_OR_SHARE)] = 5
    """Epochs before a trial can be stopped; below 1, a share of the trial's own epochs."""

    @field_validator("grace_epochs", mode="before")
    @classmethod
    def _check_grace(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and (0 < value < 1 or (value >= 1 and value % 1 == 0)):
            return value if value < 1 else int(value)
        raise ValueError(f"{value!r} must be a whole number of epochs, or a share between 0 and 1")

    @property
    def is_share(self) -> bool:
        """Whether the grace is a share of the epochs of each trial."""
        return self.grace_epochs < 1

    def grace_of(self, max_epochs: int) -> int:
        """The epochs before a trial of `max_epochs` can be stopped."""
        return ceil(self.grace_epochs * max_epochs) if self.is_share else int(self.grace_epochs)

    def milestones(self, max_epochs: int) -> list[int]:
        """The epochs before the last at which a trial may be stopped."""
        raise NotImplementedError

    def expected_epochs(self, max_epochs: float) -> float:
        """An upper limit of the epochs that a trial reaches on average."""
        return max_epochs

    def prolonged(self, factor: int) -> Self:
        """The scheduler of a training that is `factor` times as long."""
        longer = self.grace_epochs * (1 if self.is_share else factor)
        return self.model_copy(update={"grace_epochs": longer})


class AshaScheduler(Scheduler):
    """Asynchronous successive halving: one in `reduction_factor` continues at each milestone."""

    kind: Literal["asha"]
    reduction_factor: Annotated[StrictInt, Field(ge=2)] = 3
    """The reciprocal of the fraction of trials that continue at a milestone."""

    def milestones(self, max_epochs: int) -> list[int]:
        """The grace epochs times the powers of the reduction factor."""
        epochs = [self.grace_of(max_epochs)]
        while epochs[-1] * self.reduction_factor < max_epochs:
            epochs.append(epochs[-1] * self.reduction_factor)
        return [epoch for epoch in epochs if epoch < max_epochs]

    def expected_epochs(self, max_epochs: float) -> float:
        """The mean epochs of a trial if exactly one in `reduction_factor` continues each time."""
        ends = [*self.milestones(int(max_epochs)), max_epochs]
        steps = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        epochs: float = sum(step / self.reduction_factor**n for n, step in enumerate(steps))
        return epochs


class MedianScheduler(Scheduler):
    """Stops a trial whose best bound is below the median of the completed trials."""

    kind: Literal["median"]
    startup_trials: AtLeastOne = 5
    """Number of trials that must be complete before any is stopped."""

    def milestones(self, max_epochs: int) -> list[int]:
        """Every multiple of the grace epochs."""
        grace = self.grace_of(max_epochs)
        return list(range(grace, max_epochs, grace))


SchedulerChoice = Annotated[
    NoScheduler | AshaScheduler | MedianScheduler, Field(discriminator="kind")
]
