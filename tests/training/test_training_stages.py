"""Training in stages: each goes on from what the one before kept, with settings of its own."""

import pytest
import torch

from gmm_study.errors import InputError
from gmm_study.models import RandomStreams
from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, resume_training
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import Ending, TrialState
from gmm_study.training.trainer import Trainer
from tests.training.small import (
    SideBySide,
    a_dataset,
    assert_same_progress,
    row_states,
    some_hyperparameters,
    train,
)

DATA = a_dataset()
TRAIN, VALID = torch.from_numpy(DATA.train), torch.from_numpy(DATA.valid)
CHANGES = [
    {"max_epochs": 4},
    {"max_epochs": 3, "optimizer": "sgd", "momentum": 0.5, "samples": 6, "batch_size": 7},
    {"max_epochs": 3, "learning_rate": 2e-3, "schedule": "cosine", "l1": 1e-3},
]
MIXED = some_hyperparameters(stages=CHANGES, patience=20)
RESTLESS = some_hyperparameters(
    patience=1,
    samples=2,
    learning_rate=0.1,
    stages=[{"max_epochs": 30}, {"max_epochs": 9, "patience": 9}, {"max_epochs": 3}],
)
"""Every replicate ends its stages at epochs of its own."""


def stopped_and_resumed(trainer):
    fresh = type(trainer)(trainer.hyperparameters, DATA, list(trainer.replicates))
    resume_training(fresh, checkpoint_files(trainer)[TRAINING_FILE])
    return fresh


def stages_of(trainer):
    return {replicate.stage for replicate in trainer.replicates.values()}


@pytest.mark.sampled
@pytest.mark.parametrize("stop", range(11))
def test_training_goes_on_bit_for_bit_in_and_between_stages(stop):
    unstopped = train(Trainer(MIXED, DATA, [0, 1]))
    resumed = stopped_and_resumed(train(Trainer(MIXED, DATA, [0, 1]), stop))
    assert_same_progress(train(resumed), unstopped)
    assert {replicate.epoch for replicate in unstopped.replicates.values()} == {10}


@pytest.mark.parametrize("kind", [Trainer, SideBySide])
def test_replicates_in_different_stages_go_on_bit_for_bit(kind):
    unstopped, different = kind(RESTLESS, DATA, range(6)), 0
    while not unstopped.finished:
        unstopped.train_epoch()
        if len(stages_of(unstopped)) > 1:
            different += 1
            resumed = stopped_and_resumed(unstopped)
            for trainer in (resumed, unstopped):
                train(trainer, 1)
            assert_same_progress(resumed, unstopped)
    assert different > 3


def test_replicates_that_entered_a_stage_at_different_epochs_are_not_put_into_one_group():
    trainer = SideBySide(RESTLESS, DATA, range(6))
    for _ in range(100):
        trainer.train_epoch()
        starts = {r.stage_start for r in trainer.replicates.values() if r.stage == 1}
        if len(starts) > 1:
            break
    resumed = stopped_and_resumed(trainer)
    assert len(resumed.groups) > len(stages_of(resumed))
    assert_same_progress(train(resumed), train(trainer))


def test_one_stage_trains_as_no_stages_do():
    alone = some_hyperparameters(max_epochs=6, learning_rate=0.02)
    stage = some_hyperparameters(stages=[{"max_epochs": 6, "learning_rate": 0.02}])
    assert_same_progress(train(Trainer(stage, DATA, [0, 1])), train(Trainer(alone, DATA, [0, 1])))


def test_the_stages_are_those_of_a_training_written_out_by_hand():
    """Kept parameters, a fresh optimiser, streams that go on, and patience from the start."""
    trainer = train(Trainer(MIXED, DATA, [0]))
    rows = [row for row in trainer.replicates[0].curve if row["split"] == "valid"]
    curve = {row["epoch"]: row["value"] for row in rows if row["metric"] == "bound"}
    kept, best, states, epoch = None, -torch.inf, None, 0
    for settings in MIXED.stage_list:
        group = ReplicateGroup(settings, DATA.dims, [0], torch.device("cpu"))
        with torch.no_grad():
            if kept is not None:
                group.model.parameters.flat[0] = kept
                for purpose, streams in group.streams.items():
                    streams.generators[0].set_state(states[f"stream.{purpose}"])
                best = group.validate(VALID)["bound"].item()
            for number in range(1, settings.max_epochs + 1):
                epoch += 1
                group.begin_epoch(number)
                group.train_epoch(TRAIN)
                bound = group.validate(VALID)["bound"].item()
                assert bound == curve[epoch]
                if bound > best:
                    kept, best = group.parameters_of(0), bound
        states = group.row_state(0)
    replicate = trainer.replicates[0]
    assert replicate.best_bound == best
    assert torch.equal(replicate.best_parameters, kept)


def test_a_stage_that_only_makes_it_worse_leaves_what_there_was():
    stages = [{"max_epochs": 5}, {"max_epochs": 2, "optimizer": "sgd", "learning_rate": 5.0}]
    (replicate,) = train(
        Trainer(some_hyperparameters(stages=stages), DATA, [0])
    ).replicates.values()
    first = some_hyperparameters(max_epochs=5)
    (before,) = train(Trainer(first, DATA, [0])).replicates.values()
    assert replicate.epoch == 7
    assert (replicate.best_epoch, replicate.best_bound) == (before.best_epoch, before.best_bound)
    assert torch.equal(replicate.best_parameters, before.best_parameters)


def test_the_kept_bound_is_that_of_the_last_stages_objective():
    stages = [{"max_epochs": 5}, {"max_epochs": 1, "samples": 50, "learning_rate": 1e-9}]
    settings = some_hyperparameters(stages=stages)
    trainer = train(Trainer(settings, DATA, [0]))
    group = ReplicateGroup(settings.stage_list[1], DATA.dims, [0], torch.device("cpu"))
    group.model.parameters.flat.copy_(trainer.best_model().parameters.flat)
    with torch.no_grad():
        expected = group.validate(VALID)["bound"].item()
    assert trainer.replicates[0].best_bound == expected


def test_patience_is_counted_within_a_stage():
    stages = [{"max_epochs": 2}, {"max_epochs": 9, "learning_rate": 30.0, "optimizer": "sgd"}]
    settings = some_hyperparameters(stages=stages, patience=4)
    (replicate,) = train(Trainer(settings, DATA, [0])).replicates.values()
    assert replicate.best_epoch == 2
    assert (replicate.epoch, replicate.ending) == (6, Ending.CONVERGED)


@pytest.mark.parametrize(
    ("last", "ending"),
    [
        ({"max_epochs": 2}, Ending.EPOCHS),
        ({"max_epochs": 2, "schedule": "linear"}, Ending.SCHEDULE),
        ({"max_epochs": 50, "patience": 1, "learning_rate": 10.0}, Ending.CONVERGED),
        ({"max_epochs": 9, "optimizer": "sgd", "learning_rate": 1e38}, Ending.DIVERGED),
    ],
)
def test_a_replicate_ended_for_the_reason_of_its_last_stage(last, ending):
    settings = some_hyperparameters(stages=[{"max_epochs": 2}, last])
    (replicate,) = train(Trainer(settings, DATA, [0])).replicates.values()
    assert replicate.ending is ending
    assert (replicate.state is TrialState.DIVERGED) == (ending is Ending.DIVERGED)


def test_a_limit_of_time_ends_all_stages():
    settings = some_hyperparameters(stages=[{"max_epochs": 9}, {"max_epochs": 9}], max_seconds=1e-9)
    (replicate,) = train(Trainer(settings, DATA, [0])).replicates.values()
    assert (replicate.stage, replicate.epoch, replicate.ending) == (0, 1, Ending.TIME)


def test_random_streams_go_on_from_stage_to_stage():
    stages = [{"max_epochs": 2}, {"max_epochs": 2}]
    trainer = train(Trainer(some_hyperparameters(stages=stages), DATA, [0]), 2)
    assert trainer.replicates[0].stage == 1
    state = row_states(trainer)[0]
    for purpose in ("order", "noise"):
        start = RandomStreams(0, [0], purpose).generators[0].get_state()
        assert not torch.equal(state[f"stream.{purpose}"], start)
    plain = train(Trainer(some_hyperparameters(max_epochs=4), DATA, [0]), 2)
    assert torch.equal(state["stream.order"], row_states(plain)[0]["stream.order"])


def test_stages_may_be_written_as_mappings_or_as_json():
    written = Hyperparameters.from_mapping(
        {"stages": '[{"max_epochs": 5}, {"learning_rate": "2e-3", "samples": 50}]'}
    )
    mappings = [{"max_epochs": 5.0}, {"samples": "50", "learning_rate": 2e-3}]
    assert written == Hyperparameters.from_mapping({"stages": mappings})
    assert hash(written) == hash(Hyperparameters.from_mapping({"stages": mappings}))
    again = Hyperparameters.from_mapping(written.canonical())
    assert again.canonical() == written.canonical()
    assert written.total_epochs == 1005
    assert [stage.training_samples for stage in written.stage_list] == [10, 50]
    assert Hyperparameters.from_mapping({"stages": []}) == Hyperparameters()


def test_what_is_not_read_in_a_stage_makes_no_difference():
    with_it = {"stages": [{"max_epochs": 5, "momentum": 0.5, "bound": "iwae"}, {"max_epochs": 6}]}
    without = {"stages": [{"max_epochs": 5}, {"max_epochs": 6}], "max_epochs": 7}
    one, other = (Hyperparameters.from_mapping(each) for each in (with_it, without))
    assert one.canonical() == other.canonical()
    with pytest.raises(InputError, match=r"^stages.0.bound: 'iwae' would have no effect; it needs"):
        one.refuse_unread({"stages": one.stages})
    with pytest.raises(InputError, match=r"^max_epochs: 7 would have no effect; every stage has"):
        other.refuse_unread({"max_epochs": 7})


@pytest.mark.parametrize(
    ("schedules", "said"),
    [
        (["constant", "step"], "it needs schedule cosine or linear or exponential, not constant"),
        (["step", "step"], "it needs schedule cosine or linear or exponential, not step"),
    ],
)
def test_a_setting_that_no_stage_uses_is_refused_with_what_it_needs(schedules, said):
    stages = [{"schedule": schedule} for schedule in schedules]
    settings = Hyperparameters.from_mapping({"schedule": "cosine", "stages": stages})
    with pytest.raises(InputError, match=rf"^final_learning_rate: 1 would have no effect; {said}"):
        settings.refuse_unread({"final_learning_rate": 1})


def test_a_setting_beside_the_stages_is_not_checked_against_what_a_stage_replaces():
    stages = [{"learning_rate": 1e-2, "schedule": "cosine", "final_learning_rate": 5e-3}]
    settings = Hyperparameters.from_mapping({"stages": stages, "learning_rate": 1e-3})
    assert Hyperparameters.from_mapping(settings.canonical()).canonical() == settings.canonical()


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ("[{", ["stages:", "must be a list"]),
        (3, ["stages:", "must be a list"]),
        ({"max_epochs": 3}, ["stages:", "must be a list"]),
        ([3], ["stages.0:", "must be a mapping"]),
        ([{}, {"layers": [5]}], ["stages.1.layers:", "cannot change"]),
        ([{"stages": []}], ["stages.0.stages:", "cannot change"]),
        ([{"learnin_rate": 1}], ["stages.0.learnin_rate:", "learning_rate"]),
        ([{"learning_rate": "fast"}], ["stages.0.learning_rate:", "number"]),
        ([{"learning_rate": 0}], ["stages.0.learning_rate:", "above 0"]),
        ([{"schedule": "cosinus"}], ["stages.0.schedule:", "cosine"]),
        ([{"schedule": "linear", "final_learning_rate": 1}], ["stages.0.final_learning_rate:"]),
    ],
)
def test_stages_that_cannot_be_are_refused_in_one_line(stages, said):
    with pytest.raises(InputError) as refusal:
        Hyperparameters.from_mapping({"stages": stages})
    message = str(refusal.value)
    assert "\n" not in message
    assert message.startswith(said[0])
    for word in said:
        assert word in message
