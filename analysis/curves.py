"""Learning curves: the validation bound per epoch, a mean over replicates, and where it heads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import load
from analysis.selection import CELL
from gmm_study.study.plan import Plan
from gmm_study.trials.record import RecordStore

LAST_PART = 0.1
"""Part of the epochs over which the last slope is taken."""
FEWEST_EPOCHS = 5


@dataclass(frozen=True)
class LearningCurve:
    """The validation bound of one trial: a row an epoch, `mean` and `standard_error` in nats.

    The mean is over the replicates that reached the epoch, up to the last epoch that all of them
    reached; `longest` is the last that any did.
    """

    dataset: str
    method: str
    x: object
    complete: bool
    replicates: int
    longest: int
    epochs: pd.DataFrame

    def last_slope(self) -> tuple[float, int]:
        """Nats per epoch by least squares over the last tenth of the epochs, and how many they are.

        NaN where there are too few.
        """
        count = max(FEWEST_EPOCHS, round(LAST_PART * len(self.epochs)))
        last = self.epochs.iloc[-count:]
        if len(last) < FEWEST_EPOCHS:
            return float("nan"), len(last)
        slope = np.polyfit(last["epoch"].astype(float), last["mean"].astype(float), 1)[0]
        return float(slope), len(last)


def learning_curves(
    plan: Plan, store: RecordStore, rows: pd.DataFrame, cells: pd.DataFrame
) -> list[LearningCurve]:
    """The curve of each cell's chosen trial, or of its only one while that is incomplete."""
    planned: dict[tuple[Any, ...], list[str]] = {}
    for *place, trial_id in zip(*(rows[name] for name in (*CELL, "trial_id")), strict=True):
        trials = planned.setdefault(tuple(place), [])
        if trial_id not in trials:
            trials.append(trial_id)
    shown = []
    for cell in cells.drop_duplicates(["dataset", "method", "x"]).to_dict("records"):
        trials = planned.get(tuple(cell[name] for name in CELL), [])
        chosen = cell["trial_id"] if cell["complete"] else trials[0] if len(trials) == 1 else None
        if chosen is not None:
            shown.append((cell, str(chosen)))
    values = _validation_bounds(store, (trial_id for _, trial_id in shown))
    curves = []
    for cell, trial_id in shown:
        own = values[values["trial_id"] == trial_id]
        own = own[own["replicate"] < plan.study.replicates]
        if len(own):
            dataset, method, x = (cell[name] for name in CELL)
            curves.append(_curve(own, dataset, method, x, bool(cell["complete"])))
    return curves


def _validation_bounds(store: RecordStore, trial_ids: Iterable[str]) -> pd.DataFrame:
    curves = load(store, trial_ids).curves()
    chosen = (curves["split"] == "valid") & (curves["metric"] == "bound")
    return curves[chosen & np.isfinite(curves["value"])]


def _curve(
    values: pd.DataFrame, dataset: str, method: str, x: object, complete: bool
) -> LearningCurve:
    ends = values.groupby("replicate")["epoch"].max()
    common = values[values["epoch"] <= ends.min()]
    by_epoch = common.groupby("epoch")["value"]
    epochs = pd.DataFrame({"mean": by_epoch.mean(), "standard_error": by_epoch.sem(ddof=1)})
    count, longest = len(ends), int(ends.max())
    return LearningCurve(dataset, method, x, complete, count, longest, epochs.reset_index())
