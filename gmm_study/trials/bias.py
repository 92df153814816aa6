"""By how much an estimate of log p is too low, from its gain with every doubling of K.

The K-sample estimate L_K of log p(x) is too low in expectation, by a bias that falls as K grows.
The two gaps of `estimate_log_p` show how fast: the gain from K/4 to K/2 samples, and from K/2 to K.
If the bias falls like K^-a, the gaps fall by the factor r = 2^-a with every doubling, and those
that are still to come sum to gap * r / (1 - r), which is Aitken's extrapolation. Weights of finite
variance have a = 1 once K is large enough, and the bias then equals the gap. For smaller K, skewed
weights have a < 1 and a larger bias; a few kinds of weights have a > 1 and a smaller one.
"""

from dataclasses import dataclass
from math import exp, hypot, inf, isfinite
from statistics import NormalDist

ROUNDING = 1e-9
"""A gap of up to this many nats counts as zero."""
LARGEST_EXPONENT = 300.0


@dataclass(frozen=True)
class BiasInterval:
    """An interval of log p - E L_K, in nats."""

    lower: float
    upper: float
    """Infinite if the gaps set no upper limit."""

    @property
    def converged(self) -> bool:
        """Whether the gaps set an upper limit; if they do not, the estimate has not converged in K.

        Then the gaps do not clearly fall as K grows (or there are too few datapoints to tell), and
        log p may exceed the estimate by any amount: use a larger K.
        """
        return isfinite(self.upper)


def bias_interval(
    gap: float,
    gap_error: float,
    gap_before: float,
    gap_before_error: float,
    level: float = 0.95,
) -> BiasInterval:
    """A two-sided interval of the bias log p - E L_K >= 0, from means over datapoints in nats.

    `gap` is the mean of L_K - L_{K/2}, `gap_before` that of L_{K/2} - L_{K/4}, each with its
    standard error over the datapoints. The interval assumes that the rate of fall only moves
    towards a = 1 as K grows. So it reaches from the smaller to the larger of the bias at a = 1 and
    that at the measured rate, with both the gap and the rate at their confidence limits. It is
    wider than necessary where the rate changes with K.

    Measured coverage at the nominal 95 percent, with 50, 300 and 1,000 datapoints and K = 100 and
    1,000: 95 to 100 percent for log-normal weights (variances of log w from 0.5 to 10), for gamma
    weights (shapes from 0.02 to 10) and for small belief networks
    (docs/explanation/estimators.md#bias). It cannot cover what no sample has shown: a proposal q
    that misses a part of the posterior altogether looks converged.

    If an argument is not finite, the interval is 0 to infinity.
    """
    if not all(map(isfinite, (gap, gap_error, gap_before, gap_before_error))):
        return BiasInterval(0.0, inf)
    quantile = NormalDist().inv_cdf(0.5 + level / 2.0)
    if gap <= ROUNDING:
        return BiasInterval(0.0, ROUNDING + quantile * gap_error)
    if gap_before <= ROUNDING:
        return BiasInterval(0.0, inf)
    # Gaps are sums of squares, with errors in proportion to them: limits are taken on a log scale.
    errors = gap_error / gap, gap_before_error / gap_before
    of_gap, of_rate = (
        exp(min(quantile * error, LARGEST_EXPONENT)) for error in (errors[0], hypot(*errors))
    )
    rate = gap / gap_before
    return BiasInterval(
        gap / of_gap * min(1.0, _still_to_come(rate / of_rate)),
        gap * of_gap * max(1.0, _still_to_come(rate * of_rate)),
    )


def _still_to_come(rate: float) -> float:
    """The sum of all later gaps as a multiple of the last one, if each is `rate` times the last."""
    return rate / (1.0 - rate) if rate < 1.0 else inf
