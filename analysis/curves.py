"""Learning curves: the mean validation criterion by epoch and by training time, and its slope.

They are those of the parameters that each replicate kept, raw or averaged.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import trials_of_cells
from analysis.frames import Records
from analysis.labels import LOG_P
from analysis.planned import each_once
from analysis.selection import CELL
from gmm_study.study.plan import Plan
from gmm_study.training.ending import AVERAGED, criterion_of
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import Ending, TrialState
from gmm_study.trials.averages import mean_and_standard_error

RISE = "valid/rise"
LAST_PART = 0.1
"""Where records do not have it, the last slope is fitted to this fraction of the epochs."""
FEWEST_EPOCHS = 5
_RUN = ["trial_id", "replicate"]


@dataclass(frozen=True)
class LearningCurve:
    """The validation criterion of one trial: a row per validated epoch.

    `epochs` has `epoch`, `mean` and `standard_error` in nats, and `seconds`, the mean over the
    replicates of their training time so far (NaN in records from before it was stored).
    `criterion` is what is shown: `bound`, `log_p`, or `criterion` with a K of its own.
    The mean is over `replicates`, up to the last epoch that all of them reached; `longest` is the
    last epoch that any of them reached. `left_out` replicates diverged or have a value that is not
    finite, and `stopped` of the others ended by patience. `best` is the mean over replicates of the
    best value of each, and `best_error` its standard error. `rise` is the mean of the slopes at the
    end that their records have; NaN if one has none.
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
    rise: float
    criterion: str
    epochs: pd.DataFrame

    @property
    def shown(self) -> int:
        """The last epoch that all replicates reached."""
        return int(self.epochs["epoch"].iloc[-1])

    @property
    def has_seconds(self) -> bool:
        """Whether the training time of its epochs is known."""
        return bool(self.epochs["seconds"].notna().all())

    def last_slope(self) -> float:
        """Nats per epoch over the last tenth of the epochs: `rise`, or else that of the mean curve.

        Of a mean curve it is NaN if there are too few epochs, or if a replicate ended by patience:
        it did not improve in its last epochs, so they do not show where it was heading.
        """
        if isfinite(self.rise):
            return self.rise
        last = self.epochs.iloc[-max(FEWEST_EPOCHS, round(LAST_PART * len(self.epochs))) :]
        if self.stopped or len(last) < FEWEST_EPOCHS:
            return nan
        return float(np.polyfit(last["epoch"].astype(float), last["mean"].astype(float), 1)[0])


def learning_curves(
    plan: Plan, records: Records, rows: pd.DataFrame, cells: pd.DataFrame
) -> list[LearningCurve]:
    """The curve of each cell's chosen trial, or of its only trial while that is incomplete."""
    shown = _trials_shown(rows, cells)
    criteria = _criteria(plan, {trial_id for _, trial_id in shown})
    values, seconds = _values_and_seconds(records, criteria, rows)
    values = values[values["replicate"] < plan.study.replicates]
    ended = rows[rows["trial_id"].isin(list(criteria))].drop_duplicates(_RUN)
    diverged = ended.loc[ended["replicate_state"] == TrialState.DIVERGED, _RUN]
    not_finite = values.loc[~np.isfinite(values["value"]), _RUN]
    lost = set(pd.concat([diverged, not_finite]).itertuples(index=False, name=None))
    left_out = Counter(trial_id for trial_id, _ in lost)
    values, ended = _without(values, lost), _without(ended, lost)
    if values.empty:
        return []
    stopped = stopped_early(plan, ended).groupby(ended["trial_id"]).sum()
    rises = _mean_of_all(ended.groupby("trial_id")[RISE]) if RISE in ended else pd.Series()
    epochs = _epochs(values, seconds)
    best = values.groupby(_RUN)["value"].max().groupby("trial_id").agg(list)
    longest = values.groupby("trial_id")["epoch"].max()
    curves = []
    for cell, trial_id in shown:
        if trial_id in epochs:
            mean, error = mean_and_standard_error(best[trial_id])
            curve = LearningCurve(
                dataset=cell["dataset"],
                method=cell["method"],
                x=cell["x"],
                complete=bool(cell["complete"]),
                replicates=len(best[trial_id]),
                left_out=left_out[trial_id],
                stopped=int(stopped.get(trial_id, 0)),
                longest=int(longest[trial_id]),
                best=mean,
                best_error=error,
                rise=float(rises.get(trial_id, nan)),
                criterion=criteria[trial_id],
                epochs=epochs[trial_id],
            )
            curves.append(curve)
    return curves


def _trials_shown(rows: pd.DataFrame, cells: pd.DataFrame) -> list[tuple[dict[Hashable, Any], str]]:
    """The cells that have a curve, each with the trial whose curve that is."""
    planned, shown = trials_of_cells(rows), []
    for cell in cells.drop_duplicates(list(CELL)).to_dict("records"):
        trials = planned.get(tuple(cell[name] for name in CELL), [])
        chosen = cell["trial_id"] if cell["complete"] else trials[0] if len(trials) == 1 else None
        if chosen is not None:
            shown.append((cell, str(chosen)))
    return shown


def stopped_early(plan: Plan, ended: pd.DataFrame) -> pd.Series:
    """Which replicates ended by patience: by their `ending`, or else by epochs and patience."""
    needed = set(ended["trial_id"])
    trials = (trial.config for trial in plan.trials if trial.config.trial_id in needed)
    settings = {config.trial_id: config.hyperparameters for config in trials}
    of_row = [settings[trial_id] for trial_id in ended["trial_id"]]
    before = ended["epochs"] < [own.total_epochs for own in of_row]
    patience = [own.stage_list[-1].patience for own in of_row]
    waited = ended["epochs"] - ended["best_epoch"] >= patience
    inferred = (ended["replicate_state"] == TrialState.COMPLETE) & (before | waited).fillna(True)
    known = ended["ending"].notna()
    return inferred.mask(known, (ended["ending"] == Ending.CONVERGED).fillna(False)).astype(bool)


def final_criterion(settings: Hyperparameters) -> str:
    """The metric of the curve by which training stops, in its last stage."""
    return criterion_of(settings.stage_list[-1])


def _criteria(plan: Plan, trial_ids: set[str]) -> dict[str, str]:
    """The metric of each trial's curve."""
    return {
        trial.config.trial_id: final_criterion(trial.config.hyperparameters)
        for trial in plan.trials
        if trial.config.trial_id in trial_ids
    }


def _values_and_seconds(
    records: Records, criteria: dict[str, str], rows: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the criterion of each trial, and those of its training time.

    A replicate that kept averaged parameters has their values, from the first epoch of the average
    on.
    """
    curves = records.curves(criteria)
    metric, valid = curves["metric"].astype("string"), curves["split"] == "valid"
    wanted = curves["trial_id"].astype("string").map(criteria)
    averaged = rows.loc[(rows["kept"] == "averaged").fillna(False), _RUN]
    kept = pd.MultiIndex.from_frame(curves[_RUN]).isin(list(averaged.itertuples(False, None)))
    raw = curves[valid & (metric == wanted)]
    averages = curves[valid & kept & (metric == wanted + AVERAGED)]
    shown = pd.concat([raw, averages]).drop_duplicates([*_RUN, "epoch"], keep="last")
    shown["trial_id"] = shown["trial_id"].astype(str)
    return shown, curves[~valid & (metric == "seconds")]


def _without(rows: pd.DataFrame, lost: set[tuple[Any, ...]]) -> pd.DataFrame:
    """The rows of the replicates that are not lost."""
    runs = zip(rows["trial_id"], rows["replicate"], strict=True)
    return rows[np.array([run not in lost for run in runs], bool)]


def _epochs(values: pd.DataFrame, seconds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By trial, its `LearningCurve.epochs`; a trial without values has none."""
    ends = values.groupby(_RUN)["epoch"].max().groupby("trial_id").min()
    common = values[values["epoch"] <= values["trial_id"].map(ends)]
    keys = [*_RUN, "epoch"]
    times = seconds.set_index(keys)["value"].reindex(pd.MultiIndex.from_frame(common[keys]))
    by_epoch = common.assign(seconds=times.to_numpy()).groupby(["trial_id", "epoch"])
    epochs = pd.DataFrame(
        {
            "mean": by_epoch["value"].mean(),
            "standard_error": by_epoch["value"].sem(ddof=1),
            "seconds": _mean_of_all(by_epoch["seconds"]),
        }
    ).reset_index()
    of_trials = epochs.drop(columns="trial_id").groupby(epochs["trial_id"])
    return {str(trial_id): own.reset_index(drop=True) for trial_id, own in of_trials}


def _mean_of_all(groups: Any) -> pd.Series:
    """The mean of each group; NaN if one of its values is."""
    mean: pd.Series = groups.mean()
    return mean.where(groups.count() == groups.size())


def quality_points(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The complete cells of test log p with the `seconds` of training of a replicate, the mean.

    `rows` are the planned replicates (`join`), `cells` their summary (`summarise`).
    """
    once = each_once(rows)
    seconds = once.groupby("trial_id")["seconds"].mean()
    known = cells[(cells["metric"] == LOG_P) & (cells["n"] > 0)]
    known = known.assign(seconds=known["trial_id"].map(seconds).astype("float64"))
    return known[known["seconds"].notna()]
