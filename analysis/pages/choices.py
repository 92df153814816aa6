"""How the trials behind the cells of a study were chosen, and what a difference of two cells is."""

from math import isfinite

import pandas as pd

from analysis.labels import SELECTED_BY, axis_label, value_label
from analysis.simultaneous import ONE
from analysis.statistics import CONFIDENCE
from gmm_study.study.plan import Plan
from gmm_study.study.strategies import Scheduler
from gmm_study.training.declared import CHANGES_THE_BOUND
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P

VALIDATION = "validation"


def how_chosen(plan: Plan, cells: pd.DataFrame) -> str:
    """How the trials behind the cells were chosen, and which bias the choice has."""
    searched = _searched(plan)
    if not searched:
        return "Every cell has one trial, so no trial was chosen over another."
    used = {str(name) for name in cells["selected_by"] if name}
    by = " or ".join(label for name, label in SELECTED_BY.items() if name in (used or SELECTED_BY))
    text = (
        f"Each cell shows the trial with the highest mean {by} over replicates; test figures play "
        "no part in the choice."
    )
    if {VALID_BOUND, VALID_LOG_P} <= used:
        text += " Cells with a record of an older version, which lacks log p, are chosen by bounds."
    by_bounds = ["the choice by bounds"] if VALID_BOUND in used else []
    if isinstance(plan.study.scheduler, Scheduler):
        by_bounds.append("the scheduler, which compares bounds,")
    names = [words for name, words in CHANGES_THE_BOUND.items() if name in searched]
    if names and by_bounds:
        verb = "favours" if len(by_bounds) == 1 else "favour"
        text += (
            f" Trials of a cell may differ in {' and '.join(names)}, so {' and '.join(by_bounds)} "
            f"{verb} the tighter bound."
        )
    return text


def choices(plan: Plan, cells: pd.DataFrame) -> dict[str, list[str]]:
    """The trial behind every cell, as columns by their headings."""
    cells = cells.drop_duplicates(["dataset", "method", "x"])
    columns = {
        "dataset": cells["dataset"].tolist(),
        "method": cells["method"].tolist(),
        axis_label(plan.x or ""): cells["x"].map(value_label).tolist(),
        "chosen settings": cells["settings"].tolist(),
        f"{_one_criterion(cells)} (nats)": cells["validation"].map(_nats).tolist(),
        "selected by": [SELECTED_BY.get(name, "—") for name in cells["selected_by"]],
        "candidates": [
            f"{cell['candidates']} of {cell['trials']}" if cell["trials"] else str(cell["mark"])
            for cell in cells.to_dict("records")
        ],
        "trial": cells["trial_id"].fillna("—").tolist(),
    }
    hidden = {""} | (set() if _searched(plan) else {"chosen settings"})
    hidden |= set() if _one_criterion(cells) == VALIDATION else {"selected by"}
    return {name: column for name, column in columns.items() if name not in hidden}


def _one_criterion(cells: pd.DataFrame) -> str:
    """What all trials were selected by, in words; `validation` if they differ."""
    used = [name for name in dict.fromkeys(cells["selected_by"]) if name]
    return SELECTED_BY[used[0]] if len(used) == 1 else VALIDATION


def how_compared(plan: Plan) -> str:
    """What a difference of two cells is, and what its interval can show."""
    n, margin = plan.study.replicates, plan.study.report.margin
    text = "A difference is paired over seeds and over test datapoints"
    if len({trial.config.hyperparameters.seed for trial in plan.trials}) > 1:
        text += ", or over datapoints alone if the seeds differ"
    if n == 1:
        return f"{text}; with one replicate there is no error over seeds."
    text += (
        ", ± its standard error over both (over seeds alone where the record has no values of "
        "datapoints). It counts as a gain or a loss if its 95% interval excludes 0, as no "
        f"difference if its 90% interval lies within ±{margin:g} nats (the margin of the study), "
        f"and else as not resolved. With n = {n} the interval over seeds alone is "
        f"{ONE.critical(n - 1, CONFIDENCE):.1f} standard errors wide to each side."
    )
    if plan.x is None and len(plan.study.methods) > 2:
        text += (
            " Intervals of the differences from the best of several methods hold for all pairs "
            "(Tukey), with the variance over seeds pooled."
        )
    elif len(plan.study.methods) * len(plan.study.datasets) > 1:
        text += " Every interval holds for one difference alone."
    if _searched(plan):
        text += (
            " Each cell shows the best trial of its search, so a difference may also come from "
            "which trials the search happened to draw; the standard error is over seeds and does "
            "not include that."
        )
    return text


def _searched(plan: Plan) -> set[str]:
    """The axes over which the trial of a cell is chosen."""
    return {axis for trial in plan.trials for axis in trial.axes} - {plan.x or ""}


def _nats(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "—"
