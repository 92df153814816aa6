"""The page on the files of a report names what a report has."""

from pathlib import Path

import pytest

from analysis import budget, over_datasets

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "report.md").read_text()


@pytest.mark.parametrize(
    ("file", "columns"),
    [("budget.csv", budget.COLUMNS), ("datasets.csv", over_datasets.COLUMNS)],
)
def test_it_names_every_column(file, columns):
    section = PAGE.partition(f"## {file}")[2].partition("## ")[0]
    assert [name for name in columns if f"`{name}`" not in section] == []
