"""Whether a method leads the others by one trial that a search drew for it alone.

A search draws other settings for every method, so that its luck is a part of their difference. The
errors over seeds and test data do not cover it: they are those of the chosen trials.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from analysis.choice_noise import LeadOfCell
from analysis.places import counted, listed, place_of, significant
from gmm_study.study.plan import Plan
from gmm_study.study.strategies import DrawnSearch


def lone_trial_conditions(
    plan: Plan, shown: pd.DataFrame, leads: Sequence[LeadOfCell]
) -> list[str]:
    """Where more than half of a lead is due to one trial; nothing if there is no such method.

    `shown` are the cells of log p that have a mean, `leads` those of the chosen trials
    (`leads_of_cells`). A trial whose settings the next best method was tried with too is not drawn
    for one method alone. Without a next best trial of the same method, nothing is known.
    """
    search = plan.study.search
    if plan.x or not isinstance(search, DrawnSearch):
        return []
    own_leads = {(cell["dataset"], cell["method"]): lead.difference for cell, lead in leads}
    compared, lone = 0, list[str]()
    for first, second in _best_two(shown):
        compared += 1
        over_own = own_leads.get((first["dataset"], first["method"]))
        if over_own is None or _has_both(plan, first["trial_id"], second["method"]):
            continue
        ahead = first["mean"] - second["mean"]
        if ahead > plan.study.report.margin and over_own > ahead / 2:
            lone.append(
                f"{place_of(plan, first)} is {significant(ahead)} nats ahead of "
                f"{second['method']} on test data, and its chosen trial is "
                f"{significant(over_own)} ahead of its second-best trial on validation data"
            )
    if not lone:
        return []
    count = counted(len(lone), compared, "comparison")
    return [
        f"In {count} of methods, more than half of the lead is due to one trial that the search "
        f"drew for its method alone: {listed(lone, '; ')}. "
        "More trials would show whether another method has one as good, as with "
        f"--set search.trials={2 * search.trials}."
    ]


def _best_two(shown: pd.DataFrame) -> Iterator[list[dict[Any, Any]]]:
    """The two methods with the highest test log p, on each data set that has as many."""
    for _, cells in shown.groupby("dataset", sort=False):
        best = cells.sort_values("mean", ascending=False).head(2).to_dict("records")
        if len(best) == 2:
            yield best


def _has_both(plan: Plan, trial_id: str, method: str) -> bool:
    """Whether another method has a trial with the same settings, as far as both read them."""
    trial = next(each for each in plan.trials if each.config.trial_id == trial_id)
    return any(
        each.config.hyperparameters.method == method
        and each.config.dataset == trial.config.dataset
        and all(each.axes.get(name, value) == value for name, value in trial.axes.items())
        for each in plan.trials
    )
