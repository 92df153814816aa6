"""Faults that are made to happen for real; at the end, a table of what was done and lost."""

from collections.abc import Callable

import pytest
from tabulate import tabulate

HEADINGS = ("what was done", "times", "what was lost")
PROPERTY = "fault"


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`times(20, 2)`: how often to make a fault happen, in full and in the short form."""
    short = request.config.getoption("--short")
    return lambda full, in_short: in_short if short else full


@pytest.fixture
def fault(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """`fault("a worker killed with SIGKILL", 3)`: say what the test did, and how often.

    Call it when the test has seen that nothing was lost.
    """
    return lambda what, count=1: record_property(PROPERTY, (what, count, "nothing"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = terminalreporter.stats
    lines = [
        line
        for report in found.get("passed", [])
        for name, line in report.user_properties
        if name == PROPERTY
    ]
    for report in found.get("failed", []):
        name = report.nodeid.rpartition("::test_")[2].replace("_", " ")
        lines.append((name, 1, "SEE ABOVE"))
    if lines:
        terminalreporter.write_line("\n" + tabulate(lines, HEADINGS, tablefmt="simple"))
