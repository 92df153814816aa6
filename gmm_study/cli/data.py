"""`gmm-study data`: which data sets there are, and fetching one."""

import sys

import rich_click as click
from rich.console import Console
from rich.table import Table


@click.group()
def data() -> None:
    """List the data sets, or fetch one."""


@data.command("list")
def list_command() -> None:
    """List the data sets by name, and where each would come from now."""
    from gmm_study.data import dataset_problems, list_datasets

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("dims", justify="right", no_wrap=True)
    table.add_column("train / valid / test", justify="right", no_wrap=True)
    table.add_column("comes from", overflow="fold")
    for info in list_datasets():
        sizes = " / ".join(f"{size:,}" for size in info.sizes)
        table.add_row(info.name, str(info.dims), sizes, info.origin)
    Console().print(table)
    for problem in dataset_problems():
        print(f"gmm-study: {problem}", file=sys.stderr)


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Fetch a data set into the cache and check it."""
    from gmm_study.data import fetch_dataset

    dataset = fetch_dataset(name)
    sizes = " / ".join(f"{len(split):,}" for split in (dataset.train, dataset.valid, dataset.test))
    print(f"{dataset.name}: {dataset.dims} dims, {sizes}, sha256 {dataset.sha256}")
