"""The folder of `gmm-study train --output` keeps its trial until the next one is complete."""

from pathlib import Path

import pytest

from gmm_study.errors import InputError
from gmm_study.training.state import TrialState
from gmm_study.trials import continuing
from gmm_study.trials.continuing import NEXT
from gmm_study.trials.once import run_once
from gmm_study.trials.record import Record
from tests.trials.continued import LONG, SHORT, a_config, content, trained
from tests.trials.runs import DATA


def test_a_folder_takes_the_last_evaluation_of_a_training(tmp_path, epochs_trained):
    run_once(a_config(evaluation_samples=10), DATA, 2, tmp_path, device="cpu")
    epochs_trained.clear()
    for samples in (20, 10):
        config = a_config(evaluation_samples=samples)
        run_once(config, DATA, 2, tmp_path, device="cpu")
        assert Record.at(str(tmp_path)).config() == config
    assert epochs_trained == []
    assert not (tmp_path / NEXT).exists()


def test_a_folder_goes_on_from_the_shorter_trial_that_it_holds(tmp_path, stores, epochs_trained):
    folder, (_, other) = tmp_path / "mine", stores
    run_once(a_config(SHORT), DATA, 2, folder, device="cpu")
    epochs_trained.clear()
    result = run_once(a_config(LONG), DATA, 2, folder, device="cpu")
    assert len(epochs_trained) == 2 * (LONG - SHORT)
    record = Record.at(str(folder))
    assert record.config().trial_id == result.trial_id == a_config(LONG).trial_id
    assert content(record) == content(trained(other, a_config(LONG)))
    assert not (folder / NEXT).exists()
    epochs_trained.clear()
    assert run_once(a_config(LONG), DATA, 2, folder, device="cpu") == record.result()
    assert epochs_trained == []


def stop_at(epoch):
    def watch(progress):
        if progress.epoch >= epoch:
            raise KeyboardInterrupt

    return watch


def test_a_folder_goes_on_from_a_higher_limit_that_was_not_needed(tmp_path, epochs_trained):
    settings = {"learning_rate": 0.3, "samples": 2, "patience": 2}
    first = run_once(a_config(400, **settings), DATA, 1, tmp_path, device="cpu")
    epochs_trained.clear()
    second = run_once(a_config(200, **settings), DATA, 1, tmp_path, device="cpu")
    assert epochs_trained == []
    assert second.replicates[0].metrics == first.replicates[0].metrics
    assert Record.at(str(tmp_path)).config() == a_config(200, **settings)


def test_a_record_in_a_store_keeps_its_trial(stores):
    one, _ = stores
    config = a_config()
    record = trained(one, config)
    before = content(record)
    for other in (a_config(evaluation_samples=9), a_config(LONG)):
        with pytest.raises(InputError, match=r"^output: .*another configuration"):
            run_once(other, DATA, 2, Path(record.path), device="cpu")
    assert content(record) == before


def test_a_folder_that_gets_replicates_while_the_next_trial_is_trained_keeps_them(
    tmp_path, monkeypatch
):
    run_once(a_config(SHORT), DATA, 1, tmp_path, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr("gmm_study.trials.once.exchange", lambda *_: None)
        run_once(a_config(LONG), DATA, 1, tmp_path, device="cpu")
        patch.setattr("gmm_study.trials.once.complete_exchange", lambda *_: None)
        run_once(a_config(SHORT), DATA, 3, tmp_path, device="cpu")
    record = Record.at(str(tmp_path))
    assert run_once(a_config(SHORT), DATA, 3, tmp_path, device="cpu") == record.result()
    assert record.config() == a_config(SHORT)
    run_once(a_config(LONG), DATA, 3, tmp_path, device="cpu")
    assert record.config() == a_config(LONG)
    assert set(record.result().replicates) == {0, 1, 2}
    assert not (tmp_path / NEXT).exists()


def test_a_folder_keeps_the_shorter_result_until_the_longer_is_complete(tmp_path, epochs_trained):
    record = Record.at(str(tmp_path))
    run_once(a_config(SHORT), DATA, 1, tmp_path, device="cpu")
    before = content(record)
    with pytest.raises(KeyboardInterrupt):
        run_once(a_config(LONG), DATA, 1, tmp_path, device="cpu", watch=stop_at(SHORT + 2))
    assert record.config().trial_id == a_config(SHORT).trial_id
    assert content(record) == before
    epochs_trained.clear()
    assert run_once(a_config(SHORT), DATA, 1, tmp_path, device="cpu").state is TrialState.COMPLETE
    assert epochs_trained == []
    run_once(a_config(LONG), DATA, 1, tmp_path, device="cpu")
    assert len(epochs_trained) == LONG - SHORT - 2
    assert record.config().trial_id == a_config(LONG).trial_id


def test_an_exchange_leaves_a_longer_trial_that_was_interrupted_where_it_was(
    tmp_path, epochs_trained
):
    run_once(a_config(SHORT), DATA, 1, tmp_path, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        run_once(a_config(LONG + 2), DATA, 1, tmp_path, device="cpu", watch=stop_at(LONG + 1))
    run_once(a_config(LONG - 1), DATA, 1, tmp_path, device="cpu")
    epochs_trained.clear()
    run_once(a_config(LONG + 2), DATA, 1, tmp_path, device="cpu")
    assert len(epochs_trained) == 1
    assert not (tmp_path / NEXT).exists()


def test_a_longer_trial_is_not_replaced_by_one_that_became_complete_earlier(tmp_path, monkeypatch):
    """Both were complete, and neither had been put in the place of the shortest."""
    run_once(a_config(SHORT), DATA, 1, tmp_path, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr("gmm_study.trials.once.exchange", lambda *_: None)
        patch.setattr("gmm_study.trials.once.complete_exchange", lambda *_: None)
        for epochs in (SHORT + 1, LONG, SHORT + 2):
            run_once(a_config(epochs), DATA, 1, tmp_path, device="cpu")
    run_once(a_config(LONG), DATA, 1, tmp_path, device="cpu")
    record = Record.at(str(tmp_path))
    assert record.config().trial_id == record.result().trial_id == a_config(LONG).trial_id
    assert not (tmp_path / NEXT).exists()


@pytest.mark.parametrize("written", range(1, 9))
def test_an_exchange_that_is_cut_off_is_completed_by_the_next_call(
    tmp_path, stores, monkeypatch, written
):
    """After any number of files, and whichever of the two trials the next call is for."""
    folder, (_, other) = Record.at(str(tmp_path / "mine")), stores
    run_once(a_config(SHORT), DATA, 1, tmp_path / "mine", device="cpu")
    real = continuing.exchange

    class CutOff(Record):
        left = written

        def write_file(self, *arguments):
            if CutOff.left == 0:
                raise KeyboardInterrupt
            CutOff.left -= 1
            super().write_file(*arguments)

    def cut_off(held, longer):
        real(CutOff(held.file_system, held.path), longer)

    with monkeypatch.context() as patch:
        patch.setattr("gmm_study.trials.once.exchange", cut_off)
        try:
            run_once(a_config(LONG), DATA, 1, tmp_path / "mine", device="cpu")
        except KeyboardInterrupt:
            assert (tmp_path / "mine" / NEXT).exists()
    run_once(a_config(LONG), DATA, 1, tmp_path / "mine", device="cpu")
    assert content(folder) == content(trained(other, a_config(LONG), 1))
    assert not (tmp_path / "mine" / NEXT).exists()


def test_a_folder_loses_no_replicate_and_takes_no_shorter_trial(tmp_path):
    run_once(a_config(SHORT), DATA, 2, tmp_path, device="cpu")
    with pytest.raises(InputError, match=r"^replicates: 1 must be at least 2"):
        run_once(a_config(LONG), DATA, 1, tmp_path, device="cpu")
    others = (
        a_config(SHORT - 1),
        a_config(LONG, seed=1),
        a_config(LONG, schedule="linear"),
        a_config(LONG, patience=1),
    )
    for config in others:
        with pytest.raises(InputError, match=r"^output: .*another configuration"):
            run_once(config, DATA, 2, tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"validate_every": SHORT - 1}, "validate_every: .* does not divide its max_epochs"),
        ({"schedule": "linear"}, "schedule: 'linear' must be constant"),
    ],
)
def test_a_refusal_to_continue_a_shorter_trial_names_the_setting_that_prevents_it(
    tmp_path, settings, reason
):
    run_once(a_config(SHORT, **settings), DATA, 1, tmp_path, device="cpu")
    with pytest.raises(InputError, match=rf"^output: .*cannot continue \({reason}.*\); give"):
        run_once(a_config(LONG, **settings), DATA, 1, tmp_path, device="cpu")


def test_opening_a_folder_leaves_the_longer_trial_inside_alone(tmp_path):
    """Another process may be writing there."""
    run_once(a_config(SHORT), DATA, 1, tmp_path, device="cpu")
    longer = tmp_path / NEXT / a_config(LONG).trial_id / "checkpoint"
    longer.mkdir(parents=True)
    for folder in (tmp_path, longer):
        (folder / "result.json.12345678.partial").write_text("{")
    run_once(a_config(SHORT), DATA, 1, tmp_path, device="cpu")
    assert [path.parent for path in tmp_path.rglob("*.partial")] == [longer]
