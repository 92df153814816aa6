"""The page of promises names tests that exist."""

import ast
import re
from functools import cache

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "promises.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
PROMISES = [row for row in ROWS if row != "| promise | tests |"]


@cache
def names_in(path):
    """The functions of a file, which is not run."""
    found = ast.parse((ROOT / path).read_text()).body
    return {each.name for each in found if isinstance(each, ast.FunctionDef)}


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row.split("|")[1].strip())
def test_the_tests_that_hold_a_promise_exist(row):
    _, promise, tests, _ = row.split("|")
    named = TEST.findall(tests)
    assert promise.strip().endswith(".")
    assert len(named) == len(tests.split("<br>"))
    for path, name in named:
        assert name.startswith("test_")
        assert name in names_in(path), f"{path} has no {name}"
