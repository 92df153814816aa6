"""The states of a trial and of its replicates, the one place that lists them."""

from enum import StrEnum


class TrialState(StrEnum):
    """Where a trial stands; records, tables and MLflow have the same words.

    A replicate that is being trained is `running`, and ends `complete` or `diverged`.
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    DIVERGED = "diverged"
    """Its bound was not finite: of a trial, that of every replicate."""
    FAILED = "failed"
    """An error ended it, or its record cannot be read."""
    STOPPED = "stopped"
    """A scheduler ended it early."""

    @property
    def has_result(self) -> bool:
        """Whether training came to its end, well or not."""
        return self in (TrialState.COMPLETE, TrialState.DIVERGED)

    @property
    def is_over(self) -> bool:
        """Whether nothing trains it any more or is about to: it has a result, failed, or stopped.

        A failed or stopped trial may be taken up again by a later run.
        """
        return self not in (TrialState.PENDING, TrialState.RUNNING)
