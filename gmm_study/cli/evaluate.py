"""`gmm-study evaluate`: the likelihood of a checkpoint, estimated or, if it is small, exact."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import rich_click as click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from gmm_study.api.defaults import CHAINS, SAMPLES, STEPS, TOLERANCE, Z_SAMPLES
from gmm_study.cli.as_json import print_json
from gmm_study.cli.console import bar, output_console, warn, working
from gmm_study.cli.data import dataset_option
from gmm_study.cli.trained import (
    checkpoint_argument,
    chunk_rows_option,
    counts,
    machine_options,
    replicate_option,
    split_option,
)
from gmm_study.errors import InputError
from gmm_study.phrases import plural

NATS = ("log_p", "log_p_tilde", "log_p_star")
SHARES = ("ess", "ess_star")
NAMES = {
    "log_p": "log p",
    "log_p_tilde": "log ptilde",
    "log_z2": "2 log Z",
    "log_p_star": "log p*",
}


@click.command()
@checkpoint_argument
@click.option(
    "--samples",
    "evaluation_samples",
    type=counts,
    metavar="K,K,...",
    default=",".join(map(str, SAMPLES)),
    show_default=True,
    help="K of the evaluation: samples per datapoint; separate several by commas.",
)
@click.option(
    "--z-samples",
    type=click.IntRange(0),
    default=Z_SAMPLES,
    show_default=True,
    help="Samples of p for 2 log Z, if the method has a p* (gmm); 0 skips it.",
)
@split_option()
@dataset_option("Data set to use instead of the training's: a name or a path.")
@click.option(
    "--datapoints", type=click.IntRange(1), help="Use the first N of the split. [default: all]"
)
@click.option("--exact", is_flag=True, help="Add the exact values, if the model is small enough.")
@click.option("--certify", is_flag=True, help="Add intervals by annealed importance sampling.")
@click.option(
    "--chains",
    type=click.IntRange(1),
    default=CHAINS,
    show_default=True,
    help="With --certify: chains for each datapoint.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=STEPS,
    show_default=True,
    help="With --certify: most steps of a chain; there are fewer if the intervals are narrow.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0.0),
    default=TOLERANCE,
    show_default=True,
    help="With --certify: width in nats at which intervals are narrow enough.",
)
@replicate_option
@chunk_rows_option
@machine_options("all estimates")
def evaluate(
    checkpoint: str,
    evaluation_samples: tuple[int, ...],
    exact: bool,
    certify: bool,
    chains: int,
    steps: int,
    tolerance: float,
    as_json: bool,
    **settings: Any,
) -> None:
    """Estimate log p, log ptilde, log p*, 2 log Z and effective sample sizes of a trained model.

    CHECKPOINT is a trial's record, its folder `checkpoint`, or bmnist-12, which comes with
    gmm-study. All estimates are means over datapoints, in nats; effective sample sizes are
    fractions of K. The gap is what log p gains from half of the samples to all of them, and the
    bias what it is still too low by. --exact sums over all states, at most 2^22; if there are more,
    it explains why it cannot. --certify adds intervals of 95 percent for these datapoints. Their
    lower limits of log p, log ptilde and 2 log Z are certified: they hold whatever the chains did.
    The other limits are estimates. Values outside their interval are named.

    --json: {checkpoint, method, dataset, split, datapoints, z_samples, seed, diverged: [index],
    figures: [{replicate, samples, FIGURE, FIGURE_se}], not_exact, certified: [{replicate, steps,
    narrow, FIGURE_lower, FIGURE_upper, samples, FIGURE_outside}]}, where a row has the figures of
    its method, and `samples` is K or `exact`. Of K >= 4 it also has log_p_gap, log_p_gap_before
    (from a quarter to half of the samples), log_p_bias_lower and log_p_bias_upper (null if there is
    no limit). `not_exact` is included with --exact: null or the reason. `certified` is included
    with --certify: `narrow` is whether all widths are within --tolerance, and FIGURE_outside how
    far the exact value, or else the estimate with the largest K, `samples`, is above its interval
    or, if negative, below.

    Example: gmm-study evaluate results/5a7381c7aae1fcdb --samples 1,10,100 --json
    """
    from gmm_study.api import checkpoints

    if not certify:
        _refuse_settings_of_chains()
    annealing = checkpoints.Annealing(chains, steps, tolerance) if certify else False
    shown: dict[str, Any] = {"working": working, "bar": bar, "warn": warn}
    found = checkpoints.evaluate(
        checkpoint, evaluation_samples, exact=exact, certify=annealing, **settings, **shown
    )
    document = asdict(found)
    if not exact:
        del document["not_exact"]
    if not certify:
        del document["certified"]
    if as_json:
        print_json(document)
    else:
        _print(document, chains)
    if found.not_exact:
        warn(f"not exact: {found.not_exact}")


def _refuse_settings_of_chains() -> None:
    context = click.get_current_context()
    assert context is not None
    for name in ("chains", "steps", "tolerance"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise InputError(f"{name}: it acts only with --certify")


def _print(document: Mapping[str, Any], chains: int) -> None:
    """One table per replicate, with a row for every K and one for the exact values."""
    console = output_console()
    points = plural(document["datapoints"], "datapoint")
    console.print(
        f"{document['method']} on {document['dataset']}, {document['split']}, {points}: mean ± "
        "standard error over datapoints, in nats; ess as a fraction of K, exact: of large K",
        highlight=False,
    )
    if any("log_p_gap" in row for row in document["figures"]):
        console.print(
            "gap: what log_p gains from half of the samples to all; bias: what it is still too low "
            "by (95% interval)",
            highlight=False,
        )
    for index in document["diverged"]:
        console.print(f"replicate {index}: diverged, left out")
    for index in dict.fromkeys(row["replicate"] for row in document["figures"]):
        own = [row for row in document["figures"] if row["replicate"] == index]
        console.print(f"replicate {index}{_z_of(own)}", highlight=False)
        console.print(_table(own))
        for row in document.get("certified", []):
            if row["replicate"] == index:
                _print_certified(console, row, chains)


def _print_certified(console: Console, row: Mapping[str, Any], chains: int) -> None:
    """The intervals of a replicate, and in words what they say."""
    console.print(
        f"\nintervals of 95% for these datapoints, {plural(chains, 'chain')} of "
        f"{plural(row['steps'], 'step')} each:",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "from", "to", "certified from"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, text in NAMES.items():
        lower, upper = row.get(f"{name}_lower"), row.get(f"{name}_upper")
        if lower is not None and upper is not None:
            certified = row.get(f"{name}_lower_certified", lower)
            table.add_row(text, *(f"{limit:.3f}" for limit in (lower, upper, certified)))
    console.print(table)
    for line in _in_words(row):
        console.print(line, highlight=False)


def _in_words(row: Mapping[str, Any]) -> Iterator[str]:
    """Lines about the intervals, and about the values outside them."""
    from gmm_study.trials.assessment import EXACT

    yield (
        "a certified limit holds whatever the chains did; the others assume that the chains found "
        "all of the posterior and that these datapoints are no harder than the model's own samples"
    )
    if not row["narrow"]:
        yield "an interval is wider than --tolerance; more --steps or --chains make it narrower"
    gap = row["samples_upper"] - row["samples_lower"]
    yield f"on samples of the model, where both limits are certified, they are {gap:.3f} nats apart"
    for name, text in NAMES.items():
        outside = row.get(f"{name}_outside")
        if outside:
            side = "below" if outside < 0.0 else "above"
            exact = row["samples"] == EXACT
            of = "exact " if exact else ""
            count = f" with K = {row['samples']:,}" if not exact and name != "log_z2" else ""
            yield f"{of}{text}{count} is {abs(outside):.3f} nats {side} the interval"


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row for every K; columns that no row has are left out."""
    figures: dict[str, Callable[[Mapping[str, Any]], str]] = {
        name: partial(_shown, name=name) for name in (*NATS, *SHARES)
    }
    first, *others = figures.items()
    columns = dict([first, ("gap", _gap), ("bias", _bias), *others])
    shown = {name: [show(row) for row in rows] for name, show in columns.items()}
    shown = {name: texts for name, texts in shown.items() if any(texts)}
    counts = [row["samples"] for row in rows]
    labels = [count if isinstance(count, str) else f"{count:,}" for count in counts]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("K", *shown):
        table.add_column(name, justify="right", no_wrap=True)
    for texts in zip(labels, *shown.values(), strict=True):
        table.add_row(*texts)
    return table


def _gap(row: Mapping[str, Any]) -> str:
    gap = row.get("log_p_gap")
    return "" if gap is None else f"{gap:.3f}"


def _bias(row: Mapping[str, Any]) -> str:
    if "log_p_bias_lower" not in row:
        return ""
    upper = row["log_p_bias_upper"]
    return f"{row['log_p_bias_lower']:.3f}-{'any' if upper is None else f'{upper:.3f}'}"


def _z_of(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = [
        f"2 log Z {'exactly ' if row['samples'] == 'exact' else ''}{_shown(row, 'log_z2')}"
        for row in (rows[0], rows[-1])
        if "log_z2" in row
    ]
    return ": " + ", ".join(dict.fromkeys(shown)) if shown else ""


def _shown(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return ""
    value, error = row[name], row.get(f"{name}_se")
    if value is None:
        return "not finite"
    if name in SHARES:
        return f"{value:.3g}"
    return f"{value:.4f}" + (f" ± {error:.4f}" if error else "")
