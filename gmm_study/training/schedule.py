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
    only, *further = settings.stage_list
    in_step = only.max_epochs % only.validate_every == 0
    return only.schedule == "constant" and not further and in_step


def _between(kind: str, start: float, end: float, fraction: float) -> float:
    """The rate after a fraction of the way from `start` to `end`, which it reaches exactly."""
    if fraction >= 1.0:
        return end
    if kind == "exponential":
        return start * exp(fraction * log(end / start))
    part = (1.0 + cos(pi * fraction)) / 2.0 if kind == "cosine" else 1.0 - fraction
    return end + (start - end) * part
