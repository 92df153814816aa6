"""The report of a study: tables, figure and verdict, written to a folder and to a terminal."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.figures.along_axis import draw
from analysis.figures.costs import draw_costs
from analysis.figures.datasets import draw_datasets
from analysis.figures.style import render
from analysis.findings import Findings, find
from analysis.pages.study import page, summary, title, unproposed
from analysis.tables.formats import csv, latex, number, superscript
from analysis.tables.layout import Entry, Table
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
    """What was written, by file name, and what it says; `rich.print(report)` shows it."""

    found: Findings
    paths: dict[str, Path]

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [
            Text(f"{title(self.found.plan)}: {self.found.plan.study.question}", style="bold"),
            Text(" ".join(filter(None, (summary(self.found.rows), unproposed(self.found.plan))))),
        ]
        for table in self.found.tables:
            parts += [Text(f"\n{table.title}, mean ± standard error"), _terminal_table(table)]
            parts += [Text(f"{superscript(letter)} {text}") for letter, text in table.notes]
        if self.found.sentences:
            parts += [Text(), *map(Text, self.found.sentences)]
        parts += [Text(f"warning: {line}", style="yellow") for line in self.found.records.warnings]
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
    found = find(plan, store)
    names = [*FILES, *(["costs.csv"] if len(found.costs) else [])]
    paths = {name: Path(folder) / name for name in names}
    figure = _figure(found)
    contents = {
        "table.md": page(found, command or f"gmm-study run {plan.study.name}").encode(),
        "table.csv": csv(found.cells).encode(),
        "table.tex": latex(found.tables).encode(),
        "figure.png": render(figure, "png"),
        "figure.svg": render(figure, "svg"),
        "costs.csv": csv(found.costs).encode(),
    }
    for name, path in paths.items():
        replace_file(path, contents[name])
    return Report(found, paths)


def _figure(found: Findings) -> "Figure":
    """The figure that suits: costs of variations, a panel a dataset, or lines along the axis."""
    if len(found.costs):
        return draw_costs(found.costs)
    if found.plan.x is None and found.cells["dataset"].nunique() > 1:
        return draw_datasets(found.cells)
    return draw(found.plan, found.cells)


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
