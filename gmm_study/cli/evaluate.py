"""`gmm-study evaluate`: the likelihood of a checkpoint, estimated or, if it is small, exact."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import rich_click as click
from rich.table import Table

from gmm_study.cli.as_json import print_json
from gmm_study.cli.console import bar, output_console, working
from gmm_study.cli.data import dataset_option
from gmm_study.cli.trained import checkpoint_argument, machine_options, split_option

NATS = ("log_p", "log_p_tilde", "log_p_star")
SHARES = ("ess", "ess_star")


def _counts(text: str) -> tuple[int, ...]:
    """Distinct whole numbers of at least 1, separated by commas, in the given order."""
    try:
        counts = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        counts = (0.0,)
    if any(count < 1 or not count.is_integer() for count in counts):
        raise click.BadParameter(f"'{text}' must be whole numbers of at least 1, such as 1,10,100")
    return tuple(map(int, counts))


@click.command()
@checkpoint_argument
@click.option(
    "--samples",
    "evaluation_samples",
    type=_counts,
    metavar="K,K,...",
    default="1,10,100,1000",
    show_default=True,
    help="K of the evaluation: samples per datapoint; separate several by commas.",
)
@click.option(
    "--z-samples",
    type=click.IntRange(0),
    default=100_000,
    show_default=True,
    help="Samples of p for 2 log Z, if the method has a p* (gmm); 0 skips it.",
)
@split_option
@dataset_option("Data set to use instead of the training's: a name or a path.")
@click.option(
    "--datapoints", type=click.IntRange(1), help="Use the first N of the split. [default: all]"
)
@click.option("--exact", is_flag=True, help="Add the exact values, if the model is small enough.")
@click.option("--replicate", type=click.IntRange(0), help="Number of one replicate. [default: all]")
@click.option(
    "--chunk-rows",
    type=click.IntRange(1),
    default=4000,
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

    CHECKPOINT is a trial's record, or its folder `checkpoint`. All estimates are means over
    datapoints, in nats; effective sample sizes are fractions of K. --exact sums over all states,
    at most 2^22; if there are more, it explains why it cannot.

    --json: {checkpoint, method, dataset, split, datapoints, z_samples, seed, diverged: [index],
    figures: [{replicate, samples, FIGURE, FIGURE_se}], not_exact}, where a row has the figures of
    its method, and `samples` is K or `exact`. `not_exact` is included with --exact: null or the
    reason.

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
    )
    document = asdict(found)
    if not exact:
        del document["not_exact"]
    if as_json:
        print_json(document)
    else:
        _print(document)
    if found.not_exact:
        print(f"gmm-study: not exact: {found.not_exact}", file=sys.stderr)


def _print(document: Mapping[str, Any]) -> None:
    """One table per replicate, with a row for every K and one for the exact values."""
    console = output_console()
    points = f"{document['datapoints']:,} datapoints"
    console.print(
        f"{document['method']} on {document['dataset']}, {document['split']}, {points}: mean ± "
        "standard error over datapoints, in nats; ess as a fraction of K, exact: of large K",
        highlight=False,
    )
    for index in document["diverged"]:
        console.print(f"replicate {index}: diverged, left out")
    for index in dict.fromkeys(row["replicate"] for row in document["figures"]):
        own = [row for row in document["figures"] if row["replicate"] == index]
        names = [name for name in (*NATS, *SHARES) if any(name in row for row in own)]
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("K", justify="right", no_wrap=True)
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for row in own:
            count = row["samples"]
            label = count if isinstance(count, str) else f"{count:,}"
            table.add_row(label, *(_shown(row, name) for name in names))
        console.print(f"replicate {index}{_z_of(own)}", highlight=False)
        console.print(table)


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
