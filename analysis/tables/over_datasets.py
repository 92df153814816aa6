"""The table of what several data sets show together: a row per method."""

from math import isfinite

from analysis.labels import axis_label, decimals, value_label
from analysis.over_datasets import LEAST_GAIN, OverDatasets
from analysis.tables.layout import Entry, Table
from gmm_study.study.plan import Plan

HEADS = ("interquartile mean", "95% interval", "mean", "runs")


def lay_out_over_datasets(plan: Plan, found: OverDatasets) -> list[Table]:
    """The scores of every method over the data sets; no table of fewer than three."""
    if found.frame.empty:
        return []
    places = max(decimals(found.frame["standard_error"]), 2)
    rows = []
    for row in found.frame.to_dict("records"):
        at = "" if row["x"] is None else f", {axis_label(plan.x or '')} {value_label(row['x'])}"
        known = isfinite(row["low"])
        interval = f"{row['low']:.{places}f} to {row['high']:.{places}f}" if known else "n/a"
        texts = (
            f"{row['interquartile_mean']:.{places}f}",
            interval,
            f"{row['mean']:.{places}f}",
            f"{row['runs']:,}",
        )
        rows.append((f"{row['method']}{at}", tuple(Entry(text=text) for text in texts)))
    count = int(found.frame["data_sets"].iloc[0])
    return [
        Table(
            key=f"{plan.study.name} over data sets",
            title=f"Scores over {count} data sets",
            caption=_caption(plan, found),
            corner=("method", ""),
            columns=HEADS,
            rows=tuple(rows),
            places=places,
        )
    ]


def _caption(plan: Plan, found: OverDatasets) -> str:
    text = (
        "Score of a run, which is a seed on a data set: the share that its test log p reaches of "
        "what the best method gains over independent pixels on that data set, so 0 is independent "
        "pixels and 1 the mean of the best. Interquartile mean: of the middle half of all runs."
    )
    if plan.study.replicates > 1:
        text += (
            " Interval: stratified bootstrap over the seeds within each data set; it is about "
            "other seeds, not about other data sets."
        )
    if found.left_out:
        text += (
            " Left out, as a method has no complete cell there or as the best gains at most "
            f"{LEAST_GAIN * plan.study.report.margin:g} nats: {', '.join(found.left_out)}."
        )
    return text
