"""The intervals of a report cover what they say, as its page on statistics shows."""

import re

import pytest

from docs.generate.coverage import REPETITIONS, SEEDS, cases
from tests.docs.pages import ROOT
from tests.z_tests import LIMIT

SHORT = 500
PAGE = (ROOT / "docs/explanation/statistics.md").read_text(encoding="utf-8")
CASES = {(case.kind, case.setting): case for case in cases()}
ROWS = {
    (cells[0], cells[1]): (cells[2], [float(text) for text in cells[3:]])
    for line in re.findall(r"^\| (.*\d\.\d) \|$", PAGE, re.MULTILINE)
    if len(cells := [cell.strip() for cell in line.split("|")]) == 3 + len(SEEDS)
}


def error(percent, repetitions):
    """The standard error of a simulated percentage; of one near 100, that of 99."""
    share = min(max(percent / 100, 0.01), 0.99)
    return 100 * (share * (1 - share) / repetitions) ** 0.5


def test_the_page_has_a_row_for_every_case():
    assert list(ROWS) == list(CASES)
    assert [nominal for nominal, _ in ROWS.values()] == [case.nominal for case in CASES.values()]


@pytest.mark.parametrize("place", ROWS, ids=", ".join)
def test_every_interval_has_the_coverage_that_the_page_gives(place):
    for seeds, measured in zip(SEEDS, ROWS[place][1], strict=True):
        found = CASES[place].simulated(seeds, SHORT)
        tolerance = LIMIT * (error(measured, SHORT) ** 2 + error(measured, REPETITIONS) ** 2) ** 0.5
        assert abs(found - measured) < tolerance, seeds


@pytest.mark.parametrize("place", ROWS, ids=", ".join)
def test_the_coverage_on_the_page_is_nominal_where_the_assumptions_hold(place):
    nominal, measured = ROWS[place]
    for percent in measured:
        if nominal.startswith("at least"):
            assert percent > 95 - LIMIT * error(95, REPETITIONS)
        elif nominal.startswith("at most"):
            assert percent < 5 + LIMIT * error(5, REPETITIONS)
        else:
            assert percent > 87
