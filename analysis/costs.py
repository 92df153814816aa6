"""What each variation of a study costs against the first one, in nats of test log p."""

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.captions import evaluation_samples
from analysis.cells import mean_and_standard_error
from analysis.labels import LOG_P, decimals, error_label, value_range
from analysis.tables import Entry, Notes, Table, table
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION

CONFIDENCE = 0.95
LEVEL = 1.0 - CONFIDENCE
SAME = "the same trial as"
UNPAIRED = "not paired: its replicates have other seeds"

_TYPES = {
    "study": "string",
    "dataset": "string",
    "method": "string",
    "variation": "string",
    "reference": "string",
    "metric": "string",
    "cost": "float64",
    "standard_error": "float64",
    "half_width": "float64",
    "n": "int64",
    "p_value": "float64",
    "paired": "boolean",
    "matters": "bool",
    "trial_id": "string",
    "reference_trial_id": "string",
    "mark": "string",
}


def costs_of_variations(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """A row a dataset, method and variation but the first, which is the reference of the others.

    Columns: `cost` (mean test log p of the reference minus that of the variation, nats: positive
    costs) with its `standard_error` (n - 1): over the differences within a replicate where both
    trials have the same replicates of one seed, which share data order and noise (`paired`), else
    from both standard errors; `half_width` of its own 95% interval by Student's t; `n` replicates;
    `p_value` of no cost by the same t, adjusted by Holm for all the variations of a dataset and
    method; `matters`, whether that is at most 0.05; `mark`, why there is no number or what is
    special about it. `rows` are the planned replicates (`join`), `cells` their summary
    (`summarise`). No row where the report does not run along the variations.
    """
    if plan.x != VARIATION:
        return pd.DataFrame(columns=list(_TYPES)).astype(_TYPES)
    reference, *others = plan.study.variations
    seeds = {trial.config.trial_id: trial.config.hyperparameters.seed for trial in plan.trials}
    log_p = cells[cells["metric"] == LOG_P]
    found = []
    for (dataset, method), own in log_p.groupby(["dataset", "method"], sort=False):
        by_label = {cell["x"]: cell for cell in own.to_dict("records")}
        family = []
        for label in others:
            known = {"dataset": dataset, "method": method, "variation": label, "metric": LOG_P}
            known |= {"study": plan.study.name, "reference": reference}
            start, end = by_label[reference], by_label[label]
            family.append(known | _cost(rows, start, end, seeds))
        for row, p_value in zip(family, holm([row["p_value"] for row in family]), strict=True):
            found.append(row | {"p_value": p_value, "matters": p_value <= LEVEL})
    return pd.DataFrame(found, columns=list(_TYPES), dtype=object).astype(_TYPES)


def lay_out_costs(plan: Plan, costs: pd.DataFrame) -> list[Table]:
    """A table a dataset: what each variation costs each method; bold is what matters."""
    datasets = dict.fromkeys(costs["dataset"])
    return [_table(plan, dataset, costs[costs["dataset"] == dataset]) for dataset in datasets]


def can_draw_costs(costs: pd.DataFrame) -> bool:
    """Whether any cost is known but those that are zero because both ends are one trial."""
    apart = costs["trial_id"] != costs["reference_trial_id"]
    return bool((apart & costs["cost"].notna()).any())


def what_intervals_are(plan: Plan) -> str:
    """What the bars of the figure of costs are, where there are any."""
    if plan.study.replicates == 1:
        return " One replicate (n = 1), so no interval is known."
    return (
        f" Bars: 95% intervals by Student's t with n = {plan.study.replicates} replicates, each by "
        "itself, not adjusted for their number."
    )


def cost_sentences(costs: pd.DataFrame) -> list[str]:
    """What matters to each method on each dataset, dearest first, and what was not seen to."""
    several = costs["dataset"].nunique() > 1
    sentences = []
    for (dataset, method), own in costs.groupby(["dataset", "method"], sort=False):
        prefix = f"{dataset}, " if several else ""
        sentences.append(f"{prefix}{method}: {_sentence(own)}.")
    return sentences


def _cost(
    rows: pd.DataFrame, start: dict[Any, Any], end: dict[Any, Any], seeds: dict[str, int]
) -> dict[str, Any]:
    known = {"trial_id": end["trial_id"], "reference_trial_id": start["trial_id"], "n": 0}
    known |= {"cost": nan, "standard_error": nan, "half_width": nan, "p_value": nan}
    if not start["n"]:
        return known | {"paired": None, "mark": f"{start['x']}: {start['mark']}"}
    if not end["n"]:
        return known | {"paired": None, "mark": end["mark"]}
    if start["trial_id"] == end["trial_id"]:
        zero = {"cost": 0.0, "standard_error": 0.0, "half_width": 0.0, "p_value": nan}
        zero |= {"n": start["n"]}
        return known | zero | {"paired": True, "mark": f"{SAME} {start['x']}"}
    first, second = (log_p_by_replicate(rows, cell["trial_id"]) for cell in (start, end))
    paired = seeds[start["trial_id"]] == seeds[
        end["trial_id"]
    ] and first.index.sort_values().equals(second.index.sort_values())
    if paired:
        cost, error = mean_and_standard_error(first - second)
        freedom: float = len(first) - 1
    else:
        cost = float(first.mean() - second.mean())
        squares = [mean_and_standard_error(values)[1] ** 2 for values in (first, second)]
        error = sum(squares) ** 0.5
        freedom = _welch(squares, (len(first), len(second)))
    return known | {
        "cost": cost,
        "standard_error": error,
        "half_width": _student(freedom) * error,
        "p_value": _p_value(cost, error, freedom),
        "n": min(len(first), len(second)),
        "paired": paired,
        "mark": "" if paired else UNPAIRED,
    }


def log_p_by_replicate(rows: pd.DataFrame, trial_id: str) -> pd.Series:
    """Test log p of a trial's replicates, in nats, indexed by replicate."""
    own = rows[rows["trial_id"] == trial_id].drop_duplicates("replicate")
    return own.set_index("replicate")[LOG_P]


def _student(freedom: float) -> float:
    """How many standard errors reach to either end of the interval; NaN without freedom."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) if freedom > 0 else nan


def _p_value(cost: float, error: float, freedom: float) -> float:
    """Of so large a difference, either way, where there is none; NaN without freedom."""
    from scipy.special import stdtr

    if not freedom > 0:
        return nan
    if error == 0.0:
        return 0.0 if cost else 1.0
    return float(2.0 * stdtr(freedom, -abs(cost) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm, 1979), in the order given; NaN is no comparison.

    Rejecting those at most some level keeps the chance of any false rejection below that level.
    """
    order = sorted((i for i, p in enumerate(p_values) if p == p), key=lambda i: p_values[i])
    adjusted, running = [nan] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, (len(order) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def _welch(squares: list[float], counts: tuple[int, int]) -> float:
    """Welch and Satterthwaite's degrees of freedom, of two squared standard errors."""
    if min(counts) < 2:
        return nan
    shares = sum(square**2 / (n - 1) for square, n in zip(squares, counts, strict=True))
    return sum(squares) ** 2 / shares if shares else float(sum(counts) - 2)


def _table(plan: Plan, dataset: str, costs: pd.DataFrame) -> Table:
    notes = Notes()
    methods = list(dict.fromkeys(costs["method"]))
    labels = list(dict.fromkeys(costs["variation"]))
    entries = {
        (row["method"], row["variation"]): Entry(
            row["cost"],
            row["standard_error"],
            notes.letter(row["mark"]),
            best=row["matters"],
            signed=True,
        )
        for row in costs.to_dict("records")
    }
    errors = costs.loc[costs["trial_id"] != costs["reference_trial_id"], "standard_error"]
    return table(
        key=f"{plan.study.name} {dataset} costs",
        title=f"Cost of each variation on {dataset} in nats",
        caption=_caption(plan, dataset, costs),
        corner=("method", "variation"),
        columns=labels,
        rows=[(method, [entries.get((method, label)) for label in labels]) for method in methods],
        notes=notes,
        places=decimals(errors),
        down=True,
    )


def _caption(plan: Plan, dataset: str, costs: pd.DataFrame) -> str:
    settings = [t.config.hyperparameters for t in plan.trials if t.config.dataset == dataset]
    text = (
        f"Mean test log p of {costs['reference'].iloc[0]} minus that of the variation: positive is "
        "what it costs, negative what it gains."
    )
    if settings:
        text += f" log p with K = {evaluation_samples(settings)} samples per datapoint."
    n = plan.study.replicates
    if n == 1:
        return f"{text} One replicate a trial (n = 1), so no standard error (n/a) and none is bold."
    return (
        f"{text} ± standard error over n = {n} replicates, paired where no footnote says "
        "otherwise: of the differences within a replicate, whose two trials share the seed of data "
        "order and noise (standard deviation with n - 1, divided by √n). Bold: other than 0 by "
        "Student's t at the 5% level, adjusted by Holm for the variations of a method on a dataset."
    )


def _sentence(costs: pd.DataFrame) -> str:
    rows = sorted(costs.to_dict("records"), key=lambda row: -row["cost"] if row["n"] else 0.0)
    reference, places = rows[0]["reference"], decimals(costs["standard_error"])
    known = [row for row in rows if row["n"] and not row["mark"].startswith(SAME)]
    matter = [row for row in known if row["matters"]]
    parts = [f"{row['variation']} {_in_words(row, places)}" for row in matter]
    told = f"against {reference}, {', '.join(parts)}" if parts else ""
    if known and all(np.isnan(row["standard_error"]) for row in known):
        dearest = known[0]
        told = (
            f"against {reference}, {dearest['variation']} costs most, "
            f"{dearest['cost']:.{places}f} nats (one replicate, so no standard error)"
        )
    elif quiet := [row["variation"] for row in known if not row["matters"]]:
        n = value_range(row["n"] for row in known)
        unseen = f"not significant at 5% by Student's t with n = {n}, adjusted by Holm"
        unseen += f": {', '.join(quiet)}"
        told = f"{told}; {unseen}" if told else f"against {reference}, {unseen}"
    same = [row["variation"] for row in rows if row["mark"].startswith(SAME)]
    notes = [f"{', '.join(same)} is {SAME} {reference}"] if same else []
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if not row["n"]:
            lacking.setdefault(row["mark"], []).append(row["variation"])
    for mark, labels in lacking.items():
        all_of_several = 1 < len(labels) == len(rows)
        listed = "every variation" if all_of_several else ", ".join(labels)
        notes.append(f"not known ({mark}): {listed}")
    return "; ".join(filter(None, [told, *notes]))


def _in_words(row: dict[Any, Any], places: int) -> str:
    verb = "costs" if row["cost"] > 0 else "gains"
    how = "" if row["paired"] else ", not paired"
    error = error_label(row["standard_error"], places)
    return f"{verb} {abs(row['cost']):.{places}f} ± {error} nats{how}"
