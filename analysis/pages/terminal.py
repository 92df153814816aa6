"""A report for the terminal."""

from typing import TYPE_CHECKING

from analysis.findings import Findings
from analysis.pages.protocol import progress, title
from analysis.tables.formats import corner, number, sign, superscript
from analysis.tables.layout import Entry, Table

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table as RichTable
    from rich.text import Text


def in_terminal(found: Findings) -> "Group":
    """Question, counts, answer, its conditions, tables and warnings, as a `rich` group."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(f"{title(found.plan)}: {found.plan.study.question}", style="bold"),
        Text(progress(found)),
    ]
    if found.sentences or found.conditions:
        parts += [Text(), *map(Text, found.sentences)]
        parts += [Text(f"Note: {text}", style="yellow") for text in found.conditions]
    for table in (table for table in found.tables if not table.detail):
        shown = ", mean ± standard error" if _has_means(table) else ""
        parts += [Text(f"\n{table.title}{shown}"), _terminal_table(table)]
        parts += [Text(f"{superscript(letter)} {text}") for text, letter in table.letters.items()]
    parts += [Text(f"warning: {line}", style="yellow") for line in found.records.warnings]
    return Group(*parts)


def _has_means(table: Table) -> bool:
    return any(entry and not entry.text for _, entries in table.rows for entry in entries)


def _terminal_table(table: Table) -> "RichTable":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    drawn.add_column(corner(table))
    for column in table.columns:
        drawn.add_column(column, justify="right")
    for name, entries in table.rows:
        drawn.add_row(Text(name), *(_terminal_entry(table, entry) for entry in entries))
    return drawn


def _terminal_entry(table: Table, entry: Entry | None) -> "Text":
    from rich.text import Text

    if entry is None:
        return Text()
    text = number(entry, table.places) + sign(entry) + superscript(table.letter(entry))
    return Text(text, style="bold" if entry.best else "")
