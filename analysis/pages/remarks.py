"""Remarks on the results of a study that follow from its numbers."""

from typing import Any

import pandas as pd

from analysis.curves import stopped_early
from analysis.findings import Findings
from analysis.labels import BOUND, LOG_P, value_label
from analysis.places import listed
from gmm_study.study.fields import VARIATION
from gmm_study.study.plan import Plan
from gmm_study.training.state import TrialState


def remarks(found: Findings) -> list[str]:
    """How log p grows with K, and what the limit of epochs ended, of records that do not say."""
    plan, rows = found.plan, found.rows
    grows, cut = [], []
    for _, metrics in found.all_cells.groupby(["dataset", "method", "trial_id"], sort=False):
        by_metric = {cell["metric"]: cell for cell in metrics.to_dict("records")}
        place = _place(plan, by_metric[LOG_P])
        cut.append(_cut_short(place, plan, rows, by_metric[LOG_P]))
        if plan.x != VARIATION:
            grows.append(_at_two_k(place, by_metric[LOG_P], by_metric[BOUND]))
    heads = (
        ("log p with the K of training and with that of the evaluation", grows),
        ("Ended by max_epochs instead of by patience", cut),
    )
    return [
        f"{head}: {listed([text for text in found if text], '; ')}."
        for head, found in heads
        if any(found)
    ]


def _at_two_k(place: str, log_p: dict[Any, Any], bound: dict[Any, Any]) -> str:
    """For rws, whose bound is log p with the K of training."""
    if log_p["method"] != "rws" or not (log_p["n"] and bound["n"]):
        return ""
    figures = (f"{cell['mean']:.2f} (K = {cell['samples']:,})" for cell in (bound, log_p))
    return f"{place} {', '.join(figures)}"


def _cut_short(place: str, plan: Plan, rows: pd.DataFrame, cell: dict[Any, Any]) -> str:
    own = rows[rows["trial_id"] == cell["trial_id"]].drop_duplicates("replicate")
    ended = (own["replicate_state"] == TrialState.COMPLETE) & own["ending"].isna()
    cut = own[ended & ~stopped_early(plan, own)]
    if cut.empty:
        return ""
    return f"{place} ({len(cut)} of {len(own)} replicates, at {cut['epochs'].max():,})"


def _place(plan: Plan, cell: dict[Any, Any]) -> str:
    words = [cell["dataset"], cell["method"], *([value_label(cell["x"])] if plan.x else [])]
    return " ".join(words)
