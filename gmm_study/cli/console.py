"""Where the command line writes: a terminal's own width, or one wide enough for the tables."""

from rich.console import Console

PIPE_WIDTH = 120


def output_console() -> Console:
    """A terminal's own width; wide enough for the tables where the output is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, PIPE_WIDTH))
