"""What a rule says of a run: a finding with its figure, or why it could not judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, isfinite, log10

ERRORS = 2.0
"""A difference counts above its threshold if it is also so many of its standard errors above 0; a
swing, a share, dead units and saturated layers count if they are as many beyond their threshold."""
MOST_PLACES = 6


@dataclass(frozen=True)
class Finding:
    """The verdict of a rule on one replicate; it has its figure also if the rule found nothing."""

    rule: str
    """The name of the rule, such as `still rising`."""
    found: bool
    figure: str
    """What was measured, with its standard error."""
    threshold: str
    """From which figure on it counts, and why."""
    what: str = ""
    """What is wrong, a sentence with its figure; empty if nothing is."""
    to_do: str = ""
    """What to do, with the setting to change; empty if nothing is wrong."""
    values: Mapping[str, float] = field(default_factory=dict)
    """The figures by name, in nats if not said otherwise; standard errors end in `_se`."""


@dataclass(frozen=True)
class Missing:
    """A rule that could not judge, and why."""

    rule: str
    why: str


Verdict = Finding | Missing


def with_error(value: float, error: float) -> str:
    """`0.012 ± 0.001`: the value to the digits of its standard error; alone without a known one."""
    if not isfinite(error) or error < 10.0**-MOST_PLACES:
        return size(value)
    places = min(max(1 - floor(log10(error)), 0), MOST_PLACES)
    return f"{value:,.{places}f} ± {error:,.{places}f}"


def size(value: float) -> str:
    """Two significant digits: `0.0042`, `0.30`, `12`, `1,234`."""
    if abs(value) >= 10 or not isfinite(value):
        return f"{value:,.0f}"
    return f"{value:#.2g}" if abs(value) >= 1e-4 or value == 0.0 else f"{value:.1g}"


def percent(value: float, error: float = 0.0) -> str:
    """`24%`, or `24% ± 3%`; an error below half a percent is left out."""
    return f"{value:.0%} ± {error:.0%}" if error >= 0.005 else f"{value:.0%}"


def setting(value: float) -> str:
    """A value to try, to one significant digit: `0.003`, `10`, `2e-05`."""
    return f"{float(f'{value:.1g}'):g}"


def either(ways: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))
