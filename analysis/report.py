"""The report of a study: tables, figure and verdict, written to a folder and to a terminal."""

import os
import uuid
from collections import Counter
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tabulate import tabulate

from analysis.figures import draw, render
from analysis.formats import csv, latex, markdown, number, superscript
from analysis.frames import STATES, Records, join, load
from analysis.labels import axis_label, is_number, plain, value_label
from analysis.tables import Entry, Table, lay_out, summarise
from analysis.verdict import verdict
from gmm_study.study.plan import Plan
from gmm_study.trials.record import RecordStore

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table as RichTable
    from rich.text import Text

FILES = ("table.md", "table.csv", "table.tex", "figure.png", "figure.svg")
MOST_LISTED = 8
HOW_COMPARED = (
    "A difference is the mean over replicates of the difference within a replicate, ± its standard "
    "error; both of its ends have the same replicates."
)


@dataclass(frozen=True)
class Report:
    """What was written, and what it was written from; `rich.print(report)` shows it.

    `paths` by file name; `rows` the planned replicates (`join`), `cells` their summary
    (`summarise`), `sentences` the verdict.
    """

    plan: Plan
    records: Records
    rows: pd.DataFrame
    cells: pd.DataFrame
    tables: tuple[Table, ...]
    sentences: tuple[str, ...]
    paths: dict[str, Path]

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [
            Text(f"{_title(self.plan)}: {self.plan.study.question}", style="bold"),
            Text(_summary(self.rows)),
        ]
        for table in self.tables:
            parts += [Text(f"\n{table.title}, mean ± standard error"), _terminal_table(table)]
            parts += [Text(f"{superscript(letter)} {text}") for letter, text in table.notes]
        if self.sentences:
            parts += [Text(), *map(Text, self.sentences)]
        parts += [Text(f"warning: {line}", style="yellow") for line in self.records.warnings]
        return Group(*parts, Text(), *(Text(f"wrote {path}") for path in self.paths.values()))


def write_report(
    plan: Plan, store: RecordStore | str, folder: Path | str, command: str = ""
) -> Report:
    """Write `table.md`, `table.csv`, `table.tex`, `figure.png` and `figure.svg` into a folder.

    Reads the records of the plan's trials: what has none yet is shown as pending, what cannot be
    read as failed. `command` is the line that runs the study again, by default with the study's
    name alone. Every file is replaced whole or not at all.
    """
    records = load(store, [trial.config.trial_id for trial in plan.trials])
    rows = join(plan, records)
    cells = summarise(plan, rows)
    paths = {name: Path(folder) / name for name in FILES}
    sentences = tuple(verdict(plan, rows, cells))
    report = Report(plan, records, rows, cells, tuple(lay_out(plan, cells)), sentences, paths)
    figure = draw(plan, cells)
    contents = (
        _page(report, command or f"gmm-study run {plan.study.name}").encode(),
        csv(cells).encode(),
        latex(report.tables).encode(),
        render(figure, "png"),
        render(figure, "svg"),
    )
    for path, content in zip(paths.values(), contents, strict=True):
        _replace(path, content)
    return report


def _page(report: Report, command: str) -> str:
    """The Markdown page: question, answer, what was run, tables, figure, choice, command."""
    study = report.plan.study
    answer = "".join(f"- {sentence}\n" for sentence in report.sentences)
    tables = "\n".join(map(markdown, report.tables))
    sections = {
        "Answer": answer + (f"\n{HOW_COMPARED}\n" if "paired" in answer else ""),
        "What was run": _what_was_run(report),
        "Tables": tables,
        "Figure": _figure_section(report),
        "Trials behind the cells": _selection_section(report),
        "Run it again": f"```\n{command}\n```\n\nTrains what is missing and nothing twice.\n",
    }
    body = "\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items() if text)
    return f"# {_title(report.plan)}\n\n{study.question}\n\n{body}"


def _what_was_run(report: Report) -> str:
    study, rows = report.plan.study, report.rows
    axes: dict[str, list[Any]] = {}
    for trial in report.plan.trials:
        for axis, value in trial.axes.items():
            if plain(value) not in axes.setdefault(axis, []):
                axes[axis].append(plain(value))
    swept = [f"{axis_label(axis)}: {_listed(values)}" for axis, values in axes.items()]
    facts = [
        _summary(rows),
        f"Methods: {', '.join(study.methods)}. Datasets: {', '.join(study.datasets)}. "
        + "".join(f"{axis[0].upper()}{axis[1:]}. " for axis in swept)
        + f"Replicates a trial: {study.replicates}.",
    ]
    commits = sorted(report.records.trials["git_commit"].dropna().unique())
    if commits:
        facts.append(f"Trained at commit {', '.join(commit[:10] for commit in commits)}.")
    failed = rows[rows["state"] == "failed"].drop_duplicates("trial_id")
    labels = {trial.config.trial_id: trial.label for trial in report.plan.trials}
    reasons = dict(zip(failed["trial_id"], failed["reason"], strict=True))
    facts += [f"Failed: {labels[key]} (trial {key}): {why}" for key, why in reasons.items()]
    return "\n\n".join(facts) + "\n"


def _listed(values: list[Any]) -> str:
    if len(values) > MOST_LISTED and all(map(is_number, values)):
        return f"{len(values)} values, {value_label(min(values))} to {value_label(max(values))}"
    return ", ".join(map(value_label, values))


def _figure_section(report: Report) -> str:
    plan = report.plan
    axis = f" against {axis_label(plan.x)}" if plan.x else ", a point a method"
    error = ", error bars ± one standard error" if plan.study.replicates > 1 else ""
    text = (
        f"Test bound (left) and test log p (right) in nats{axis}{error}. Bounds of different "
        "methods are different quantities and do not compare."
    )
    if plan.x and len(plan.study.methods) > 1:
        text += " Methods are shifted sideways by a hair to keep their error bars apart."
    if plan.x and report.cells["x"].isna().any():
        text += (
            f" Dashed, with its error as a band: a method that does not read {axis_label(plan.x)}."
        )
    if not report.cells["complete"].all():
        text += " A gap is an incomplete cell."
    return f"![Test bound and test log p{axis}](figure.png)\n\n{text}\n"


def _selection_section(report: Report) -> str:
    plan = report.plan
    others = {axis for trial in plan.trials for axis in trial.axes} - {plan.x}
    text = (
        "Of the trials of a cell the one with the highest mean validation bound over its "
        "replicates stands for it; test figures play no part in the choice."
        if others
        else "Every cell has one trial, so none was chosen over another."
    )
    if others & {"samples", "bound"}:
        text += (
            " The bound depends on K and on its kind, so among trials that differ in them the "
            "choice leans to the tighter bound."
        )
    cells = report.cells.drop_duplicates(["dataset", "method", "x"])
    table = {
        "dataset": cells["dataset"],
        "method": cells["method"],
        axis_label(plan.x or ""): cells["x"].map(value_label),
        "chosen settings": cells["settings"],
        "validation bound (nats)": cells["validation_bound"].map(_nats),
        "candidates": [f"{cell.candidates} of {cell.trials}" for cell in cells.itertuples()],
        "trial": cells["trial_id"].fillna("—"),
    }
    if not others:
        del table["chosen settings"]
    table.pop("", None)
    return f"{text}\n\n{tabulate(table, headers='keys', tablefmt='pipe', disable_numparse=True)}\n"


def _nats(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "—"


def _title(plan: Plan) -> str:
    return plan.study.name + (f" ({plan.study.variant})" if plan.study.variant else "")


def _summary(rows: pd.DataFrame) -> str:
    """`36 trials: 34 complete, 2 pending; 108 replicates: …`, or that there is nothing yet."""
    trials = rows.drop_duplicates("trial_id")["state"]
    replicates = rows.drop_duplicates(["trial_id", "replicate"])["replicate_state"]
    if set(trials) == {"pending"} and set(replicates) == {"pending"}:
        return f"No result yet: none of the {len(trials)} planned trials has a record."
    return f"{_by_state(trials, 'trial')}; {_by_state(replicates, 'replicate')}."


def _by_state(states: pd.Series, noun: str) -> str:
    counts = Counter(states)
    listed = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return f"{len(states)} {noun}{'s' if len(states) > 1 else ''}: {listed}"


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


def _replace(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
