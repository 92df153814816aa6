"""`gmm-study evaluate`: what a checkpoint is worth, estimated, and exactly where it is small."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from gmm_study.cli.console import output_console
from gmm_study.cli.trained import dataset_of

if TYPE_CHECKING:
    from torch import Tensor

    from gmm_study.training.checkpoint import Checkpoint

NATS = ("log_p", "log_p_tilde", "log_p_star")
SHARES = ("ess", "ess_star")


class _Counts(click.ParamType):
    """Whole numbers of at least 1, separated by commas."""

    name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """The numbers, in the order given, each once."""
        try:
            counts = tuple(dict.fromkeys(float(part) for part in str(value).split(",")))
        except ValueError:
            counts = (0.0,)
        if any(count < 1 or not count.is_integer() for count in counts):
            self.fail(f"'{value}' must be whole numbers of at least 1, as 1,10,100", param, ctx)
        return tuple(map(int, counts))


@click.command()
@click.argument("checkpoint")
@click.option(
    "--samples",
    type=_Counts(),
    default="1,10,100,1000",
    show_default=True,
    help="K, the samples per datapoint; several separated by commas.",
)
@click.option(
    "--z-samples",
    type=click.IntRange(0),
    default=100_000,
    show_default=True,
    help="Samples of p for 2 log Z, which gmm alone has; 0 leaves it out.",
)
@click.option(
    "--split", type=click.Choice(["train", "valid", "test"]), default="test", show_default=True
)
@click.option("--dataset", help="Other data than the model was trained on: a name or a path.")
@click.option(
    "--datapoints", type=click.IntRange(1), help="The first so many of the split. [default: all]"
)
@click.option("--exact", is_flag=True, help="Add the exact figures, if the model is small enough.")
@click.option("--replicate", type=click.IntRange(0), help="One replicate. [default: all]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--chunk-rows",
    type=click.IntRange(1),
    default=4000,
    show_default=True,
    help="Datapoints times samples that are in memory at a time.",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda")
@click.option("--threads", type=click.IntRange(1), help="Threads on a CPU. [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as one JSON line.")
def evaluate(
    checkpoint: str,
    samples: tuple[int, ...],
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
    """Estimate log p, log ptilde, log p*, 2 log Z and effective sample sizes of a checkpoint.

    CHECKPOINT is a trial's record, or its folder `checkpoint`. All figures are means over the
    datapoints, in nats but for the effective sample sizes, which are fractions of K. --exact sums
    over all states, up to 2^22, and says why not where there are more.

    Example: gmm-study evaluate results/5a7381c7aae1fcdb --samples 1,10,100 --json
    """
    import torch

    from gmm_study.training.checkpoint import open_checkpoint
    from gmm_study.trials.once import choose_device

    opened = open_checkpoint(checkpoint)
    chosen = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = dataset_of(opened, dataset)
    rows = torch.from_numpy(getattr(loaded, split)[:datapoints]).to(chosen)
    replicates = opened.replicates if replicate is None else (replicate,)
    if opened.hyperparameters.method != "gmm":
        z_samples = 0
    console = Console(stderr=True)
    found: list[dict[str, Any]] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        from gmm_study.estimators import INNER_SAMPLES

        total = len(replicates) * (len(rows) * sum(samples) + z_samples * INNER_SAMPLES)
        task = progress.add_task("evaluating", total=total)

        def watch(done: int) -> None:
            progress.advance(task, done)

        for index in replicates:
            model = opened.model([index], chosen)
            estimates = _estimates(model, rows, samples, z_samples, seed, index, chunk_rows, watch)
            found += [{"replicate": index, **figures} for figures in estimates]
    reason = None
    if exact:
        figures, reason = _exact(opened, replicates, rows)
        found += figures
    document = {
        "checkpoint": str(opened.folder),
        "method": opened.hyperparameters.method,
        "dataset": loaded.name,
        "split": split,
        "datapoints": len(rows),
        "z_samples": z_samples,
        "seed": seed,
        "figures": found,
        **({"not_exact": reason} if exact else {}),
    }
    if as_json:
        print(json.dumps(document, allow_nan=False))
    else:
        _print(document)
    if reason:
        print_to = Console(stderr=True)
        print_to.print(f"not exact: {reason}", markup=False, highlight=False, soft_wrap=True)


def _estimates(
    model: Any,
    data: "Tensor",
    samples: Sequence[int],
    z_samples: int,
    seed: int,
    replicate: int,
    chunk_rows: int,
    watch: Callable[[int], None],
) -> list[dict[str, Any]]:
    """A row of figures for every K, each figure with its standard error."""
    from gmm_study.estimators import estimate_log_p, estimate_log_z2
    from gmm_study.models import RandomStreams

    def streams(purpose: str) -> RandomStreams:
        device = model.parameters.flat.device
        return RandomStreams(seed, [replicate], f"evaluate {purpose}", device)

    z: dict[str, float] = {}
    if z_samples:
        log_z2, error = estimate_log_z2(model, z_samples, streams("log_z2"), chunk_rows, watch)
        z = {"log_z2": log_z2.item(), "log_z2_se": error.item()}
    found = []
    for count in samples:
        estimates = estimate_log_p(model, data, count, streams(str(count)), chunk_rows, watch)
        figures = _means(estimates) | z
        if z:
            figures |= _log_p_star(figures)
        found.append({"samples": count, **_finite(figures)})
    return found


def _exact(
    opened: "Checkpoint", replicates: Sequence[int], data: "Tensor"
) -> tuple[list[dict[str, Any]], str | None]:
    """The exact figures of every replicate, and why some, or all, are missing."""
    from gmm_study.exact import exact_log_likelihoods, why_no_exact_z, why_not_exact

    found = []
    for index in replicates:
        model = opened.model([index], data.device)
        reason = why_not_exact(model)
        if reason:
            return [], reason
        exact = exact_log_likelihoods(model, data)
        log_z2 = exact.pop("log_z2", None)
        figures = _means(exact)
        if log_z2 is not None:
            figures |= {"log_z2": log_z2.item(), "log_z2_se": 0.0}
        found.append({"replicate": index, "samples": "exact", **_finite(figures)})
    return found, why_no_exact_z(model)


def _means(estimates: Mapping[str, "Tensor"]) -> dict[str, float]:
    """The mean of every `[1, N]` over its datapoints, with its standard error."""
    figures: dict[str, float] = {}
    for name, values in estimates.items():
        count = values.shape[1]
        figures[name] = values.mean().item()
        figures[f"{name}_se"] = values.std().item() / count**0.5 if count > 1 else float("nan")
    return figures


def _log_p_star(figures: Mapping[str, float]) -> dict[str, float]:
    """log p* = log ptilde - 2 log Z, whose errors are independent."""
    error = (figures["log_p_tilde_se"] ** 2 + figures["log_z2_se"] ** 2) ** 0.5
    return {"log_p_star": figures["log_p_tilde"] - figures["log_z2"], "log_p_star_se": error}


def _finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    from math import isfinite

    return {name: value if isfinite(value) else None for name, value in figures.items()}


def _print(document: Mapping[str, Any]) -> None:
    """A table a replicate: a row for every K, and one of the exact figures."""
    console = output_console()
    points = f"{document['datapoints']:,} datapoints"
    console.print(
        f"{document['method']} on {document['dataset']}, {document['split']}, {points}: mean ± "
        "standard error over datapoints, in nats; ess as a fraction of K",
        highlight=False,
    )
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
    error = None if name in SHARES else error
    return f"{value:.3f}" + (f" ± {error:.3f}" if error else "")
