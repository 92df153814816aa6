"""How a study searches its space, and which trials it stops early."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt

from gmm_study.study.axis import AtLeastOne, Section


class GridSearch(Section):
    """Every cell of the grid once."""

    kind: Literal["grid"]


class DrawnSearch(Section):
    """So many trials in every cell of the grid: the points first, then what the search draws.

    A point has a value for every axis that is no grid; points that are known to be good make a
    search good that is cut short.
    """

    kind: str
    trials: AtLeastOne
    """How many in every cell."""
    seed: StrictInt = 0
    """Of the draws."""
    points: list[dict[str, Any]] = Field(default_factory=list)
    """What is tried first: settings with a value for every axis that is no grid."""


class RandomSearch(DrawnSearch):
    """Draws at random, all known before the first is trained."""

    kind: Literal["random"]


class TpeSearch(DrawnSearch):
    """Draws by a tree-structured Parzen estimator of what was good so far in the cell."""

    kind: Literal["tpe"]
    startup_trials: AtLeastOne = 10
    """Draws at random that come first."""


class CmaEsSearch(DrawnSearch):
    """Draws by an evolution strategy that adapts its covariance, over two ranges or more."""

    kind: Literal["cmaes"]


Search = Annotated[GridSearch | RandomSearch | TpeSearch | CmaEsSearch, Field(discriminator="kind")]


class NoScheduler(Section):
    """Every trial is trained to its end."""

    kind: Literal["none"]

    def expected_epochs(self, max_epochs: float) -> float:
        """How far a trial comes on average."""
        return max_epochs


class Scheduler(Section):
    """Stops the trials of a cell that fall behind, by their validation bound at certain epochs."""

    kind: str
    grace_epochs: AtLeastOne = 5
    """Epochs that every trial gets."""

    def milestones(self, max_epochs: int) -> list[int]:
        """The epochs before the last at which a trial may be stopped."""
        raise NotImplementedError

    def expected_epochs(self, max_epochs: float) -> float:
        """How far a trial comes on average, at most."""
        return max_epochs


class AshaScheduler(Scheduler):
    """Asynchronous successive halving: one in `reduction_factor` goes on at every milestone."""

    kind: Literal["asha"]
    reduction_factor: Annotated[StrictInt, Field(ge=2)] = 3
    """One trial in so many goes on at a milestone."""

    def milestones(self, max_epochs: int) -> list[int]:
        """The grace epochs times the powers of the factor."""
        epochs = [self.grace_epochs]
        while epochs[-1] * self.reduction_factor < max_epochs:
            epochs.append(epochs[-1] * self.reduction_factor)
        return [epoch for epoch in epochs if epoch < max_epochs]

    def expected_epochs(self, max_epochs: float) -> float:
        """How far a trial comes on average, were exactly one in the factor to go on."""
        ends = [*self.milestones(int(max_epochs)), max_epochs]
        steps = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        epochs: float = sum(step / self.reduction_factor**n for n, step in enumerate(steps))
        return epochs


class MedianScheduler(Scheduler):
    """Stops a trial whose best bound is below the median of those that were trained to the end."""

    kind: Literal["median"]
    startup_trials: AtLeastOne = 5
    """So many are trained to the end before any is stopped."""

    def milestones(self, max_epochs: int) -> list[int]:
        """Every multiple of the grace epochs."""
        return list(range(self.grace_epochs, max_epochs, self.grace_epochs))


SchedulerChoice = Annotated[
    NoScheduler | AshaScheduler | MedianScheduler, Field(discriminator="kind")
]
