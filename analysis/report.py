"""The report of a study: tables, figure and verdict, written to a folder and to a terminal."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from analysis.cells import summarise
from analysis.cost_figure import draw_costs
from analysis.costs import costs_of_variations, lay_out_costs
from analysis.dataset_figure import draw_datasets
from analysis.figures import draw
from analysis.formats import csv, latex, number, superscript
from analysis.frames import Records, join, load
from analysis.page import page, summary, title, unproposed
from analysis.style import render
from analysis.tables import Entry, Table, lay_out
from analysis.verdict import verdict
from gmm_study.study.plan import Plan
from gmm_study.trials.record import RecordStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Group, RenderableType
    from rich.table import Table as RichTable
    from rich.text import Text

FILES = ("table.md", "table.csv", "table.tex", "figure.png", "figure.svg")


@dataclass(frozen=True)
class Report:
    """What was written, and what it was written from; `rich.print(report)` shows it.

    `paths` by file name; `rows` the planned replicates (`join`), `cells` their summary
    (`summarise`), `costs` what variations cost (`costs_of_variations`), `sentences` the verdict.
    """

    plan: Plan
    records: Records
    rows: pd.DataFrame
    cells: pd.DataFrame
    costs: pd.DataFrame
    tables: tuple[Table, ...]
    sentences: tuple[str, ...]
    paths: dict[str, Path]

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [
            Text(f"{title(self.plan)}: {self.plan.study.question}", style="bold"),
            Text(" ".join(filter(None, (summary(self.rows), unproposed(self.plan))))),
        ]
        for table in self.tables:
            parts += [Text(f"\n{table.title}, mean ± standard error"), _terminal_table(table)]
            parts += [Text(f"{superscript(letter)} {text}") for letter, text in table.notes]
        if self.sentences:
            parts += [Text(), *map(Text, self.sentences)]
        parts += [Text(f"warning: {line}", style="yellow") for line in self.records.warnings]
        return Group(*parts, Text(), *(Text(f"wrote {path}") for path in self.paths.values()))


def write_report(
    plan: Plan, store: RecordStore | str, folder: Path | str, command: str = ""
) -> Report:
    """Write `table.md`, `table.csv`, `table.tex`, `figure.png` and `figure.svg` into a folder.

    A study of variations gets `costs.csv` too.
    Reads the records of the plan's trials: what has none yet is shown as pending, what cannot be
    read as failed. `command` is the line that runs the study again, by default with the study's
    name alone. Every file is replaced whole or not at all.
    """
    records = load(store, [trial.config.trial_id for trial in plan.trials])
    rows = join(plan, records)
    cells = summarise(plan, rows)
    costs = costs_of_variations(plan, rows, cells)
    tables = (*lay_out_costs(plan, costs), *lay_out(plan, cells))
    names = [*FILES, *(["costs.csv"] if len(costs) else [])]
    paths = {name: Path(folder) / name for name in names}
    sentences = tuple(verdict(plan, rows, cells))
    report = Report(plan, records, rows, cells, costs, tables, sentences, paths)
    figure = _figure(plan, cells, costs)
    contents = {
        "table.md": page(report, command or f"gmm-study run {plan.study.name}").encode(),
        "table.csv": csv(cells).encode(),
        "table.tex": latex(report.tables).encode(),
        "figure.png": render(figure, "png"),
        "figure.svg": render(figure, "svg"),
        "costs.csv": csv(costs).encode(),
    }
    for name, path in paths.items():
        replace_file(path, contents[name])
    return report


def _figure(plan: Plan, cells: pd.DataFrame, costs: pd.DataFrame) -> "Figure":
    """The figure that suits: costs of variations, a panel a dataset, or lines along the axis."""
    if len(costs):
        return draw_costs(costs)
    if plan.x is None and cells["dataset"].nunique() > 1:
        return draw_datasets(cells)
    return draw(plan, cells)


def _terminal_table(table: Table) -> "RichTable":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    drawn.add_column(" \\ ".join(part for part in table.corner if part))
    for column in table.columns:
        drawn.add_column(column, justify="right")
    for name, entries in table.rows:
        drawn.add_row(Text(name), *(_terminal_entry(entry, table.places) for entry in entries))
    return drawn


def _terminal_entry(entry: Entry | None, places: int) -> "Text":
    from rich.text import Text

    if entry is None:
        return Text()
    text = number(entry, places) + superscript(entry.letter)
    return Text(text, style="bold" if entry.best else "")


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
