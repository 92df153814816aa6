"""Setup installs locked versions that fit what the project requires."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pinned(name):
    """The requirements of a lock or a constraints file, without comments and hashes."""
    lines = (ROOT / name).read_text().splitlines()
    entries = [line.rstrip(" \\") for line in lines if re.match(r"\w", line)]
    return [Requirement(entry) for entry in entries]


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_every_requirement_is_locked_at_a_version_that_it_allows(extra):
    files = ("constraints.txt", "requirements.lock", *(LOCKS[1:] if extra else ()))
    locked = {canonicalize_name(pin.name): pin for name in files for pin in pinned(name)}
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for requirement in map(Requirement, wanted):
        if requirement.name == PROJECT["name"]:
            assert requirement.extras <= set(PROJECT["optional-dependencies"])
            continue
        pin = locked[canonicalize_name(requirement.name)]
        (version,) = pin.specifier
        assert version.operator == "=="
        assert requirement.specifier.contains(version.version), f"{pin} is not {requirement}"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_does_not_name_the_index_that_it_was_made_from(name):
    assert not re.search(r"://|index-url|find-links", (ROOT / name).read_text())
