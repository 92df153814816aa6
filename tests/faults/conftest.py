"""Faults that are made to happen for real; at the end, a table of what was done and lost."""

from collections.abc import Callable, Iterator

import pytest
from tabulate import tabulate

LINES = pytest.StashKey[list[tuple[str, int, str]]]()
HEADINGS = ("what was done", "times", "what was lost")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--short", action="store_true", help="each fault a few times only")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`times(20, 2)`: how often to make a fault happen, in full and in the short form."""
    short = request.config.getoption("--short")
    return lambda full, in_short: in_short if short else full


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Iterator[Callable[[str, int], None]]:
    """`fault("a worker killed with SIGKILL", 3)`: say what the test did, and how often.

    To be called when the test has seen that nothing was lost; a test that does not get there has
    a line that says so.
    """
    said: list[tuple[str, int]] = []
    yield lambda what, count=1: said.append((what, count))
    lines = request.config.stash[LINES]
    lines += [(what, count, "nothing") for what, count in said]
    if not said:
        lines.append((request.node.name.removeprefix("test_").replace("_", " "), 1, "SEE ABOVE"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = terminalreporter.config.stash[LINES]
    if lines:
        terminalreporter.write_line("\n" + tabulate(lines, HEADINGS, tablefmt="simple"))
