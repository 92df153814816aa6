"""`gmm-study evaluate`: what a checkpoint is worth, estimated, and exactly where it is small."""

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
    """Whole numbers of at least 1, separated by commas: in the order given, each once."""
    try:
        counts = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        counts = (0.0,)
    if any(count < 1 or not count.is_integer() for count in counts):
        raise click.BadParameter(f"'{text}' must be whole numbers of at least 1, as 1,10,100")
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
    help="Samples of p for 2 log Z, where there is a p*, as of gmm; 0 leaves it out.",
)
@split_option
@dataset_option("Other data than the model was trained on: a name or a path.")
@click.option(
    "--datapoints", type=click.IntRange(1), help="The first so many of the split. [default: all]"
)
@click.option("--exact", is_flag=True, help="Add the exact figures, if the model is small enough.")
@click.option("--replicate", type=click.IntRange(0), help="Index of one. [default: all]")
@click.option(
    "--chunk-rows",
    type=click.IntRange(1),
    default=4000,
    show_default=True,
    help="Datapoints times samples that are in memory at a time.",
)
@machine_options("all figures")
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
    """Estimate what a trained model is worth: log p, log p*, 2 log Z.

    And log ptilde and effective sample sizes. CHECKPOINT is a trial's record, or its folder
    `checkpoint`. All figures are means over the datapoints, in nats but for the effective sample
    sizes, which are fractions of K. --exact sums over all states, up to 2^22, and says why not
    where there are more.

    --json: {checkpoint, method, dataset, split, datapoints, z_samples, seed, diverged: [index],
    figures: [{replicate, samples, FIGURE, FIGURE_se}], not_exact}, where a row has the figures that
    its method has, `samples` is K or `exact`, and `not_exact` is there with --exact: null, or why.

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
    """A table a replicate: a row for every K, and one of the exact figures."""
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
