"""In a bucket, a driver that was replaced does not overwrite what the next one has stored."""

import json
import signal
import time
from itertools import count

import pytest

from gmm_study.search import history
from gmm_study.search.history import History
from gmm_study.storage.ownership import Owner
from gmm_study.trials.record_store import RecordStore
from tests.s3_server import NOT_IMPLEMENTED
from tests.search.conftest import Bench, work

pytestmark = pytest.mark.process

ADDRESS = "s3://studies/results"
STUDY = "which"


class InABucket(Bench):
    @property
    def store(self):
        return RecordStore(ADDRESS)

    def names(self, trials):
        """Which events and trials are stored."""
        (cell,) = self.cells()
        found = History(self.store, cell)
        assert not found.problem
        assert len(found.events) == 2 * trials
        return [(event["event"], event["trial_id"]) for event in found.events]


@pytest.fixture
def bench(tmp_path, s3):
    return InABucket(tmp_path)


@pytest.fixture
def interruptible():
    """Ctrl-C ends a test's block, also where the shell has this process ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run_elsewhere(bench):
    """Let another machine take the study over."""
    now = time.time()
    owner = {"host": "another-machine", "pid": 1, "since": now, "time": now}
    bench.store.folder.write_file(f".drivers/{STUDY}.json", json.dumps(owner).encode())
    assert isinstance(bench.store.driver(STUDY), Owner)


def wake(sleeping):
    """Let a driver go on; the signal comes in between."""
    work(sleeping, 1)
    time.sleep(60)


@pytest.mark.parametrize("ended", [False, True])
def test_a_driver_that_was_replaced_ends_and_overwrites_nothing(
    bench, interruptible, capsys, ended
):
    sleeping = bench.search()
    with bench.store.the_only_driver(STUDY):
        work(sleeping, 2)
        run_elsewhere(bench)
        work(bench.search(), 3)
        if ended:
            bench.store.folder.delete_file(f".drivers/{STUDY}.json")
        stored = bench.names(5)
        with pytest.raises(KeyboardInterrupt):
            wake(sleeping)
        with pytest.raises(OSError, match="another process"):
            sleeping.history.store()
    assert bench.names(5) == stored
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gmm-study: study: '{STUDY}' ")
    assert ("taken over by another process" if ended else "process 1 on another-machine") in line


def test_a_driver_that_replaced_another_one_goes_on_although_that_has_written(bench):
    sleeping = bench.search()
    work(sleeping, 2)
    with bench.store.the_only_driver(STUDY):
        driving = bench.search()
        work(sleeping, 1)
        work(driving, 3)
        assert bench.names(5)[4:] == [
            (event["event"], event["trial_id"]) for event in driving.history.events[4:]
        ]


def of_pages(s3):
    """The requests that concern pages of a search; a driver also gives signs of life."""
    return [method for method, path in s3.requests if "/.searches/" in path]


def test_a_driver_whose_answer_was_lost_goes_on(bench, s3):
    puts = count()

    def lose(request):
        is_page = "/.searches/" in request["PATH_INFO"] and request["REQUEST_METHOD"] == "PUT"
        if is_page and next(puts) in (0, 3):
            raise ConnectionResetError

    with bench.store.the_only_driver(STUDY):
        search = bench.search()
        s3.after = lose
        s3.requests.clear()
        work(search, 2)
        assert of_pages(s3) == [*("PUT", "PUT", "GET", "PUT") * 2]
        assert bench.names(2)


def test_an_event_costs_one_request_also_where_a_page_begins(bench, s3, monkeypatch):
    monkeypatch.setattr(history, "PAGE", 4)
    with bench.store.the_only_driver(STUDY):
        for _ in range(2):
            search = bench.search()
            s3.requests.clear()
            work(search, 5)
            assert of_pages(s3) == ["PUT"] * 10


@pytest.mark.parametrize("conditions", [True, False])
def test_a_search_goes_on_from_a_damaged_page_and_replaces_those_after_it(
    bench, s3, monkeypatch, conditions
):
    monkeypatch.setattr(history, "PAGE", 4)
    if not conditions:
        s3.answers = lambda request: (
            NOT_IMPLEMENTED if {"HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"} & {*request} else None
        )
    with bench.store.the_only_driver(STUDY):
        work(bench.search(), 8)
        stored = bench.names(8)
        (cell,) = bench.cells()
        bench.store.folder.write_file(f".searches/{STUDY}/{cell.key}/000001.json", b"{")
        work(bench.search(), 6)
        assert bench.names(8) == stored
