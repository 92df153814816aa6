"""Which trial stands for a cell of a table: chosen on validation, before any test figure is read.

A cell is a dataset, a method and a value of the plan's axis; its trials differ in the other axes.
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import x_values
from analysis.labels import CRITERION

CELL = ("dataset", "method", "x")
PROVISIONAL = "provisional"
"""How the mark of a cell begins whose trials have not all ended."""
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
    positions: dict[tuple[Any, ...], list[int]] = {}
    for position, cell in enumerate(zip(*(rows[name] for name in CELL), strict=True)):
        positions.setdefault(cell, []).append(position)
    cells = sorted(
        positions,
        key=lambda cell: [names.index(name) for names, name in zip(order, cell, strict=True)],
    )
    chosen = [
        dict(zip(CELL, cell, strict=True)) | _choose(rows.iloc[positions[cell]]) for cell in cells
    ]
    return pd.DataFrame(chosen, dtype=object).astype(_TYPES)


def _choose(rows: pd.DataFrame) -> dict[str, Any]:
    bounds: dict[str, float] = {}
    missing: Counter[str] = Counter()
    for trial_id, trial in rows.groupby("trial_id", sort=False):
        if reason := what_is_missing(trial):
            missing[reason] += 1
        else:
            bounds[str(trial_id)] = float(trial[CRITERION].mean())
    best = max(bounds, key=lambda trial_id: bounds[trial_id], default=None)
    trials = len(bounds) + missing.total()
    return {
        "complete": best is not None,
        "trial_id": best,
        "settings": "" if best is None else rows.loc[rows["trial_id"] == best, "settings"].iloc[0],
        "validation_bound": bounds.get(best or "", float("nan")),
        "candidates": len(bounds),
        "trials": trials,
        "mark": _mark(missing, trials, len(bounds)),
    }


def what_is_missing(trial: pd.DataFrame) -> str:
    """Why a trial, given its planned replicates, is no candidate; empty where it is one."""
    wanted = len(trial)
    states = Counter(trial["replicate_state"])
    if "failed" in states:
        return "failed"
    if states["diverged"]:
        return f"diverged {states['diverged']} of {wanted} replicates"
    if states["complete"] < wanted:
        state = trial["state"].iloc[0]
        ended = f", {states['complete']} of {wanted} replicates complete"
        return f"{state}{ended if states['complete'] else ''}"
    lost = int((~np.isfinite(trial[CRITERION])).sum())
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
