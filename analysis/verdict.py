"""The answer of a study, sentences per data set, from the numbers of its cells."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.collapse import collapsed_replicates, which_collapsed
from analysis.cost_sentences import cost_sentences
from analysis.costs import costs_of_variations, estimates_of_costs
from analysis.decisions import in_words, which_error
from analysis.differences import Ends, LogP
from analysis.labels import LOG_P, axis_label, decimals, error_label, nats, value_label
from analysis.places import place_of
from analysis.planned import is_continuous
from gmm_study.study.fields import VARIATION
from gmm_study.study.plan import Plan
from gmm_study.training.declared import CHANGES_THE_BOUND
from gmm_study.training.state import TrialState
from gmm_study.trials.selection import VALID_BOUND


def verdict(
    plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame, log_p: LogP | None = None
) -> list[str]:
    """How test log p changes along the plan's axis, or without one how the methods compare.

    `rows` are the planned replicates (`join`), `cells` their summary (`summarise`), `log_p` has the
    values of datapoints. A difference is ± its standard error over seeds and test data
    (`LogP.difference`), and `in_words` says what it shows. If an end of the axis is incomplete,
    there is no number. Along an axis sampled from a continuous range there is no verdict, since its
    ends are random. Variations are compared with the first one. Methods are not compared on a data
    set on which no trial has ended.
    """
    if is_continuous(plan):
        return []
    log_p, figures = log_p or LogP(plan, rows), cells[cells["metric"] == LOG_P]
    collapsed = collapsed_replicates(rows)
    if plan.x == VARIATION:
        costs = costs_of_variations(plan, rows, cells, log_p)
        estimates = estimates_of_costs(plan, log_p, cells)
        return cost_sentences(costs, estimates, log_p.margin, collapsed)
    datasets = list(dict.fromkeys(figures["dataset"]))
    sentences = []
    for dataset in datasets:
        if not plan.x and _is_awaited(rows[rows["dataset"] == dataset]):
            continue
        own = figures[figures["dataset"] == dataset].to_dict("records")
        answer = _along_axis if plan.x else _between_methods
        found = answer(plan, log_p, own, collapsed)
        place = f"{dataset}: " if len(datasets) > 1 else ""
        sentences += [f"{place}{_lower(text) if place else text}." for text in found]
    return sentences


def _is_awaited(rows: pd.DataFrame) -> bool:
    """Whether there are trials and each of them is pending or running."""
    states = [TrialState(state) for state in rows["state"].unique()]
    return bool(states) and not any(state.is_over for state in states)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _along_axis(
    plan: Plan, log_p: LogP, cells: list[dict[Any, Any]], collapsed: Mapping[str, int]
) -> list[str]:
    """What each method gains from one end of the axis to the other, and its best value.

    The change of the first method is compared with those of the others.
    """
    axis = axis_label(plan.x or "")
    gains: dict[str, list[str]] = {}
    ends_by_method: dict[str, dict[str, Ends]] = {}
    best, unknown, differences = [], [], []
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
            differences.append(log_p.difference(last, first))
            why = which_collapsed(collapsed, _named(plan, ends))
            gain = in_words(differences[-1], log_p.margin, "gains", "loses", why)
            gains.setdefault(span, []).append(f"{method} {gain}")
            ends_by_method.setdefault(span, {})[method] = ends
            best += _best_value(plan, own)
    remark = which_error(differences)
    texts = [
        f"{span}, in nats of test log p: {'; '.join(filter(None, (*own, remark)))}"
        for span, own in gains.items()
    ]
    for span, both in ends_by_method.items():
        if compared := _between_changes(plan, log_p, both, collapsed):
            texts.append(f"{span}, {compared}")
    if best:
        texts.append(f"The best {axis} by validation: {', '.join(best)}")
    return texts + unknown + _levels(axis, cells)


def _between_changes(
    plan: Plan, log_p: LogP, ends: Mapping[str, Ends], collapsed: Mapping[str, int]
) -> str:
    """How the change of the first method compares with that of each other method."""
    (first, ours), *rest = ends.items()
    compared, differences = [], []
    for method, others in rest:
        if difference := log_p.of_changes(ours, others):
            why = which_collapsed(collapsed, _named(plan, [*ours, *others]))
            shown = in_words(difference, log_p.margin, "higher by", "lower by", why)
            compared.append(f"that of {method}: {shown}")
            differences.append(difference)
    listed = "; ".join(filter(None, (*compared, which_error(differences))))
    return f"the change of {first}, in nats, compared with {listed}" if compared else ""


def _named(plan: Plan, cells: Iterable[Mapping[Any, Any]]) -> list[tuple[str, str, int]]:
    """The name, trial and number of replicates of each cell."""
    return [(place_of(plan, cell), cell["trial_id"], cell["n"]) for cell in cells]


def _levels(axis: str, cells: list[dict[Any, Any]]) -> list[str]:
    """What the methods reach that do not read the axis."""
    levels = []
    for cell in cells:
        if cell["x"] is None and cell["n"]:
            places = decimals([cell["error_both"]])
            reached = f"{nats(cell['mean'], places)} ± {error_label(cell['error_both'], places)}"
            levels.append(f"{cell['method']}, which does not read {axis}, reaches {reached}")
    return levels


def _best_value(plan: Plan, cells: Sequence[Mapping[Any, Any]]) -> list[str]:
    """`gmm 3`, if validation is one quantity along the axis and it has more than two values.

    Nothing if a cell is incomplete.
    """
    swept = {axis for trial in plan.trials for axis in trial.axes}
    criteria = {cell["selected_by"] for cell in cells}
    by_bounds = VALID_BOUND in criteria and swept & set(CHANGES_THE_BOUND)
    if by_bounds or len(criteria) > 1 or len(cells) < 3 or not all(cell["n"] for cell in cells):
        return []
    best = max(cells, key=lambda cell: float(cell["validation"]))
    return [f"{best['method']} {value_label(best['x'])}"]


def _between_methods(
    plan: Plan, log_p: LogP, cells: list[dict[Any, Any]], collapsed: Mapping[str, int]
) -> list[str]:
    known = sorted((cell for cell in cells if cell["n"]), key=lambda cell: -cell["mean"])
    if len(known) < 2:
        return _no_comparison(known, [cell for cell in cells if not cell["n"]])
    differences = log_p.below_best(known)
    leads = []
    for cell, lead in zip(known[1:], differences, strict=True):
        why = which_collapsed(collapsed, _named(plan, (known[0], cell)))
        shown = in_words(lead, log_p.margin, "it gains", "it loses", why)
        leads.append(f"over {cell['method']} {shown}")
    listed = "; ".join(filter(None, (*leads, which_error(differences))))
    return [f"{known[0]['method']} has the highest test log p, in nats: {listed}"]


def _no_comparison(known: list[dict[Any, Any]], lacking: list[dict[Any, Any]]) -> list[str]:
    """Why methods cannot be compared; nothing if there is only one and it has figures."""
    if not lacking:
        return []
    only = [f"only {cell['method']} has figures" for cell in known]
    why = [f"{cell['method']}: {cell['mark']}" for cell in lacking]
    return [f"No verdict: {'; '.join((*only, *why))}"]
