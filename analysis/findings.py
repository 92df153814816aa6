"""What the records of a study say, before any of it is written: frames, tables, verdict."""

from dataclasses import dataclass

import pandas as pd

from analysis.cells import summarise
from analysis.costs import costs_of_variations
from analysis.frames import Records, load
from analysis.labels import METRICS, MORE_METRICS
from analysis.planned import join
from analysis.tables.costs import lay_out_costs
from analysis.tables.layout import Table, lay_out
from analysis.verdict import verdict
from gmm_study.study.plan import Plan
from gmm_study.trials.record import RecordStore


@dataclass(frozen=True)
class Findings:
    """A study's `rows`, the planned replicates (`join`), and what was made of them.

    `cells` is their summary (`summarise`) of log p and the bound, `all_cells` that of all
    figures, `costs` what variations cost (`costs_of_variations`), `sentences` the verdict.
    """

    plan: Plan
    records: Records
    rows: pd.DataFrame
    cells: pd.DataFrame
    all_cells: pd.DataFrame
    costs: pd.DataFrame
    tables: tuple[Table, ...]
    sentences: tuple[str, ...]


def find(plan: Plan, store: RecordStore | str) -> Findings:
    """Read the records of the plan's trials: what has none is pending, an unreadable one failed."""
    records = load(store, trial_ids=[trial.config.trial_id for trial in plan.trials])
    rows = join(plan, records)
    known = summarise(plan, rows, METRICS | MORE_METRICS)
    cells = known[known["metric"].isin(METRICS)].reset_index(drop=True)
    costs = costs_of_variations(plan, rows, cells)
    tables = (*lay_out_costs(plan, costs), *lay_out(plan, cells))
    sentences = tuple(verdict(plan, rows, cells))
    return Findings(plan, records, rows, cells, known, costs, tables, sentences)
