"""The standard error of 2 log Z by the delta method: how often it covers the exact value."""

import re

import torch

from gmm_study.estimators import estimate_log_z2
from gmm_study.exact import exact_log_z2
from tests.docs.pages import ROOT
from tests.networks import a_network, some_streams
from tests.z_tests import LIMIT

REPETITIONS, DRAWS = 500, 100
ON_THE_PAGE = 2000
"""The repetitions behind the page's figure for as many draws."""


def test_an_interval_of_log_z_covers_as_often_as_the_page_says():
    page = (ROOT / "docs/explanation/statistics.md").read_text(encoding="utf-8")
    measured = float(re.findall(r"^\| log Z \| (\d+\.\d)", page, re.MULTILINE)[0])
    exact = exact_log_z2(a_network(spread=1.0))
    found, error = estimate_log_z2(
        a_network(REPETITIONS, spread=1.0), DRAWS, some_streams(REPETITIONS, seed=1)
    )
    covered = 100 * ((found - exact).abs() <= 1.959964 * error).to(torch.float64).mean().item()
    share = measured / 100
    tolerance = 100 * (share * (1 - share) * (1 / REPETITIONS + 1 / ON_THE_PAGE)) ** 0.5
    assert abs(covered - measured) < LIMIT * tolerance
