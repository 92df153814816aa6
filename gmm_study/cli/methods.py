"""`gmm-study methods`: the list of methods."""

import sys

import rich_click as click
from rich.console import Console
from rich.table import Table


@click.command()
def methods() -> None:
    """List all methods, including those of other installed packages.

    A broken declaration of a package is reported in one line. It does not affect studies that do
    not use it.
    """
    from gmm_study.training.methods import METHODS

    usable, problems = METHODS.usable()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "model"):
        table.add_column(title, no_wrap=True)
    table.add_column("what it ascends", overflow="fold")
    table.add_column("package", overflow="fold")
    for name, method in usable.items():
        package = METHODS.package_of(name) or "gmm-study"
        table.add_row(name, method.model.name, method.summary, package)
    console = Console()
    console.print(table)
    for name, method in usable.items():
        for spec in method.adds:
            about = f"setting {spec.name} of {name}: {spec.metadata['help']}"
            console.print(f"{about} [default: {spec.default}]", markup=False, highlight=False)
    for problem in problems:
        print(f"gmm-study: {problem}", file=sys.stderr)
