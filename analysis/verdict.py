"""The answer of a study, a sentence per data set, from the numbers of its cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.costs import cost_sentences, costs_of_variations
from analysis.differences import LogP
from analysis.labels import LOG_P, axis_label, decimals, error_label, value_label
from analysis.planned import is_continuous
from analysis.statistics import LEVEL, Difference
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION
from gmm_study.training.hyperparameters import CHANGES_THE_BOUND


def verdict(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """How test log p changes along the plan's axis, or without one how the methods compare.

    `rows` are the planned replicates (`join`), `cells` their summary (`summarise`). A difference
    is the mean over replicates of the difference within a replicate, ± its standard error (n - 1);
    it is called a gain or a loss if it is significant at the 5% level (`LogP.difference`). If an
    end of the axis is incomplete, there is no number. Along an axis sampled from a continuous range
    there is no verdict, since its ends are random. Variations are compared with the first one.
    """
    if is_continuous(plan):
        return []
    if plan.x == VARIATION:
        return cost_sentences(costs_of_variations(plan, rows, cells))
    log_p, figures = LogP(plan, rows), cells[cells["metric"] == LOG_P]
    datasets = list(dict.fromkeys(figures["dataset"]))
    sentences = []
    for dataset in datasets:
        own = figures[figures["dataset"] == dataset].to_dict("records")
        found = _along_axis(plan, log_p, own) if plan.x else _between_methods(log_p, own)
        place = f"{dataset}: " if len(datasets) > 1 else ""
        sentences += [f"{place}{_lower(text) if place else text}." for text in found]
    return sentences


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def in_words(difference: Difference) -> str:
    """`gains 1.24 ± 0.16`, or `+0.4 ± 0.3 (not significant, p = 0.31)`, in nats."""
    if not difference.p_value <= LEVEL:
        return _signed(difference)
    verb = "gains" if difference.mean > 0 else "loses"
    return f"{verb} {_signed(difference)[1:]}"


def _along_axis(plan: Plan, log_p: LogP, cells: list[dict[Any, Any]]) -> list[str]:
    """What each method gains from one end of the axis to the other, and its best value."""
    axis = axis_label(plan.x or "")
    gains: dict[str, list[str]] = {}
    best, unknown = [], []
    for method in dict.fromkeys(cell["method"] for cell in cells):
        own = [cell for cell in cells if cell["method"] == method and cell["x"] is not None]
        if len(own) < 2:
            continue
        first, last = ends = own[0], own[-1]
        span = f"From {axis} {value_label(first['x'])} to {value_label(last['x'])}"
        missing = [f"{axis} {value_label(c['x'])}: {c['mark']}" for c in ends if not c["n"]]
        if missing:
            unknown.append(f"{method}: no verdict {_lower(span)} ({'; '.join(missing)})")
        else:
            gain = in_words(log_p.difference(last, first))
            gains.setdefault(span, []).append(f"{method} {gain}")
            best += _best_value(plan, own)
    texts = [f"{span}, in nats of test log p: {'; '.join(own)}" for span, own in gains.items()]
    if best:
        texts.append(f"The best {axis} by the validation bound: {', '.join(best)}")
    return texts + unknown + _levels(axis, cells)


def _levels(axis: str, cells: list[dict[Any, Any]]) -> list[str]:
    """What the methods reach that do not read the axis."""
    levels = []
    for cell in cells:
        if cell["x"] is None and cell["n"]:
            places = decimals([cell["standard_error"]])
            reached = f"{cell['mean']:.{places}f} ± {error_label(cell['standard_error'], places)}"
            levels.append(f"{cell['method']}, which does not read {axis}, reaches {reached}")
    return levels


def _best_value(plan: Plan, cells: Sequence[Mapping[Any, Any]]) -> list[str]:
    """`gmm 3`, if all bounds along the axis are one quantity and it has more than two values.

    Nothing if a cell is incomplete.
    """
    swept = {axis for trial in plan.trials for axis in trial.axes}
    if swept & set(CHANGES_THE_BOUND) or len(cells) < 3 or not all(cell["n"] for cell in cells):
        return []
    best = max(cells, key=lambda cell: float(cell["validation_bound"]))
    return [f"{best['method']} {value_label(best['x'])}"]


def _between_methods(log_p: LogP, cells: list[dict[Any, Any]]) -> list[str]:
    known = [cell for cell in cells if cell["n"]]
    if len(known) < 2:
        return []
    best, *others = sorted(known, key=lambda cell: -cell["mean"])
    leads = [f"{_signed(log_p.difference(best, cell))} over {cell['method']}" for cell in others]
    return [f"{best['method']} has the highest test log p, in nats: {'; '.join(leads)}"]


def _signed(difference: Difference) -> str:
    """`+1.24 ± 0.16`, with a remark if it is not paired or not significant."""
    places = decimals([difference.standard_error])
    text = f"{difference.mean:+.{places}f}"
    if difference.n == 1:
        return f"{text} (one replicate, so no standard error)"
    text = f"{text} ± {error_label(difference.standard_error, places)}"
    if not difference.paired:
        text += " (not paired: different seeds)"
    if difference.p_value <= LEVEL:
        return text
    return f"{text} (not significant, p = {difference.p_value:.2f})"
