"""The options that all commands on a checkpoint share."""

from collections.abc import Callable
from pathlib import Path

import rich_click as click
from click.shell_completion import CompletionItem

from gmm_study.api.defaults import CHUNK_ROWS
from gmm_study.cli.as_json import json_option
from gmm_study.cli.completion import complete_among

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda",
    shell_complete=complete_among(lambda: ("auto", "cpu", "cuda")),
    help="Device; auto uses a GPU if there is one.",
)

replicate_option = click.option(
    "--replicate", type=click.IntRange(0), help="Number of one replicate. [default: all]"
)
chunk_rows_option = click.option(
    "--chunk-rows",
    type=click.IntRange(1),
    default=CHUNK_ROWS,
    show_default=True,
    help="Rows (datapoints times samples) in memory at a time.",
)


def counts(text: str) -> tuple[int, ...]:
    """Distinct whole numbers of at least 1, separated by commas, in the given order."""
    try:
        counts = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        counts = (0.0,)
    if any(count < 1 or not count.is_integer() for count in counts):
        raise click.BadParameter(f"'{text}' must be whole numbers of at least 1, such as 1,10,100")
    return tuple(map(int, counts))


def split_option(default: str = "test") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option `--split`."""
    return click.option(
        "--split",
        type=click.Choice(["train", "valid", "test"]),
        default=default,
        show_default=True,
        help="Split of the data set.",
    )


def threads_option(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option `--threads`, with its default in words."""
    return click.option(
        "--threads", type=click.IntRange(1), help=f"CPU threads. [default: {default}]"
    )


def complete_trained(
    ctx: click.Context, param: click.Parameter, start: str
) -> list[CompletionItem]:
    """The folder of a trained model, or the name of one that comes with the project."""
    from gmm_study.api.checkpoints import shipped_models

    names = [name for name in shipped_models() if start and name.startswith(start)]
    if not names:
        return [CompletionItem(start, type="dir")]
    folders = [f"{path.name}/" for path in Path().glob(f"{start}*") if path.is_dir()]
    return [CompletionItem(word) for word in (*names, *sorted(folders))]


checkpoint_argument = click.argument("checkpoint", shell_complete=complete_trained)
"""The argument CHECKPOINT: a folder, or the name of a model that comes with the project."""


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
