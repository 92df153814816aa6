"""What the records of a study show, before any of it is written: frames, tables, verdict."""

from dataclasses import dataclass

import pandas as pd

from analysis.cells import summarise
from analysis.comparison import compare
from analysis.costs import costs_of_variations
from analysis.frames import Records, load
from analysis.labels import ALL_METRICS, METRICS
from analysis.planned import join
from analysis.tables.costs import lay_out_costs
from analysis.tables.layout import Table, lay_out
from analysis.verdict import verdict
from gmm_study.study.plan import Plan
from gmm_study.trials.record import RecordStore


@dataclass(frozen=True)
class Findings:
    """The planned replicates of a study and what was computed from them.

    `rows` are the replicates (`join`), `all_cells` their summary (`summarise`) for all metrics and
    `cells` for log p and the bound, `costs` those of variations (`costs_of_variations`), `compared`
    the comparison with the published figures (`compare`), `sentences` the verdict.
    """

    plan: Plan
    records: Records
    rows: pd.DataFrame
    cells: pd.DataFrame
    all_cells: pd.DataFrame
    costs: pd.DataFrame
    compared: pd.DataFrame
    tables: tuple[Table, ...]
    sentences: tuple[str, ...]


def find(plan: Plan, store: RecordStore | str) -> Findings:
    """Read the records of the plan's trials.

    A trial without a record is pending, one whose record cannot be read has failed.
    """
    records = load(store, trial_ids=[trial.config.trial_id for trial in plan.trials])
    rows = join(plan, records)
    all_cells = summarise(plan, rows, ALL_METRICS)
    cells = all_cells[all_cells["metric"].isin(METRICS)].reset_index(drop=True)
    costs = costs_of_variations(plan, rows, cells)
    return Findings(
        plan=plan,
        records=records,
        rows=rows,
        cells=cells,
        all_cells=all_cells,
        costs=costs,
        compared=compare(plan, rows, all_cells),
        tables=(*lay_out_costs(plan, costs), *lay_out(plan, cells)),
        sentences=tuple(verdict(plan, rows, cells)),
    )
