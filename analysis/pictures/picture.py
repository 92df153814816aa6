"""A figure with its caption, and what several captions say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from analysis.findings import Findings
from analysis.labels import axis_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOUNDS_DIFFER = "Bounds of different methods are different quantities and cannot be compared."


@dataclass(frozen=True)
class Picture:
    """A figure: its file name without an ending, its title, its caption, and how to draw it."""

    name: str
    title: str
    caption: str
    draw: "Callable[[], Figure]"


def against(found: Findings) -> str:
    """` against depth`, or nothing without an axis."""
    return f" against {axis_label(found.plan.x)}" if found.plan.x else ""


def error_bars(found: Findings) -> str:
    """What the error bars are; nothing with one replicate."""
    n = found.plan.study.replicates
    return f" Error bars: ± one standard error over n = {n} replicates." if n > 1 else ""


def range_of(values: Sequence[float]) -> str:
    """`0.12`, or `0.05 to 0.31` for different values."""
    known = pd.Series(values).dropna()
    low, high = f"{known.min():.2g}", f"{known.max():.2g}"
    return low if low == high else f"{low} to {high}"
