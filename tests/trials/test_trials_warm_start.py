"""A trial begins with the kept parameters of another one, and its record says which."""

import json
import shutil
from hashlib import sha256

import pytest
import torch

from gmm_study.errors import InputError
from gmm_study.training.checkpoint import open_checkpoint
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.once import run_once
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset, some_hyperparameters

DATA = a_dataset()


def a_config(data=DATA, **settings):
    return TrialConfig(some_hyperparameters(**settings), data.name, data.sha256)


def begun(store, config, replicates=range(2), data=DATA):
    return TrialRun(config, data, replicates, store.record(config.trial_id))


def trained(store, config, replicates=2, data=DATA):
    run = begun(store, config, range(replicates), data)
    while not run.finished:
        run.advance()
    return run.record


@pytest.fixture
def store(tmp_path):
    return RecordStore(str(tmp_path / "store"))


def parameters_at_the_start(run):
    return torch.cat([group.model.parameters.flat for group in run.trainer.groups])


@pytest.mark.parametrize("named", ["its id", "its record", "its checkpoint"])
def test_every_replicate_begins_with_what_the_same_replicate_kept(store, named):
    other = trained(store, a_config(max_epochs=3), 3)
    places = {
        "its id": other.path.rpartition("/")[2],
        "its record": other.path,
        "its checkpoint": f"{other.path}/checkpoint",
    }
    config = a_config(warm_start=places[named], learning_rate=2e-3, samples=9, method="rws")
    run = begun(store, config, [2, 0])
    kept = open_checkpoint(other.path).model([2, 0]).parameters.flat
    assert torch.equal(parameters_at_the_start(run), kept)
    run.advance()
    assert run.progress().epoch == 1
    run.leave()


def test_the_record_says_what_it_depends_on(store):
    other = trained(store, a_config(max_epochs=3))
    record = trained(store, a_config(warm_start=other.path.rpartition("/")[2]))
    noted = record.read_json("warm_start.json")
    assert noted["warm_start"] == other.path.rpartition("/")[2]
    model = other.read_file("checkpoint/model.safetensors")
    assert noted["sha256"] == sha256(model).hexdigest()
    assert noted["hyperparameters"] == other.config().hyperparameters.canonical()
    assert noted["dataset"] == {"name": DATA.name, "sha256": DATA.sha256}
    plain = trained(store, a_config())
    assert plain.read_json("warm_start.json") is None


def test_the_id_depends_on_where_a_trial_begins(tmp_path):
    ids = {
        a_config(warm_start=named).trial_id
        for named in (None, "0123456789abcdef", str(tmp_path), str(tmp_path / "other"))
    }
    assert len(ids) == 4
    assert a_config(warm_start=None).trial_id == a_config().trial_id


def test_a_path_means_the_same_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Hyperparameters.from_mapping({"warm_start": "runs/mine"})
    assert settings.warm_start == str(tmp_path / "runs/mine")
    monkeypatch.chdir("/")
    assert Hyperparameters.from_mapping(settings.canonical()).warm_start == settings.warm_start


def test_a_path_has_one_spelling(tmp_path):
    ways = [tmp_path / "x", tmp_path / ".." / tmp_path.name / "x", f"{tmp_path}/./x/"]
    assert len({a_config(warm_start=str(way)).trial_id for way in ways}) == 1


def test_a_trial_that_has_begun_does_not_need_the_other_any_more(store):
    other = trained(store, a_config(max_epochs=3))
    config = a_config(warm_start=other.path)
    run = begun(store, config)
    run.advance()
    run.pause()
    other.file_system.delete_dir(other.path)
    assert trained(store, config).result().has(range(2))


def test_replicates_that_are_added_begin_from_the_same_model_or_are_refused(store, tmp_path):
    place, other = tmp_path / "model", {"max_epochs": 3}
    run_once(a_config(**other), DATA, 3, place, device="cpu")
    config = a_config(warm_start=str(place))
    record = trained(store, config, 1)
    noted = record.read_json("warm_start.json")
    shutil.rmtree(place)
    run_once(a_config(seed=5, **other), DATA, 3, place, device="cpu")
    with pytest.raises(InputError, match=r"^warm_start: .* with which replicate 0 began; restore"):
        begun(store, config)
    assert record.read_json("warm_start.json") == noted
    assert record.result().has([0])


def test_a_model_that_has_got_more_replicates_is_the_same_model(store, tmp_path):
    place = tmp_path / "model"
    run_once(a_config(max_epochs=3), DATA, 1, place, device="cpu")
    config = a_config(warm_start=str(place))
    trained(store, config, 1)
    run_once(a_config(max_epochs=3), DATA, 2, place, device="cpu")
    record = trained(store, config, 2)
    assert record.result().has(range(2))
    assert list(record.read_json("warm_start.json")["replicates"]) == ["0", "1"]


def test_a_trial_that_has_not_begun_takes_the_model_that_is_there_now(store, tmp_path):
    place = tmp_path / "model"
    run_once(a_config(max_epochs=3), DATA, 1, place, device="cpu")
    config = a_config(warm_start=str(place))
    begun(store, config, [0]).leave()
    shutil.rmtree(place)
    run_once(a_config(max_epochs=3, seed=5), DATA, 1, place, device="cpu")
    run = begun(store, config, [0])
    kept = open_checkpoint(place).model([0]).parameters.flat
    assert torch.equal(parameters_at_the_start(run), kept)
    run.leave()


def test_a_longer_trial_goes_on_from_a_shorter_one_that_began_warm(store, epochs_trained):
    other = trained(store, a_config(max_epochs=3, seed=5))
    begin = {"warm_start": other.path}
    trained(store, a_config(max_epochs=4, **begin))
    epochs_trained.clear()
    record = trained(store, a_config(max_epochs=6, **begin))
    assert len(epochs_trained) == 2 * 2
    assert record.read_json("warm_start.json")["warm_start"] == other.path


def test_a_seed_beside_seeds_without_a_checkpoint_begins_from_the_same_model_too(store):
    other = trained(store, a_config(max_epochs=2), 3)
    config = a_config(max_epochs=2, warm_start=other.path)
    record = trained(store, config)
    before = record.read_file("warm_start.json")
    record.inside("checkpoint").delete()
    changed = trained(store, a_config(max_epochs=3), 3)
    for name in ("model.safetensors", "meta.json"):
        other.write_file(f"checkpoint/{name}", changed.read_file(f"checkpoint/{name}"))
    with pytest.raises(InputError, match=r"other parameters than those with which replicate 0"):
        begun(store, config, range(3))
    assert record.read_file("warm_start.json") == before


def test_a_model_of_another_folder_can_be_gone_on_from(tmp_path):
    run_once(a_config(max_epochs=2), DATA, 1, tmp_path / "first", device="cpu")
    config = a_config(max_epochs=2, warm_start=str(tmp_path / "first"))
    run_once(config, DATA, 1, tmp_path / "second", device="cpu")
    noted = json.loads((tmp_path / "second" / "warm_start.json").read_text())
    assert noted["warm_start"] == str(tmp_path / "first")


def test_a_store_in_any_file_system_has_trials_to_begin_from():
    store = RecordStore("mock:///results")
    other = a_config(max_epochs=2)
    trained(store, other)
    run = begun(store, a_config(warm_start=other.trial_id))
    assert run.record.read_json("warm_start.json")["warm_start"] == other.trial_id


@pytest.mark.parametrize(
    ("settings", "replicates", "said"),
    [
        ({"layers": [5, 4]}, 2, ["has 'generative.top.logits' of shape [3]", "[4]"]),
        ({"layers": [5]}, 2, ["this trial has"]),
        ({"method": "vae", "samples": 1}, 2, ["has no 'encoder.0.weight'"]),
        ({}, 3, ["has no replicate 2; it holds 0, 1"]),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(store, settings, replicates, said):
    other = trained(store, a_config(max_epochs=2))
    config = a_config(warm_start=other.path, **settings)
    with pytest.raises(InputError) as refusal:
        begun(store, config, range(replicates))
    message = str(refusal.value)
    assert message.startswith(f"warm_start: '{other.path}'")
    assert "\n" not in message
    for words in said:
        assert words in message
    assert store.record(config.trial_id).take_up(), "the trial is free again"


def test_a_replicate_that_diverged_cannot_be_begun_from(store):
    other = trained(store, a_config(optimizer="sgd", learning_rate=1e38))
    with pytest.raises(InputError, match=r"^warm_start: replicate 0 of .* diverged"):
        begun(store, a_config(warm_start=other.path))


def test_a_trial_named_by_its_id_must_have_been_trained_to_its_end(store):
    other = a_config(max_epochs=3)
    run = begun(store, other, [0, 1])
    run.advance()
    run.pause()
    said = rf"^warm_start: replicate 1 of '{other.trial_id}' has not been trained to its end; train"
    with pytest.raises(InputError, match=said):
        begun(store, a_config(warm_start=other.trial_id), [1])
    trained(store, other)
    begun(store, a_config(warm_start=other.trial_id), [1]).leave()


@pytest.mark.parametrize("named", ["0123456789abcdef", "/nowhere", "mock:///nowhere"])
def test_a_checkpoint_that_is_not_there_is_refused_in_one_line(store, named):
    with pytest.raises(InputError, match=r"^warm_start: .* has no checkpoint; give"):
        begun(store, a_config(warm_start=named))


def test_a_damaged_checkpoint_is_refused_in_one_line(store):
    other = trained(store, a_config(max_epochs=2))
    content = other.read_file("checkpoint/model.safetensors")
    other.write_file("checkpoint/model.safetensors", content[:-9])
    with pytest.raises(InputError, match=r"^warm_start: checkpoint: .* cannot be read"):
        begun(store, a_config(warm_start=other.path))


@pytest.mark.parametrize("address", ["s3://KEY:TOPSECRET@b/x", "s3://b/x?secret_key=TOPSECRET"])
def test_an_address_with_keys_is_refused_because_it_is_stored(address):
    with pytest.raises(InputError, match=r"^warm_start: .* AWS_SECRET_ACCESS_KEY") as refused:
        Hyperparameters.from_mapping({"warm_start": address})
    assert "TOPSECRET" not in str(refused.value)


@pytest.mark.parametrize("value", [3, "", ["a"]])
def test_what_is_no_place_is_refused(value):
    with pytest.raises(InputError, match=r"^warm_start: .* must be the id of a trial or a path"):
        Hyperparameters.from_mapping({"warm_start": value})


def test_a_home_folder_that_is_not_known_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"^warm_start: '~no-one/a': the home folder of '~no-one'"):
        Hyperparameters.from_mapping({"warm_start": "~no-one/a"})
