"""The tables of our test figures beside the published ones: one figure a column, or one a row."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import pandas as pd

from analysis.labels import LOG_P, LOG_P_STAR, decimals, error_label, short_label, value_label
from analysis.planned import x_values
from analysis.published import published
from analysis.ranking import BEST, EQUIVALENT
from analysis.tables.captions import spread, what_is_bold
from analysis.tables.layout import Entry, Table, published_entry, table
from gmm_study.study.plan import Plan
from gmm_study.training.methods import method_named

LIKELIHOODS = {LOG_P: "-log p", LOG_P_STAR: "-log p*"}
OTHER_MODELS = {
    "nade": "NADE",
    "eonade": "EoNADE",
    "nais_nade": "NAIS-NADE",
    "iwae": "IWAE",
    "rbm": "RBM",
}
"""Models with published figures on the same data that we do not train."""
COLUMNS = (
    "ours",
    "published",
    "ours - published",
    "at or below",
    "n",
    "K",
    "s.e. over test data",
    "ess",
    "2 log Z",
)
PAPER_ROWS = (
    ("-log p", LOG_P, "ours"),
    ("-log p, published", LOG_P, "published"),
    ("-log p, difference", LOG_P, "ours - published"),
    ("-log p*", LOG_P_STAR, "ours"),
    ("-log p*, published", LOG_P_STAR, "published"),
    ("-log p*, difference", LOG_P_STAR, "ours - published"),
    ("ess", LOG_P, "ess"),
    ("ess for p*", LOG_P_STAR, "ess"),
    ("2 log Z", LOG_P_STAR, "2 log Z"),
)
"""The rows of a method in the paper's form: name, likelihood and which of `COLUMNS` it shows."""
_ESS = (
    "ess: the effective sample size as a fraction of K, of q as a proposal for p or for p*, mean "
    "over test datapoints and replicates."
)


def lay_out_comparison(plan: Plan, compared: pd.DataFrame) -> Table:
    """A column per figure; a row per likelihood of a data set, a method and a value of the axis.

    `compared` is the frame of `compare`.
    """
    places = decimals(compared["log_z2_error"])
    rows = []
    for row in compared.to_dict("records"):
        x = [value_label(row["x"])] if plan.x else []
        name = ", ".join([row["dataset"], row["method"], *x, LIKELIHOODS[row["metric"]]])
        rows.append((name, tuple(_figures(row, places).values())))
    return Table(
        key=f"{plan.study.name} published",
        title="Our test figures beside the published ones, in nats",
        caption=_caption(plan),
        corner=("", ""),
        columns=COLUMNS,
        rows=tuple(rows),
        places=decimals(compared["standard_error"]),
    )


def lay_out_paper(plan: Plan, compared: pd.DataFrame, name: str, title: str) -> Table:
    """A row per figure of a method; a column per data set or, along an axis, per value of it.

    Without an axis, rows of models that we do not train follow. `compared` is the frame of
    `compare`.
    """
    by = "x" if plan.x else "dataset"
    columns = x_values(compared, by)
    known: dict[tuple[Any, ...], dict[str, Entry | None]] = {}
    for row in compared.to_dict("records"):
        entries = _figures(row, decimals([row["log_z2_error"]]))
        best, equivalent = row["rank"] == BEST, row["rank"] == EQUIVALENT
        entries["ours"] = replace(entries["ours"] or Entry(), best=best, equivalent=equivalent)
        known[row["method"], row["metric"], row[by]] = entries
    rows: list[tuple[str, list[Entry | None]]] = []
    for method in dict.fromkeys(compared["method"]):
        for label, metric, figure in PAPER_ROWS:
            own = (known.get((method, metric, column), {}) for column in columns)
            rows.append((f"{method}, {label}", [entries.get(figure) for entries in own]))
    if by == "dataset":
        rows += [(f"{name}, -log p, published", own) for name, own in _other_models(columns)]
    return table(
        key=name,
        title=title,
        caption=_paper_caption(plan, compared),
        corner=("", "layers" if by == "x" else "data set"),
        columns=[short_label(plan.x, value) for value in columns],
        rows=[(label, entries) for label, entries in rows if any(entries)],
        places=decimals(compared["standard_error"]),
        why_blank=" Blank: not known, or not published.",
    )


def lay_out_other_models(datasets: Iterable[str]) -> Table:
    """The published figures of models that we do not train: a row per data set that has any."""
    listed = [name for name in datasets if any(published(name, own) for own in OTHER_MODELS)]
    return table(
        key="other models",
        title="Published test figures of other models, in nats",
        caption="Negative log-likelihood, lower is better. We train none of these models.",
        corner=("", "dataset"),
        columns=listed,
        rows=_other_models(listed),
        places=2,
        transposed=True,
        why_blank="",
    )


def _other_models(datasets: Sequence[str]) -> list[tuple[str, list[Entry | None]]]:
    """The published -log p of each model on each data set, of models that have any there."""
    entries = {
        name: [published_entry(dataset, model, sign=1) for dataset in datasets]
        for model, name in OTHER_MODELS.items()
    }
    return [(name, own) for name, own in entries.items() if any(own)]


def _figures(row: dict[Any, Any], places: int) -> dict[str, Entry | None]:
    """The figures of a row of `compare` by the names in `COLUMNS`; None where one is not known.

    2 log Z has `places` decimals.
    """
    known, reached = row["n"] > 0, row["reached"]
    log_z2 = f"{row['log_z2']:.{places}f} ± {error_label(row['log_z2_error'], places)}"
    entries = (
        Entry(row["nll"], row["standard_error"], row["mark"]),
        _number(row["published"], ".2f", row["note"]),
        _number(row["difference"], "+.2f"),
        None if pd.isna(reached) else Entry(text="yes" if reached else "no"),
        Entry(text=str(row["n"])),
        Entry(text=f"{row['samples']:,}") if known else None,
        _text(row["error_over_data"], error_label(row["error_over_data"], 2)),
        _number(row["ess"], "#.3g"),
        _text(row["log_z2"], log_z2),
    )
    return dict(zip(COLUMNS, entries, strict=True))


def _number(value: float, form: str, note: str = "") -> Entry | None:
    return _text(value, f"{value:{form}}", note)


def _text(value: float, text: str, note: str = "") -> Entry | None:
    """The text of a value, None where the value is not finite."""
    return Entry(text=text, note=note) if isfinite(value) else None


def _caption(plan: Plan) -> str:
    from gmm_study.estimators import INNER_SAMPLES

    limit = (
        "plus that standard error"
        if plan.study.replicates > 1
        else "itself, as no standard error over seeds is known"
    )
    text = (
        f"Negative log-likelihood, lower is better; {spread(plan)}; K samples per datapoint. "
        f"At or below: ours is at most the published figure {limit}. s.e. over test data: the "
        "standard error over the test datapoints of one replicate's figure, mean over replicates. "
        f"{_ESS}"
    )
    if any(method_named(method).has_p_star for method in plan.study.methods):
        text += (
            f" 2 log Z: estimated from {plan.study.evaluation.z_samples:,} samples of p with M = "
            f"{INNER_SAMPLES} inner samples each; ± as for log p."
        )
    return text


def _paper_caption(plan: Plan, compared: pd.DataFrame) -> str:
    text = (
        f"Negative log-likelihood on the test set in nats, lower is better; {spread(plan)}. "
        "Difference: ours minus published, so ours is better where it is below 0. A published "
        f"figure with known layers is compared with the same layers only. {_ESS}"
    )
    return text + what_is_bold(plan, compared, "the lowest mean of -log p")
