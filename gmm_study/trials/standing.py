"""The standing of a trial: its result and its status, read together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gmm_study.training.state import TrialState
from gmm_study.trials.result import ReplicateResult, TrialResult
from gmm_study.trials.status import TrialStatus


@dataclass(frozen=True)
class Standing:
    """The content of a trial's record at one moment, for some number of wanted replicates."""

    state: TrialState = TrialState.PENDING
    """The state of the wanted replicates; `failed` if the result cannot be read."""
    rest: TrialState = TrialState.PENDING
    """The state of the replicates without a result, wanted or not: pending, running, failed,
    stopped."""
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
        """Whether the replicates that ended last were trained on a GPU."""
        return self.result is not None and self.result.on_gpu

    @property
    def epoch(self) -> int:
        """The epoch from which the replicates that have not ended will continue."""
        return 0 if self.status.state.has_result else self.status.epoch or 0

    def unended(self, replicates: int) -> int:
        """How many of the wanted replicates have not ended."""
        return sum(number not in self.ended for number in range(replicates))

    def reached(self, replicates: int) -> str:
        """The progress of a trial that will be continued, as `2 of 3 replicates, epoch 30`."""
        ended = replicates - self.unended(replicates)
        parts = [f"{ended} of {replicates} replicates"] if 0 < ended < replicates else []
        return ", ".join([*parts, *([f"epoch {self.epoch}"] if self.epoch else [])])
