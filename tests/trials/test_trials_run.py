"""A trial runs into its record, goes on from it, and is never trained twice."""

import io
import json

import numpy as np
import pytest
import safetensors.numpy

from gmm_study.training.checkpoint import open_checkpoint
from gmm_study.training.state import TrialState
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from tests.training.small import METHODS, a_dataset
from tests.trials.runs import DATA, a_config, final_figures, finish
from tests.workbench import curves


@pytest.mark.parametrize("method", METHODS)
def test_a_finished_record_holds_all_its_files_and_figures(tmp_path, method):
    config = a_config(method=method)
    record = Record.at(str(tmp_path))
    finish(TrialRun(config, DATA, range(2), record))
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files >= {
        "config.json",
        "status.json",
        "metrics.parquet",
        "datapoints.parquet",
        "result.json",
        "checkpoint/model.safetensors",
        "checkpoint/meta.json",
    }
    assert not [name for name in files if name.endswith(".partial")]
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["trial_id"], result["state"]) == (config.trial_id, "complete")
    assert set(result["replicates"]) == {"0", "1"}
    names = {"bound", "log_p", "log_p_gap", "log_p_gap_before", "ess"}
    if method == "gmm":
        names |= {"log_p_tilde", "ess_star", "log_z2", "log_p_star"}
    for replicate in result["replicates"].values():
        valid = {"valid/bound", "valid/rise", "valid/rise_se"}
        valid |= {"valid/log_p", "valid/log_p_se", "valid/independent"}
        assert set(replicate["metrics"]) == valid | {
            f"test/{name}{suffix}" for name in names for suffix in ("", "_se")
        }
        assert all(np.isfinite(value) for value in replicate["metrics"].values())
        assert replicate["state"] == "complete"
        assert replicate["seconds"] > 0.0
    assert record.state(2) is TrialState.COMPLETE


def test_the_result_is_written_last_and_only_when_all_else_is_there(tmp_path, monkeypatch):
    written, original = [], Record.write_file

    def write_file(record, name, content, *kept_as):
        written.append(name)
        original(record, name, content, *kept_as)

    monkeypatch.setattr(Record, "write_file", write_file)
    finish(TrialRun(a_config(), DATA, range(2), Record.at(str(tmp_path))))
    assert written[0] == "config.json"
    assert written[-1] == "result.json"
    assert written.count("result.json") == 1


def test_the_curves_are_tidy_and_agree_with_the_result(tmp_path):
    record = Record.at(str(tmp_path))
    finish(TrialRun(a_config(patience=2, max_epochs=20), DATA, range(2), record))
    rows = record.metrics().to_pylist()
    for number, ended in record.result().replicates.items():
        mine = [row for row in rows if row["replicate"] == number]
        assert {(row["split"], row["metric"]) for row in mine} == {
            ("train", "bound"),
            ("train", "learning_rate"),
            ("train", "seconds"),
            ("valid", "bound"),
            ("valid", "log_p"),
            ("valid", "ess"),
        }
        valid = {
            row["epoch"]: row["value"]
            for row in mine
            if (row["split"], row["metric"]) == ("valid", "bound")
        }
        assert list(valid) == list(range(1, ended.epochs + 1))
        assert valid[ended.best_epoch] == max(valid.values()) == ended.metrics["valid/bound"]


def test_the_model_of_the_record_is_readable_and_has_one_row_a_replicate(tmp_path):
    record = Record.at(str(tmp_path))
    finish(TrialRun(a_config(), DATA, range(3), record))
    tensors = safetensors.numpy.load_file(tmp_path / "checkpoint" / "model.safetensors")
    assert {tensor.shape[0] for tensor in tensors.values()} == {3}
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
    assert open_checkpoint(tmp_path / "checkpoint").model().parameters.replicates == 3


@pytest.mark.sampled
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("method", METHODS)
def test_a_trial_killed_between_checkpoints_ends_as_one_that_was_not(tmp_path, method, optimizer):
    config = a_config(method=method, optimizer=optimizer)
    unstopped, killed = Record.at(str(tmp_path / "a")), Record.at(str(tmp_path / "b"))
    finish(TrialRun(config, DATA, range(2), unstopped))
    run = TrialRun(config, DATA, range(2), killed)
    for _ in range(2):
        run.advance()
    run.save()
    run.advance()
    run = TrialRun(config, DATA, range(2), killed)
    assert run.progress().epoch == 2
    finish(run)
    assert final_figures(killed) == final_figures(unstopped)
    assert curves(killed) == curves(unstopped)
    for name in ("model.safetensors", "meta.json"):
        assert killed.read_file(f"checkpoint/{name}") == unstopped.read_file(f"checkpoint/{name}")


def test_a_trial_killed_during_its_evaluation_trains_no_further(tmp_path, epochs_trained):
    config = a_config()
    unstopped, killed = Record.at(str(tmp_path / "a")), Record.at(str(tmp_path / "b"))
    finish(TrialRun(config, DATA, range(2), unstopped))
    run = TrialRun(config, DATA, range(2), killed)
    while run.progress().phase == "training":
        run.advance()
    run.save()
    run.advance()
    assert not run.finished
    assert killed.result() is None
    epochs_trained.clear()
    finish(TrialRun(config, DATA, range(2), killed))
    assert epochs_trained == []
    assert final_figures(killed) == final_figures(unstopped)


def test_a_trial_killed_before_its_first_checkpoint_starts_again(tmp_path):
    config = a_config()
    unstopped, killed = Record.at(str(tmp_path / "a")), Record.at(str(tmp_path / "b"))
    finish(TrialRun(config, DATA, range(2), unstopped))
    TrialRun(config, DATA, range(2), killed).advance()
    finish(TrialRun(config, DATA, range(2), killed))
    assert final_figures(killed) == final_figures(unstopped)


def test_a_complete_trial_is_not_trained_again(tmp_path, epochs_trained):
    config, record = a_config(), Record.at(str(tmp_path))
    finish(TrialRun(config, DATA, range(2), record))
    before = record.result()
    epochs_trained.clear()
    run = TrialRun(config, DATA, range(2), record)
    assert run.finished
    assert run.progress().phase == "complete"
    assert TrialRun(config, DATA, range(1), record).finished
    assert epochs_trained == []
    assert record.result() == before
    assert run.result().replicates == before.replicates
    assert record.state(2) is TrialState.COMPLETE


def test_a_complete_trial_without_a_checkpoint_is_left_as_it_is(tmp_path, epochs_trained):
    config, record = a_config(), Record.at(str(tmp_path))
    ended = TrialRun(config, DATA, range(2), record)
    finish(ended)
    record.inside("checkpoint").delete()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    epochs_trained.clear()
    run = TrialRun(config, DATA, range(2), record)
    assert run.finished
    assert run.progress() == ended.progress()
    assert run.result().replicates == ended.result().replicates
    assert epochs_trained == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_raising_the_replicates_of_a_complete_trial_trains_the_new_seed_alone(
    tmp_path, epochs_trained
):
    config, record = a_config(), Record.at(str(tmp_path / "raised"))
    finish(TrialRun(config, DATA, range(2), record))
    two = record.result().replicates
    epochs_trained.clear()
    finish(TrialRun(config, DATA, range(3), record))
    assert set(epochs_trained) == {2}
    three = record.result().replicates
    assert {index: three[index] for index in two} == two
    at_once = Record.at(str(tmp_path / "at once"))
    finish(TrialRun(config, DATA, range(3), at_once))
    assert final_figures(record) == final_figures(at_once)
    assert curves(record) == curves(at_once)
    model = "checkpoint/model.safetensors"
    assert record.read_file(model) == at_once.read_file(model)


def test_a_replicate_whose_checkpoint_is_gone_is_kept_when_others_are_added(
    tmp_path, epochs_trained
):
    config, record = a_config(), Record.at(str(tmp_path / "restored"))
    finish(TrialRun(config, DATA, range(2), record))
    two, of_two, values = record.result().replicates, curves(record), record.datapoints()
    record.inside("checkpoint").delete()
    epochs_trained.clear()
    interrupted = TrialRun(config, DATA, range(3), record)
    interrupted.advance()
    interrupted.pause()
    assert curves(record)[: len(of_two)] == of_two
    assert record.result().replicates == two
    finish(TrialRun(config, DATA, range(3), record))
    assert set(epochs_trained) == {2}
    at_once = Record.at(str(tmp_path / "at once"))
    finish(TrialRun(config, DATA, range(3), at_once))
    assert final_figures(record) == final_figures(at_once)
    assert curves(record) == curves(at_once)
    assert record.datapoints().keys() == {0, 1, 2}
    assert all((record.datapoints()[index] == values[index]).all() for index in values)
    assert {index: record.result().replicates[index] for index in two} == two
    assert open_checkpoint(str(tmp_path / "restored")).replicates == (2,)


def test_a_state_from_before_the_first_epoch_trains_no_replicate_again_that_has_ended(
    tmp_path, epochs_trained
):
    config, record = a_config(), Record.at(str(tmp_path))
    begun = TrialRun(config, DATA, range(2), record)
    begun.pause()
    state = record.read_file("checkpoint/training.safetensors")
    finish(TrialRun(config, DATA, range(2), record))
    of_two = curves(record)
    record.write_file("checkpoint/training.safetensors", state)
    epochs_trained.clear()
    finish(TrialRun(config, DATA, range(3), record))
    assert set(epochs_trained) == {2}
    assert curves(record)[: len(of_two)] == of_two
    assert {row["replicate"] for row in curves(record)[len(of_two) :]} == {2}


def test_a_replicate_has_the_same_figures_whoever_runs_beside_it(tmp_path):
    config = a_config()
    figures = []
    for name, replicates in (("alone", [1]), ("among others", [0, 1, 2])):
        record = Record.at(str(tmp_path / name))
        finish(TrialRun(config, DATA, replicates, record))
        figures.append(final_figures(record)[1])
    assert figures[0] == figures[1]


def test_a_trial_of_which_every_replicate_diverges_is_diverged(tmp_path, epochs_trained):
    config = a_config(optimizer="sgd", learning_rate=1e38)
    record = Record.at(str(tmp_path))
    finish(TrialRun(config, DATA, range(2), record))
    result = record.result()
    assert result.state is record.state(2) is TrialState.DIVERGED
    assert {each.state for each in result.replicates.values()} == {TrialState.DIVERGED}
    assert all(each.metrics == {} for each in result.replicates.values())
    assert record.metrics().num_rows > 0
    epochs_trained.clear()
    assert TrialRun(config, DATA, range(2), record).finished
    assert epochs_trained == []


def test_a_trial_of_which_one_replicate_completes_is_complete(tmp_path):
    record = Record.at(str(tmp_path))
    run = TrialRun(a_config(), DATA, range(2), record)
    run.advance()
    run.trainer.groups[0].model.parameters.flat.fill_(float("nan"))
    finish(run)
    result = record.result()
    assert result.state is record.state(2) is TrialState.COMPLETE
    states = {number: each.state for number, each in result.replicates.items()}
    assert states == {0: TrialState.DIVERGED, 1: TrialState.COMPLETE}


def test_a_trial_runs_in_any_file_system():
    record = RecordStore("mock:///results").record("trial")
    finish(TrialRun(a_config(), DATA, range(2), record))
    assert record.state(2) is TrialState.COMPLETE
    assert record.metrics().num_rows > 0


def test_a_trial_on_images_leaves_a_picture_of_samples(tmp_path):
    from PIL import Image

    pictures = a_dataset(image_shape=(2, 3))
    record = Record.at(str(tmp_path))
    finish(TrialRun(a_config(), pictures, range(1), record))
    with Image.open(io.BytesIO(record.read_file("pictures/samples.png"))) as image:
        assert image.format == "PNG"
        assert len(image.getcolors(maxcolors=1000)) > 2


@pytest.mark.parametrize("name", ["result.json", "checkpoint/training.safetensors"])
def test_what_cannot_be_read_is_made_again(tmp_path, name):
    config, record = a_config(), Record.at(str(tmp_path))
    finish(TrialRun(config, DATA, range(2), record))
    before = final_figures(record)
    content = record.read_file(name)
    record.write_file(name, content[: len(content) // 2])
    finish(TrialRun(config, DATA, range(2), record))
    assert final_figures(record) == before


def test_a_trial_runs_although_folders_have_the_names_of_its_files(tmp_path):
    config, record = a_config(), Record.at(str(tmp_path))
    for name in ("config.json", "status.json", "result.json", "metrics.parquet"):
        (tmp_path / name).mkdir()
    finish(TrialRun(config, DATA, range(2), record))
    assert record.state(2) is TrialState.COMPLETE
    assert record.config().trial_id == config.trial_id


@pytest.mark.parametrize(("rate", "kept"), [(30.0, "averaged"), (1e-4, "raw")])
def test_what_was_kept_is_named_where_only_an_earlier_stage_has_an_average(tmp_path, rate, kept):
    stages = [
        {"max_epochs": 9, "parameter_average": "exponential", "average_decay": 0.8},
        {"max_epochs": 6, "optimizer": "sgd", "learning_rate": rate, "patience": 9},
    ]
    record = Record.at(str(tmp_path))
    finish(TrialRun(a_config(stages=stages, learning_rate=0.2), DATA, [0], record))
    (replicate,) = record.result().replicates.values()
    assert (replicate.kept, replicate.epochs) == (kept, 15)
    assert np.isfinite(replicate.metrics["valid/rise"]), (
        "of the raw ones, as the stage has no other"
    )
