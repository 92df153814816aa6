"""Tables of the cells of a study, independent of any output format.

All formats are written from one layout, so Markdown, LaTeX, HTML and the terminal cannot differ.
CSV is the frame itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, product
from math import nan
from typing import Any

import pandas as pd

from analysis.labels import LOG_P, METRICS, axis_label, decimals, value_label
from analysis.planned import x_values
from analysis.published import published
from analysis.ranking import BEST, EQUIVALENT
from analysis.tables.captions import BLANK, caption
from gmm_study.study.fields import VARIATION
from gmm_study.study.plan import Plan

MOST_COLUMNS = 8
"""A table with more columns than this is transposed."""


@dataclass(frozen=True)
class Entry:
    """What a table shows of one cell: a mean ± its standard error in nats, or a text.

    `note` is the text of its footnote, `best` makes it bold, `equivalent` gives it the mark ≈,
    `signed` shows the plus of a positive mean. A `text` is shown in place of both numbers.
    """

    mean: float = nan
    standard_error: float = nan
    note: str = ""
    best: bool = False
    equivalent: bool = False
    signed: bool = False
    text: str = ""


@dataclass(frozen=True)
class Table:
    """Rows and columns of entries; None is a blank one. `places` is the number of decimals.

    `key` names the table within a document, `corner` names the rows and the columns. A table of
    details is not shown in the terminal.
    """

    key: str
    title: str
    caption: str
    corner: tuple[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry | None, ...]], ...]
    places: int
    detail: bool = False

    @cached_property
    def letters(self) -> dict[str, str]:
        """The footnotes in reading order: each text with its letter."""
        texts = dict.fromkeys(entry.note for _, row in self.rows for entry in row if entry)
        return dict(zip(filter(None, texts), _letters(), strict=False))

    def with_sentence(self, sentence: str) -> "Table":
        """The same table with a further sentence in its caption."""
        return replace(self, caption=f"{self.caption}{sentence}")

    def letter(self, entry: Entry) -> str:
        """The letter of an entry's footnote, empty without one."""
        return self.letters.get(entry.note, "")


def lay_out(plan: Plan, cells: pd.DataFrame) -> list[Table]:
    """The tables of a study: log p on every dataset, then the other metrics in `cells`.

    Along an axis there is one table per dataset, otherwise one table for all datasets. The best
    mean of a column is bold for log p alone, and only where it has a rival, and what is equivalent
    to it has the mark ≈: bounds of different methods are different quantities. Published figures
    stand beside log p.
    """
    datasets = list(dict.fromkeys(cells["dataset"]))
    groups = [[dataset] for dataset in datasets] if plan.x else [datasets]
    tables = []
    for metric, group in product(dict.fromkeys(cells["metric"]), groups):
        own = cells[(cells["metric"] == metric) & cells["dataset"].isin(group)]
        tables.append(_along_axis(plan, own) if plan.x else _across_datasets(plan, own))
    return tables


def table(
    key: str,
    title: str,
    caption: str,
    corner: tuple[str, str],
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Entry | None]]],
    places: int,
    transposed: bool = False,
    why_blank: str = BLANK,
    detail: bool = False,
) -> Table:
    """A table, transposed if asked or if it has more than `MOST_COLUMNS` columns."""
    if any(entry is None for name, row in rows for entry in row if "published" not in name):
        caption += why_blank
    if transposed or len(columns) > MOST_COLUMNS:
        names = [name for name, _ in rows]
        turned = zip(*(row for _, row in rows), strict=True)
        rows, columns = list(zip(columns, turned, strict=True)), names
        corner = corner[::-1]
    body = tuple((name, tuple(row)) for name, row in rows)
    return Table(key, title, caption, corner, tuple(columns), body, places, detail)


def published_entry(dataset: str, method: str, metric: str = LOG_P, sign: int = -1) -> Entry | None:
    """A published figure with its source as a footnote, or None.

    As a log-likelihood, or with `sign` 1 as the negative one that papers print.
    """
    figure = published(dataset, method, metric)
    return Entry(note=figure.note, text=f"{sign * figure.nll:.2f}") if figure else None


def _along_axis(plan: Plan, cells: pd.DataFrame) -> Table:
    metric, dataset = cells["metric"].iloc[0], cells["dataset"].iloc[0]
    xs, methods = x_values(cells), list(dict.fromkeys(cells["method"]))
    entries = _entries(cells, by="x")
    text = caption(plan, cells, metric)
    if metric == LOG_P:
        text += _published_sentence(dataset, methods)
    return table(
        key=f"{plan.study.name} {dataset} {METRICS[metric]}",
        title=f"{METRICS[metric].capitalize()} on {dataset} in nats",
        caption=text,
        corner=("method", axis_label(plan.x or "")),
        columns=[value_label(x) for x in xs],
        rows=[(method, [entries.get((method, x)) for x in xs]) for method in methods],
        places=decimals(cells["standard_error"]),
        transposed=plan.x == VARIATION,
    )


def _across_datasets(plan: Plan, cells: pd.DataFrame) -> Table:
    metric, datasets = cells["metric"].iloc[0], list(dict.fromkeys(cells["dataset"]))
    one = len(datasets) == 1
    entries = _entries(cells, by="dataset")
    rows: list[tuple[str, list[Entry | None]]] = []
    for method in dict.fromkeys(cells["method"]):
        rows.append((method, [entries.get((method, dataset)) for dataset in datasets]))
        figures = [published_entry(dataset, method, metric) for dataset in datasets]
        if any(figures):
            rows.append((f"{method}, published", figures))
    place = f" on {datasets[0]}" if one else ""
    return table(
        key=f"{plan.study.name}{f' {datasets[0]}' if one else ''} {METRICS[metric]}",
        title=f"{METRICS[metric].capitalize()}{place} in nats",
        caption=caption(plan, cells, metric),
        corner=("method", "" if one else "dataset"),
        columns=[METRICS[metric]] if one else datasets,
        rows=rows,
        places=decimals(cells["standard_error"]),
    )


def _published_sentence(dataset: str, methods: Iterable[str]) -> str:
    figures = [figure for method in methods if (figure := published(dataset, method))]
    listed = "; ".join(
        f"{figure.method} {-figure.nll:.2f} ({figure.note.removeprefix('published: ')})"
        for figure in figures
    )
    return f" Published: {listed}." if figures else ""


def _entries(cells: pd.DataFrame, by: str) -> dict[tuple[str, Any], Entry]:
    """The entries by method and column."""
    return {
        (cell["method"], cell[by]): Entry(
            cell["mean"],
            cell["standard_error"],
            cell["mark"],
            best=cell["rank"] == BEST,
            equivalent=cell["rank"] == EQUIVALENT,
        )
        for cell in cells.to_dict("records")
    }


def _letters() -> Iterator[str]:
    """a, b, … p, then aa, ab, …: the letters that can be raised in Markdown."""
    for length in count(1):
        yield from map("".join, product("abcdefghijklmnop", repeat=length))
