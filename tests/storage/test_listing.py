"""What is read of a bucket is as new as the command, and is fetched once."""

import os
import random
import time
from pathlib import Path

import pytest

from gmm_study.storage.cache import Cache
from gmm_study.storage.folder import Folder
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.survey import configurations, survey
from tests.s3_server import KEY, SECRET
from tests.training.small import a_dataset, some_hyperparameters
from tests.trials.results import result_of

ADDRESS = "s3://studies/results"


def fetched(s3):
    """The files that were asked for since the last call, sorted, and how many lists."""
    paths = [path for method, path in s3.requests if method != "PUT"]
    s3.requests.clear()
    files = sorted(path.removeprefix("/studies/results/") for path in paths if path != "/studies")
    return files, paths.count("/studies")


def cached_files():
    return [path for path in Path(os.environ["GMM_STUDY_CACHE"]).rglob("*") if path.is_file()]


def in_pages_of(s3, size):
    """Let the server put so many objects into each page of a list."""

    def shorten(request):
        if "list-type=2" in request["QUERY_STRING"]:
            request["QUERY_STRING"] += f"&max-keys={size}"

    s3.answers = shorten


@pytest.fixture
def store(s3):
    """The records of three trials that have ended, one of which failed."""
    store = RecordStore(ADDRESS)
    for seed in range(3):
        config = TrialConfig(some_hyperparameters(seed=seed), "bits", a_dataset().sha256)
        record = store.record(config.trial_id)
        record.write_config(config)
        record.write_status(TrialState.COMPLETE if seed else TrialState.FAILED)
        if seed:
            record.write_result(result_of(config.trial_id, {"valid/bound": -3.0 - seed}))
    s3.requests.clear()
    return store


def test_records_that_have_not_changed_are_fetched_once(store, s3):
    ids = store.trial_ids()
    fetched(s3)
    first = survey(store, [*ids, "another"], 1)
    files, lists = fetched(s3)
    assert lists == 1
    assert len(files) == len(set(files)) == 5
    assert survey(RecordStore(ADDRESS), [*ids, "another"], 1) == first
    assert fetched(s3) == ([], 1)
    states = sorted(standing.state for standing in first.values())
    assert states == ["complete", "complete", "failed", "pending"]
    assert list(configurations(store, ids)) == ids
    assert fetched(s3)[0] == [f"{trial_id}/config.json" for trial_id in ids]


def test_a_record_that_changes_is_seen_by_the_next_look(store, s3):
    ids = store.trial_ids()
    (failed,) = (each for each in ids if survey(store, ids, 1)[each].state is TrialState.FAILED)
    fetched(s3)
    store.record(failed).write_status(TrialState.STOPPED)
    assert survey(store, ids, 1)[failed].state is TrialState.STOPPED
    assert fetched(s3) == ([f"{failed}/status.json"], 1)
    store.record(failed).write_result(result_of(failed, {"valid/bound": -3.0}))
    assert survey(store, ids, 1)[failed].state is TrialState.COMPLETE
    store.record(failed).delete()
    assert survey(store, ids, 1)[failed].state is TrialState.PENDING


@pytest.mark.parametrize("damage", [b"", b"x", b'"tag" 0\n{}', None])
def test_a_damaged_cache_is_read_around(store, s3, damage):
    ids = store.trial_ids()
    first = survey(store, ids, 1)
    fetched(s3)
    for path in cached_files():
        path.write_bytes(damage if damage is not None else path.read_bytes()[:-1] + b" ")
    assert survey(store, ids, 1) == first
    assert len(fetched(s3)[0]) == 5
    assert survey(store, ids, 1) == first
    assert fetched(s3)[0] == []


def test_a_cache_that_cannot_be_written_is_no_error(store, s3, monkeypatch, tmp_path):
    ids = store.trial_ids()
    first = survey(store, ids, 1)
    (tmp_path / "file").touch()
    monkeypatch.setenv("GMM_STUDY_CACHE", str(tmp_path / "file" / "cache"))
    assert survey(store, ids, 1) == first


def test_the_cache_has_no_credentials_and_is_for_this_user_alone(s3, monkeypatch):
    host = s3.endpoint.removeprefix("http://")
    query = f"region=us-east-1&scheme=http&endpoint_override={host}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    store = RecordStore(f"s3://{KEY}:{SECRET}@studies/results?{query}")
    store.record("abc").write_status(TrialState.FAILED)
    assert survey(store, ["abc"], 1)["abc"].state is TrialState.FAILED
    (path,) = cached_files()
    assert path.stat().st_mode & 0o077 == 0
    for secret in (KEY, SECRET, "studies"):
        assert secret not in str(path)
        assert secret.encode() not in path.read_bytes()


def test_equal_paths_in_two_buckets_are_kept_apart(s3):
    s3.create("others")
    folders = [Folder.at(f"s3://{bucket}/results") for bucket in ("studies", "others")]
    try:
        for _ in range(2):
            for number, folder in enumerate(folders):
                folder.write_file("abc/x", f"{number}".encode())
                assert folder.listed(["abc"]).read_file("abc/x") == f"{number}".encode()
    finally:
        s3.remove("others")


@pytest.mark.parametrize(("size", "step"), [(1, 7), (4, 1), (10, 1), (10, 7), (1000, 1)])
def test_a_listing_takes_no_more_requests_than_pages_or_folders(s3, size, step):
    draw, folder = random.Random(size), Folder.at(ADDRESS)
    names = [f"{draw.getrandbits(32):08x}" for _ in range(20)] + ["a", "a-b", "a.b", "ab"]
    held = {name: [f"{name}/{number}" for number in range(draw.randint(0, 4))] for name in names}
    paths = {path: path.encode() for inside in held.values() for path in inside}
    for path, content in paths.items():
        folder.write_file(path, content)
    wanted = names[::step]
    in_pages_of(s3, size)
    fetched(s3)
    listed = folder.listed([*wanted, "none"])
    _, lists = fetched(s3)
    expected = [path for name in wanted for path in held[name]]
    assert [listed.read_file(path) for path in expected] == [paths[path] for path in expected]
    assert None not in listed.stamps(expected)
    assert {name for name in wanted if held[name]} <= listed.folders()
    assert listed.read_file("none/x") is None
    assert lists <= 2 + sum(1 + len(held[name]) // size for name in wanted)
    if size > max(map(len, held.values())):
        assert lists <= 2 + 2 * len(paths) // size


def test_a_file_is_read_by_one_request_also_if_it_is_missing(s3):
    folder = Folder.at(ADDRESS)
    folder.write_file("a/b.json", b"{}")
    fetched(s3)
    assert (folder.read_file("a/b.json"), folder.read_file("c")) == (b"{}", None)
    assert fetched(s3) == (["a/b.json", "c"], 0)


def test_an_answer_that_breaks_off_is_read_again(s3):
    folder, content = Folder.at(ADDRESS), bytes(100_000)
    folder.write_file("x", content)
    turns = iter([True, True])
    s3.breaks_off = lambda request: next(turns, False)
    assert folder.read_file("x") == content
    assert next(turns, None) is None


def test_a_full_cache_lets_what_is_unused_for_a_day_make_room(tmp_path):
    def kept(*names):
        return [name for name in names if Cache(tmp_path).get(name, "tag") is not None]

    def keep(name):
        Cache(tmp_path, limit=10_000).put(name, "tag", bytes(4_000))

    keep("old")
    (old,) = (path for path in tmp_path.rglob("*") if path.is_file())
    keep("new")
    keep("more")
    assert kept("old", "new", "more") == ["old", "new"]
    os.utime(old, (0.0, time.time() - 2 * 24 * 3600.0))
    keep("more")
    assert kept("new", "more") == ["new", "more"]
    assert kept("old") == []
