"""The Markdown page of a report: question, answer, what was run, tables, figure, choice."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import pandas as pd
from tabulate import tabulate

from analysis.costs import SAME
from analysis.figures.costs import what_intervals_are
from analysis.findings import Findings
from analysis.labels import CHANGES_THE_BOUND, axis_label, is_number, plain, value_label
from analysis.planned import STATES
from analysis.statistics import errors_to_tell
from analysis.tables.formats import escaped, markdown
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION, Study
from gmm_study.study.strategies import DrawnSearch, Scheduler

MOST_LISTED = 8


def how_compared(plan: Plan) -> str:
    """What a difference between two cells is, and what the test of it can tell."""
    n = plan.study.replicates
    text = "A difference is the mean over replicates of the difference within a replicate"
    if n == 1:
        return f"{text}; there is one replicate, so no test."
    return (
        f"{text}, ± its standard error (n - 1). It is told from 0 by a two-sided paired t-test at "
        f"the 5% level, not adjusted for the number of comparisons; with n = {n} that takes "
        f"{errors_to_tell(n):.1f} standard errors, so what is not told from 0 may well be there."
    )


def page(found: Findings, command: str) -> str:
    """The Markdown page: question, answer, what was run, tables, figure, choice, command."""
    study = found.plan.study
    answer = "".join(f"- {sentence}\n" for sentence in found.sentences)
    differs = bool(answer) and found.plan.x != VARIATION  # costs say it in their caption
    tables = "\n".join(map(markdown, found.tables))
    sections = {
        "Answer": answer + (f"\n{how_compared(found.plan)}\n" if differs else ""),
        "What was run": _what_was_run(found),
        "Tables": tables,
        "Figure": _figure_section(found),
        "Trials behind the cells": selection_section(found.plan, found.cells),
        "Run it again": f"```\n{command}\n```\n\nTrains what is missing and nothing twice.\n",
    }
    body = "\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items() if text)
    return f"# {title(found.plan)}\n\n{study.question}\n\n{body}"


def _what_was_run(found: Findings) -> str:
    study, rows = found.plan.study, found.rows
    axes: dict[str, list[Any]] = {}
    for trial in found.plan.places:
        for axis, value in trial.axes.items():
            if axis != VARIATION and plain(value) not in axes.setdefault(axis, []):
                axes[axis].append(plain(value))
    swept = [f"{axis_label(axis)}: {_listed(values)}" for axis, values in axes.items()]
    facts = [
        summary(rows),
        f"Methods: {', '.join(study.methods)}. Datasets: {', '.join(study.datasets)}. "
        + "".join(f"{axis[0].upper()}{axis[1:]}. " for axis in swept)
        + f"Replicates a trial: {study.replicates}.",
    ]
    if isinstance(study.search, DrawnSearch):
        facts.append(
            f"Search: {study.search.kind}, {study.search.trials} trials in every cell of the grid, "
            f"seed {study.search.seed}."
        )
    if isinstance(study.scheduler, Scheduler):
        facts.append(f"{how_stopped(study.scheduler)}; what it has stopped is no candidate.")
    if missing := unproposed(found.plan):
        facts.append(missing)
    if study.variations:
        facts.append(what_varies(study))
    if found.plan.without_data:
        facts.append(f"No data could be had for {', '.join(found.plan.without_data)}.")
    commits = sorted(found.records.trials["git_commit"].dropna().unique())
    if commits:
        facts.append(f"Trained at commit {', '.join(commit[:10] for commit in commits)}.")
    failed = rows[rows["state"] == "failed"].drop_duplicates("trial_id")
    labels = {trial.config.trial_id: trial.label for trial in found.plan.trials}
    reasons = dict(zip(failed["trial_id"], failed["reason"], strict=True))
    facts += [f"Failed: {labels[key]} (trial {key}): {why}" for key, why in reasons.items()]
    return "\n\n".join(facts) + "\n"


def _listed(values: list[Any]) -> str:
    if len(values) > MOST_LISTED and all(map(is_number, values)):
        return f"{len(values)} values, {value_label(min(values))} to {value_label(max(values))}"
    return ", ".join(map(value_label, values))


def how_stopped(scheduler: Scheduler) -> str:
    """The scheduler and its settings."""
    return f"Scheduler: {scheduler.kind} ({_settings(scheduler.model_dump(exclude={'kind'}))})"


def unproposed(plan: Plan) -> str:
    """That an adaptive search has not come to its end; empty where it has, or there is none."""
    count = sum(plan.unproposed.values())
    if not count:
        return ""
    few = "1 trial is" if count == 1 else f"{count} trials are"
    return f"{few} yet to be proposed, so every choice of a trial is provisional."


def what_varies(study: Study) -> str:
    """What each variation lays over the fixed settings."""
    variations = (f"{name} ({_settings(laid)})" for name, laid in study.variations.items())
    return f"Variations of the fixed settings: {'; '.join(variations)}."


def _settings(laid: Mapping[str, Any]) -> str:
    listed = (f"{name} {plain(value)}" for name, value in laid.items())
    return ", ".join(listed) or "as fixed"


def _figure_section(found: Findings) -> str:
    plan = found.plan
    alt, text = _figure_words(plan, found)
    if len(found.costs):
        text += what_intervals_are(plan)
    elif plan.study.replicates > 1:
        text += " Error bars ± one standard error."
    if not found.cells["complete"].all():
        text += " A gap is an incomplete cell."
    return f"![{alt}](figure.png)\n\n{text}\n"


def _figure_words(plan: Plan, found: Findings) -> tuple[str, str]:
    """What stands for the figure where it is not shown, and what explains it."""
    several = len(plan.study.methods) > 1
    if len(found.costs):
        reference = found.costs["reference"].iloc[0]
        text = f"Cost in nats of test log p against {reference}; left of 0 a variation gains."
        if (found.costs["trial_id"] == found.costs["reference_trial_id"]).any():
            text += f" Hollow: {SAME} {reference}."
        return "Cost of each variation", text
    if plan.x is None and found.cells["dataset"].nunique() > 1:
        text = "Test log p in nats, a panel a dataset."
        if any(", published" in name for table in found.tables for name, _ in table.rows):
            text += " Crosses are published figures."
        return "Test log p", text
    axis = f" against {axis_label(plan.x)}" if plan.x else ", a point a method"
    text = (
        f"Test bound (left) and test log p (right) in nats{axis}. Bounds of different "
        "methods are different quantities and do not compare."
    )
    if plan.x and several:
        text += " Methods are shifted sideways by a hair to keep their error bars apart."
    if plan.x and found.cells["x"].isna().any():
        text += (
            f" Dashed, with its error as a band: a method that does not read {axis_label(plan.x)}."
        )
    return f"Test bound and test log p{axis}", text


def selection_section(plan: Plan, cells: pd.DataFrame) -> str:
    """How the trials behind the cells were chosen, and which they are."""
    others = {axis for trial in plan.trials for axis in trial.axes} - {plan.x}
    text = (
        "Of the trials of a cell the one with the highest mean validation bound over its "
        "replicates stands for it; test figures play no part in the choice."
        if others
        else "Every cell has one trial, so none was chosen over another."
    )
    if swept := [words for name, words in CHANGES_THE_BOUND.items() if name in others]:
        text += (
            f" Trials of a cell may differ in {' and '.join(swept)}, so the choice leans to the "
            "tighter bound."
        )
    cells = cells.drop_duplicates(["dataset", "method", "x"])
    table: dict[str, Iterable[Any]] = {
        "dataset": cells["dataset"],
        "method": cells["method"],
        axis_label(plan.x or ""): cells["x"].map(value_label),
        "chosen settings": cells["settings"],
        "validation bound (nats)": cells["validation_bound"].map(_nats),
        "candidates": [
            f"{cell['candidates']} of {cell['trials']}" if cell["trials"] else str(cell["mark"])
            for cell in cells.to_dict("records")
        ],
        "trial": cells["trial_id"].fillna("—"),
    }
    if not others:
        del table["chosen settings"]
    table.pop("", None)
    return f"{text}\n\n{pipe_table(table)}\n"


def pipe_table(columns: Mapping[str, Iterable[Any]]) -> str:
    """A Markdown table of columns by their headings."""
    body = {
        escaped(head): [escaped(str(cell)) for cell in column] for head, column in columns.items()
    }
    return tabulate(body, headers="keys", tablefmt="pipe", disable_numparse=True)


def _nats(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "—"


def title(plan: Plan) -> str:
    """The study's name and its variant."""
    return plan.study.name + (f" ({plan.study.variant})" if plan.study.variant else "")


def summary(rows: pd.DataFrame) -> str:
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
