"""A trial goes on from the record of an earlier one, to what training anew would give."""

import pytest

from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, continue_training
from gmm_study.training.trainer import Trainer
from gmm_study.trials import continuing
from gmm_study.trials.continuable import INDEX
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from tests.training.small import (
    SideBySide,
    assert_same_progress,
    some_hyperparameters,
    train,
)
from tests.trials.continued import LONG, SHORT, a_config, content, trained
from tests.trials.runs import DATA

SETTINGS = [
    {},
    {"method": "rws", "optimizer": "rmsprop"},
    {"method": "vae", "optimizer": "sgd", "warm_up_epochs": 5},
    {"parameter_average": "exponential", "criterion": "log_p"},
    {"parameter_average": "uniform", "average_from_epoch": 6, "validate_every": 2},
    {"patience": 1, "learning_rate": 0.1, "samples": 2},
    {"stages": [{"learning_rate": 2e-3}]},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: ",".join(map(str, each.values())))
def test_a_longer_trial_that_continues_is_the_one_that_is_trained_anew(
    stores, settings, epochs_trained
):
    one, other = stores
    anew = trained(other, a_config(LONG, **settings), 3)
    trained(one, a_config(SHORT, **settings), 3)
    epochs_trained.clear()
    continued = trained(one, a_config(LONG, **settings), 3)
    assert content(continued) == content(anew)
    by_limit = sum(each.epochs > SHORT for each in continued.result().replicates.values())
    assert len(epochs_trained) <= by_limit * (LONG - SHORT) < 3 * LONG


@pytest.mark.parametrize("kept", [{}, {"parameter_average": "exponential"}])
@pytest.mark.parametrize("epochs", [40, 60])
def test_a_trial_with_more_patience_continues_one_that_ended_by_patience(
    stores, kept, epochs, epochs_trained
):
    one, other = stores
    settings = {"learning_rate": 0.3, "samples": 2, **kept}
    short = a_config(40, patience=2, **settings)
    long = a_config(epochs, patience=6, **settings)
    anew = trained(other, long, 3)
    before = [each.epochs for each in trained(one, short, 3).result().replicates.values()]
    epochs_trained.clear()
    continued = trained(one, long, 3)
    assert content(continued) == content(anew)
    after = [each.epochs for each in continued.result().replicates.values()]
    assert len(epochs_trained) == sum(after) - sum(before) < sum(after)


@pytest.mark.parametrize("patience", [2, 6])
def test_a_trial_goes_on_from_one_with_a_higher_limit_that_it_did_not_need(
    stores, patience, epochs_trained
):
    one, other = stores
    settings = {"learning_rate": 0.3, "samples": 2}
    first = trained(one, a_config(400, patience=2, **settings)).result().replicates.values()
    config = a_config(max(each.epochs for each in first), patience=patience, **settings)
    anew = trained(other, config)
    epochs_trained.clear()
    continued = trained(one, config)
    assert content(continued) == content(anew)
    ended = continued.result().replicates.values()
    assert len(epochs_trained) == sum(each.epochs for each in ended) - sum(
        each.epochs for each in first
    )


def test_an_earlier_trial_that_has_got_replicates_since_with_more_epochs_is_not_used(stores):
    one, other = stores
    settings = {"learning_rate": 0.3, "samples": 2}
    longer = a_config(400, patience=2, **settings)
    for replicates in (1, 4):
        ended = trained(one, longer, replicates).result().replicates
    first, longest = ended[0].epochs, max(each.epochs for each in ended.values())
    assert first < longest, "the seeds do not test this"
    config = a_config(first, patience=2, **settings)
    assert content(trained(one, config, 4)) == content(trained(other, config, 4))


def test_of_the_earlier_trials_those_with_all_replicates_come_first(stores, epochs_trained):
    one, _ = stores
    trained(one, a_config(), 3)
    for samples in range(30, 36):
        trained(one, a_config(evaluation_samples=samples), 1)
    epochs_trained.clear()
    trained(one, a_config(evaluation_samples=36), 3)
    assert epochs_trained == []


def test_a_replicate_whose_patience_ran_out_at_the_limit_ends_by_the_limit_with_more(stores):
    one, other = stores
    settings = {"learning_rate": 0.3, "samples": 2}
    first = trained(one, a_config(40, patience=2, **settings), 1).result().replicates[0]
    configs = [a_config(first.epochs, patience=each, **settings) for each in (2, 6)]
    assert trained(one, configs[0], 1).result().replicates[0].ending == "converged"
    continued = trained(one, configs[1], 1)
    assert continued.result().replicates[0].ending == "epochs"
    assert content(continued) == content(trained(other, configs[1], 1))


@pytest.mark.parametrize(
    "settings",
    [{}, {"schedule": "cosine"}, {"stages": [{}, {"samples": 5}]}, {"patience": 1}],
    ids=lambda each: ",".join(map(str, each)),
)
@pytest.mark.parametrize("asked", ["evaluation_samples", "selection_samples", "z_samples"])
def test_a_trial_that_differs_in_its_evaluation_alone_is_not_trained_again(
    stores, settings, asked, epochs_trained
):
    one, other = stores
    trained(one, a_config(**settings))
    config = a_config(**settings, **{asked: 37})
    anew = trained(other, config)
    epochs_trained.clear()
    evaluated = trained(one, config)
    assert epochs_trained == []
    assert content(evaluated) == content(anew)
    assert evaluated.config().trial_id == config.trial_id != a_config(**settings).trial_id


def test_a_trial_can_be_continued_again_and_again(stores, epochs_trained):
    one, other = stores
    for epochs in (2, 3, 5, LONG):
        epochs_trained.clear()
        record = trained(one, a_config(epochs), 1)
        assert len(epochs_trained) <= 2
    assert content(record) == content(trained(other, a_config(LONG), 1))


def test_a_replicate_that_the_shorter_trial_lacks_is_trained_from_its_first_epoch(stores):
    one, other = stores
    trained(one, a_config(SHORT), 1)
    assert content(trained(one, a_config(LONG), 2)) == content(trained(other, a_config(LONG), 2))
    trained(one, a_config(9, seed=1), 3)
    record = trained(one, a_config(11, seed=1), 2)
    assert set(record.result().replicates) == {0, 1}


def test_a_killed_continuation_goes_on_to_the_same_end(stores):
    one, other = stores
    trained(one, a_config(SHORT))
    config = a_config(LONG)
    run = TrialRun(config, DATA, range(2), one.record(config.trial_id))
    assert run.progress().epoch == SHORT
    run.advance()
    run.save()
    run.advance()
    run.leave()
    run = TrialRun(config, DATA, range(2), one.record(config.trial_id))
    assert run.progress().epoch == SHORT + 1
    run.leave()
    assert content(trained(one, config)) == content(trained(other, config))


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"schedule": "cosine"}, {"schedule": "cosine"}),
        ({}, {"schedule": "cosine"}),
        ({"stages": [{}, {"samples": 5}]}, {"stages": [{}, {"samples": 5}]}),
        ({"validate_every": 3}, {"validate_every": 3}),
        ({}, {"learning_rate": 0.02}),
        ({}, {"seed": 1}),
        ({}, {"criterion_samples": 7}),
        ({"patience": 9}, {"patience": 8}),
    ],
)
def test_what_is_no_beginning_of_the_longer_trial_is_not_continued(
    stores, short, long, epochs_trained
):
    one, other = stores
    trained(one, a_config(SHORT, **short), 1)
    epochs_trained.clear()
    record = trained(one, a_config(LONG, **long), 1)
    assert len(epochs_trained) == a_config(LONG, **long).hyperparameters.total_epochs
    assert content(record) == content(trained(other, a_config(LONG, **long), 1))


def test_a_longer_trial_is_no_beginning_of_a_shorter_one(stores, epochs_trained):
    one, _ = stores
    trained(one, a_config(LONG), 1)
    epochs_trained.clear()
    trained(one, a_config(SHORT), 1)
    assert len(epochs_trained) == SHORT


def test_nothing_is_continued_under_a_scheduler(stores, epochs_trained):
    one, _ = stores
    trained(one, a_config(SHORT), 1)
    epochs_trained.clear()
    trained(one, a_config(LONG), 1, continues=False)
    assert len(epochs_trained) == LONG


@pytest.mark.parametrize("name", ["checkpoint/training.safetensors", "all of it"])
def test_a_shorter_trial_that_is_damaged_or_gone_is_trained_anew(stores, name, epochs_trained):
    one, other = stores
    shorter = trained(one, a_config(SHORT), 1)
    if name == "all of it":
        shorter.file_system.delete_dir(shorter.path)
    else:
        held = shorter.read_file(name)
        shorter.write_file(name, held[: len(held) // 2])
    epochs_trained.clear()
    record = trained(one, a_config(LONG), 1)
    assert len(epochs_trained) == LONG
    assert content(record) == content(trained(other, a_config(LONG), 1))


@pytest.mark.parametrize("name", ["training.safetensors", "warm_start.json"])
def test_a_file_of_a_shorter_trial_that_cannot_be_read_does_not_fail_the_longer(
    stores, name, epochs_trained, monkeypatch, caplog
):
    one, _ = stores
    shorter, read = trained(one, a_config(SHORT), 1), Record.read_file

    def unreadable(record, asked):
        if record.path == shorter.path and asked.endswith(name):
            raise PermissionError("permission denied")
        return read(record, asked)

    monkeypatch.setattr(Record, "read_file", unreadable)
    epochs_trained.clear()
    assert trained(one, a_config(LONG), 1).result().has([0])
    assert len(epochs_trained) == LONG
    assert "permission denied" in caplog.text


def test_an_index_that_cannot_be_written_does_not_cost_the_result(stores, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("no index here")

    monkeypatch.setattr(continuing, "add_to_index", broken)
    record = trained(stores[0], a_config(SHORT), 1)
    assert record.result().has([0])
    assert "no index here" in caplog.text


def test_a_store_in_any_file_system_has_an_index_that_is_no_trial(tmp_path):
    store = RecordStore("mock:///results")
    short, long = a_config(SHORT), a_config(LONG)
    trained(store, short, 1)
    name = f"1-{SHORT}-{SHORT}-{short.hyperparameters.patience}-{short.trial_id}"
    index = f"{store.root}/{INDEX}/{short.prefix_id}/{name}"
    assert store.folder.is_file(index.removeprefix(f"{store.root}/"))
    assert store.trial_ids() == [short.trial_id]
    run = TrialRun(long, DATA, range(1), store.record(long.trial_id))
    assert run.progress().epoch == SHORT


@pytest.mark.parametrize("kind", [Trainer, SideBySide])
def test_replicates_in_one_group_are_continued_as_those_in_groups_of_their_own(kind):
    settings = {"patience": 3, "learning_rate": 0.1, "samples": 2}
    short, long = (some_hyperparameters(max_epochs=each, **settings) for each in (SHORT, 20))
    shorter = train(kind(short, DATA, range(4)))
    longer = kind(long, DATA, range(4))
    continue_training(longer, checkpoint_files(shorter)[TRAINING_FILE])
    assert_same_progress(train(longer), train(kind(long, DATA, range(4))))
