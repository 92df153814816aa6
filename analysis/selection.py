"""Selects the trial that represents each cell of a table, by figures on the validation data only.

A cell is a data set, a method and a value of the plan's axis; its trials differ in the other axes.
Selection is separate from formatting, and never sees a test metric.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import Any

import pandas as pd

from analysis.planned import each_once, x_values
from gmm_study.phrases import plural
from gmm_study.training.state import TrialState
from gmm_study.trials.selection import SELECTION_METRICS, Choice, Scores, best_trials, scores

CELL = ("dataset", "method", "x")
PROVISIONAL = "provisional"
"""The mark of a cell begins with this word while some of its trials have not ended."""
_READ = ("trial_id", "settings", "state", "replicate_state", *SELECTION_METRICS)
_TYPES = {
    "dataset": "string",
    "method": "string",
    "x": "object",
    "complete": "bool",
    "trial_id": "string",
    "settings": "string",
    "validation": "float64",
    "selected_by": "string",
    "candidates": "int64",
    "trials": "int64",
    "mark": "string",
}


def best_on_validation(rows: pd.DataFrame) -> pd.DataFrame:
    """Choose in every cell the trial with the best mean over replicates on the validation data.

    Trials are compared by `valid/log_p`, or by `valid/bound` if a candidate of the cell lacks it.

    `rows` are the planned replicates (`join`). A trial is a candidate only if all its planned
    replicates are complete with a finite bound; among equals, the first in the plan is chosen.
    Returns a row per cell, data sets and methods in the plan's order: `dataset`, `method`, `x`,
    `complete` (whether there is a candidate), `trial_id` and `settings` of the chosen trial
    (missing and empty without one), `validation` (its mean, in nats), `selected_by` (the metric of
    which that is the mean; empty without a candidate), the numbers of `candidates` and `trials`,
    and `mark`, which says what is missing and why.
    """
    order = [list(dict.fromkeys(rows[name])) for name in CELL[:2]] + [x_values(rows)]
    places = list(rows[list(CELL)].itertuples(index=False, name=None))
    cells: dict[tuple[Any, ...], dict[str, list[dict[Any, Any]]]] = {}
    for cell, row in zip(places, rows[list(_READ)].to_dict("records"), strict=True):
        cells.setdefault(cell, {}).setdefault(row["trial_id"], []).append(row)
    of_trials = validation_scores(rows)
    best = best_trials(zip(places, rows["trial_id"], strict=True), of_trials)
    in_order = sorted(
        cells,
        key=lambda cell: [names.index(name) for names, name in zip(order, cell, strict=True)],
    )
    chosen = [
        dict(zip(CELL, cell, strict=True)) | _chosen(cells[cell], best.get(cell), of_trials)
        for cell in in_order
    ]
    return pd.DataFrame(chosen, dtype=object).astype(_TYPES)


def validation_scores(rows: pd.DataFrame) -> dict[str, Scores]:
    """What each trial is selected by, by its id; empty if it is not a candidate."""
    once, replicates = each_once(rows), dict[str, list[tuple[str, dict[str, float]]]]()
    columns = ["trial_id", "replicate_state", *SELECTION_METRICS]
    for trial_id, state, *values in zip(*(once[name] for name in columns), strict=True):
        metrics = dict(zip(SELECTION_METRICS, values, strict=True))
        replicates.setdefault(str(trial_id), []).append((state, metrics))
    return {trial_id: scores(own) for trial_id, own in replicates.items()}


def _chosen(
    trials: Mapping[str, Sequence[Mapping[Any, Any]]],
    best: Choice | None,
    of_trials: Mapping[str, Scores],
) -> dict[str, Any]:
    """The row of a cell, from its trials with their planned replicates."""
    candidates = [trial_id for trial_id in trials if of_trials[trial_id]]
    missing = Counter(
        _what_is_missing(replicates)
        for trial_id, replicates in trials.items()
        if not of_trials[trial_id]
    )
    return {
        "complete": best is not None,
        "trial_id": None if best is None else best.trial_id,
        "settings": "" if best is None else trials[best.trial_id][0]["settings"],
        "validation": nan if best is None else best.value,
        "selected_by": "" if best is None else best.selected_by,
        "candidates": len(candidates),
        "trials": len(trials),
        "mark": _mark(missing, len(trials), len(candidates)),
    }


def _what_is_missing(replicates: Sequence[Mapping[Any, Any]]) -> str:
    """Why a trial is not a candidate, from its planned replicates."""
    wanted = len(replicates)
    states = Counter(row["replicate_state"] for row in replicates)
    complete, diverged = states[TrialState.COMPLETE], states[TrialState.DIVERGED]
    if states[TrialState.FAILED]:
        return TrialState.FAILED
    if diverged:
        return f"diverged {diverged} of {wanted} replicates"
    if complete < wanted:
        ended = f", {complete} of {wanted} replicates complete" if complete else ""
        return f"{replicates[0]['state']}{ended}"
    lost = min(sum(not isfinite(row[name]) for row in replicates) for name in SELECTION_METRICS)
    return f"validation not finite in {lost} of {wanted} replicates"


def _mark(missing: Counter[str], trials: int, candidates: int) -> str:
    if trials == 1 or not missing:
        return next(iter(missing), "")
    listed = "; ".join(f"{reason} ({plural(count, 'trial')})" for reason, count in missing.items())
    if not candidates:
        return listed
    unfinished = (TrialState.PENDING, TrialState.RUNNING)
    is_provisional = any(reason.startswith(unfinished) for reason in missing)
    provisional = f"{PROVISIONAL}: " if is_provisional else ""
    return f"{provisional}{candidates} of {trials} trials compared; {listed}"
