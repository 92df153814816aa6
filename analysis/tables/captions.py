"""Captions of tables: which direction is better, replicates, the error, K, and what is bold."""

from collections.abc import Iterable

import pandas as pd

from analysis.labels import LOG_P, axis_label, bound_label, value_range
from analysis.ranking import BEST
from gmm_study.study.plan import Plan
from gmm_study.training.hyperparameters import Hyperparameters

BLANK = " Blank: no such trial is planned."


def caption(plan: Plan, cells: pd.DataFrame, metric: str) -> str:
    """The caption of a table of log p or of the bound, from the cells that it shows."""
    chosen = set(cells["dataset"])
    settings = [t.config.hyperparameters for t in plan.trials if t.config.dataset in chosen]
    text = f"Higher is better{'' if metric == LOG_P else ' within a method'}; {spread(plan)}."
    if not settings:
        return text
    if metric == LOG_P:
        text += (
            f" Importance sampling with K = {evaluation_samples(settings)} samples per "
            "datapoint, in expectation a lower bound of log p(x)."
        )
        return text + what_is_bold(plan, cells)
    kinds = "; ".join(f"{method}: {kind}" for method, kind in bounds_of_methods(settings).items())
    text += (
        f" Every method has its own bound ({kinds}), so entries of different methods cannot be "
        "compared and none is bold."
    )
    final = [setting.stage_list[-1] for setting in settings]
    differs = len({(setting.method, setting.training_samples) for setting in final})
    if differs > len({setting.method for setting in settings}):
        text += " The bound of one method is also a different quantity for every K."
    return text


def what_is_bold(plan: Plan, cells: pd.DataFrame, best: str = "the highest mean") -> str:
    """What bold entries and those with the mark ≈ are; empty if no cell is bold."""
    if not (cells["rank"] == BEST).any():
        return ""
    text = f" Bold: {best} among methods with complete cells"
    if plan.x and cells["x"].isna().any():
        text += f" that read {axis_label(plan.x)}"
        if cells.loc[cells["x"].isna(), "method"].nunique() > 1:
            text += ", and among those that do not"
    if plan.study.replicates == 1:
        return f"{text}; with one replicate nothing can be said of the differences from it."
    return (
        f"{text}. ≈: equivalent to it, as the 90% interval of the difference lies within "
        f"±{plan.study.report.margin:g} nats (two one-sided tests at 5%). An unmarked entry "
        "is worse, or its difference from the best is not resolved."
    )


def spread(plan: Plan) -> str:
    """What the ± of an entry is."""
    n = plan.study.replicates
    if n == 1:
        return "one replicate per cell (n = 1), so no standard error (n/a)"
    return (
        f"mean ± standard error over n = {n} replicates (seeds; standard deviation with n - 1, "
        "divided by √n)"
    )


def evaluation_samples(settings: Iterable[Hyperparameters]) -> str:
    """The K of the evaluation, or its range."""
    return value_range(setting.evaluation_samples for setting in settings)


def bounds_of_methods(
    settings: Iterable[Hyperparameters], with_samples: bool = True
) -> dict[str, str]:
    """What the bound of each method is, with its K: `log p̃, K = 10`; that of the last stage."""
    kinds: dict[str, dict[str, list[int]]] = {}
    for setting in (own.stage_list[-1] for own in settings):
        of_method = kinds.setdefault(setting.method, {})
        of_method.setdefault(bound_label(setting), []).append(setting.training_samples)
    return {
        method: " or ".join(
            f"{kind}, K = {value_range(samples)}" if with_samples else kind
            for kind, samples in of_method.items()
        )
        for method, of_method in kinds.items()
    }
