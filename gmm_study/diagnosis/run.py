"""What the record of a trial says of one replicate, which the rules on records judge."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gmm_study.training.ending import AVERAGED, criterion_of
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import Ending, TrialState
from gmm_study.trials.margin import MARGIN
from gmm_study.trials.result import ReplicateResult, TrialResult

Points = Sequence[tuple[int, float]]
"""Epochs in order, each with a value."""
_OF_A_WHOLE_STAGE = (Ending.EPOCHS, Ending.SCHEDULE)


@dataclass(frozen=True)
class Run:
    """One replicate that has ended, by its record.

    `curves` has the points of each curve by split and metric, such as `("valid", "bound")`.
    """

    settings: Hyperparameters
    result: ReplicateResult
    curves: Mapping[tuple[str, str], Points] = field(default_factory=dict)
    margin: float = MARGIN
    """What matters, in nats."""

    @property
    def diverged(self) -> bool:
        """Whether it ended because its bound was not finite."""
        return self.result.state is TrialState.DIVERGED

    @property
    def last_stage(self) -> Hyperparameters:
        """The settings of its last stage."""
        return self.settings.stage_list[-1]

    @property
    def before_last_stage(self) -> int | None:
        """The number of epochs before its last stage; None if the record does not show it."""
        if len(self.settings.stage_list) == 1:
            return 0
        if self.result.ending in _OF_A_WHOLE_STAGE:
            return self.result.epochs - self.last_stage.max_epochs
        return None

    @property
    def criterion(self) -> Points:
        """The validation criterion of the parameters that are kept, by epoch of its last stage."""
        name = criterion_of(self.last_stage)
        averaged = self.curves.get(("valid", f"{name}{AVERAGED}"), ())
        points = averaged if self.result.kept == "averaged" and averaged else None
        found = self.curves.get(("valid", name), ()) if points is None else points
        before = self.before_last_stage
        return [] if before is None else [point for point in found if point[0] > before]

    @property
    def rates(self) -> Points:
        """The learning rate of every epoch of its last stage."""
        before = self.before_last_stage or 0
        rates = self.curves.get(("train", "learning_rate"), ())
        return [point for point in rates if point[0] > before]

    def metric(self, name: str) -> float | None:
        """A final metric of its result; None if the record lacks it or it is not finite."""
        value = self.result.metrics.get(name)
        return value if value is not None and abs(value) < float("inf") else None


def runs_of(
    settings: Hyperparameters,
    result: TrialResult,
    rows: Iterable[Mapping[str, Any]],
    margin: float = MARGIN,
) -> dict[int, Run]:
    """The replicates of a trial that have ended, by number; `rows` are those of its curves."""
    curves: dict[int, dict[tuple[str, str], list[tuple[int, float]]]] = defaultdict(dict)
    for row in rows:
        own = curves[row["replicate"]].setdefault((row["split"], row["metric"]), [])
        own.append((row["epoch"], row["value"]))
    return {
        number: Run(settings, each, curves[number], margin)
        for number, each in result.replicates.items()
    }
