"""A bucket of S3 holds what a folder holds, and what is wrong with it is said in one line."""

import pytest

import gmm_study
from gmm_study.errors import InputError
from gmm_study.storage.folder import Folder
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from gmm_study.trials.stored import open_stored
from tests.s3_server import KEY, NOT_IMPLEMENTED, SECRET, THROTTLED
from tests.training.small import a_dataset, some_hyperparameters

ADDRESS = "s3://studies/results"


@pytest.fixture(params=["bucket", "folder"])
def folder(request, tmp_path, s3):
    return Folder.at(ADDRESS if request.param == "bucket" else str(tmp_path / "results"))


def test_a_file_is_replaced_whole_and_its_old_content_kept(folder):
    assert folder.read_file("a/b.txt") is None
    folder.write_file("a/b.txt", b"one", kept_as="a/before.txt")
    assert folder.read_file("a/before.txt") is None
    folder.write_file("a/b.txt", b"two", kept_as="a/before.txt")
    assert (folder.read_file("a/b.txt"), folder.read_file("a/before.txt")) == (b"two", b"one")


@pytest.mark.parametrize("size", [0, 1, 12_000_000])
def test_a_file_of_any_size_is_read_as_it_was_written(folder, size):
    content = bytes(range(256)) * (size // 256 + 1)
    folder.write_file("large", content[:size])
    assert folder.read_file("large") == content[:size]


def test_what_a_folder_holds_is_listed_and_removed(folder):
    assert folder.entries() == []
    for name in ("one/x", "one/deep/y", "z"):
        folder.write_file(name, name.encode())
    assert {(each.name, each.is_file) for each in folder.entries()} == {("one", False), ("z", True)}
    files = {each.name for each in folder.entries(recursive=True) if each.is_file}
    assert files == {"one/x", "one/deep/y", "z"}
    folder.delete_file("z")
    folder.delete_file("z")
    folder.inside("one").delete()
    assert [each.name for each in folder.entries(recursive=True) if each.is_file] == []


@pytest.mark.parametrize("more", [0, 100])
def test_the_stamp_of_a_file_changes_with_the_file(folder, more):
    folder.write_file("x", b"one")
    names = ["x", "missing", *(f"missing{number}" for number in range(more))]
    before = folder.stamps(names)
    assert before[1:] == [None] * (1 + more)
    folder.write_file("x", b"longer")
    (after, *_) = folder.stamps(names)
    assert after not in (before[0], None)
    assert after.size == len(b"longer")


def test_a_small_file_is_written_by_one_request(s3):
    folder = Folder.at(ADDRESS)
    folder.write_file("a/b/c.json", b"{}")
    assert s3.requests == [("PUT", "/studies/results/a/b/c.json")]


def test_the_address_may_name_the_server_the_region_and_the_key(s3, monkeypatch):
    for name in s3.environment:
        monkeypatch.delenv(name)
    host = s3.endpoint.removeprefix("http://")
    user = f"{KEY}:{SECRET}@"
    query = f"region=us-east-1&scheme=http&endpoint_override={host}"
    store = RecordStore(f"s3://{user}studies/results?{query}")
    store.folder.write_file("x", b"content")
    assert store.exists()
    with store.the_only_driver("tiny"):
        assert store.driver("tiny").is_this_process


@pytest.mark.parametrize("name", ["my results", "Übung", "runs#1", "100%", "a+b", "a%20b"])
def test_an_address_may_have_any_characters(s3, name):
    Folder.at(f"s3://studies/{name}").write_file("x", b"mine")
    decoded = "a b" if name == "a%20b" else name
    assert [each.name for each in Folder.at("s3://studies").entries()] == [decoded]
    assert Folder.at(f"s3://studies/{name}").read_file("x") == b"mine"


def test_a_bucket_may_be_the_storage_as_a_whole(s3):
    store = RecordStore("s3://studies")
    assert not store.exists()
    store.record("abc").write_status(TrialState.PENDING)
    store.check_exists()
    assert store.trial_ids() == ["abc"]


def no_bucket(s3, monkeypatch):
    return "s3://no-bucket/results", ["there is no bucket 'no-bucket'"]


def no_folder(s3, monkeypatch):
    return "s3://studies/resluts", ["there is no folder 's3://studies/resluts'"]


def wrong_key(s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another-key")
    return ADDRESS, ["credentials", "AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"]


def no_key(s3, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", "/nowhere")
    return ADDRESS, ["credentials", "AWS_ACCESS_KEY_ID", "Unable to locate credentials"]


def no_server(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return ADDRESS, ["cannot be reached", "127.0.0.1:9"]


def throttling(s3, monkeypatch):
    s3.answers = lambda request: THROTTLED
    return ADDRESS, ["cannot be reached", "SlowDown"]


def hanging(s3, monkeypatch):
    s3.hang()
    return ADDRESS, ["cannot be reached", "imeout"]


WRONG = [no_bucket, no_folder, wrong_key, no_key, no_server, throttling, hanging]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_bucket_is_said_in_one_line(s3, monkeypatch, wrong):
    address, words = wrong(s3, monkeypatch)
    with pytest.raises(InputError) as refusal:
        RecordStore(address).check_exists()
    message = str(refusal.value)
    assert "\n" not in message
    assert message.startswith("storage: ")
    assert SECRET not in message
    for word in words:
        assert word in message
    assert len(s3.requests) <= 3, "a first contact is tried three times at most"


def test_an_address_with_one_slash_is_refused(s3):
    with pytest.raises(InputError, match=r"'s3:/studies/results' must have two slashes"):
        RecordStore("s3:/studies/results")


def test_a_folder_with_too_long_a_name_is_named():
    with pytest.raises(InputError, match=r"storage: 'x+' cannot be reached: File name too long"):
        RecordStore("x" * 300)


def test_a_home_folder_that_is_not_known_is_named():
    with pytest.raises(InputError, match=r"storage: '~no-one/results': the home folder of"):
        RecordStore("~no-one/results")


def test_a_trial_in_a_bucket_is_evaluated_by_its_address_and_not_trained_there(s3, tmp_path):
    data = a_dataset()
    config = TrialConfig(some_hyperparameters(), data.name, data.sha256)
    record = RecordStore(ADDRESS).record(config.trial_id)
    run = TrialRun(config, data, range(2), record)
    while not run.finished:
        run.advance()
    checkpoint = open_stored(f"{ADDRESS}/{config.trial_id}")
    assert list(checkpoint.replicates) == [0, 1]
    with pytest.raises(InputError, match=r"has no meta\.json"):
        open_stored(f"{ADDRESS}/none")
    with pytest.raises(InputError, match="must be a folder of this machine"):
        gmm_study.train("digits", method="gmm", output=f"{ADDRESS}/one")


def test_a_request_that_is_throttled_is_tried_again(s3):
    turn = iter([THROTTLED] * 4)
    s3.answers = lambda request: next(turn, None)
    folder = Folder.at(ADDRESS)
    folder.write_file("x", b"content")
    assert folder.read_file("x") == b"content"


def test_a_server_without_conditional_writes_still_has_drivers_and_trials(s3):
    s3.answers = lambda request: (
        NOT_IMPLEMENTED if {"HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"} & {*request} else None
    )
    store = RecordStore(ADDRESS)
    with store.the_only_driver("tiny"):
        assert store.driver("tiny").is_this_process
    assert store.record("abc").take_up()
