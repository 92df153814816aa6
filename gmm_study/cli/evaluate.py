"""`gmm-study evaluate`: the likelihood of a checkpoint, estimated or, if it is small, exact."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import rich_click as click
from rich.table import Table

from gmm_study.api.defaults import CHUNK_ROWS, SAMPLES, Z_SAMPLES
from gmm_study.cli.as_json import print_json
from gmm_study.cli.console import bar, output_console, warn, working
from gmm_study.cli.data import dataset_option
from gmm_study.cli.trained import checkpoint_argument, counts, machine_options, split_option

NATS = ("log_p", "log_p_tilde", "log_p_star")
SHARES = ("ess", "ess_star")


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
@click.option("--replicate", type=click.IntRange(0), help="Number of one replicate. [default: all]")
@click.option(
    "--chunk-rows",
    type=click.IntRange(1),
    default=CHUNK_ROWS,
    show_default=True,
    help="Rows (datapoints times samples) in memory at a time.",
)
@machine_options("all estimates")
def evaluate(
    checkpoint: str,
    evaluation_samples: tuple[int, ...],
    z_samples: int,
    split: str,
    dataset: str | None,
    datapoints: int | None,
    exact: bool,
    replicate: int | None,
    seed: int,
    chunk_rows: int,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Estimate log p, log ptilde, log p*, 2 log Z and effective sample sizes of a trained model.

    CHECKPOINT is a trial's record, its folder `checkpoint`, or bmnist-12, which comes with
    gmm-study. All estimates are means over datapoints, in nats; effective sample sizes are
    fractions of K. The gap is what log p gains from half of the samples to all of them, and the
    bias what it is still too low by. --exact sums over all states, at most 2^22; if there are more,
    it explains why it cannot.

    --json: {checkpoint, method, dataset, split, datapoints, z_samples, seed, diverged: [index],
    figures: [{replicate, samples, FIGURE, FIGURE_se}], not_exact}, where a row has the figures of
    its method, and `samples` is K or `exact`. Of K >= 4 it also has log_p_gap, log_p_gap_before
    (from a quarter to half of the samples), log_p_bias_lower and log_p_bias_upper (null if there is
    no limit). `not_exact` is included with --exact: null or the reason.

    Example: gmm-study evaluate results/5a7381c7aae1fcdb --samples 1,10,100 --json
    """
    from gmm_study.api import checkpoints

    found = checkpoints.evaluate(
        checkpoint,
        evaluation_samples,
        z_samples=z_samples,
        split=split,
        dataset=dataset,
        datapoints=datapoints,
        exact=exact,
        replicate=replicate,
        seed=seed,
        chunk_rows=chunk_rows,
        device=device,
        threads=threads,
        working=working,
        bar=bar,
        warn=warn,
    )
    document = asdict(found)
    if not exact:
        del document["not_exact"]
    if as_json:
        print_json(document)
    else:
        _print(document)
    if found.not_exact:
        warn(f"not exact: {found.not_exact}")


def _print(document: Mapping[str, Any]) -> None:
    """One table per replicate, with a row for every K and one for the exact values."""
    console = output_console()
    points = f"{document['datapoints']:,} datapoints"
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
