"""The learning rate of every epoch, as a function of the configuration and the epoch alone.

A resumed training therefore needs no state of the schedule. The formulas are in
docs/spec.md#training.
"""

from math import cos, exp, log, pi

from gmm_study.training.hyperparameters import Hyperparameters


def learning_rate(settings: Hyperparameters, epoch: int) -> float:
    """The learning rate in an epoch, which is counted from 1.

    In the W epochs of the warm-up it is epoch / (W + 1) of the full rate. It then stays at the full
    rate for `hold_epochs`, and falls from there on.
    """
    full, warm_up = settings.learning_rate, settings.warm_up_epochs
    if epoch <= warm_up:
        return full * epoch / (warm_up + 1)
    falling = epoch - warm_up - settings.hold_epochs
    if settings.schedule == "constant" or falling <= 0:
        return full
    if settings.schedule == "step":
        steps = (falling - 1) // settings.step_epochs
        fallen: float = full * settings.step_factor**steps
        return fallen
    last = settings.max_epochs - warm_up - settings.hold_epochs
    return _between(settings.schedule, full, settings.final_learning_rate, falling / last)


def ends_fallen(settings: Hyperparameters) -> bool:
    """Whether the rate of the last of `max_epochs` has fallen below the full rate."""
    last = settings.max_epochs
    risen = last > settings.warm_up_epochs
    return risen and learning_rate(settings, last) < settings.learning_rate


def can_be_continued(settings: Hyperparameters) -> bool:
    """Whether a training with a higher `max_epochs` begins exactly like this one.

    It does at a constant rate, in a single stage. The last epoch must be one that the longer
    training validates too.
    """
    return why_not_continued(settings) is None


def why_not_continued(settings: Hyperparameters) -> str | None:
    """The setting that keeps a longer training from beginning like this one; None if none does."""
    only, *further = settings.stage_list
    if further:
        return f"stages: {1 + len(further)} must be one"
    if only.schedule != "constant":
        return f"schedule: '{only.schedule}' must be constant"
    if only.max_epochs % only.validate_every:
        return (
            f"validate_every: {only.validate_every} does not divide its max_epochs, "
            f"{only.max_epochs}, so its last epoch is one that the longer trial does not validate"
        )
    return None


def _between(kind: str, start: float, end: float, fraction: float) -> float:
    """The rate after a fraction of the way from `start` to `end`, which it reaches exactly."""
    if fraction >= 1.0:
        return end
    if kind == "exponential":
        return start * exp(fraction * log(end / start))
    part = (1.0 + cos(pi * fraction)) / 2.0 if kind == "cosine" else 1.0 - fraction
    return end + (start - end) * part
