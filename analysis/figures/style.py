"""How figures look: one colour and marker a method in every study, and pictures as bytes."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from gmm_study.training.methods import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.75
"""Inches: the width of a page's text."""
MOST_ACROSS = 3
"""Panels side by side."""
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, told apart by colour-blind readers; yellow is too faint for a line."""
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
}


def new_figure(height: float, width: float = WIDTH) -> "Figure":
    """An empty figure of that many inches whose panels do not overlap; made inside `STYLE`."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(wspace=0.06, hspace=0.06)
    return Figure(figsize=(width, height), layout=layout)


def grid_of_panels(
    count: int, height: float, most_across: int = MOST_ACROSS, sharey: bool = False
) -> "tuple[Figure, list[Axes]]":
    """A figure with so many panels, each of so many inches, and room for a legend above them."""
    across = min(count, most_across)
    down = -(-count // across)
    figure = new_figure(height * down + 0.5)
    panels = list(figure.subplots(down, across, squeeze=False, sharey=sharey).flat)
    for panel in panels[count:]:
        panel.set_visible(False)
    return figure, panels[:count]


def render(figure: "Figure", kind: str) -> bytes:
    """The figure as `png`, `svg` or `pdf`, the same bytes whenever the numbers are the same."""
    from matplotlib import rc_context

    stamp = {
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }[kind]
    content = BytesIO()
    with rc_context(STYLE):
        figure.savefig(content, format=kind, dpi=200, metadata=stamp)
    figure.set_layout_engine("none")  # it is laid out, and stays so in the next format
    return content.getvalue()


def words(text: str) -> str:
    """A text of the user's as a figure shows it, and not as a formula."""
    return text.replace("$", r"\$")


def look(method: str) -> dict[str, Any]:
    """Colour and marker of a method, the same in every study; those of other packages come last."""
    place = list(METHODS).index(method) % len(PALETTE)
    return {"color": PALETTE[place], "marker": _MARKERS[place]}
