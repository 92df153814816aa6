"""What the records of a study show, before any of it is written: frames, tables, verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from analysis.bias import with_bias
from analysis.budget import budgets
from analysis.cells import mark_own, summarise
from analysis.choice_noise import LeadOfCell, leads_of_cells
from analysis.collapse import mark_collapsed_costs
from analysis.comparison import compare
from analysis.conditions import conditions, with_a_mean
from analysis.costs import costs_of_variations
from analysis.differences import LogP
from analysis.frames import Records, load
from analysis.gradients import Rows, gradient_frame, rows_with_squares
from analysis.labels import ALL_METRICS, METRICS
from analysis.over_datasets import OverDatasets, over_datasets
from analysis.planned import join, join_screened
from analysis.reading import UNREADABLE, line
from analysis.signal_sentences import signal_sentences
from analysis.spent import (
    Spent,
    budget_sentence,
    screening_sentence,
    spent_by_method,
    spent_of_trials,
)
from analysis.tables.costs import lay_out_costs
from analysis.tables.errors import lay_out_errors
from analysis.tables.gradients import lay_out_gradients
from analysis.tables.layout import Table, lay_out
from analysis.tables.over_datasets import lay_out_over_datasets
from analysis.two_way import Values
from analysis.verdict import verdict
from gmm_study.study.plan import Plan
from gmm_study.trials.record_store import RecordStore


@dataclass(frozen=True)
class Findings:
    """The planned replicates of a study and what was computed from them.

    `rows` are the replicates (`join`), `screened` those of all trials (`join_screened`),
    `all_cells` the summary of `rows` (`summarise`) for all metrics and `cells` for log p and the
    bound, `costs` those of variations (`costs_of_variations`), `compared` the comparison with the
    published figures (`compare`), `sentences` the verdict, `conditions` what it depends on,
    `leads` those of the chosen trials of cells over the next best ones (`leads_of_cells`),
    `budget` the expected best trial by the budget (`budgets`), `spent` what was spent on each
    method, `budget_sentence` the same for captions, `over_datasets` what several data sets show
    together, and `gradients` the quality of gradients, if the study asks for it (`gradient_frame`).
    """

    plan: Plan
    records: Records
    rows: pd.DataFrame
    screened: pd.DataFrame
    cells: pd.DataFrame
    all_cells: pd.DataFrame
    costs: pd.DataFrame
    compared: pd.DataFrame
    tables: tuple[Table, ...]
    sentences: tuple[str, ...]
    conditions: tuple[str, ...]
    leads: tuple[LeadOfCell, ...]
    budget: pd.DataFrame
    spent: Mapping[str, Spent]
    budget_sentence: str
    over_datasets: OverDatasets
    gradients: pd.DataFrame

    @property
    def confirmed(self) -> pd.DataFrame:
        """The replicates of the trials that were chosen for all seeds after a screening."""
        return self.rows[self.rows["trial_id"].isin(list(self.plan.confirmed))]


def find(plan: Plan, store: RecordStore | str) -> Findings:
    """Read the records of the plan's trials.

    A trial without a record is pending, one whose record cannot be read has failed.
    """
    records = load(store, trial_ids=[trial.config.trial_id for trial in plan.trials])
    rows = join(plan, records)
    screened = join_screened(plan, records) if plan.study.screening else rows
    problems: list[str] = []
    log_p = LogP(plan, rows, partial(_datapoints, records, problems))
    all_cells = with_bias(summarise(plan, rows, ALL_METRICS, log_p), rows)
    all_cells = mark_own(all_cells, records.own)
    cells = all_cells[all_cells["metric"].isin(METRICS)].reset_index(drop=True)
    costs = mark_collapsed_costs(costs_of_variations(plan, rows, cells, log_p), rows)
    sentences = tuple(verdict(plan, rows, cells, log_p))
    leads = tuple(leads_of_cells(plan, rows, with_a_mean(all_cells), log_p))
    depends_on = tuple(conditions(plan, rows, all_cells, leads))
    spent = spent_of_trials(plan, records, screened)
    spent_on_all = spent
    if plan.study.screening:
        spent_on_all = spent_of_trials(plan, records, pd.concat([screened, rows]))
    by_method = spent_by_method(plan, spent_on_all)
    sentence = budget_sentence(by_method) + screening_sentence(plan, spent, spent_on_all)
    together = over_datasets(plan, rows, cells)
    gradients = gradient_frame(plan, cells, partial(_gradients, records, problems))
    tables = (
        *lay_out_costs(plan, costs),
        *lay_out(plan, cells),
        *lay_out_errors(plan, cells),
        *lay_out_over_datasets(plan, together),
    )
    of_gradients = lay_out_gradients(plan, gradients)
    return Findings(
        plan=plan,
        records=replace(records, warnings=(*records.warnings, *problems)),
        rows=rows,
        screened=screened,
        cells=cells,
        all_cells=all_cells,
        costs=costs,
        compared=compare(plan, rows, all_cells),
        tables=(*of_gradients, *(table.with_sentence(sentence) for table in tables)),
        sentences=(*signal_sentences(plan, gradients), *sentences),
        conditions=depends_on,
        leads=leads,
        budget=budgets(plan, screened, spent),
        spent=by_method,
        budget_sentence=sentence,
        over_datasets=together,
        gradients=gradients,
    )


def _gradients(
    records: Records, problems: list[str], trial_id: str, asked: Mapping[str, Any]
) -> Rows:
    """The gradients of a trial; none and a line in `problems` if they are missing or unreadable."""
    try:
        rows = records.read_gradients(trial_id, asked)
    except UNREADABLE as error:
        problems.append(f"{trial_id}: gradients.json: {line(error)}")
        return []
    if rows is None:
        problems.append(f"{trial_id}: its gradients are not assessed as the study asks; run it")
    return rows_with_squares(asked, rows or [])


def _datapoints(records: Records, problems: list[str], trial_id: str) -> Mapping[int, Values]:
    """The values of a trial's datapoints; none and a line in `problems` if they are unreadable."""
    try:
        return records.read_datapoints(trial_id)
    except UNREADABLE as error:
        problems.append(f"{trial_id}: datapoints.parquet: {line(error)}")
        return {}
