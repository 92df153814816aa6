"""The options that all commands on a checkpoint share."""

from collections.abc import Callable
from pathlib import Path

import rich_click as click
from click.shell_completion import CompletionItem

from gmm_study.cli.as_json import json_option
from gmm_study.cli.completion import complete_among

split_option = click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    default="test",
    show_default=True,
    help="Split of the data set.",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda",
    shell_complete=complete_among(lambda: ("auto", "cpu", "cuda")),
    help="Device; auto uses a GPU if there is one.",
)


def threads_option(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option `--threads`, with its default in words."""
    return click.option(
        "--threads", type=click.IntRange(1), help=f"CPU threads. [default: {default}]"
    )


def checkpoint_argument(command: Callable[..., None]) -> Callable[..., None]:
    """The argument CHECKPOINT: a folder, or the name of a model that comes with the project."""

    def complete(ctx: click.Context, param: click.Parameter, start: str) -> list[CompletionItem]:
        from gmm_study.api.checkpoints import shipped_models

        names = [name for name in shipped_models() if start and name.startswith(start)]
        if not names:
            return [CompletionItem(start, type="dir")]
        folders = [f"{path.name}/" for path in Path().glob(f"{start}*") if path.is_dir()]
        return [CompletionItem(word) for word in (*names, *sorted(folders))]

    return click.argument("checkpoint", shell_complete=complete)(command)


def machine_options(what_json_prints: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options for seed, device, threads and JSON, which come last in each command."""
    options: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
        click.option(
            "--seed",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Seed of all random numbers.",
        ),
        device_option,
        threads_option("all"),
        json_option(what_json_prints),
    ]

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
