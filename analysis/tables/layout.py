"""Tables of the cells of a study, independent of any output format.

All formats are written from one layout, so Markdown, LaTeX, HTML and the terminal cannot differ.
CSV is the frame itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from math import nan
from typing import Any

import pandas as pd

from analysis.labels import LOG_P, METRICS, axis_label, decimals, value_label
from analysis.planned import x_values
from analysis.published import published
from analysis.tables.captions import BLANK, caption
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION

MOST_COLUMNS = 8
"""Values of an axis beyond which a table lists them down the page."""


@dataclass(frozen=True)
class Entry:
    """What a table shows of one cell: nats, the letter of a footnote, whether it is bold.

    A `signed` one shows its plus; `text` is shown as it stands, in place of both numbers.
    """

    mean: float
    standard_error: float
    letter: str = ""
    best: bool = False
    signed: bool = False
    text: str = ""


@dataclass(frozen=True)
class Table:
    """One metric: rows are methods, columns the values of the plan's axis, or else the datasets.

    The other way round where there are more than `MOST_COLUMNS`, or for variations, whose labels
    are long. `corner` names the rows and the columns.
    """

    key: str
    title: str
    caption: str
    corner: tuple[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry | None, ...]], ...]
    notes: tuple[tuple[str, str], ...]
    places: int


@dataclass
class Notes:
    """The footnotes of a table: a letter for each distinct text, in the order of their use."""

    letters: dict[str, str] = field(default_factory=dict)

    def letter(self, text: str) -> str:
        """The letter of a text, none for an empty one."""
        if text and text not in self.letters:
            self.letters[text] = next(letter for letter in _letters() if not self._taken(letter))
        return self.letters.get(text, "")

    def listed(self) -> tuple[tuple[str, str], ...]:
        """Each letter with its text."""
        return tuple((letter, text) for text, letter in self.letters.items())

    def _taken(self, letter: str) -> bool:
        return letter in self.letters.values()


def lay_out(plan: Plan, cells: pd.DataFrame) -> list[Table]:
    """The tables of a study: first log p on every dataset, then the bound, of what `cells` has.

    Along an axis there is a table a dataset, without one a table for all of them. The best mean of
    a column is marked in the tables of log p alone, and only where it has a rival: bounds of
    different methods are different quantities. Published figures stand beside log p.
    """
    datasets = list(dict.fromkeys(cells["dataset"]))
    groups = [[dataset] for dataset in datasets] if plan.x else [datasets]
    tables = []
    for metric, group in product(dict.fromkeys(cells["metric"]), groups):
        own = cells[(cells["metric"] == metric) & cells["dataset"].isin(group)]
        tables.append(_along_axis(plan, own) if plan.x else _across_datasets(plan, own))
    return tables


def _along_axis(plan: Plan, cells: pd.DataFrame) -> Table:
    metric, dataset = cells["metric"].iloc[0], cells["dataset"].iloc[0]
    notes, xs, methods = Notes(), x_values(cells), list(dict.fromkeys(cells["method"]))
    entries = _entries(cells, notes, by="x")
    rows = [(method, [entries.get((method, x)) for x in xs]) for method in methods]
    text = caption(plan, cells, metric)
    if metric == LOG_P:
        text += _published_sentence(dataset, methods)
    return table(
        key=f"{plan.study.name} {dataset} {METRICS[metric]}",
        title=f"{METRICS[metric].capitalize()} on {dataset} in nats",
        caption=text,
        corner=("method", axis_label(plan.x or "")),
        columns=[value_label(x) for x in xs],
        rows=rows,
        notes=notes,
        places=decimals(cells["standard_error"]),
        down=plan.x == VARIATION,
    )


def _across_datasets(plan: Plan, cells: pd.DataFrame) -> Table:
    metric, datasets = cells["metric"].iloc[0], list(dict.fromkeys(cells["dataset"]))
    notes, one = Notes(), len(datasets) == 1
    entries = _entries(cells, notes, by="dataset")
    rows: list[tuple[str, list[Entry | None]]] = []
    for method in dict.fromkeys(cells["method"]):
        rows.append((method, [entries.get((method, dataset)) for dataset in datasets]))
        figures = [published_entry(dataset, method, metric, notes) for dataset in datasets]
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
        notes=notes,
        places=decimals(cells["standard_error"]),
    )


def table(
    key: str,
    title: str,
    caption: str,
    corner: tuple[str, str],
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Entry | None]]],
    notes: Notes,
    places: int,
    down: bool = False,
    why_blank: str = BLANK,
) -> Table:
    """A table; `down`, or more than `MOST_COLUMNS` columns, puts rows and columns about."""
    blank = any(entry is None for name, row in rows for entry in row if "published" not in name)
    if down or len(columns) > MOST_COLUMNS:
        names = [name for name, _ in rows]
        turned = zip(*(row for _, row in rows), strict=True)
        rows, columns = list(zip(columns, turned, strict=True)), names
        corner = corner[::-1]
    return Table(
        key=key,
        title=title,
        caption=caption + why_blank * blank,
        corner=corner,
        columns=tuple(columns),
        rows=tuple((name, tuple(row)) for name, row in rows),
        notes=notes.listed(),
        places=places,
    )


def published_entry(dataset: str, method: str, metric: str, notes: Notes) -> Entry | None:
    """The published figure as the log-likelihood that our tables show, None where there is none."""
    figure = published(dataset, method, metric)
    if figure is None:
        return None
    return Entry(-figure.nll, nan, notes.letter(figure.note), text=f"{-figure.nll:.2f}")


def _published_sentence(dataset: str, methods: Iterable[str]) -> str:
    figures = [figure for method in methods if (figure := published(dataset, method))]
    listed = "; ".join(
        f"{figure.method} {-figure.nll:.2f} ({figure.note.removeprefix('published: ')})"
        for figure in figures
    )
    return f" Published: {listed}." if figures else ""


def _entries(cells: pd.DataFrame, notes: Notes, by: str) -> dict[tuple[str, Any], Entry]:
    """The entries by method and column."""
    return {
        (cell["method"], cell[by]): Entry(
            cell["mean"], cell["standard_error"], notes.letter(cell["mark"]), bool(cell["rank"])
        )
        for cell in cells.to_dict("records")
    }


def _letters() -> Iterator[str]:
    """a, b, … p, then two letters and so on."""
    for length in count(1):
        yield from map("".join, product("abcdefghijklmnop", repeat=length))
