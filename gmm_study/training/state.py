"""The states of a trial and of its replicates."""

from enum import StrEnum


class TrialState(StrEnum):
    """The state of a trial; records, tables and MLflow use the same words.

    A replicate is `running` while it is trained, and ends `complete` or `diverged`.
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    DIVERGED = "diverged"
    """Its bound was not finite; of a trial, that of every replicate."""
    FAILED = "failed"
    """It was ended by an error, or its record cannot be read."""
    STOPPED = "stopped"
    """It was stopped early by a scheduler."""

    @property
    def has_result(self) -> bool:
        """Whether training has come to its end, successfully or not."""
        return self in (TrialState.COMPLETE, TrialState.DIVERGED)

    @property
    def is_over(self) -> bool:
        """Whether it is neither being trained nor about to be: it has a result, failed, or stopped.

        A later run may continue a failed or stopped trial.
        """
        return self not in (TrialState.PENDING, TrialState.RUNNING)


class Ending(StrEnum):
    """Why the training of a replicate ended; records, tables and MLflow use the same words."""

    CONVERGED = "converged"
    """The validation criterion did not improve for `patience` epochs."""
    SCHEDULE = "schedule"
    """Its falling learning rate came to its end."""
    EPOCHS = "epochs"
    """It reached the maximum number of epochs at a constant learning rate."""
    TIME = "time"
    """It reached the maximum of training seconds."""
    DIVERGED = "diverged"
    """Its bound was not finite."""


CONTINUABLE = (Ending.CONVERGED, Ending.EPOCHS)
"""The endings after which training can go on with a higher `patience` or `max_epochs`."""
