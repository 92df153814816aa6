"""`gmm-study train`: one trial without a study and without Ray."""

import json
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich_click.utils import OptionGroupDict

from gmm_study.training.hyperparameters import Hyperparameters


def _flag(spec: Field) -> str:
    return "--" + spec.name.replace("_", "-")


def _hyperparameter_options(command: Callable) -> Callable:
    for spec in reversed(fields(Hyperparameters)):
        default = spec.default
        if default is None:
            shown = ""
        elif isinstance(default, tuple):
            shown = f" [default: {','.join(map(str, default))}]"
        else:
            shown = f" [default: {default}]"
        open_ended = spec.name == "method"  # other packages add some: not looked for at a start
        choices = "METHOD" if open_ended else "|".join(spec.metadata["choices"] or ())
        kind = getattr(spec.type, "__name__", "int").upper()
        metavar = choices or {"TUPLE": "SIZES", "STR": "TEXT"}.get(kind, kind)
        option = click.option(
            _flag(spec), spec.name, metavar=metavar, help=spec.metadata["help"] + shown
        )
        command = option(command)
    return command


def _option_groups() -> list[OptionGroupDict]:
    names: dict[str, list[str]] = {}
    for spec in fields(Hyperparameters):
        names.setdefault(spec.metadata["group"], []).append(_flag(spec))
    groups: list[OptionGroupDict] = [
        {"name": name, "options": options} for name, options in names.items()
    ]
    run = ["--dataset", "--replicates", "--output", "--device", "--threads", "--json", "--help"]
    return [{"name": "The run", "options": run}, *groups]


click.rich_click.OPTION_GROUPS = {"gmm-study train": _option_groups()}


@click.command()
@click.option("--dataset", default="digits", show_default=True, help="A name or a path.")
@click.option(
    "--replicates", default=1, show_default=True, type=click.IntRange(1), help="Seeds trained."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the record and checkpoint; running again goes on there. [default: none kept]",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda",
    help="Where to train.",
)
@click.option(
    "--threads", type=click.IntRange(1), help="Threads on a CPU. [default: all; a study takes 1]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON line, last.")
@_hyperparameter_options
def train(
    dataset: str,
    replicates: int,
    output: Path | None,
    device: str,
    threads: int | None,
    as_json: bool,
    **settings: str | None,
) -> None:
    """Train one trial, all its replicates, and evaluate it on the test set.

    Example: gmm-study train --dataset mushrooms --layers 100,50,25,10 --learning-rate 3e-3
    """
    given = {name: value for name, value in settings.items() if value is not None}
    hyperparameters = Hyperparameters.from_mapping(given)
    hyperparameters.refuse_unread(given)
    from gmm_study.data import load_dataset
    from gmm_study.trials.config import TrialConfig
    from gmm_study.trials.once import run_once

    loaded = load_dataset(dataset)
    config = TrialConfig(hyperparameters, loaded.name, loaded.sha256)
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("bound {task.fields[bound]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=hyperparameters.max_epochs, bound="-")

        def show(now: Any) -> None:
            progress.update(
                task, completed=now.epoch, description=now.phase, bound=f"{now.bound:.3f}"
            )

        result = run_once(config, loaded, replicates, output, device, threads, show)
    if as_json:
        print(json.dumps({**config.to_json(), **result}, allow_nan=False))
    else:
        _print_result(result, config.trial_id)


def _print_result(result: dict[str, Any], trial_id: str) -> None:
    print(f"trial {trial_id}: {result['state']}")
    for index, replicate in result["replicates"].items():
        head = f"replicate {index}: {replicate['state']}, best epoch {replicate['best_epoch']}"
        print(f"{head} of {replicate['epochs']}, {replicate['seconds']:.1f} s")
        metrics = replicate["metrics"]
        for name, value in metrics.items():
            if name.endswith("_se"):
                continue
            error = metrics.get(f"{name}_se")
            shown = "not finite" if value is None else f"{value:10.4f}"
            print(f"  {name:18} {shown}" + (f" +- {error:.4f}" if error else ""))
