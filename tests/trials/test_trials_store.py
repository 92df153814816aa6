"""A store of records is a folder or an address, and holds the trials that have a folder there."""

import pytest

from gmm_study.errors import InputError
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from tests.training.small import a_dataset, some_hyperparameters

CONFIG = TrialConfig(some_hyperparameters(), "bits", a_dataset().sha256)


def test_a_store_that_does_not_exist_yet_holds_nothing(tmp_path):
    assert RecordStore(str(tmp_path / "not" / "yet")).trial_ids() == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_lists_the_trials_that_have_a_folder_and_no_stray_files(tmp_path):
    store = RecordStore(str(tmp_path))
    other = TrialConfig(some_hyperparameters(seed=1), "bits", CONFIG.dataset_sha256)
    for config in (CONFIG, other):
        store.record(config.trial_id).write_config(config)
    (tmp_path / "notes.txt").write_text("mine")
    assert store.trial_ids() == sorted([CONFIG.trial_id, other.trial_id])


@pytest.mark.parametrize("name", ["results", "./results", "sub/../results", "~/results"])
def test_a_relative_place_and_the_home_folder_mean_what_a_shell_means(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    store = RecordStore(name)
    monkeypatch.chdir("/")
    store.record(CONFIG.trial_id).write_config(CONFIG)
    assert (tmp_path / "results" / CONFIG.trial_id / "config.json").is_file()
    assert RecordStore(store.storage).trial_ids() == [CONFIG.trial_id]


@pytest.mark.parametrize("name", ["with space", "100%25 sure", "größe", "a#b?c=d", "a:b", "trail/"])
def test_a_folder_may_have_any_name(tmp_path, name):
    folder = tmp_path / name
    store = RecordStore(str(folder))
    store.record(CONFIG.trial_id).write_config(CONFIG)
    assert (folder / CONFIG.trial_id / "config.json").is_file()
    assert RecordStore(store.storage).trial_ids() == [CONFIG.trial_id]


NO_BUCKET = ["s3://", "s3://?region=eu-west-1", "gs://", "file:///", "/"]


@pytest.mark.parametrize(
    "storage", ["nosuch://bucket/results", "file://", "no scheme://here", *NO_BUCKET]
)
def test_an_address_that_is_none_is_refused_in_one_line(storage):
    with pytest.raises(InputError) as refusal:
        RecordStore(storage)
    assert "\n" not in str(refusal.value)
    assert storage in str(refusal.value)


def test_a_file_is_no_place_for_records(tmp_path):
    (tmp_path / "results.txt").write_text("mine")
    for build in (RecordStore, Record.at):
        with pytest.raises(InputError, match=r"results\.txt' is a file"):
            build(str(tmp_path / "results.txt"))
