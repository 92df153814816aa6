"""The page of promises names tests that exist."""

import ast
import re
from functools import cache

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


def test_every_promise_names_tests_and_they_exist():
    assert len(PROMISES) > 100
    missing = []
    for row in PROMISES:
        _, promise, tests, _ = row.split("|")
        named = TEST.findall(tests)
        assert promise.strip().endswith("."), row
        assert len(named) == len(tests.split("<br>")), row
        missing += [f"{path}::{name}" for path, name in named if name not in names_in(path)]
    assert not missing
