"""The published tables again, ours beside them: likelihoods, effective sample sizes, 2 log Z."""

from collections.abc import Callable, Iterable, Iterator
from math import isfinite, nan
from typing import Any

import pandas as pd

from analysis.labels import LOG_P, LOG_P_STAR, decimals, error_label, short_label
from analysis.planned import x_values
from analysis.published import published
from analysis.tables.captions import spread, what_is_bold
from analysis.tables.comparison import LIKELIHOODS, OTHER_MODELS, published_nll
from analysis.tables.layout import Entry, Notes, Table, table
from gmm_study.study.plan import Plan

_ESS = {LOG_P: "ess", LOG_P_STAR: "ess for p*"}
_Row = dict[Any, Any]


def lay_out_paper(plan: Plan, compared: pd.DataFrame, name: str, title: str) -> Table:
    """A table of a study without an axis, a column a data set, or along one, a column a value.

    `compared` is the frame of `compare`. Three rows a likelihood of a method: ours, the published
    figure and the difference; where a method has a p* its effective sample sizes and 2 log Z; then
    models that we do not train. All in nats, as negative log-likelihoods.
    """
    by = "x" if plan.x else "dataset"
    columns = x_values(compared, by)
    notes = Notes()
    rows: list[tuple[str, list[Entry | None]]] = []
    for method in dict.fromkeys(compared["method"]):
        own = compared[compared["method"] == method].to_dict("records")
        for label, entry in _lines(method, {row["metric"] for row in own}, notes):
            of_column = {row[by]: row for row in own if row["metric"] == label[1]}
            rows.append((label[0], [_at(of_column, column, entry) for column in columns]))
    datasets = columns if by == "dataset" else [compared["dataset"].iloc[0]] * len(columns)
    rows += list(_other_models(datasets, notes)) if by == "dataset" else []
    shown = [(label, entries) for label, entries in rows if any(entries)]
    return table(
        key=name,
        title=title,
        caption=_caption(plan, compared),
        corner=("", "layers" if by == "x" else "data set"),
        columns=[short_label(plan.x, value) for value in columns],
        rows=shown,
        notes=notes,
        places=decimals(compared["standard_error"]),
        why_blank=" Blank: not known, or not published.",
    )


def _lines(
    method: str, metrics: set[str], notes: Notes
) -> Iterator[tuple[tuple[str, str], Callable[[_Row], Entry | None]]]:
    """The rows of a method: label and metric, and what a cell of `compare` shows in it."""
    for metric in (LOG_P, LOG_P_STAR):
        if metric in metrics:
            name = f"{method}, {LIKELIHOODS[metric]}"
            yield (name, metric), lambda row: _ours(row, notes)
            yield (f"{name}, published", metric), lambda row: _published(row, notes)
            yield (f"{name}, difference", metric), lambda row: _plain(row["difference"], "+.2f")
    for metric in (LOG_P, LOG_P_STAR):
        if metric in metrics:
            yield (f"{method}, {_ESS[metric]}", metric), lambda row: _plain(row["ess"], "#.3g")
    if LOG_P_STAR in metrics:
        yield (f"{method}, 2 log Z", LOG_P_STAR), _log_z2


def _at(
    of_column: dict[Any, _Row], column: Any, entry: Callable[[_Row], Entry | None]
) -> Entry | None:
    return entry(of_column[column]) if column in of_column else None


def _ours(row: _Row, notes: Notes) -> Entry:
    return Entry(row["nll"], row["standard_error"], notes.letter(row["mark"]), bool(row["rank"]))


def _published(row: _Row, notes: Notes) -> Entry | None:
    if not isfinite(row["published"]):
        return None
    return Entry(nan, nan, notes.letter(row["note"]), text=f"{row['published']:.2f}")


def _plain(value: float, form: str) -> Entry | None:
    return Entry(nan, nan, text=f"{value:{form}}") if isfinite(value) else None


def _log_z2(row: _Row) -> Entry | None:
    if not isfinite(row["log_z2"]):
        return None
    places = decimals([row["log_z2_error"]])
    error = error_label(row["log_z2_error"], places)
    return Entry(nan, nan, text=f"{row['log_z2']:.{places}f} ± {error}")


def _other_models(
    datasets: Iterable[str], notes: Notes
) -> Iterator[tuple[str, list[Entry | None]]]:
    for model, name in OTHER_MODELS.items():
        figures = (published(dataset, model) for dataset in datasets)
        entries = [published_nll(figure, notes) for figure in figures]
        yield f"{name}, -log p, published", entries


def _caption(plan: Plan, compared: pd.DataFrame) -> str:
    text = (
        f"Negative log-likelihood on the test set in nats, lower is better; {spread(plan)}. "
        "Difference: ours minus published, so below 0 ours is better. A published figure that "
        "names its layers stands beside those layers alone. ess: effective samples as a fraction "
        "of K, mean over the test datapoints and replicates."
    )
    return text + what_is_bold(plan, compared, "the lowest mean of -log p")
