"""Learning curves: the mean validation bound over replicates by epoch, and its last slope."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import trials_of_cells
from analysis.frames import Records
from analysis.selection import CELL
from gmm_study.study.plan import Plan
from gmm_study.training.state import TrialState
from gmm_study.trials.averages import mean_and_standard_error

LAST_PART = 0.1
"""The last slope is fitted to this fraction of the epochs."""
FEWEST_EPOCHS = 5


@dataclass(frozen=True)
class LearningCurve:
    """The validation bound of one trial: a row per epoch, `mean` and `standard_error` in nats.

    The mean is over `replicates`, up to the last epoch that all of them reached; `longest` is the
    last epoch that any of them reached. `left_out` replicates diverged or have a bound that is not
    finite, and `stopped` of the others ended by patience. `best` is the mean over replicates of the
    best bound of each, and `best_error` its standard error.
    """

    dataset: str
    method: str
    x: object
    complete: bool
    replicates: int
    left_out: int
    stopped: int
    longest: int
    best: float
    best_error: float
    epochs: pd.DataFrame

    @property
    def shown(self) -> int:
        """The last epoch that all replicates reached."""
        return int(self.epochs["epoch"].iloc[-1])

    def last_slope(self) -> tuple[float, int]:
        """Nats per epoch by least squares over the last tenth of the epochs, and their number.

        NaN if there are too few epochs, or if a replicate ended by patience: it did not improve in
        its last epochs, so they do not show where it was heading.
        """
        if self.stopped:
            return float("nan"), 0
        count = max(FEWEST_EPOCHS, round(LAST_PART * len(self.epochs)))
        last = self.epochs.iloc[-count:]
        if len(last) < FEWEST_EPOCHS:
            return float("nan"), len(last)
        slope = np.polyfit(last["epoch"].astype(float), last["mean"].astype(float), 1)[0]
        return float(slope), len(last)


def learning_curves(
    plan: Plan, records: Records, rows: pd.DataFrame, cells: pd.DataFrame
) -> list[LearningCurve]:
    """The curve of each cell's chosen trial, or of its only trial while that is incomplete."""
    planned, shown = trials_of_cells(rows), []
    for cell in cells.drop_duplicates(["dataset", "method", "x"]).to_dict("records"):
        trials = planned.get(tuple(cell[name] for name in CELL), [])
        chosen = cell["trial_id"] if cell["complete"] else trials[0] if len(trials) == 1 else None
        if chosen is not None:
            shown.append((cell, str(chosen)))
    values = _validation_bounds(records, [trial_id for _, trial_id in shown])
    curves = []
    for cell, trial_id in shown:
        ended = rows[rows["trial_id"] == trial_id].drop_duplicates("replicate")
        own = values[values["trial_id"] == trial_id]
        own = own[own["replicate"] < plan.study.replicates]
        lost = set(ended.loc[ended["replicate_state"] == TrialState.DIVERGED, "replicate"])
        lost |= set(own.loc[~np.isfinite(own["value"]), "replicate"])
        own = own[~own["replicate"].isin(lost)]
        if len(own):
            stopped = stopped_early(plan, ended[~ended["replicate"].isin(lost)])
            curves.append(_curve(own, cell, len(lost), int(stopped.sum())))
    return curves


def stopped_early(plan: Plan, ended: pd.DataFrame) -> pd.Series:
    """Which of a trial's replicates ended by patience instead of by the limit of epochs."""
    needed = set(ended["trial_id"])
    trials = (trial.config for trial in plan.trials if trial.config.trial_id in needed)
    settings = {config.trial_id: config.hyperparameters for config in trials}
    of_row = [settings[trial_id] for trial_id in ended["trial_id"]]
    before = ended["epochs"] < [own.total_epochs for own in of_row]
    patience = [own.stage_list[-1].patience for own in of_row]
    waited = ended["epochs"] - ended["best_epoch"] >= patience
    return (ended["replicate_state"] == TrialState.COMPLETE) & (before | waited).fillna(True)


def _validation_bounds(records: Records, trial_ids: list[str]) -> pd.DataFrame:
    curves = records.curves(dict.fromkeys(trial_ids))
    return curves[(curves["split"] == "valid") & (curves["metric"] == "bound")]


def _curve(
    values: pd.DataFrame, cell: dict[Any, Any], left_out: int, stopped: int
) -> LearningCurve:
    ends = values.groupby("replicate")["epoch"].max()
    common = values[values["epoch"] <= ends.min()]
    by_epoch = common.groupby("epoch")["value"]
    epochs = pd.DataFrame({"mean": by_epoch.mean(), "standard_error": by_epoch.sem(ddof=1)})
    best, best_error = mean_and_standard_error(values.groupby("replicate")["value"].max())
    return LearningCurve(
        dataset=cell["dataset"],
        method=cell["method"],
        x=cell["x"],
        complete=bool(cell["complete"]),
        replicates=len(ends),
        left_out=left_out,
        stopped=stopped,
        longest=int(ends.max()),
        best=best,
        best_error=best_error,
        epochs=epochs.reset_index(),
    )
