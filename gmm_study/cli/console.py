"""Consoles and progress bars: tables on standard output, bars on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

PIPE_WIDTH = 120


def output_console(stderr: bool = False) -> Console:
    """A console with the terminal's width, or wide enough for tables in a file or pipe."""
    console = Console(stderr=stderr)
    if console.is_terminal:
        return console
    return Console(stderr=stderr, width=max(console.width, PIPE_WIDTH))


def warn(line: str) -> None:
    """Print a line on standard error, so that standard output keeps the result alone."""
    print(f"gmm-study: {line}", file=sys.stderr)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal what is being done."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(f"{what} ..."):
            yield
    else:
        yield


@contextmanager
def bar(description: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; yields the function that advances it.

    Without a total, the bar only shows that something is running.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        yield lambda steps: progress.advance(task, steps)
