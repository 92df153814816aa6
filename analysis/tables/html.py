"""Tables as HTML: the same entries, captions and footnotes as in the other formats."""

from math import isfinite

from markupsafe import Markup

from analysis.tables.formats import number
from analysis.tables.layout import Entry, Table

_CELL = Markup("<td{}>{}{}</td>")
_NOTE = Markup("<sup>{}</sup>")


def html(table: Table) -> Markup:
    """A `table` element in a box that scrolls sideways, its footnotes below; all texts escaped."""
    corner = " \\ ".join(part for part in table.corner if part)
    heads = Markup("").join(
        Markup('<th scope="col">{}</th>').format(name) for name in (corner, *table.columns)
    )
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name, Markup("").join(_cell(entry, table.places) for entry in entries)
        )
        for name, entries in table.rows
    )
    notes = Markup("").join(
        Markup("<li>{} {}</li>").format(_NOTE.format(letter), text) for letter, text in table.notes
    )
    return Markup(
        "<h3>{}</h3>\n<p class=quiet>{}</p>\n"
        '<div class="wide"><table>\n<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>\n'
        '<ul class="notes">{}</ul>'
    ).format(table.title, table.caption, heads, body, notes)


def _cell(entry: Entry | None, places: int) -> Markup:
    if entry is None:
        return _CELL.format("", "", "")
    best = Markup(' class="best"') if entry.best else ""
    letter = _NOTE.format(entry.letter) if entry.letter else ""
    known = entry.text or isfinite(entry.mean)
    return _CELL.format(best, number(entry, places) if known else "—", letter)
