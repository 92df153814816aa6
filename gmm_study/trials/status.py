"""A trial's status, the content of `status.json`: its progress, or why it failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gmm_study.training.state import TrialState
from gmm_study.trials.fields import field_of, optional_field, optional_number


class Phase(StrEnum):
    """What a process is doing with a trial."""

    TRAINING = "training"
    EVALUATING = "evaluating"
    COMPLETE = "complete"


WAITING = "waiting"
"""What a worker reports instead of a state while another process holds the trial."""


@dataclass(frozen=True)
class TrialStatus:
    """The status that a trial's last process wrote; None for fields that it did not write."""

    state: TrialState = TrialState.PENDING
    time: float | None = None
    """When it was written, in seconds since 1970."""
    host: str | None = None
    pid: int | None = None
    epoch: int | None = None
    """The lowest epoch of the replicates that were still being trained."""
    max_epochs: int | None = None
    phase: str | None = None
    bound: float | None = None
    """Mean over replicates of the best validation bound so far, nats."""
    seconds_left: float | None = None
    warning: str | None = None
    error: str | None = None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "TrialStatus":
        """Parse the content of `status.json`. Raises `ValueError`, which names the wrong field."""
        return cls(
            TrialState(field_of(document, "state", str)),
            optional_number(document, "time"),
            optional_field(document, "host", str),
            optional_field(document, "pid", int),
            optional_field(document, "epoch", int),
            optional_field(document, "max_epochs", int),
            optional_field(document, "phase", str),
            optional_number(document, "bound"),
            optional_number(document, "seconds_left"),
            optional_field(document, "warning", str),
            optional_field(document, "error", str),
        )
