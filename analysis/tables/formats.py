"""Tables as Markdown, CSV and LaTeX: the same entries, captions and footnotes in each."""

import re
from collections.abc import Iterable
from math import isfinite

import pandas as pd
from tabulate import tabulate

from analysis.labels import error_label
from analysis.tables.layout import Entry, Table


def markdown(table: Table) -> str:
    """A pipe table with its caption before it and its footnotes after it."""
    corner = " \\ ".join(part for part in table.corner if part)
    body = [
        [method, *(_markdown_entry(entry, table.places) for entry in entries)]
        for method, entries in table.rows
    ]
    grid = tabulate(
        [[escaped(cell) for cell in row] for row in body],
        headers=[escaped(head) for head in (corner, *table.columns)],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=("left", *("right" for _ in table.columns)),
    )
    notes = "".join(f"\n\n{superscript(letter)} {text}" for letter, text in table.notes)
    return f"**{table.title}.** {table.caption}\n\n{grid}{notes}\n"


def csv(cells: pd.DataFrame) -> str:
    """The frame of cells, long and in full precision."""
    return cells.to_csv(index=False, lineterminator="\n")


def latex(tables: Iterable[Table]) -> str:
    """A document's `table` environments; they need booktabs."""
    return "\n".join(["% needs \\usepackage{booktabs}", *map(_latex_table, tables)])


def number(entry: Entry, places: int) -> str:
    """`-20.10 ± 0.31`, with n/a for the error of one replicate; a dash where nothing is known."""
    if entry.text:
        return entry.text
    if not isfinite(entry.mean):
        return "—"
    mean = f"{entry.mean:{'+' if entry.signed else ''}.{places}f}"
    return f"{mean} ± {error_label(entry.standard_error, places)}"


def escaped(text: str) -> str:
    """A text as it stands in a cell of a pipe table."""
    return text.replace("|", "\\|")


def superscript(letters: str) -> str:
    """A footnote's letters, raised."""
    return letters.translate(str.maketrans("abcdefghijklmnop", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖ"))


def _markdown_entry(entry: Entry | None, places: int) -> str:
    if entry is None:
        return ""
    text = number(entry, places)
    return (f"**{text}**" if entry.best else text) + superscript(entry.letter)


def _latex_table(table: Table) -> str:
    across = len(table.columns)
    head = [table.corner[0], *table.columns]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex(table.title)}. {_latex(table.caption)}}}",
        rf"  \label{{tab:{re.sub(r'[^a-zA-Z0-9]+', '-', table.key).strip('-')}}}",
        rf"  \begin{{tabular}}{{l{'r' * across}}}",
        r"    \toprule",
    ]
    if table.corner[1]:
        lines += [
            rf"    & \multicolumn{{{across}}}{{c}}{{{_latex(table.corner[1])}}} \\",
            rf"    \cmidrule(lr){{2-{across + 1}}}",
        ]
    lines += [rf"    {' & '.join(map(_latex, head))} \\", r"    \midrule"]
    for method, entries in table.rows:
        cells = [_latex(method), *(_latex_entry(entry, table.places) for entry in entries)]
        lines.append(rf"    {' & '.join(cells)} \\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    if table.notes:
        notes = [rf"\textsuperscript{{{letter}}}~{_latex(text)}" for letter, text in table.notes]
        lines += [r"  \par\smallskip", rf"  {{\footnotesize {'; '.join(notes)}.\par}}"]
    return "\n".join([*lines, r"\end{table}", ""])


def _latex_entry(entry: Entry | None, places: int) -> str:
    if entry is None:
        return ""
    text = number(entry, places)
    if isfinite(entry.mean):
        mathematics = text.replace("±", r"\pm").replace("n/a", r"\mathrm{n/a}")
        text = rf"$\mathbf{{{mathematics}}}$" if entry.best else f"${mathematics}$"
    else:
        text = _latex(text)
    return text + (rf"\textsuperscript{{{entry.letter}}}" if entry.letter else "")


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "—": "---",
        "√": r"$\surd$",
        "…": r"\dots{}",
    }
)


def _latex(text: str) -> str:
    text = text.translate(_LATEX).replace("$\\surd$n", r"$\sqrt{n}$")
    text = re.sub(r"\blog p(\u0303?)(\(x\))?", _latex_log_p, text)
    return re.sub(r"\b([nK]) ([=-]) (\d+(?:,\d{3})*)", _latex_count, text)


def _latex_log_p(match: re.Match[str]) -> str:
    p = r"\tilde{p}" if match[1] else "p"
    return rf"$\log {p}{match[2] or ''}$"


def _latex_count(match: re.Match[str]) -> str:
    return f"${match[1]} {match[2]} {match[3].replace(',', '{,}')}$"
