"""`gmm-study data`: list the data sets, download one, or check the user's own."""

from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.table import Table

from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.completion import complete_dataset
from gmm_study.cli.console import output_console, warn, working

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy import uint8
    from numpy.typing import NDArray

    from gmm_study.data import Dataset


def dataset_option(
    help: str, **more: Any
) -> "Callable[[Callable[..., None]], Callable[..., None]]":
    """The option `--dataset`, the same in every command."""
    return click.option(
        "--dataset", metavar="DATASET", shell_complete=complete_dataset, help=help, **more
    )


@click.group(no_args_is_help=False)
def data() -> None:
    """List the data sets, download one, or check your own."""


@data.command("list")
@json_option("the list")
def list_command(as_json: bool) -> None:
    """List the data sets by name, and where each would be read from now.

    --json: {datasets: [{name, dims, sizes: {train, valid, test}, source, origin}]}.
    """
    from gmm_study.data import dataset_problems, list_datasets

    if as_json:
        found = list_datasets()
        print_json({"datasets": [{**vars(info), "sizes": _by_split(info.sizes)} for info in found]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("dims", justify="right", no_wrap=True)
    table.add_column("train / valid / test", justify="right", no_wrap=True)
    table.add_column("comes from", overflow="fold")
    for info in list_datasets():
        sizes = " / ".join(f"{size:,}" for size in info.sizes)
        table.add_row(info.name, str(info.dims), sizes, info.origin)
    output_console().print(table)
    for problem in dataset_problems():
        warn(problem)


@data.command()
@click.argument("dataset", shell_complete=complete_dataset)
@json_option("a description of the data set")
def fetch(dataset: str, as_json: bool) -> None:
    """Download a data set into the cache and check it.

    --json: {name, dims, sizes: {train, valid, test}, sha256}.
    """
    from gmm_study.api.datasets import read_dataset
    from gmm_study.data import fetch_dataset

    found = read_dataset(dataset, working, fetch_dataset)
    _print(found, {}, as_json)


@data.command()
@click.argument("dataset", shell_complete=complete_dataset)
@json_option("a description of the data set")
def check(dataset: str, as_json: bool) -> None:
    """Read a data set, a name or the path of your own, and say what was read.

    --json: {name, dims, sizes: {train, valid, test}, sha256, image_shape, ones: {train, valid,
    test}}, where `image_shape` is [height, width] or null, and `ones` the fractions of ones.

    Example: gmm-study data check 'images.npy?threshold=127&fractions=0.8/0.1/0.1'
    """
    from gmm_study.api.datasets import read_dataset

    found = read_dataset(dataset, working)
    ones = [float(split.mean()) for split in _splits(found)]
    _print(found, {"image_shape": found.image_shape, "ones": _by_split(ones)}, as_json)
    if not as_json:
        shape = found.image_shape
        kind = "rows" if shape is None else f"images of {shape[0]} x {shape[1]}"
        print(f"{kind}, ones: {' / '.join(f'{each:.1%}' for each in ones)}")


def _print(found: "Dataset", more: dict[str, Any], as_json: bool) -> None:
    for line in found.notes:
        warn(line)
    sizes = [len(split) for split in _splits(found)]
    if as_json:
        facts = {"name": found.name, "dims": found.dims, "sizes": _by_split(sizes)}
        print_json({**facts, "sha256": found.sha256, **more})
        return
    shown = " / ".join(f"{size:,}" for size in sizes)
    print(f"{found.name}: {found.dims} dims, {shown}, sha256 {found.sha256}")


def _splits(found: "Dataset") -> "tuple[NDArray[uint8], ...]":
    return found.train, found.valid, found.test


def _by_split(values: "Sequence[float]") -> dict[str, Any]:
    return dict(zip(("train", "valid", "test"), values, strict=True))
