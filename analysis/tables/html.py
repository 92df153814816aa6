"""Tables as HTML: the same entries, captions and footnotes as in the other formats."""

from markupsafe import Markup

from analysis.tables.formats import corner, number, sign
from analysis.tables.layout import Entry, Table

_NOTE = Markup("<sup>{}</sup>")


def html(table: Table) -> Markup:
    """A `table` element in a box that scrolls sideways, its footnotes below; all texts escaped."""
    heads = Markup("").join(
        Markup('<th scope="col">{}</th>').format(name) for name in (corner(table), *table.columns)
    )
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name, Markup("").join(_cell(table, entry) for entry in entries)
        )
        for name, entries in table.rows
    )
    notes = Markup("").join(
        Markup("<li>{} {}</li>").format(_NOTE.format(letter), text)
        for text, letter in table.letters.items()
    )
    return Markup(
        "<h3>{}</h3>\n<p class=quiet>{}</p>\n"
        '<div class="wide"><table>\n<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>\n'
        '<ul class="notes">{}</ul>'
    ).format(table.title, table.caption, heads, body, notes)


def _cell(table: Table, entry: Entry | None) -> Markup:
    if entry is None:
        return Markup("<td></td>")
    best = Markup(' class="best"') if entry.best else ""
    letter = table.letter(entry)
    note = _NOTE.format(letter) if letter else ""
    text = number(entry, table.places) + sign(entry)
    return Markup("<td{}>{}{}</td>").format(best, text, note)
