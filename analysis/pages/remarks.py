"""Remarks on the results of a study that follow from its numbers."""

from typing import Any

import pandas as pd

from analysis.curves import stopped_early
from analysis.findings import Findings
from analysis.labels import BOUND, ESS, LOG_P, value_label
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION
from gmm_study.training.state import TrialState

FEW_SAMPLES = 10.0
"""With fewer effective samples per datapoint, the estimate of log p counts as a loose bound."""

MOST_NAMED = 6
"""Largest number of cells that a remark lists."""


def remarks(found: Findings) -> list[str]:
    """Where log p is a loose bound, how it grows with K, and what the limit of epochs ended."""
    plan, rows = found.plan, found.rows
    loose, grows, cut = [], [], []
    for _, metrics in found.all_cells.groupby(["dataset", "method", "trial_id"], sort=False):
        by_metric = {cell["metric"]: cell for cell in metrics.to_dict("records")}
        place = _place(plan, by_metric[LOG_P])
        loose.append(_few_effective(place, by_metric[LOG_P], by_metric[ESS]))
        cut.append(_cut_short(place, plan, rows, by_metric[LOG_P]))
        if plan.x != VARIATION:
            grows.append(_at_two_k(place, by_metric[LOG_P], by_metric[BOUND]))
    heads = (
        (
            f"Fewer than {FEW_SAMPLES:g} effective samples per datapoint, so log p is a loose "
            "lower bound",
            loose,
        ),
        ("log p with the K of training and with that of the evaluation", grows),
        ("Ended by max_epochs instead of by patience", cut),
    )
    return [f"{head}: {_listed(found)}." for head, found in heads if any(found)]


def _listed(found: list[str]) -> str:
    """The remarks on cells, or the first few and the number of the others."""
    named = list(filter(None, found))
    more = len(named) - MOST_NAMED
    rest = [f"and {more} more of {len(found)}"] if more > 0 else []
    return "; ".join([*named[:MOST_NAMED], *rest])


def _few_effective(place: str, log_p: dict[Any, Any], ess: dict[Any, Any]) -> str:
    if not (log_p["n"] and ess["n"]):
        return ""
    effective = ess["mean"] * log_p["samples"]
    return f"{place} ({effective:.1f} of {log_p['samples']:,})" if effective < FEW_SAMPLES else ""


def _at_two_k(place: str, log_p: dict[Any, Any], bound: dict[Any, Any]) -> str:
    """For rws, whose bound is log p with the K of training."""
    if log_p["method"] != "rws" or not (log_p["n"] and bound["n"]):
        return ""
    figures = (f"{cell['mean']:.2f} (K = {cell['samples']:,})" for cell in (bound, log_p))
    return f"{place} {', '.join(figures)}"


def _cut_short(place: str, plan: Plan, rows: pd.DataFrame, cell: dict[Any, Any]) -> str:
    own = rows[rows["trial_id"] == cell["trial_id"]].drop_duplicates("replicate")
    cut = own[(own["replicate_state"] == TrialState.COMPLETE) & ~stopped_early(plan, own)]
    if cut.empty:
        return ""
    return f"{place} ({len(cut)} of {len(own)} replicates, at {cut['epochs'].max():,})"


def _place(plan: Plan, cell: dict[Any, Any]) -> str:
    words = [cell["dataset"], cell["method"], *([value_label(cell["x"])] if plan.x else [])]
    return " ".join(words)
