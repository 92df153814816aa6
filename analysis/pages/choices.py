"""How the trials behind the cells of a study were chosen, and what a difference of two cells is."""

from math import isfinite

import pandas as pd

from analysis.labels import axis_label, value_label
from analysis.statistics import errors_to_tell
from gmm_study.study.plan import Plan
from gmm_study.training.hyperparameters import CHANGES_THE_BOUND


def how_chosen(plan: Plan) -> str:
    """How the trials behind the cells were chosen, and which bias the choice has."""
    searched = _searched(plan)
    if not searched:
        return "Every cell has one trial, so no trial was chosen over another."
    text = (
        "Each cell shows the trial with the highest mean validation bound over replicates; test "
        "figures play no part in the choice."
    )
    if names := [words for name, words in CHANGES_THE_BOUND.items() if name in searched]:
        text += (
            f" Trials of a cell may differ in {' and '.join(names)}, so the choice favours the "
            "tighter bound."
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
        "validation bound (nats)": cells["validation_bound"].map(_nats).tolist(),
        "candidates": [
            f"{cell['candidates']} of {cell['trials']}" if cell["trials"] else str(cell["mark"])
            for cell in cells.to_dict("records")
        ],
        "trial": cells["trial_id"].fillna("—").tolist(),
    }
    hidden = {""} | (set() if _searched(plan) else {"chosen settings"})
    return {name: column for name, column in columns.items() if name not in hidden}


def how_compared(plan: Plan) -> str:
    """What a difference of two cells is, and what its test can show."""
    n = plan.study.replicates
    text = "A difference is the mean over replicates of the difference within a replicate"
    if len({trial.config.hyperparameters.seed for trial in plan.trials}) > 1:
        text += ", or the difference of the means if the seeds differ (then tested by Welch's test)"
    if n == 1:
        return f"{text}; with one replicate there is no test."
    text += (
        ", ± its standard error (n - 1). A two-sided paired t-test at the 5% level, not adjusted "
        "for the number of comparisons, decides whether it is significant. With "
        f"n = {n} significance takes more than {errors_to_tell(n):.1f} standard errors, so a "
        "difference that is not significant may still exist."
    )
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
