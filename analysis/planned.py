"""A study's plan joined with its records: a row per planned replicate, with or without a record."""

from collections.abc import Sequence
from math import nan
from typing import Any

import pandas as pd

from analysis.frames import Records
from analysis.labels import METRICS, plain
from gmm_study.study.plan import Plan, PlannedTrial
from gmm_study.training.state import TrialState
from gmm_study.trials.selection import SELECTION_METRICS

ENDED = [str(state) for state in TrialState if state.has_result]


def join(plan: Plan, records: Records) -> pd.DataFrame:
    """A row for every replicate of the trials that compete, with or without a record.

    After a screening they are those that were confirmed, with all seeds of the study. `_joined`
    has the columns.
    """
    return _joined(plan, records, plan.competing, plan.study.replicates)


def join_screened(plan: Plan, records: Records) -> pd.DataFrame:
    """The same of all trials, with the seeds that all of them are to have.

    It differs from `join` only if the study has a screening.
    """
    return _joined(plan, records, plan.places, plan.study.first_replicates)


def _joined(
    plan: Plan, records: Records, places: Sequence[PlannedTrial], count: int
) -> pd.DataFrame:
    """A row for each of the first `count` replicates at some places, in the plan's order.

    Columns: `dataset`, `method`, `x` (the value of the plan's axis, or None), `settings` (the other
    axes, `learning_rate=0.003; batch_size=100`) and one column for each of them, `trial_id`,
    `state` and `reason` of the trial, `replicate`, `replicate_state`, `epochs`, `best_epoch`,
    `seconds`, `ending`, `kept`, `collapsed`, and one column per final metric. Replicates without a
    record are `pending` and have not collapsed; those of a record beyond the planned ones are left
    out.
    """
    cells = [_planned_row(plan, trial) for trial in places]
    replicates = range(count)
    planned = pd.DataFrame(
        [cell | {"replicate": replicate} for cell in cells for replicate in replicates],
        dtype=object,
    )
    planned = planned.drop_duplicates(["dataset", "method", "x", "trial_id", "replicate"])
    rows = (
        planned.astype({"trial_id": "string", "replicate": "Int64"})
        .merge(
            records.replicates.rename(columns={"state": "replicate_state"}),
            on=["trial_id", "replicate"],
            how="left",
        )
        .merge(records.trials[["trial_id", "status", "reason"]], on="trial_id", how="left")
    )
    for metric in (*SELECTION_METRICS, *METRICS):
        if metric not in rows:
            rows[metric] = nan
    rows["collapsed"] = rows["collapsed"].eq(True)
    states, pending = rows["replicate_state"].fillna(rows["status"]), str(TrialState.PENDING)
    rows["replicate_state"] = states.fillna(pending)
    rows["state"] = _trial_states(rows)
    rows["reason"] = rows["reason"].fillna("").where(rows["state"] == TrialState.FAILED, "")
    return rows.drop(columns="status")


def each_once(rows: pd.DataFrame) -> pd.DataFrame:
    """The planned replicates (`join`) without repeats: a trial may be in several places."""
    return rows.drop_duplicates(["trial_id", "replicate"])


def x_values(rows: pd.DataFrame, column: str = "x") -> list[Any]:
    """The distinct values of a column: numbers sorted, others in the plan's order, None last."""
    distinct = list(dict.fromkeys(rows[column]))
    known = [value for value in distinct if value is not None]
    if not any(isinstance(value, str) for value in known):
        known.sort()
    return known + [None] * (None in distinct)


def is_continuous(plan: Plan) -> bool:
    """Whether x is sampled from a continuous range, so that trials hardly share a value of it."""
    axis = plan.study.space.get(plan.x or "")
    return axis is not None and axis.kind in ("uniform", "log_uniform")


def _planned_row(plan: Plan, trial: PlannedTrial) -> dict[str, Any]:
    settings = trial.config.flat()
    axes = {name: plain(value) for name, value in trial.axes.items()}
    axes = {name: value for name, value in axes.items() if name not in ("dataset", "method")}
    axes.pop(plan.x or "", None)
    return {
        "dataset": settings["dataset"],
        "method": settings["method"],
        "x": None if plan.x is None else plain(trial.at(plan.x)),
        "settings": "; ".join(f"{name}={value}" for name, value in axes.items()),
        **axes,
        "trial_id": trial.config.trial_id,
    }


def _trial_states(rows: pd.DataFrame) -> pd.Series:
    """The state of each trial, from those of its planned replicates."""
    trial_ids, states = rows["trial_id"], rows["replicate_state"]
    unended = rows[~states.isin(ENDED)].drop_duplicates("trial_id").set_index("trial_id")
    completed = trial_ids.isin(trial_ids[states == TrialState.COMPLETE])
    diverged = pd.Series(str(TrialState.DIVERGED), index=rows.index, dtype="string")
    ended = diverged.mask(completed, str(TrialState.COMPLETE))
    return trial_ids.map(unended["replicate_state"]).astype("string").fillna(ended)
