"""Rules on the curve of a run: still rising at its limit, learning rate too large or too small."""

from collections.abc import Mapping
from enum import Enum
from itertools import accumulate
from math import sqrt

from gmm_study.diagnosis.finding import (
    ERRORS,
    Finding,
    Missing,
    Verdict,
    percent,
    setting,
    size,
    with_error,
)
from gmm_study.diagnosis.run import Points, Run
from gmm_study.training.ending import FRACTION
from gmm_study.training.state import Ending

RISING, TOO_LARGE, TOO_SMALL = "still rising", "learning rate too large", "learning rate too small"
MORE_EPOCHS = 0.5
"""A rise is judged by what it would add over this multiple of the epochs."""
KEPT_LATE = 0.1
"""A rise counts only if the epoch that was kept is in this last part of the epochs. If it is an
earlier one, the end of the training is below what was kept, and its slope changes no result."""
PART_OF_MARGIN = 0.5
"""A rise counts if it would add more than this part of the margin.

A curve that approaches its limit like 1/epoch gains twice as much after its end as its last slope
adds over half as many epochs again; one that approaches it exponentially gains less. So a replicate
that is below this floor is at most about the margin away from its limit."""
LONGER = 5
"""The factor of the epochs that is proposed to see whether more training gains more."""
SLOWER, FASTER = 3, 10
"""The factors of the learning rate that are proposed. A rate that is too large is often so by
little; one at which the curve has not bent is too small by more."""
LEAST_POINTS, MOST_SHORT = 10, 20
"""The swing of a curve is measured over half of its epochs, and over 10 to 20 of them; over more if
these are less than a tenth."""
OF_SWING = sqrt(35.0 / 36.0)
"""The relative standard error of a swing times the root of its number of second differences: their
mean square over 6 has the variance 35/9 sigma^4 / n for independent normal noise."""
ROUNDING = 1e-9
SHARE_OF_LAST_QUARTER = (2.0**-1.5 - 2.0**-2) / (1.0 - 2.0**-2)
"""A curve that approaches its limit exponentially, and halves its distance twice in the training,
gains this share of its gain in the last quarter. A quarter of its way is then still to go."""
LIMITS = {
    Ending.EPOCHS: "the limit of epochs",
    Ending.TIME: "the limit of time",
    Ending.SCHEDULE: "the end of its schedule",
}
"""What ended a training that had not converged, in words."""


class Rise(Enum):
    """Whether a criterion was still rising when its training ended."""

    NONE = "no rise that matters"
    UNCLEAR = "a rise that would matter and may be noise"
    CLEAR = "a rise"


def judge_rise(
    rise: float, error: float, best_epoch: float, epochs: float, margin: float
) -> tuple[Rise, float]:
    """The judgement of a slope in nats an epoch, and what it adds over half as many epochs again.

    It matters if it would add more than `PART_OF_MARGIN` of the margin, and if the kept epoch is
    one of the last. It is clear above twice its standard error.
    """
    more = MORE_EPOCHS * rise * epochs
    matters = more > PART_OF_MARGIN * margin and best_epoch > (1.0 - KEPT_LATE) * epochs
    if not matters:
        return Rise.NONE, more
    return (Rise.CLEAR if rise > ERRORS * error else Rise.UNCLEAR), more


def still_rising(run: Run) -> Verdict:
    """Whether a limit ended the training while its validation criterion was still rising."""
    rise, error = run.metric("valid/rise"), run.metric("valid/rise_se")
    ended = run.result
    if rise is None or error is None or ended.ending is None:
        lacks = "its end has no slope: the record is old or too few epochs were validated"
        return Missing(RISING, "it diverged" if run.diverged else lacks)
    found, more = judge_rise(rise, error, ended.best_epoch, ended.epochs, run.margin)
    figure = f"its criterion rose by {with_error(rise, error)} nats an epoch at its end"
    known = {"rise": rise, "rise_se": error, "over_half_as_many_epochs": more}
    threshold = (
        f"A slope counts above {ERRORS:g} of its standard errors, if it would add more than "
        f"{PART_OF_MARGIN * run.margin:g} nats over half as many epochs again."
    )
    limit = LIMITS.get(ended.ending)
    if limit is None or found is not Rise.CLEAR:
        return Finding(RISING, False, figure, threshold, values=known)
    what = (
        f"The validation criterion was still rising by {with_error(rise, error)} nats an epoch "
        f"when {limit} ended it after {ended.epochs} epochs: {size(more)} nats over half as many "
        "again."
    )
    limited_by = "max_seconds" if ended.ending is Ending.TIME else "max_epochs"
    limited = getattr(run.last_stage, limited_by)
    to_do = f"Train longer, as with {limited_by}={LONGER * limited:g}."
    return Finding(RISING, True, figure, threshold, what, to_do, known)


def rate_too_large(run: Run) -> Verdict:
    """Whether the criterion swings from epoch to epoch at the end, or the bound was not finite.

    The swing is the standard deviation of independent noise whose second differences have the mean
    square of those of the curve. A smooth curve has none, however it bends.
    """
    rate = run.last_stage.learning_rate
    threshold = (
        f"A swing counts if it is above {PART_OF_MARGIN * run.margin:g} nats by {ERRORS:g} of its "
        "standard errors: parameters then jump by so much with every epoch, and the kept epoch is "
        "a lucky one."
    )
    lower = f"Use a smaller learning rate, as with learning_rate={setting(rate / SLOWER)}"
    if run.diverged:
        what = f"Its bound was not finite in epoch {run.result.epochs}."
        known = {"epochs": float(run.result.epochs)}
        always = "A bound that is not finite ends a training."
        return Finding(TOO_LARGE, True, what, always, what, f"{lower}.", known)
    points = run.criterion
    if len(points) < 2 * LEAST_POINTS:
        return Missing(TOO_LARGE, f"fewer than {2 * LEAST_POINTS} epochs of it were validated")
    swing, error = swing_of(points)
    figure = f"epochs swing by {with_error(swing, error)} nats at its end"
    known = {"swing": swing, "swing_se": error}
    if swing - ERRORS * error <= PART_OF_MARGIN * run.margin:
        return Finding(TOO_LARGE, False, figure, threshold, values=known)
    what = (
        "At the end of the training, the validation criterion swings by "
        f"{with_error(swing, error)} nats from epoch to epoch, at a learning rate of {rate:g}."
    )
    falls = "" if run.last_stage.schedule != "constant" else ", or one that falls: schedule=cosine"
    return Finding(TOO_LARGE, True, figure, threshold, what, f"{lower}{falls}.", known)


def swing_of(points: Points) -> tuple[float, float]:
    """The swing of a curve at its end in nats, and its standard error; at least 20 points.

    It is taken over the last tenth of the points, but over at least the last 20, or half of fewer
    than 40.
    """
    count = max(min(MOST_SHORT, len(points) // 2), len(points) // FRACTION)
    swing = _noise_of(points[-count:])
    return swing, swing * OF_SWING / sqrt(count - 2)


def rate_too_small(run: Run) -> Verdict:
    """Whether the curve has hardly bent: its last quarter gained nearly as much as any other.

    Quarters are those of the sum of the learning rates, so a falling rate is no reason to slow
    down.
    """
    points, rates = run.criterion, dict(run.rates)
    if len(points) < LEAST_POINTS or not all(epoch in rates for epoch, _ in points):
        why = f"fewer than {LEAST_POINTS} epochs of it were validated"
        return Missing(TOO_SMALL, "it diverged" if run.diverged else why)
    first, before, last = points[0][1], _before_last_quarter(points, rates), points[-1][1]
    whole, late, noise = last - first, last - before, _noise_of(points[-LEAST_POINTS:])
    threshold = (
        f"A share counts from {percent(SHARE_OF_LAST_QUARTER)} on, by {ERRORS:g} of its standard "
        "errors: an exponential approach then has a quarter of its way still to go. The gain must "
        f"exceed {run.margin:g} nats, or the model be no better than independent pixels."
    )
    if whole <= 0.0:
        figure = f"it gained nothing after its first epoch ({size(whole)} nats)"
        return Finding(TOO_SMALL, False, figure, threshold, values={"gain": whole})
    part = late / whole
    error = noise / whole * sqrt((1.0 - part) ** 2 + 1.0 + part**2)
    shown = percent(part, error)
    figure = f"{shown} of its gain came in the last quarter of its training"
    known = {"gain": whole, "share_of_last_quarter": part, "share_of_last_quarter_se": error}
    matters = late > run.margin or run.result.collapsed
    if part - ERRORS * error < SHARE_OF_LAST_QUARTER or not matters:
        return Finding(TOO_SMALL, False, figure, threshold, values=known)
    rate = run.last_stage.learning_rate
    what = (
        f"The curve has hardly bent: {shown} of the {size(whole)} nats that it gained came in the "
        f"last quarter of the training, at a learning rate of {rate:g}."
    )
    larger = f"a larger learning rate, as with learning_rate={setting(FASTER * rate)}"
    to_do = f"Use {larger}, or train longer."
    return Finding(TOO_SMALL, True, figure, threshold, what, to_do, known)


def _before_last_quarter(points: Points, rates: Mapping[int, float]) -> float:
    """The criterion where three quarters of the sum of the rates since the first point are over."""
    start, end = points[0][0], points[-1][0]
    epochs = sorted(epoch for epoch in rates if start < epoch <= end)
    sums = dict(zip(epochs, accumulate(rates[epoch] for epoch in epochs), strict=True))
    reached = 0.75 * sums[end] * (1.0 - ROUNDING)
    return next(value for epoch, value in points[1:] if sums[epoch] >= reached)


def _noise_of(points: Points) -> float:
    """The standard deviation of independent noise with the second differences of these points."""
    values = [value for _, value in points]
    bends = [a - 2.0 * b + c for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return sqrt(sum(bend**2 for bend in bends) / len(bends) / 6.0)
