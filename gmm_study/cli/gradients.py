"""`gmm-study gradients`: the quality of the gradients that methods estimate for one model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import rich_click as click
from rich.console import Console
from rich.table import Table

from gmm_study.api.defaults import DATAPOINTS, DRAWS, LEAST_DRAWS, STEP_SAMPLES, TARGET_SAMPLES
from gmm_study.cli.as_json import print_json
from gmm_study.cli.completion import choices_of, complete_among
from gmm_study.cli.console import bar, output_console, warn, working
from gmm_study.cli.data import dataset_option
from gmm_study.cli.trained import checkpoint_argument, counts, machine_options, split_option
from gmm_study.phrases import in_a_list

FIGURES = {"signal_to_noise": "signal to noise", "cosine": "cosine", "deviation": "deviation"}


@click.command()
@checkpoint_argument
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD",
    shell_complete=complete_among(lambda: choices_of("method")),
    help="Method whose gradients to assess. Repeatable. [default: the one that trained the model]",
)
@click.option(
    "--samples",
    type=counts,
    metavar="K,K,...",
    default=",".join(map(str, STEP_SAMPLES)),
    show_default=True,
    help="K of a step: samples per datapoint; separate several by commas.",
)
@click.option(
    "--q-baseline",
    "q_baselines",
    multiple=True,
    metavar="uniform|none",
    default=("uniform",),
    show_default=True,
    shell_complete=complete_among(lambda: choices_of("q_baseline")),
    help="Baseline of q's gradient, of methods that have one. Repeatable.",
)
@click.option(
    "--draws",
    type=click.IntRange(LEAST_DRAWS),
    default=DRAWS,
    show_default=True,
    help="Independent gradient estimates of each kind.",
)
@click.option(
    "--target-samples",
    type=click.IntRange(1),
    default=TARGET_SAMPLES,
    show_default=True,
    help="K of the target of a model that is too large for an exact one.",
)
@split_option("train")
@dataset_option("Data set to use instead of the training's: a name or a path.")
@click.option(
    "--datapoints",
    type=click.IntRange(1),
    default=DATAPOINTS,
    show_default=True,
    help="Size of the batch, the first rows of the split.",
)
@click.option(
    "--replicate", type=click.IntRange(0), help="Number of one replicate. [default: the first]"
)
@machine_options("all figures")
def gradients(checkpoint: str, as_json: bool, **settings: Any) -> None:
    """Assess the gradients that methods estimate at the parameters of a trained model.

    CHECKPOINT is a trial's record, its folder `checkpoint`, or bmnist-12, which comes with
    gmm-study. All methods are compared on this model and on one batch. For estimates g with total
    variance V and a target t, signal to noise is |E g| / sqrt(V), cosine is E cos(g, t), and
    deviation is sqrt(E |g - t|^2) / |t|. The target is the exact direction for large K if the model
    is small enough, else the mean of draws with many samples. A method whose limit differs for
    every K, such as vimco or nvil, is compared with the mean of further draws.

    --json: {checkpoint, trained_by, dataset, split, datapoints, draws, seed, rows: [{method,
    q_baseline, samples, part, parameters, target, norm, target_error, signal_square,
    signal_to_noise, signal_to_noise_upper, cosine, deviation, bias, seconds}]}, each figure with
    its standard error as FIGURE_se. signal_square is an estimate of |E g|^2 / V, which may be
    negative, and signal_to_noise its root. Where the draws show no signal, only its upper limit is
    printed. A figure that is not finite is null.

    Example: gmm-study gradients my_trial --method gmm --method rws --samples 1,10,100
    """
    from gmm_study.api import gradients as api

    shown: dict[str, Any] = {"working": working, "bar": bar, "warn": warn}
    found = api.gradients(checkpoint, **settings, **shown)
    document = asdict(found)
    if as_json:
        print_json(document)
        return
    console = output_console()
    console.print(
        f"a model of {found.dataset} trained by {found.trained_by}; {found.datapoints:,} "
        f"datapoints of {found.split}, {found.draws:,} draws: mean ± standard error",
        highlight=False,
    )
    _print_parts(console, found.rows)


def _print_parts(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table for each part of the model, with a row for each method, baseline and K."""
    targets: dict[str, list[Mapping[str, Any]]] = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        own = [row for row in rows if row["part"] == part]
        console.print(f"\n{part}: {own[0]['parameters']:,} parameters", highlight=False)
        console.print(_table(own))
        for row in own:
            targets.setdefault(row["method"], []).append(row)
    every = sorted({row["samples"] for row in rows})
    for method, of_method in targets.items():
        lacking = [f"{k:,}" for k in every if k not in {row["samples"] for row in of_method}]
        if lacking:
            console.print(f"{method} cannot use K = {in_a_list(lacking)}", highlight=False)
        errors = [row["target_error"] for row in of_method if row["target_error"]]
        known = f", whose sampling error is {_range(errors)} of it" if errors else ""
        console.print(f"target of {method}: {of_method[0]['target']}{known}", highlight=False)


def _range(values: Sequence[float]) -> str:
    """`2%`, or `1% to 30%` over the parts."""
    low, high = f"{min(values):.0%}", f"{max(values):.0%}"
    return low if low == high else f"{low} to {high}"


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    has_baselines = len({row["q_baseline"] for row in rows if row["q_baseline"]}) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method")
    names = (*(["baseline"] if has_baselines else []), "K", *FIGURES.values(), "ms")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        baseline = [row["q_baseline"] or ""] if has_baselines else []
        figures = [_shown(row, name) for name in FIGURES]
        milliseconds = f"{1000 * row['seconds']:.3g}"
        table.add_row(row["method"], *baseline, f"{row['samples']:,}", *figures, milliseconds)
    return table


def _shown(row: Mapping[str, Any], name: str) -> str:
    value, error = row[name], row[f"{name}_se"]
    if value is None:
        return ""
    if name == "signal_to_noise" and error is None:
        return f"at most {row['signal_to_noise_upper']:.2g}"
    return f"{value:.3g}" + (f" ± {error:.1g}" if error else "")
