"""The look that all figures share: sizes, one colour and marker per method, panels, legends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from gmm_study.training.methods import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.75
"""Width of a figure in inches: that of a page's text."""
MOST_ACROSS = 3
"""Largest number of panels side by side."""
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette for colour-blind readers, without yellow, which is too faint."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "gmm-study",
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}


@contextmanager
def styled() -> Iterator[None]:
    """As a context or a decorator: matplotlib draws in `STYLE`."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        yield


def grid_of_panels(
    count: int,
    height: float,
    across: int = MOST_ACROSS,
    above: float = 0.5,
    sharey: bool = False,
) -> "tuple[Figure, list[Axes]]":
    """A figure with `count` panels, at most `across` side by side, that do not overlap.

    `height` is that of a panel in inches, `above` the space for the legend.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    across = min(count, across)
    down = -(-count // across)
    layout = ConstrainedLayoutEngine(wspace=0.06, hspace=0.06)
    figure = Figure(figsize=(WIDTH, height * down + above), layout=layout)
    panels = list(figure.subplots(down, across, squeeze=False, sharey=sharey).flat)
    for panel in panels[count:]:
        panel.set_visible(False)
    return figure, panels[:count]


def add_legend(figure: "Figure", looks: Mapping[str, Mapping[str, Any]], columns: int = 4) -> None:
    """A legend above the panels: the look of a line by its label."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=words(label), **style) for label, style in looks.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)


def add_grid(panel: "Axes", axis: Literal["x", "y", "both"], color: str = "0.9") -> None:
    """Faint lines behind the data."""
    panel.grid(axis=axis, linewidth=0.4, color=color)
    panel.set_axisbelow(True)


def say_instead(panel: "Axes", why: str) -> None:
    """A text in the middle of a panel that has nothing to show."""
    panel.text(0.5, 0.5, why, transform=panel.transAxes, ha="center")


@styled()
def render(figure: "Figure", kind: str) -> bytes:
    """The figure as `png`, `svg` or `pdf`; equal figures give equal bytes."""
    stamp = {
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }[kind]
    content = BytesIO()
    figure.savefig(content, format=kind, dpi=200, metadata=stamp)
    figure.set_layout_engine(None)  # the next format keeps the layout, without drawing it first
    return content.getvalue()


def words(text: str) -> str:
    """A text for a figure, with dollar signs escaped so that it is not read as a formula."""
    return text.replace("$", r"\$")


def look(method: str) -> dict[str, Any]:
    """Colour and marker of a method, the same in every study; plug-in methods come last."""
    place = list(METHODS).index(method) % len(PALETTE)
    return {"color": PALETTE[place], "marker": _MARKERS[place]}
