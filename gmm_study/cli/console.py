"""Where the command line writes: tables to the output, bars to a terminal's error stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

PIPE_WIDTH = 120


def output_console(stderr: bool = False) -> Console:
    """A terminal's own width; wide enough for the tables where the output is a file or a pipe."""
    console = Console(stderr=stderr)
    if console.is_terminal:
        return console
    return Console(stderr=stderr, width=max(console.width, PIPE_WIDTH))


@contextmanager
def working(what: str) -> Iterator[None]:
    """A line that says what takes its time while it does, on a terminal alone."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(f"{what} ..."):
            yield
    else:
        yield


@contextmanager
def bar(description: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """A bar while something runs, on a terminal alone; gives the function that moves it on.

    Without a total it only says that something runs.
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
