"""Selects the trial that represents each cell of a table, by validation bounds only.

A cell is a data set, a method and a value of the plan's axis; its trials differ in the other axes.
Selection is separate from formatting, and never sees a test metric.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from statistics import fmean
from typing import Any

import pandas as pd

from analysis.labels import CRITERION
from analysis.planned import x_values

CELL = ("dataset", "method", "x")
PROVISIONAL = "provisional"
"""How the mark of a cell begins whose trials have not all ended."""
_READ = (*CELL, "trial_id", "settings", "state", "replicate_state", CRITERION)
_TYPES = {
    "dataset": "string",
    "method": "string",
    "x": "object",
    "complete": "bool",
    "trial_id": "string",
    "settings": "string",
    "validation_bound": "float64",
    "candidates": "int64",
    "trials": "int64",
    "mark": "string",
}


def best_mean_validation_bound(rows: pd.DataFrame) -> pd.DataFrame:
    """Choose in every cell the trial with the best mean validation bound over its replicates.

    `rows` are the planned replicates (`join`). Only a trial whose planned replicates are all
    complete, each with a finite bound, is a candidate; of equal ones the first in the plan is
    chosen. A row a cell, datasets and methods in the plan's order: `dataset`, `method`, `x`,
    `complete` (whether there is a candidate), `trial_id` and `settings` of the chosen trial
    (missing and empty where there is none), `validation_bound` (its mean, in nats), `candidates`
    and `trials` (how many), and `mark`, which says what is missing and why.
    """
    order = [list(dict.fromkeys(rows[name])) for name in CELL[:2]] + [x_values(rows)]
    cells: dict[tuple[Any, ...], dict[str, list[dict[Any, Any]]]] = {}
    for row in rows[list(_READ)].to_dict("records"):
        trials = cells.setdefault(tuple(row[name] for name in CELL), {})
        trials.setdefault(row["trial_id"], []).append(row)
    in_order = sorted(
        cells,
        key=lambda cell: [names.index(name) for names, name in zip(order, cell, strict=True)],
    )
    chosen = [dict(zip(CELL, cell, strict=True)) | _choose(cells[cell]) for cell in in_order]
    return pd.DataFrame(chosen, dtype=object).astype(_TYPES)


def _choose(trials: Mapping[str, Sequence[Mapping[Any, Any]]]) -> dict[str, Any]:
    """Of a cell's trials, each with its planned replicates."""
    bounds: dict[str, float] = {}
    missing: Counter[str] = Counter()
    for trial_id, replicates in trials.items():
        if reason := _what_is_missing(replicates):
            missing[reason] += 1
        else:
            bounds[trial_id] = fmean(row[CRITERION] for row in replicates)
    best = max(bounds, key=lambda trial_id: bounds[trial_id], default=None)
    return {
        "complete": best is not None,
        "trial_id": best,
        "settings": "" if best is None else trials[best][0]["settings"],
        "validation_bound": bounds.get(best or "", nan),
        "candidates": len(bounds),
        "trials": len(trials),
        "mark": _mark(missing, len(trials), len(bounds)),
    }


def _what_is_missing(replicates: Sequence[Mapping[Any, Any]]) -> str:
    """Why a trial, given its planned replicates, is no candidate; empty where it is one."""
    wanted = len(replicates)
    states = Counter(row["replicate_state"] for row in replicates)
    if "failed" in states:
        return "failed"
    if states["diverged"]:
        return f"diverged {states['diverged']} of {wanted} replicates"
    if states["complete"] < wanted:
        ended = f", {states['complete']} of {wanted} replicates complete"
        return f"{replicates[0]['state']}{ended if states['complete'] else ''}"
    lost = sum(not isfinite(row[CRITERION]) for row in replicates)
    return f"validation bound not finite in {lost} of {wanted} replicates" if lost else ""


def _mark(missing: Counter[str], trials: int, candidates: int) -> str:
    if trials == 1 or not missing:
        return next(iter(missing), "")
    listed = "; ".join(
        f"{reason} ({count} trial{'s' if count > 1 else ''})" for reason, count in missing.items()
    )
    if not candidates:
        return listed
    unfinished = any(reason.startswith(("pending", "running")) for reason in missing)
    provisional = f"{PROVISIONAL}: " if unfinished else ""
    return f"{provisional}{candidates} of {trials} trials compared; {listed}"
