"""What all tests start from, and the rule that a unit test starts no process."""

import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gmm_study.trials.provenance import COMMIT_VARIABLE

STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MAY_START = ("process", "fault", "page")
NOT_QUICK = re.compile(
    rf"^pytestmark = pytest\.mark\.({'|'.join([*MAY_START, 'figure'])})$", re.MULTILINE
)
SAMPLED = 5
"""`--quick` runs one case in so many of a test marked `sampled`; most parameters have fewer values,
so that each of them is seen."""
_refusing = False


def _refuse_a_process(event: str, arguments: tuple[object, ...]) -> None:
    if _refusing and event in STARTS:
        command = arguments[1] if event == "subprocess.Popen" else ""
        raise RuntimeError(f"{event} {command}: mark a test that starts a process 'process'")


sys.addaudithook(_refuse_a_process)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="no processes, databases and figures")
    parser.addoption("--short", action="store_true", help="each fault or command of a page once")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of which `--quick` runs nothing; importing them takes seconds."""
    if config.getoption("--quick") and collection_path.name.startswith("test_"):
        return NOT_QUICK.search(collection_path.read_text()) is not None or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not of the tier that was asked for."""
    quick, short = config.getoption("--quick"), config.getoption("--short")
    without = {*MAY_START, "figure", "slow"} if quick else {"slow"} if short else set()
    seen: Counter[str] = Counter()

    def is_left_out(item: pytest.Item) -> bool:
        marks = {mark.name for mark in item.iter_markers()}
        name = item.nodeid.partition("[")[0]
        seen[name] += 1
        return bool(marks & without) or (quick and "sampled" in marks and seen[name] % SAMPLED != 1)

    left_out = {item for item in items if is_left_out(item)}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


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
def s3_server():
    """A server of S3 on loopback."""
    from tests.s3_server import S3Server

    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch, tmp_path_factory):
    """The server with an empty bucket `studies`; the environment says how to reach it."""
    monkeypatch.setenv("GMM_STUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    s3_server.create("studies")
    yield s3_server
    s3_server.heal()
    s3_server.remove("studies")


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
