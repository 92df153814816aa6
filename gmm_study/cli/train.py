"""`gmm-study train`: one trial without a study and without Ray."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import Field
from functools import partial
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich_click.utils import OptionGroupDict

from gmm_study.api.defaults import DATASET
from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.completion import choices_of, complete_among
from gmm_study.cli.console import warn, working
from gmm_study.cli.data import dataset_option
from gmm_study.cli.trained import device_option, threads_option
from gmm_study.errors import InputError
from gmm_study.training.hyperparameters import declared_settings
from gmm_study.training.presets import PRESETS

if TYPE_CHECKING:
    from gmm_study.trials.progress import Progress as TrialProgress
    from gmm_study.trials.result import ReplicateResult, TrialResult


def _flag(spec: Field[Any]) -> str:
    return "--" + spec.name.replace("_", "-")


def _hyperparameter_options(command: Callable[..., None]) -> Callable[..., None]:
    for spec in reversed(declared_settings().values()):
        default = spec.default
        if default is None:
            shown = ""
        elif isinstance(default, tuple):
            shown = f" [default: {','.join(map(str, default))}]"
        else:
            shown = f" [default: {default}]"
        open_ended = (
            spec.name == "method"
        )  # other packages add methods; help does not search for them
        choices = "METHOD" if open_ended else "|".join(spec.metadata["choices"] or ())
        optional: dict[Any, str] = {int | None: "int", float | None: "float", str | None: "str"}
        kind = str(optional.get(spec.type) or getattr(spec.type, "__name__", "")).upper()
        if spec.name == "stages":
            kind, shown = "LIST", ""
        if spec.name == "warm_start":
            kind = "TRIAL"
        metavar = choices or {"TUPLE": "SIZES", "STR": "TEXT", "INT": "INTEGER"}.get(kind, kind)
        option = click.option(
            _flag(spec),
            spec.name,
            metavar=metavar,
            shell_complete=complete_among(partial(choices_of, spec.name)),
            help=spec.metadata["help"] + shown,
        )
        command = option(command)
    return command


def option_groups() -> list[OptionGroupDict]:
    """The groups of options in the help of `train`, with those of the run first."""
    names: dict[str, list[str]] = {}
    for spec in declared_settings().values():
        names.setdefault(spec.metadata["group"], []).append(_flag(spec))
    groups: list[OptionGroupDict] = [
        {"name": name, "options": options} for name, options in names.items()
    ]
    run = ["--dataset", "--replicates", "--output", "--preset", "--set", "--device", "--threads"]
    run += ["--json", "--help"]
    return [{"name": "The run", "options": run}, *groups]


@click.command()
@dataset_option("Data set: a name or a path.", default=DATASET, show_default=True)
@click.option(
    "--replicates", default=1, show_default=True, type=click.IntRange(1), help="Number of seeds."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of the record and checkpoint; run again to continue, also with more epochs or "
    "another evaluation. [default: none]",
)
@click.option(
    "--preset",
    metavar="|".join(PRESETS),
    shell_complete=complete_among(lambda: PRESETS),
    help="Named set of settings under all others. [default: none]",
)
@click.option(
    "--set",
    "more",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another setting, such as one that the method of a package adds. Repeatable.",
)
@device_option
@threads_option("all; a study uses 1")
@json_option("the result")
@_hyperparameter_options
def train(
    dataset: str,
    replicates: int,
    output: Path | None,
    preset: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
    more: tuple[str, ...],
    **settings: str | None,
) -> None:
    """Train one trial, with all its replicates, and evaluate it on the test set.

    --json: {trial_id, state, dataset: {name, sha256}, hyperparameters: {NAME: value}, replicates:
    {INDEX: {state, epochs, best_epoch, seconds, metrics: {NAME: value}}}, ...}, the content of the
    record's config.json and result.json; a metric that is not finite is null.

    Example: gmm-study train --dataset mushrooms --layers 100,50,25,10 --learning-rate 3e-3
    """
    from gmm_study.api import checkpoints

    given: dict[str, Any] = {name: text for name, text in settings.items() if text is not None}
    for text in more:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InputError(f"set: '{text}' must be KEY=VALUE")
        key = name.strip().replace("-", "_")
        if key in given:
            raise InputError(f"set: {key} is given twice, as {given[key]} and {value}")
        given[key] = value
    if "stages" in given:
        given["stages"] = _parsed("stages", given["stages"])
    with _progress() as show:
        trained = checkpoints.train(
            dataset,
            replicates=replicates,
            output=output,
            preset=preset,
            device=device,
            threads=threads,
            watch=show,
            working=working,
            warn=warn,
            **given,
        )
    if as_json:
        print_json({**trained.config.to_json(), **trained.result.to_json()})
    else:
        _print_result(trained.result)


@contextmanager
def _progress() -> "Iterator[Callable[[TrialProgress], None]]":
    """A function that shows the progress of a trial on a terminal, in one line that it renews."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("bound {task.fields[bound]}"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    task = progress.add_task("training", total=None, bound="-")

    def show(now: "TrialProgress") -> None:
        progress.start()  # not earlier: reading the data has a progress line of its own
        progress.update(
            task,
            completed=now.epoch,
            total=now.max_epochs,
            description=now.phase,
            bound=f"{now.bound:.3f}",
        )

    try:
        yield show
    finally:
        progress.stop()


def _parsed(name: str, text: str) -> Any:
    """The value of an option that is written as YAML."""
    from gmm_study.study.read import parse_yaml

    try:
        return parse_yaml(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _how_it_ended(replicate: "ReplicateResult") -> str:
    """How a replicate ended and which parameters were kept, as far as its result says so."""
    words = ", ".join(replicate.how_it_ended)
    ending = f"; ended: {words}" if words else ""
    return ending + (f"; kept: {replicate.kept} parameters" if replicate.kept else "")


def _print_result(result: "TrialResult") -> None:
    print(f"trial {result.trial_id}: {result.state}")
    for number, replicate in result.replicates.items():
        head = f"replicate {number}: {replicate.state}, best epoch {replicate.best_epoch}"
        print(f"{head} of {replicate.epochs}, {replicate.seconds:.1f} s{_how_it_ended(replicate)}")
        for name, value in replicate.metrics.items():
            if name.endswith("_se"):
                continue
            error = replicate.metrics.get(f"{name}_se", nan)
            shown = f"{value:10.4f}" if isfinite(value) else "not finite"
            print(f"  {name:22} {shown}" + (f" +- {error:.4f}" if error > 0 else ""))
