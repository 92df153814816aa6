"""What all tests start from, and the rule that a unit test starts no process."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gmm_study.trials.provenance import COMMIT_VARIABLE

STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
MAY_START = ("process", "fault", "page")
OTHER_TIER = re.compile(rf"^pytestmark = pytest\.mark\.({'|'.join(MAY_START)})$", re.MULTILINE)
_refusing = False


def _refuse_a_process(event: str, arguments: tuple[object, ...]) -> None:
    if _refusing and event in STARTS:
        command = arguments[1] if event == "subprocess.Popen" else ""
        raise RuntimeError(f"{event} {command}: mark a test that starts a process 'process'")


sys.addaudithook(_refuse_a_process)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--short", action="store_true", help="each fault or command of a page once")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--short"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files that `make test-unit` has nothing to run in; importing them takes seconds."""
    if collection_path.name.startswith("test_") and "not process" in config.option.markexpr:
        return OTHER_TIER.search(collection_path.read_text()) is not None or None
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hold a test to its tier, with its fixtures."""
    global _refusing
    _refusing = not any(item.get_closest_marker(name) for name in MAY_START)
    try:
        return (yield)
    finally:
        _refusing = False


@pytest.fixture(scope="session", autouse=True)
def _known_commit() -> None:
    """Nothing that trains asks git which commit this is."""
    os.environ.setdefault(COMMIT_VARIABLE, "0123456789abcdef0123456789abcdef01234567")


@pytest.fixture
def epochs_trained(monkeypatch):
    """The replicates of every epoch that is trained from here on."""
    from gmm_study.training.group import ReplicateGroup

    trained, original = [], ReplicateGroup.train_epoch

    def train_epoch(group, data):
        trained.extend(group.replicates)
        return original(group, data)

    monkeypatch.setattr(ReplicateGroup, "train_epoch", train_epoch)
    return trained


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
