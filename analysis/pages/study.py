"""The page of a study, in Markdown and for a browser: question, answer, tables, figures, facts."""

from collections.abc import Mapping, Sequence

from analysis.diagnosed import Diagnosis
from analysis.findings import Findings
from analysis.pages.choices import choices, how_chosen, how_compared
from analysis.pages.protocol import failures, progress, protocol, provenance, title
from analysis.pages.rendering import data_uri, inline_svg, render_page
from analysis.pictures.picture import Picture
from analysis.tables.formats import csv, latex, markdown, pipe_table
from analysis.tables.html import html
from gmm_study.study.fields import VARIATION


def study_pages(
    found: Findings,
    diagnosis: Diagnosis,
    pictures: Sequence[Picture],
    svgs: Mapping[str, bytes],
    command: str,
) -> dict[str, bytes]:
    """`table.md`, and `index.html`, one file that needs no other; `svgs` are pictures by name."""
    plan = found.plan
    choice = choices(plan, found.cells)
    rows = list(zip(*choice.values(), strict=True))
    content = {
        "title": title(plan),
        "question": plan.study.question,
        "sentences": found.sentences,
        "conditions": found.conditions,
        "diagnosis": diagnosis,
        "summary": progress(found),
        # The tables of costs explain their own differences.
        "compared": how_compared(plan) if found.sentences and plan.x != VARIATION else "",
        "facts": protocol(found) | provenance(found.records),
        "figures": pictures,
        "failures": failures(found),
        "warnings": found.records.warnings,
        "how_chosen": how_chosen(plan, found.cells),
        "command": command,
    }
    in_markdown = {
        "tables": [markdown(table) for table in found.tables],
        "choice": pipe_table(list(choice), rows),
    }
    in_html = {
        "tables": [html(table) for table in found.tables],
        "choice": {"columns": list(choice), "rows": rows},
        "svgs": {name: inline_svg(svg, name) for name, svg in svgs.items()},
        "csv": data_uri(csv(found.cells).encode(), "text/csv"),
        "latex": data_uri(latex(found.tables).encode(), "text/plain"),
    }
    return {
        "table.md": render_page("study.md", content | in_markdown),
        "index.html": render_page("study.html", content | in_html),
    }
