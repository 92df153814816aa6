"""The page of a study, in Markdown and for a browser: question, answer, tables, figures, facts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from analysis.findings import Findings
from analysis.gallery import Picture
from analysis.pages.facts import choices, facts, failures, how_chosen, how_compared, summary, title
from analysis.pages.html import data_uri, inline_svg, render_page
from analysis.tables.formats import csv, escaped, latex, markdown
from analysis.tables.html import html
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION


def markdown_page(found: Findings, pictures: Sequence[Picture], command: str) -> str:
    """Question, answer, what was run, tables, figures, choice, failures, command."""
    plan = found.plan
    answer = "".join(f"- {sentence}\n" for sentence in found.sentences)
    sections = {
        "Answer": answer + (f"\n{how_compared(plan)}\n" if _compares(found) else ""),
        "What was run": "".join(f"- {name}: {text}\n" for name, text in facts(found).items()),
        "Tables": "\n".join(map(markdown, found.tables)),
        "Figures": "\n".join(
            f"![{picture.title}](figures/{picture.name}.png)\n\n{picture.caption}\n"
            for picture in pictures
        ),
        "What did not work": "".join(
            f"- {failure.label} (trial {failure.trial_id}): {failure.state}: {failure.reason}\n"
            for failure in failures(found)
        )
        + "".join(f"- {warning}\n" for warning in found.records.warnings),
        "Trials behind the cells": selection_section(plan, found.cells),
        "Run it again": f"```\n{command}\n```\n\nTrains what is missing and nothing twice.\n",
    }
    body = "\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items() if text)
    return f"# {title(plan)}\n\n{plan.study.question}\n\n{body}"


def html_page(
    found: Findings, pictures: Sequence[Picture], svgs: Mapping[str, bytes], command: str
) -> bytes:
    """The same for a browser, in one file that needs no other; `svgs` are the pictures by name."""
    plan = found.plan
    columns = choices(plan, found.cells)
    content = {
        "title": title(plan),
        "question": plan.study.question,
        "sentences": found.sentences,
        "summary": summary(found.rows),
        "compared": how_compared(plan) if _compares(found) else "",
        "tables": [html(table) for table in found.tables],
        "csv": data_uri(csv(found.cells).encode(), "text/csv"),
        "latex": data_uri(latex(found.tables).encode(), "text/plain"),
        "figures": [
            {
                "name": picture.name,
                "title": picture.title,
                "caption": picture.caption,
                "svg": inline_svg(svgs[picture.name], picture.name),
            }
            for picture in pictures
        ],
        "facts": facts(found).items(),
        "failures": failures(found),
        "warnings": found.records.warnings,
        "choice": {
            "text": how_chosen(plan),
            "columns": list(columns),
            "rows": list(zip(*columns.values(), strict=True)),
        },
        "command": command,
    }
    return render_page("study", content)


def selection_section(plan: Plan, cells: pd.DataFrame) -> str:
    """How the trials behind the cells were chosen, and which they are."""
    return f"{how_chosen(plan)}\n\n{pipe_table(choices(plan, cells))}\n"


def pipe_table(columns: Mapping[str, Iterable[Any]]) -> str:
    """A Markdown table of columns by their headings."""
    body = {
        escaped(head): [escaped(str(cell)) for cell in column] for head, column in columns.items()
    }
    table: str = tabulate(body, headers="keys", tablefmt="pipe", disable_numparse=True)
    return table


def _compares(found: Findings) -> bool:
    """Whether the answer has differences to explain; the tables of costs explain their own."""
    return bool(found.sentences) and found.plan.x != VARIATION
