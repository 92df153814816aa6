"""What a difference shows: an effect, no effect beyond the margin, or neither, in words."""

from bisect import bisect_left
from collections.abc import Iterable
from math import isfinite

from analysis.labels import ROUNDING, decimals, error_label, nats
from analysis.statistics import CONFIDENCE, EQUIVALENCE, Estimate

MOST_SEEDS = 1000
"""Of more seeds than this, a sentence does not give the number."""


def differs(difference: Estimate) -> bool:
    """Whether the 95% interval excludes 0."""
    low, high = difference.interval(CONFIDENCE)
    return low > ROUNDING or high < -ROUNDING


def is_equivalent(difference: Estimate, margin: float) -> bool:
    """Whether the 90% interval lies within ± margin: two one-sided tests at 5% (TOST)."""
    low, high = difference.interval(EQUIVALENCE)
    return -margin < low and high < margin


def in_words(difference: Estimate, margin: float, up: str, down: str, collapsed: str = "") -> str:
    """Such as `gains 1.24 ± 0.16 (95% interval 0.9 to 1.6)`, in nats.

    `up` and `down` are the verbs for a positive and a negative effect. Without an effect, the words
    say either that there is none beyond the margin, or that it is not resolved and what would be
    needed, or which replicates have `collapsed`, as their spread says nothing about others. Equal
    values are named as such.
    """
    if difference.same:
        return "no difference (the same values in every replicate)"
    places = decimals([difference.standard_error])
    if difference.n == 1:
        return f"{nats(difference.mean, places, True)} ({_one_replicate(difference, places)})"
    error = f"± {error_label(difference.standard_error, places)}"
    error += "" if difference.paired else ", not paired over seeds"
    if differs(difference):
        verb, size = (up if difference.mean > 0 else down), abs(difference.mean)
        shown = f"95% interval {size_interval(difference, places)}"
        text = f"{verb} {nats(size, places)} {error} ({shown})"
        within = is_equivalent(difference, margin)
        return f"{text}, within the margin of {margin:g}" if within else text
    text = f"{nats(difference.mean, places, True)} {error}"
    if is_equivalent(difference, margin):
        shown = interval_in_words(difference, places, EQUIVALENCE)
        return f"{text} (no difference beyond the margin of {margin:g}: 90% interval {shown})"
    shown = interval_in_words(difference, places)
    needed = collapsed or what_would_decide(difference, margin)
    return f"{text} (not resolved: 95% interval {shown}; {needed})"


def which_error(differences: Iterable[Estimate]) -> str:
    """A remark where errors do not include that over data; empty if all do."""
    lacking = any(not each.knows_data and each.n > 1 for each in differences)
    return "errors over seeds alone, as values of single datapoints are missing" * lacking


def what_would_decide(difference: Estimate, margin: float) -> str:
    """What a difference that is not resolved needs, if its size and its spreads stay the same."""
    if not _is_decided(difference.with_seeds(100 * MOST_SEEDS), margin):
        return "more seeds would not decide, more test data might"
    if not _is_decided(difference.with_seeds(MOST_SEEDS), margin):
        return f"it takes more than {MOST_SEEDS:,} seeds to decide"
    wanted = range(difference.n, MOST_SEEDS + 1)
    first = bisect_left(wanted, True, key=lambda n: _is_decided(difference.with_seeds(n), margin))
    return f"about {wanted[first]} seeds would decide"


def _is_decided(difference: Estimate, margin: float) -> bool:
    return differs(difference) or is_equivalent(difference, margin)


def interval_in_words(difference: Estimate, places: int, confidence: float = CONFIDENCE) -> str:
    """`-0.9 to 1.6`."""
    low, high = difference.interval(confidence)
    return f"{nats(low, places)} to {nats(high, places)}"


def size_interval(difference: Estimate, places: int) -> str:
    """`0.9 to 1.6`: the 95% interval of the size of a difference that is an effect."""
    ends = sorted(map(abs, difference.interval()))
    return f"{nats(ends[0], places)} to {nats(ends[1], places)}"


def _one_replicate(difference: Estimate, places: int) -> str:
    text = "one replicate, so no error over seeds"
    if isfinite(difference.over_data):
        return f"{text}; ± {error_label(difference.over_data, places)} over test data"
    return text
