"""Where a trial stands by its record: result and status, read together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gmm_study.training.state import TrialState
from gmm_study.trials.result import ReplicateResult, TrialResult
from gmm_study.trials.status import TrialStatus


@dataclass(frozen=True)
class Standing:
    """What a trial's record held when it was read, for some number of wanted replicates."""

    state: TrialState = TrialState.PENDING
    """Of the wanted replicates; `failed` where the result cannot be read."""
    rest: TrialState = TrialState.PENDING
    """Of the replicates that have no result, wanted or not: pending, running, failed, stopped."""
    result: TrialResult | None = None
    status: TrialStatus = field(default_factory=TrialStatus)
    problem: str = ""
    """Why the result cannot be read."""

    @property
    def ended(self) -> Mapping[int, ReplicateResult]:
        """The replicates that have ended, by number."""
        return self.result.replicates if self.result else {}

    @property
    def on_gpu(self) -> bool:
        """Whether its last replicates were trained on a GPU."""
        return self.result is not None and self.result.on_gpu

    @property
    def epoch(self) -> int:
        """The epoch from which the replicates that have not ended go on."""
        return 0 if self.status.state.has_result else self.status.epoch or 0

    def unended(self, replicates: int) -> int:
        """How many of the wanted replicates have not ended."""
        return sum(number not in self.ended for number in range(replicates))

    def reached(self, replicates: int) -> str:
        """What a trial that will go on has reached, as `2 of 3 replicates, epoch 30`."""
        ended = replicates - self.unended(replicates)
        parts = [f"{ended} of {replicates} replicates"] if 0 < ended < replicates else []
        return ", ".join([*parts, *([f"epoch {self.epoch}"] if self.epoch else [])])
