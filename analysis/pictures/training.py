"""Figures of the training behind a result: its curves, time and budget, and the search."""

from collections.abc import Iterator, Sequence
from functools import partial

from analysis.curves import LearningCurve, learning_curves, quality_points
from analysis.figures.budget import draw_budget
from analysis.figures.curves import draw_curves, what_is_shown
from analysis.figures.quality import draw_quality
from analysis.figures.search import draw_importance, draw_trials
from analysis.figures.search import shown as shown_trials
from analysis.findings import Findings
from analysis.labels import axis_label
from analysis.pictures.picture import BOUNDS_DIFFER, Picture, error_bars, range_of
from analysis.searched import SearchedCell, searched_cells, selected_by
from gmm_study.trials.selection import VALID_BOUND

MOST_PAIRS = 3
"""With more data sets, curves by epoch and by training time are two figures."""
MOST_VALUES = 5
"""Largest number of values of the axis that the learning curves show."""


def curves(found: Findings) -> Iterator[Picture]:
    """Bounds or log p on the validation data, by epoch and by training time."""
    shown = learning_curves(found.plan, found.records, found.rows, found.cells)
    if not shown:
        return
    values = list(dict.fromkeys(curve.x for curve in shown))
    chosen = _evenly(values, MOST_VALUES)
    shown = [curve for curve in shown if curve.x in chosen]
    ends = sorted({curve.shown for curve in shown})
    last = f"epoch {ends[0]}" if len(ends) == 1 else f"epochs {ends[0]} to {ends[-1]}"
    what = what_is_shown(shown)
    caption = (
        f"{what.capitalize()} in nats, of the trials behind the cells and the parameters "
        f"that they kept, up to {last}: mean over replicates, with a band of ± one standard error. "
        "A curve ends where its first replicate ended."
    )
    if any(curve.criterion == "bound" for curve in shown):
        caption += f" {BOUNDS_DIFFER}"
    if len(chosen) < len(values):
        axis = axis_label(found.plan.x or "")
        caption += f" {len(chosen)} of the {len(values)} values of {axis} are shown."
    if lost := sum(curve.left_out for curve in shown):
        caption += f" Left out: {lost} replicates that diverged or have a value that is not finite."
    yield from _curve_pictures(found, shown, what.capitalize(), caption)


def _curve_pictures(
    found: Findings, curves: Sequence[LearningCurve], title: str, caption: str
) -> Iterator[Picture]:
    """By epoch and by training time: in one figure for few data sets, otherwise in two."""
    draw_it, timed = partial(draw_curves, curves, found.plan.x), _timed(curves)
    if not timed:
        missing = f"{caption} The training time by epoch is not recorded."
        yield Picture("curves", f"{title} by epoch", missing, draw_it)
    elif len({curve.dataset for curve in curves}) <= MOST_PAIRS:
        both = f"{caption} Left: by epoch. {timed.replace('By', 'Right: by', 1)}"
        draw_it = partial(draw_it, against=("epoch", "seconds"))
        yield Picture("curves", f"{title} by epoch and by training time", both, draw_it)
    else:
        yield Picture("curves", f"{title} by epoch", caption, draw_it)
        draw_it = partial(draw_it, against=("seconds",))
        text = f"The same curves. {timed}"
        yield Picture("curves by time", f"{title} by training time", text, draw_it)


def _timed(curves: Sequence[LearningCurve]) -> str:
    """What the training time is, and which curves lack it; empty if all do."""
    lacking = sum(not curve.has_seconds for curve in curves)
    if lacking == len(curves):
        return ""
    text = (
        "By training time in seconds, validation included, mean over replicates; it depends on the "
        "machine and on what else ran there."
    )
    if lacking:
        text += f" Left out: {lacking} of {len(curves)} curves, of records without training time."
    return text


def _evenly(values: Sequence[object], count: int) -> list[object]:
    """At most `count` of the values, evenly spaced, with the first and the last."""
    if len(values) <= count:
        return list(values)
    step = (len(values) - 1) / (count - 1)
    return [values[round(index * step)] for index in range(count)]


def quality(found: Findings) -> Iterator[Picture]:
    """What the training time buys; unlike bounds, log p compares across methods and K."""
    points = quality_points(found.rows, found.cells)
    if points.empty:
        return
    caption = (
        "Test log p in nats against the training time of a replicate in seconds, validation "
        "included, of the trials behind the cells. It depends on the machine and on what else ran "
        f"there, and does not include the search.{error_bars(found)}"
    )
    if found.plan.x:
        caption += f" Each point is named by its value of {axis_label(found.plan.x)}."
    caption += " Points far below the others lie below the panel, which names them."
    draw_it = partial(draw_quality, found.plan, points)
    yield Picture("quality", "Test log p against training time", caption, draw_it)


def budget(found: Findings) -> Iterator[Picture]:
    """What a search of n trials can expect, by trials and by core-seconds."""
    frame = found.budget
    if frame.empty:
        return
    caption = (
        "Expected validation figure of the best of n trials, if n of the "
        f"{range_of(frame['of'].tolist())} that ended were drawn at random without replacement "
        "(Dodge et al. 2019; Tang et al. 2020), for each cell. Bands: the middle half of such "
        "draws. Dotted: the best so far in the order of the proposals."
    )
    if found.plan.study.is_adaptive:
        caption += " An adaptive search does not draw at random, so the dotted line is what it did."
    cells = frame.drop_duplicates(["dataset", "method", "x"])
    if without := int(cells["without_value"].sum()):
        caption += (
            f" Trials that were stopped early, diverged or failed ({without}) count as no better "
            "than the worst of the others."
        )
    if VALID_BOUND in set(frame["criterion"]):
        caption += f" {BOUNDS_DIFFER}"
    draw_it = partial(draw_budget, frame, found.plan.x)
    title = "Expected best trial by the number of trials"
    yield Picture("budget", title, caption, partial(draw_it, against="trials"))
    timed = (
        "The same against the mean cost of n trials: training time of all replicates, validation "
        "included, times the cores of a trial."
    )
    title = "Expected best trial by core-seconds"
    yield Picture("budget by time", title, timed, partial(draw_it, against="core_seconds"))


def searches(found: Findings) -> Iterator[Picture]:
    """The trials of each search, and how much each setting mattered in it."""
    cells = searched_cells(found.plan, found.screened)
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        own = [cell for cell in cells if cell.dataset == dataset and cell.settings]
        if own:
            name, title = f"trials {dataset}", f"Trials on {dataset}"
            yield Picture(name, title, _trials_caption(own), partial(draw_trials, own))
    known = [cell for cell in cells if cell.shares]
    if known:
        caption, draw_it = _importance_caption(known), partial(draw_importance, known)
        yield Picture("importance", "Importance of the settings", caption, draw_it)


def _trials_caption(cells: Sequence[SearchedCell]) -> str:
    counts = ", ".join(f"{cell.method} {len(cell.values)}" for cell in cells)
    text = (
        f"Complete trials ({counts}): each is a line over its settings to its mean "
        f"{selected_by(cells)} in nats over replicates. Better trials are darker, and the best "
        "one is in colour."
    )
    if left_out := sum(cell.left_out for cell in cells):
        text += f" Not shown: {left_out} that were stopped early, failed or have not ended."
    if any(len(shown_trials(cell)) < len(cell.values) for cell in cells):
        text += " Only trials of evenly spaced ranks are shown."
    return text


def _importance_caption(cells: Sequence[SearchedCell]) -> str:
    tops = (f"{cell.method} on {cell.dataset}: {_top(cell.shares)}" for cell in cells)
    fewest = min(len(cell.values) for cell in cells)
    return (
        f"Share of each setting in the variance of the mean {selected_by(cells)} over complete "
        "trials, by fANOVA on a random forest (Optuna). Largest: "
        f"{'; '.join(tops)}. Computed from {fewest} trials or more per method and data set; few "
        "trials make it imprecise, and trials that a scheduler stopped are not included."
    )


def _top(shares: dict[str, float]) -> str:
    name = max(shares, key=lambda name: shares[name])
    return f"{axis_label(name)} {shares[name]:.0%}"
