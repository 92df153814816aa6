"""The trials of a search: what was tried, with which result, and which settings mattered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.labels import SELECTED_BY
from analysis.planned import x_values
from analysis.selection import validation_scores
from gmm_study.study.plan import Plan
from gmm_study.trials.selection import common_metric


@dataclass(frozen=True)
class SearchedCell:
    """The complete trials of a method on a data set, best first.

    `trials` has a column per swept setting with more than one value, None if a trial does not read
    it; `values` is the mean over replicates of what trials are selected by, `criterion`, in nats;
    `left_out` counts the trials that were stopped, failed or diverged. `shares` is the importance
    of each setting (`importances`), empty if there are too few trials.
    """

    dataset: str
    method: str
    trials: pd.DataFrame
    values: list[float]
    criterion: str
    left_out: int
    shares: dict[str, float]

    @property
    def settings(self) -> list[str]:
        """The names of the settings that vary."""
        return [str(name) for name in self.trials]


def searched_cells(plan: Plan, rows: pd.DataFrame) -> list[SearchedCell]:
    """A cell per data set and method of a study with a search, over all values of its grids.

    `rows` are the planned replicates (`join`). Empty without a search; a method without complete
    trials has no cell.
    """
    if not plan.study.drawn:
        return []
    axes = [name for name in plan.study.space if name in rows and name != plan.x]
    found = []
    for (dataset, method), own in rows.groupby(["dataset", "method"], sort=False):
        of_trials = validation_scores(own)
        criterion = common_metric(each for each in of_trials.values() if each)
        candidates = {
            name: each[criterion] for name, each in of_trials.items() if criterion in each
        }
        if not candidates:
            continue
        mine = own[own["trial_id"].isin(candidates)]
        trials = mine.drop_duplicates("trial_id").set_index("trial_id")
        settings = trials[axes]
        if plan.x is not None:
            settings = settings.assign(**{plan.x: trials["x"]})
        settings = settings.astype(object).where(settings.notna(), None)
        ranked = sorted(candidates, key=lambda trial_id: -candidates[trial_id])
        varying = [str(name) for name in settings if len(x_values(settings, str(name))) > 1]
        settings, means = settings.loc[ranked, varying], [candidates[each] for each in ranked]
        left_out, shares = len(of_trials) - len(candidates), _shares(settings, means)
        place = str(dataset), str(method)
        found.append(SearchedCell(*place, settings, means, criterion, left_out, shares))
    return found


def selected_by(cells: Iterable[SearchedCell]) -> str:
    """What the trials of some cells are selected by, in words."""
    return " or ".join(dict.fromkeys(SELECTED_BY[cell.criterion] for cell in cells))


def _shares(settings: pd.DataFrame, values: list[float]) -> dict[str, float]:
    from gmm_study.search.importance import importances

    columns: dict[str, Sequence[object]] = {str(name): settings[name].tolist() for name in settings}
    return importances(columns, values)
