"""The tables of a study's variations: the cost of each for each method."""

import pandas as pd

from analysis.labels import decimals
from analysis.tables.captions import evaluation_samples
from analysis.tables.layout import Entry, Table, table
from gmm_study.study.plan import Plan


def lay_out_costs(plan: Plan, costs: pd.DataFrame) -> list[Table]:
    """A table per data set; bold where the interval excludes 0, ≈ where the 90% one is small."""
    datasets = dict.fromkeys(costs["dataset"])
    return [_table(plan, dataset, costs[costs["dataset"] == dataset]) for dataset in datasets]


def _table(plan: Plan, dataset: str, costs: pd.DataFrame) -> Table:
    methods = list(dict.fromkeys(costs["method"]))
    labels = list(dict.fromkeys(costs["variation"]))
    entries = {
        (row["method"], row["variation"]): Entry(
            row["cost"],
            row["error_both"],
            row["mark"],
            best=row["matters"],
            equivalent=row["equivalent"],
            signed=True,
        )
        for row in costs.to_dict("records")
    }
    errors = costs.loc[costs["trial_id"] != costs["reference_trial_id"], "error_both"]
    return table(
        key=f"{plan.study.name} {dataset} costs",
        title=f"Cost of each variation on {dataset} in nats",
        caption=_caption(plan, dataset, costs),
        corner=("method", "variation"),
        columns=labels,
        rows=[(method, [entries.get((method, label)) for label in labels]) for method in methods],
        places=decimals(errors),
        transposed=True,
    )


def _caption(plan: Plan, dataset: str, costs: pd.DataFrame) -> str:
    settings = [t.config.hyperparameters for t in plan.trials if t.config.dataset == dataset]
    text = (
        f"Mean test log p of {costs['reference'].iloc[0]} minus that of the variation: a positive "
        "difference is a cost, a negative one a gain."
    )
    if settings:
        text += f" log p with K = {evaluation_samples(settings)} samples per datapoint."
    n = plan.study.replicates
    if n == 1:
        return f"{text} One replicate per trial (n = 1): no standard error (n/a), nothing is bold."
    over_both = costs["error_data"].notna().any()
    over = "and test datapoints (paired)" if over_both else "alone: no values of datapoints"
    return (
        f"{text} ± standard error over seeds {over}; the variance over the n = {n} seeds is paired "
        "and pooled over the variations of a method. Bold: the simultaneous 95% interval (Dunnett, "
        "for the variations of a method on a data set) excludes 0. ≈: within the margin of the "
        f"study, as the 90% interval lies within ±{plan.study.report.margin:g} nats. Both: a small "
        "effect. Neither: not resolved."
    )
