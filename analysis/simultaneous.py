"""Critical values for one comparison, for many with one reference, and for all pairs of arms.

An interval of `critical` standard errors around each of several differences covers all of them at
once with the given confidence. The distributions are those of arms with one variance and equal
numbers of replicates: Student's t for a single comparison; Dunnett (1955) for k arms against one
reference; Tukey's studentised range for all pairs. They are integrated numerically, so the same
report always gets the same intervals (`scipy.stats.dunnett` draws random points).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

Kind = Literal["single", "reference", "pairs"]
_NODES = 48
"""Of the integral over the estimated standard deviation."""
_WIDTH, _STEPS = 8.0, 65
"""Range and number of points of the integral over a standard normal variable."""


@dataclass(frozen=True)
class Family:
    """Comparisons that are judged together: one, `arms` with a reference, or pairs of `arms`."""

    kind: Kind = "single"
    arms: int = 1

    def critical(self, freedom: float, confidence: float) -> float:
        """The half-width in standard errors, from an error with that many degrees of freedom.

        `freedom` may be infinite. NaN without a degree of freedom.
        """
        from scipy.special import stdtrit  # type: ignore[import-untyped]

        if not freedom > 0:
            return float("nan")
        one = float(stdtrit(freedom, (1 + confidence) / 2))
        is_single = self.kind == "single" or self.arms == (1 if self.kind == "reference" else 2)
        return one if is_single else _solved(self, freedom, confidence, one)

    def coverage(self, critical: float, freedom: float) -> float:
        """The probability that all standardised differences are within ± `critical`."""
        from scipy.special import ndtr

        z = np.linspace(-_WIDTH, _WIDTH, _STEPS)
        density = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
        deviations, weights = _deviations(freedom)
        far = 2**0.5 * critical * deviations[:, None]
        if self.kind == "pairs":
            inside = self.arms * (ndtr(z) - ndtr(z - far)) ** (self.arms - 1)
        else:
            inside = (ndtr(z + far) - ndtr(z - far)) ** self.arms
        return float(weights @ (inside @ density))


ONE = Family()


@lru_cache(maxsize=1024)
def _solved(family: Family, freedom: float, confidence: float, one: float) -> float:
    """The critical value, between that of one comparison and Bonferroni's."""
    from scipy.optimize import brentq  # type: ignore[import-untyped]
    from scipy.special import stdtrit

    arms = family.arms
    count = arms if family.kind == "reference" else arms * (arms - 1) // 2
    high = float(stdtrit(freedom, 1 - (1 - confidence) / 2 / count))

    def beyond(critical: float) -> float:
        return family.coverage(critical, freedom) - confidence

    return float(brentq(beyond, one, 1.01 * high, xtol=1e-6))


def _deviations(freedom: float) -> tuple[np.ndarray, np.ndarray]:
    """Values of an estimated standard deviation whose true value is 1, with their weights."""
    from scipy.special import chdtri

    if np.isinf(freedom):
        return np.ones(1), np.ones(1)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    upper = 0.5 * (1.0 - nodes)
    return np.sqrt(chdtri(freedom, upper) / freedom), 0.5 * weights
