"""The report of a study: its pages, tables and figures, written to a folder."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.diagnosed import Diagnosis, diagnosis_of
from analysis.figures.style import render
from analysis.files import replace_file
from analysis.findings import Findings
from analysis.gallery import noted, pictures_of
from analysis.pages.index import SUMMARY
from analysis.pages.protocol import failures, progress, title
from analysis.pages.study import study_pages
from analysis.pages.terminal import in_terminal
from analysis.pictures.picture import Picture
from analysis.tables.formats import csv, latex

if TYPE_CHECKING:
    from rich.console import Group

SHIPPED = "All records shown here come with gmm-study; none are yours."
"""The first condition of the answer of a report without records of the user's own."""
KINDS = ("svg", "png", "pdf")
"""The file formats of every figure."""


@dataclass(frozen=True)
class ReportFiles:
    """A report: its summary for other programs, and its files by name."""

    summary: Mapping[str, Any]
    paths: Mapping[str, Path]

    @property
    def page(self) -> Path:
        """The page for a browser."""
        return self.paths["index.html"]


@dataclass(frozen=True)
class WrittenReport(ReportFiles):
    """The same with the findings, which may hold an open storage."""

    found: Findings

    def __rich__(self) -> "Group":
        return in_terminal(self.found)


def write_report(found: Findings, folder: Path | str, command: str = "") -> WrittenReport:
    """Write `index.html`, `table.md`, `table.csv`, `table.tex`, `figures/` and `report.json`.

    A study of variations also gets `costs.csv`, one in which trials compete for a cell
    `budget.csv`, one of three or more data sets `datasets.csv`, one with gradients
    `gradients.csv`. `command` is the command that runs the study again, by default with the study's
    name only. Each file is written in one piece; figures and data that only an earlier report had
    are removed.
    """
    folder = Path(folder)
    if found.records.are_shipped:
        found = replace(found, conditions=(SHIPPED, *found.conditions))
    command = command or f"gmm-study run {found.plan.study.name}"
    problems = list(found.records.warnings)
    pictures: list[Picture] = []
    contents: dict[str, bytes] = {}
    for picture in pictures_of(found, problems):
        with noted(f"figure {picture.name}", problems):
            figure = picture.draw()
            contents |= {f"figures/{picture.name}.{kind}": render(figure, kind) for kind in KINDS}
            pictures.append(picture)
    found = replace(found, records=replace(found.records, warnings=tuple(problems)))
    svgs = {picture.name: contents[f"figures/{picture.name}.svg"] for picture in pictures}
    diagnosis = diagnosis_of(found)
    contents |= study_pages(found, diagnosis, pictures, svgs, command)
    contents["table.csv"] = csv(found.cells).encode()
    contents["table.tex"] = latex(found.tables).encode()
    if len(found.over_datasets.frame):
        contents["datasets.csv"] = csv(found.over_datasets.frame).encode()
    if len(found.budget):
        contents["budget.csv"] = csv(found.budget).encode()
    if len(found.gradients):
        contents["gradients.csv"] = csv(found.gradients).encode()
    if len(found.costs):
        contents["costs.csv"] = csv(found.costs).encode()
    facts = _summary(found, diagnosis, command) | {"files": sorted(contents)}
    contents[SUMMARY] = (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode()
    _remove_former_files(folder, contents)
    for name, content in contents.items():
        replace_file(folder / name, content)
    return WrittenReport(facts, {name: folder / name for name in contents}, found)


def _summary(found: Findings, diagnosis: Diagnosis, command: str) -> dict[str, Any]:
    """The report for other programs."""
    states = found.rows.drop_duplicates("trial_id")["state"].value_counts()
    return {
        "study": found.plan.study.name,
        "variant": found.plan.study.variant,
        "title": title(found.plan),
        "question": found.plan.study.question,
        "sentences": list(found.sentences),
        "conditions": list(found.conditions),
        "diagnosis": [asdict(line) for line in diagnosis.lines],
        "summary": progress(found),
        "trials": {str(state): int(count) for state, count in states.items()},
        "failures": [failure._asdict() for failure in failures(found)],
        "warnings": list(found.records.warnings),
        "command": command,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _remove_former_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Remove the figures and the data that only the former report in this folder had."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        former = json.loads((folder / SUMMARY).read_text())["files"]
        for name in former:
            parts = Path(name).parts
            is_figure = len(parts) == 2 and parts[0] == "figures"
            is_data = len(parts) == 1 and name.endswith(".csv")
            if (is_figure or is_data) and name not in contents:
                (folder / name).unlink(missing_ok=True)
