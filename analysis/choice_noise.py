"""Whether the choice of a trial over the next best one is clearer than the noise of validation.

The trials of a cell are compared on the same validation data with the same random numbers, so their
difference is paired over both seeds and data. Its error over seeds is that of the replicates'
differences. That over data is known on test data alone, where the values of datapoints are kept;
it is scaled by the errors of log p itself on both data sets. Test data thus decide how sure the
choice is, and never which trial is chosen.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any

import pandas as pd

from analysis.differences import LogP
from analysis.labels import ERROR_OF, LOG_P, axis_label
from analysis.places import counted, rows_of_cell, size_range
from analysis.planned import each_once
from gmm_study.diagnosis.figures import Lead, half_width, validation_noise
from gmm_study.phrases import in_a_list
from gmm_study.study.plan import Plan
from gmm_study.training.state import TrialState
from gmm_study.trials.averages import mean_and_standard_error
from gmm_study.trials.selection import VALID_LOG_P

LeadOfCell = tuple[Mapping[Any, Any], Lead]
"""A cell, and by how much its chosen trial is ahead of the next best one on validation data."""


def choice_conditions(leads: Sequence[LeadOfCell]) -> list[str]:
    """In how many cells the choice is within the noise; nothing if it is clear in all of them."""
    unclear = [lead for _, lead in leads if validation_noise(lead).found]
    if not unclear:
        return []
    names = dict.fromkeys(axis_label(name) for lead in unclear for name in lead.settings)
    return [
        f"In {counted(len(unclear), len(leads), 'cell')}, the choice of {_and(list(names))} is "
        "within the noise of validation: the next best trial is "
        f"{size_range(lead.difference for lead in unclear)} nats behind, ± "
        f"{size_range(lead.noise for lead in unclear)} (95% interval)."
    ]


def leads_of_cells(
    plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame, log_p: LogP | None = None
) -> list[LeadOfCell]:
    """Every cell in which trials compete, with the lead of its chosen one, if the noise is known.

    `cells` are those of log p that have a mean.
    """
    return list(_leads(plan, rows, cells, log_p))


def _leads(
    plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame, log_p: LogP | None
) -> Iterator[LeadOfCell]:
    axes = {trial.config.trial_id: trial.axes for trial in plan.trials}
    for cell in cells[cells["candidates"] > 1].to_dict("records"):
        values = _compared(rows_of_cell(rows, cell), cell["selected_by"])
        chosen, means = cell["trial_id"], values.mean()
        if len(means) < 2:
            continue
        second = str(means.drop(chosen).idxmax())
        difference, over_seeds = mean_and_standard_error(values[chosen] - values[second])
        over_data = nan if log_p is None else _over_data(rows, (chosen, second), log_p)
        noise = half_width(over_seeds, len(values), over_data)
        if isfinite(noise):
            pair = axes[chosen], axes[second]
            names = dict.fromkeys(name for each in pair for name in each)
            differing = (name for name in names if pair[0].get(name) != pair[1].get(name))
            yield cell, Lead(difference, noise, tuple(differing), f"trial {second}", len(values))


def _compared(own: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """What the candidates of a cell are compared by, `[replicates, trials]`."""
    complete = own[own["replicate_state"] == TrialState.COMPLETE]
    once = each_once(complete)
    table = once.pivot(index="replicate", columns="trial_id", values=criterion).astype("float64")
    return table.dropna(axis="columns")


def _over_data(rows: pd.DataFrame, trials: tuple[str, str], log_p: LogP) -> float:
    """The standard error of the difference over validation data; NaN if it is not known."""
    if f"{VALID_LOG_P}_se" not in rows or ERROR_OF[LOG_P] not in rows:
        return nan
    errors = rows.loc[rows["trial_id"] == trials[0], [f"{VALID_LOG_P}_se", ERROR_OF[LOG_P]]].mean()
    chosen, second = ({"trial_id": trial} for trial in trials)
    on_test = log_p.difference(chosen, second).over_data
    return float(on_test * errors.iloc[0] / errors.iloc[1])


def _and(names: list[str]) -> str:
    return in_a_list(names) if names else "a trial"
