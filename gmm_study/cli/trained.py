"""What the commands that take a checkpoint share: its place, the machine, and its data."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click
from click.shell_completion import CompletionItem

from gmm_study.cli.as_json import json_option
from gmm_study.cli.completion import complete_among
from gmm_study.cli.console import working
from gmm_study.cli.data import load
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from gmm_study.data import Dataset
    from gmm_study.training.checkpoint import Checkpoint


split_option = click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    default="test",
    show_default=True,
    help="Part of the data set.",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda",
    shell_complete=complete_among(lambda: ("auto", "cpu", "cuda")),
    help="Where to compute; auto takes a GPU if there is one.",
)


def threads_option(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--threads`, with what is taken where it is not given."""
    return click.option(
        "--threads", type=click.IntRange(1), help=f"Threads on a CPU. [default: {default}]"
    )


def checkpoint_argument(command: Callable[..., None]) -> Callable[..., None]:
    """The folder that CHECKPOINT names."""
    return click.argument(
        "checkpoint", shell_complete=lambda ctx, param, start: [CompletionItem(start, type="dir")]
    )(command)


def machine_options(what_json_prints: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of seed, machine and output that stand last in every such command."""
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


def open_trained(path: str, device: str, threads: int | None) -> "tuple[Checkpoint, str]":
    """The checkpoint in a folder, and the device, once the threads are set.

    Raises `InputError` if there is no checkpoint or no such device.
    """
    with working("opening the checkpoint"):
        import torch

        from gmm_study.training.checkpoint import open_checkpoint
        from gmm_study.trials.once import choose_device

        opened, chosen = open_checkpoint(path), choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    return opened, chosen


def dataset_of(checkpoint: "Checkpoint", name: str | None) -> "Dataset":
    """The data that are named, or those of the training.

    Raises `InputError` if the dims do not fit, or if the training's data are not the same as then.
    """
    loaded = load(name or checkpoint.dataset_name)
    if loaded.dims != checkpoint.data_dims:
        dims = f"{loaded.dims} dims; the model has {checkpoint.data_dims}"
        raise InputError(f"dataset: '{loaded.name}' has {dims}")
    if name is None and loaded.sha256 != checkpoint.dataset_sha256:
        raise InputError(
            f"dataset: '{loaded.name}' is not what the model was trained on, its content differs; "
            "--dataset takes it all the same"
        )
    return loaded


def rows_of(dataset: "Dataset", split: str, datapoints: int | None) -> "NDArray[uint8]":
    """A split `[N, D]` that has so many datapoints at least. Raises `InputError` if it has not."""
    rows: NDArray[uint8] = getattr(dataset, split)
    if datapoints is not None and datapoints > len(rows):
        most = f"{len(rows)}, all of '{split}'"
        raise InputError(f"datapoints: {datapoints} must be at most {most}")
    return rows
