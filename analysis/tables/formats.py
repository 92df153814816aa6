"""Tables as Markdown, CSV and LaTeX: the same entries, captions and footnotes in each."""

import re
from collections.abc import Iterable, Sequence
from math import isfinite

import pandas as pd
from tabulate import tabulate

from analysis.labels import error_label, nats
from analysis.tables.layout import Entry, Table


def markdown(table: Table) -> str:
    """A pipe table with its caption before it and its footnotes after it."""
    body = [[name, *(_markdown_entry(table, e) for e in entries)] for name, entries in table.rows]
    grid = pipe_table([corner(table), *table.columns], body, numeric=True)
    notes = "".join(f"\n\n{superscript(letter)} {text}" for text, letter in table.letters.items())
    return f"**{table.title}.** {table.caption}\n\n{grid}{notes}\n"


def pipe_table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], numeric: bool = False
) -> str:
    """A Markdown table of texts; `numeric` aligns all columns but the first to the right."""
    align = ("left", *("right" for _ in heads[1:])) if numeric else None
    text: str = tabulate(
        [[_escaped(cell) for cell in row] for row in rows],
        headers=[_escaped(head) for head in heads],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=align,
    )
    return text


def corner(table: Table) -> str:
    """What the first column and the others hold: `method \\ dataset`."""
    return " \\ ".join(filter(None, table.corner))


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
    mean = nats(entry.mean, places, entry.signed)
    return f"{mean} ± {error_label(entry.standard_error, places)}"


def sign(entry: Entry) -> str:
    """The mark of an entry that is equivalent to the best one."""
    return " ≈" if entry.equivalent else ""


def superscript(letters: str) -> str:
    """A footnote's letters, raised."""
    return letters.translate(str.maketrans("abcdefghijklmnop", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖ"))


def _escaped(text: object) -> str:
    return str(text).replace("|", "\\|")


def _markdown_entry(table: Table, entry: Entry | None) -> str:
    if entry is None:
        return ""
    text = number(entry, table.places)
    bold = f"**{text}**" if entry.best else text
    return bold + sign(entry) + superscript(table.letter(entry))


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
    for name, entries in table.rows:
        cells = [_latex(name), *(_latex_entry(table, entry) for entry in entries)]
        lines.append(rf"    {' & '.join(cells)} \\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    if table.letters:
        notes = [_raised(letter) + f"~{_latex(text)}" for text, letter in table.letters.items()]
        lines += [r"  \par\smallskip", rf"  {{\footnotesize {'; '.join(notes)}.\par}}"]
    return "\n".join([*lines, r"\end{table}", ""])


def _latex_entry(table: Table, entry: Entry | None) -> str:
    if entry is None:
        return ""
    text = number(entry, table.places)
    if isfinite(entry.mean) or text[0] in "+-[":
        mathematics = text.replace("±", r"\pm").replace("n/a", r"\mathrm{n/a}")
        mathematics = _with_powers(mathematics)
        mathematics = rf"\mathbf{{{mathematics}}}" if entry.best else mathematics
        raised = r"^{\approx}" if entry.equivalent else ""
        text = f"${mathematics}{raised}$"
    else:
        text = _latex(text)
    letter = table.letter(entry)
    return text + (_raised(letter) if letter else "")


def _with_powers(mathematics: str) -> str:
    """Mathematics in which the exponents of huge numbers (`nats`) are powers of ten."""
    return re.sub(r"e\+0*(\d+)", r" \\times 10^{\1}", mathematics)


def _raised(letter: str) -> str:
    return rf"\textsuperscript{{{letter}}}"


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
        "≈": r"$\approx$",
        "<": r"$<$",
        "…": r"\dots{}",
    }
)


def _latex(text: str) -> str:
    text = text.translate(_LATEX).replace("$\\surd$n", r"$\sqrt{n}$")
    text = re.sub(r"[+-]?\b\d\.\de\+\d+\b", lambda huge: f"${_with_powers(huge[0])}$", text)
    text = re.sub(r"\blog p(\u0303?)(\(x\))?", _latex_log_p, text)
    return re.sub(r"\b([nK]) ([=-]) (\d+(?:,\d{3})*)", _latex_count, text)


def _latex_log_p(match: re.Match[str]) -> str:
    p = r"\tilde{p}" if match[1] else "p"
    return rf"$\log {p}{match[2] or ''}$"


def _latex_count(match: re.Match[str]) -> str:
    return f"${match[1]} {match[2]} {match[3].replace(',', '{,}')}$"
