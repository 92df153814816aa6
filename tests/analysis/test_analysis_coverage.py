"""The intervals of a report cover what they say, as its page on statistics shows."""

import re

import numpy as np
import pytest
from scipy import stats

from analysis.simultaneous import Family
from docs.generate.coverage import REPETITIONS, SEEDS, cases
from tests.docs.pages import ROOT
from tests.z_tests import LIMIT

SHORT = 400
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


def test_one_t_with_satterthwaites_degrees_of_freedom_covers_less():
    random, (seeds, datapoints), repetitions = np.random.default_rng(0), (3, 1000), 40_000
    for ratio in (2.0, 5.0):
        # expected mean squares over RN, with an error over data of 1 that is half residual
        expected = np.array([ratio**2 + 0.5, 1.0, 0.5])
        freedom = np.array([seeds - 1, datapoints - 1, (seeds - 1) * (datapoints - 1)])
        squares = expected * random.chisquare(freedom, (repetitions, 3)) / freedom
        both = squares @ [1.0, 1.0, -1.0]
        satterthwaite = both**2 / (squares**2 / freedom).sum(1)
        means = (expected @ [1.0, 1.0, -1.0]) ** 0.5 * random.standard_normal(repetitions)
        covered = abs(means) < stats.t.ppf(0.975, satterthwaite) * both**0.5
        assert 91.5 < 100 * covered.mean() < 93.5


def test_eight_variations_at_three_seeds_need_three_standard_errors():
    assert Family("reference", 8).critical(16, 0.95) == pytest.approx(3.0, abs=0.05)
