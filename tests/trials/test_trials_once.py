"""One trial, trained by one call, into a folder or none."""

import pytest

from gmm_study.errors import InputError
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.state import TrialState
from gmm_study.trials.once import choose_device, run_once
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.trials.runs import DATA, a_config, final_figures, finish
from tests.workbench import curves


def test_progress_counts_epochs_up_to_the_result(tmp_path):
    seen = []
    run_once(a_config(), DATA, 2, tmp_path, device="cpu", watch=seen.append)
    training = [progress for progress in seen if progress.phase == "training"]
    assert [progress.epoch for progress in training] == list(range(1, len(training) + 1))
    assert all(progress.epoch <= progress.max_epochs for progress in seen)
    assert [progress.bound for progress in seen] == sorted(progress.bound for progress in seen)
    assert seen[-1].phase == "complete"
    assert seen[-1].seconds_left == 0.0


def test_running_once_gives_the_same_figures_with_and_without_a_folder(tmp_path):
    kept = run_once(a_config(), DATA, 1, tmp_path / "kept", device="cpu")
    dropped = run_once(a_config(), DATA, 1, device="cpu")
    assert kept.replicates[0].metrics == dropped.replicates[0].metrics
    assert (tmp_path / "kept" / "result.json").is_file()


def test_running_once_again_goes_on_where_the_folder_stands(tmp_path, epochs_trained):
    first = run_once(a_config(), DATA, 1, tmp_path, device="cpu")
    epochs_trained.clear()
    again = run_once(a_config(), DATA, 1, tmp_path, device="cpu")
    assert epochs_trained == []
    assert again.replicates == first.replicates
    run_once(a_config(), DATA, 2, tmp_path, device="cpu")
    assert set(epochs_trained) == {1}


def test_a_folder_with_another_trial_is_refused_and_left_alone(tmp_path):
    run_once(a_config(), DATA, 1, tmp_path, device="cpu")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"^output: .*another") as refusal:
        run_once(a_config(seed=1), DATA, 1, tmp_path, device="cpu")
    assert str(tmp_path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_a_folder_of_trials_is_no_place_for_one_and_left_alone(tmp_path):
    store = tmp_path / "results"
    run_once(a_config(), DATA, 1, store / "first trial", device="cpu")
    before = sorted(store.rglob("*"))
    with pytest.raises(InputError) as refusal:
        run_once(a_config(seed=1), DATA, 1, store, device="cpu")
    right = f"{store}/{a_config(seed=1).trial_id}"
    for part in ("output: ", f"'{store}'", "'first trial'", right):
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert sorted(store.rglob("*")) == before
    run_once(a_config(seed=1), DATA, 1, right, device="cpu")


def test_a_folder_with_something_else_takes_a_trial_which_goes_on_there(tmp_path):
    (tmp_path / "a project").mkdir()
    (tmp_path / "a project" / "config.json").write_text("{}")
    for replicates in (1, 2):
        result = run_once(a_config(), DATA, replicates, tmp_path, device="cpu")
        assert len(result.replicates) == replicates
        run_once(a_config(seed=1), DATA, 1, tmp_path / "inside", device="cpu")


@pytest.mark.process
def test_a_folder_that_another_process_trains_into_is_refused(tmp_path, another_process):
    with another_process(tmp_path), pytest.raises(InputError, match=r"^output: .*another process"):
        run_once(a_config(), DATA, 1, tmp_path, device="cpu")
    assert run_once(a_config(), DATA, 1, tmp_path, device="cpu").state is TrialState.COMPLETE


@pytest.mark.parametrize("replicate", [0, 1])
@pytest.mark.parametrize("epoch", [1, 3])
def test_an_epoch_that_is_interrupted_is_trained_once(tmp_path, monkeypatch, replicate, epoch):
    """Its beginning has changed the parameters of the trainer already."""
    undisturbed, config, calls = Record.at(str(tmp_path / "undisturbed")), a_config(), []
    finish(TrialRun(config, DATA, range(2), undisturbed))
    validate = ReplicateGroup.validate

    def interrupted(group, data):
        calls.append(group.replicates)
        if calls.count([replicate]) == epoch:
            raise KeyboardInterrupt
        return validate(group, data)

    folder = tmp_path / "interrupted"
    with monkeypatch.context() as patch:
        patch.setattr(ReplicateGroup, "validate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_once(config, DATA, 2, folder, device="cpu")
    record = Record.at(str(folder))
    assert record.status().state is TrialState.PENDING
    run_once(config, DATA, 2, folder, device="cpu")
    assert final_figures(record) == final_figures(undisturbed)
    assert curves(record) == curves(undisturbed)


def test_a_trial_that_is_interrupted_keeps_what_it_reached_and_waits(tmp_path):
    def interrupt(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    record = Record.at(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        run_once(a_config(), DATA, 2, tmp_path, device="cpu", watch=interrupt)
    assert record.state(2) is TrialState.PENDING
    assert TrialRun(a_config(), DATA, range(2), record).progress().epoch == 3
    resumed = run_once(a_config(), DATA, 2, tmp_path, device="cpu")
    unstopped = run_once(a_config(), DATA, 2, device="cpu")
    for number, replicate in unstopped.replicates.items():
        assert resumed.replicates[number].metrics == replicate.metrics


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    for name in ("cuda", "tpu"):
        with pytest.raises(InputError, match=f"^device: '{name}'.*cpu"):
            choose_device(name)
