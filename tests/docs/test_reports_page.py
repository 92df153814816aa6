"""The page of the reports names every column of their data and nothing else."""

import pytest

from analysis import budget, find, over_datasets
from gmm_study.study import load_study, make_plan
from tests.docs.tables import names

PAGE = "docs/reference/reports.md"
STUDY = """question: What does each detail cost?
datasets: [digits]
methods: [gmm]
variations: {authors: {}, K=1: {samples: 1}}
"""


@pytest.fixture
def found(tmp_path):
    path = tmp_path / "details.yaml"
    path.write_text(STUDY)
    plan = make_plan(load_study(str(path)), {"digits": "0" * 64})
    return find(plan, str(tmp_path / "results"))


def test_it_names_every_column_of_the_cells(found):
    assert sorted(names(PAGE, "table.csv")) == sorted(found.cells)


def test_it_names_every_column_of_the_costs(found):
    assert sorted(names(PAGE, "costs.csv")) == sorted(found.costs)


@pytest.mark.parametrize(
    ("file", "columns"),
    [("budget.csv", budget.COLUMNS), ("datasets.csv", over_datasets.COLUMNS)],
)
def test_it_names_every_column_of_the_other_files(file, columns):
    assert sorted(names(PAGE, file)) == sorted(columns)
