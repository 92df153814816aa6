"""Helpers for writing Markdown."""

import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, without the columns that are empty in every row."""
    lines = [[_cell(text) for text in row] for row in rows]
    used = [index for index in range(len(headings)) if any(line[index] for line in lines)]
    kept = [[line[index] for index in used] for line in [list(headings), *lines]]
    rule = ["---"] * len(used)
    return "".join(f"| {' | '.join(line)} |\n" for line in (kept[0], rule, *kept[1:]))


def code(text: object) -> str:
    """The text as inline code; empty if the text is empty."""
    return f"`{text}`" if str(text) else ""


def prose(text: str) -> str:
    """The paragraph on one line."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", prose(text))
