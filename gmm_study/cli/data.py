"""`gmm-study data`: list the data sets, or download one."""

import sys
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.table import Table

from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.completion import complete_dataset
from gmm_study.cli.console import output_console, working

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def dataset_option(
    help: str, **more: Any
) -> "Callable[[Callable[..., None]], Callable[..., None]]":
    """The option `--dataset`, the same in every command."""
    return click.option(
        "--dataset", metavar="DATASET", shell_complete=complete_dataset, help=help, **more
    )


@click.group(no_args_is_help=False)
def data() -> None:
    """List the data sets, or download one."""


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
        print(f"gmm-study: {problem}", file=sys.stderr)


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
    sizes = [len(split) for split in (found.train, found.valid, found.test)]
    if as_json:
        facts = {"name": found.name, "dims": found.dims, "sizes": _by_split(sizes)}
        print_json({**facts, "sha256": found.sha256})
        return
    shown = " / ".join(f"{size:,}" for size in sizes)
    print(f"{found.name}: {found.dims} dims, {shown}, sha256 {found.sha256}")


def _by_split(sizes: "Sequence[int]") -> dict[str, Any]:
    return dict(zip(("train", "valid", "test"), sizes, strict=True))
