"""A step that is captured once and replayed trains as one that is called every time."""

import pytest
import torch

from gmm_study.models import RandomStreams, loops
from gmm_study.training.build import build_model, build_objective
from gmm_study.training.captured import StepRunner
from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, resume_training
from gmm_study.training.group import ReplicateGroup
from tests.training.recorded import CountedGraphs, RecordedGraphs, Recording
from tests.training.small import (
    METHODS,
    OPTIMIZERS,
    SideBySide,
    a_dataset,
    assert_same_progress,
    some_hyperparameters,
    train,
)

DATA = a_dataset()
TRAIN = torch.from_numpy(DATA.train)


@pytest.fixture(autouse=True)
def without_compiled_loops(monkeypatch):
    """A GPU computes and draws with torch alone, and a recording sees nothing else."""
    monkeypatch.setattr(loops, "COMPILED", False)


class Captured(SideBySide):
    """Trains as on a GPU, its graphs recorded."""

    log: list[str]

    def new_group(self, indices, stage=0):
        self.log = vars(self).get("log", [])
        graphs = RecordedGraphs(self.log)
        device, dims = torch.device("cpu"), self.dataset.dims
        return ReplicateGroup(self.stages[stage], dims, indices, device, lambda *_: graphs)


def epochs_of(batches_an_epoch, epochs):
    """Batches of indices `[1, B]`, no two alike."""
    numbers = iter(range(10**6))
    return [
        [torch.tensor([[next(numbers) for _ in range(length)]]) for length in batches_an_epoch]
        for _ in range(epochs)
    ]


@pytest.mark.parametrize(
    "lengths",
    [[4, 4, 2], [4], [2], [4, 4], [1] * 7],
    ids=lambda lengths: "+".join(map(str, lengths)),
)
def test_every_batch_is_trained_on_once_and_in_its_turn_and_a_length_is_captured_once(lengths):
    trained, log = [], []
    runner = StepRunner(CountedGraphs(log))
    epochs = epochs_of(lengths, 12)
    for batches in epochs:
        runner.run(lambda indices: trained.append(indices.flatten().tolist()), batches)
    assert trained == [batch.flatten().tolist() for batches in epochs for batch in batches]
    assert log.count("capture") == len(set(lengths))
    assert log[:2] == ["capture", "replay"]
    before_the_first_capture = len(trained) - len(log)
    assert before_the_first_capture >= len(set(lengths)), "a first step makes what later ones find"


def test_without_graphs_a_step_gets_its_batch_as_it_is():
    given, batches = [], epochs_of([4, 4, 2], 1)[0]
    StepRunner(None).run(given.append, batches)
    assert all(found is batch for found, batch in zip(given, batches, strict=True))


PARTIAL_BATCH = {"batch_size": 16}
ONE_BATCH = {"batch_size": 40, "deterministic_layers": 1, "l1": 0.1, "l2": 0.1}
LARGER_THAN_THE_DATA = {"batch_size": 100, "probability_clip": 0.01, "top_prior": "fixed"}
ONE_LEFT_OVER = {"batch_size": 13, "bound": "iwae", "momentum": 0.0}


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("method", "optimizer", "settings"),
    [
        ("gmm", "adam", PARTIAL_BATCH),
        ("gmm", "rmsprop", LARGER_THAN_THE_DATA),
        ("rws", "sgd", ONE_BATCH),
        ("vae", "sgd", ONE_LEFT_OVER),
        ("vae", "adam", PARTIAL_BATCH),
    ],
)
def test_replays_train_as_steps_do_to_the_last_bit(method, optimizer, settings):
    hyperparameters = some_hyperparameters(method=method, optimizer=optimizer, **settings)
    plain = train(SideBySide(hyperparameters, DATA, [0, 1]))
    captured = train(Captured(hyperparameters, DATA, [0, 1]))
    assert_same_progress(captured, plain)
    steps_an_epoch = -(-len(TRAIN) // hyperparameters.batch_size)
    assert captured.log.count("replay") >= 6 * steps_an_epoch // 3


def test_replays_follow_the_weight_of_a_kl_divergence_that_warms_up():
    settings = some_hyperparameters(method="vae", kl_warm_up_epochs=7, max_epochs=10, patience=10)
    plain = train(SideBySide(settings, DATA, [0, 1]))
    captured = train(Captured(settings, DATA, [0, 1]))
    assert_same_progress(captured, plain)
    assert captured.log.count("replay") > captured.log.count("capture")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_replays_follow_a_learning_rate_that_changes(optimizer):
    changing = {"warm_up_epochs": 2, "schedule": "linear", "max_epochs": 10, "patience": 10}
    settings = some_hyperparameters(optimizer=optimizer, **changing)
    plain = train(SideBySide(settings, DATA, [0, 1]))
    captured = train(Captured(settings, DATA, [0, 1]))
    assert_same_progress(captured, plain)
    replays = captured.log.count("replay")
    assert replays > captured.log.count("capture") * 5


@pytest.mark.parametrize(
    "average",
    [
        {"parameter_average": "exponential", "average_decay": 0.9},
        {"parameter_average": "uniform", "average_from_epoch": 4},
    ],
    ids=["exponential", "uniform"],
)
def test_replays_average_the_parameters_and_follow_the_stages(average):
    stages = [{"max_epochs": 6}, {"max_epochs": 6, "learning_rate": 0.02, "batch_size": 8}]
    settings = some_hyperparameters(stages=stages, **average)
    plain = train(SideBySide(settings, DATA, [0, 1]))
    captured = train(Captured(settings, DATA, [0, 1]))
    assert_same_progress(captured, plain)
    assert plain.replicates[0].points("bound_averaged")


def test_training_that_was_stopped_goes_on_through_graphs_of_its_own():
    settings = some_hyperparameters(max_epochs=12)
    unstopped = train(SideBySide(settings, DATA, [0, 1]))
    for stop in (1, 5, 8):
        stopped = train(Captured(settings, DATA, [0, 1]), stop)
        resumed = Captured(settings, DATA, [0, 1])
        resume_training(resumed, checkpoint_files(stopped)[TRAINING_FILE])
        assert_same_progress(train(resumed), unstopped)


def test_a_group_that_is_set_back_leaves_the_graphs_of_its_former_state():
    hyperparameters = some_hyperparameters()
    groups = [
        ReplicateGroup(hyperparameters, DATA.dims, [0, 1], torch.device("cpu"), build_graphs)
        for build_graphs in (lambda *_: RecordedGraphs([]), lambda *_: None)
    ]
    found = []
    for group in groups:
        with torch.no_grad():
            group.train_epoch(TRAIN)
            before = [group.row_state(row) for row in (0, 1)]
            first = [group.train_epoch(TRAIN) for _ in range(6)]
            group.restore(before)
            second = [group.train_epoch(TRAIN) for _ in range(6)]
        assert torch.equal(torch.stack(first), torch.stack(second))
        found.append(first)
    assert torch.equal(torch.stack(found[0]), torch.stack(found[1]))


def test_graphs_are_not_those_of_other_data():
    hyperparameters = some_hyperparameters()
    others = torch.from_numpy(a_dataset(seed=1).train)
    groups = [
        ReplicateGroup(hyperparameters, DATA.dims, [0], torch.device("cpu"), build_graphs)
        for build_graphs in (lambda *_: RecordedGraphs([]), lambda *_: None)
    ]
    with torch.no_grad():
        for data in [TRAIN] * 5 + [others] * 5 + [TRAIN]:
            captured, plain = (group.train_epoch(data) for group in groups)
            assert torch.equal(captured, plain)


def test_the_replicates_that_go_on_when_others_stop_are_captured_anew():
    settings = some_hyperparameters(patience=2, max_epochs=40, learning_rate=0.02, samples=2)
    plain = train(SideBySide(settings, DATA, range(4)))
    captured = train(Captured(settings, DATA, range(4)))
    assert_same_progress(captured, plain)
    assert len({replicate.epoch for replicate in captured.replicates.values()}) > 1
    shapes = 2
    assert captured.log.count("capture") > shapes


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x.sum().item(),
        lambda x: float(x[0]),
        lambda x: x[x > 0],
        lambda x: torch.tensor([1.0]) + x,
        lambda x: x.sum() > 0 or x,
    ],
)
def test_the_recording_refuses_a_step_for_which_a_gpu_would_wait(look):
    with pytest.raises(AssertionError, match="inside a step"), Recording():
        look(torch.ones(3))


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_is_computed_where_the_model_is_without_a_look_at_any_value(method):
    hyperparameters = some_hyperparameters(method=method, deterministic_layers=1)
    model = build_model(hyperparameters, DATA.dims, [0, 1], "meta")  # shapes, and no values
    streams = RandomStreams(0, [0, 1], "noise")
    streams.device = torch.device("meta")
    batch = torch.zeros(2, 16, DATA.dims, device="meta")
    with torch.no_grad():
        bound = build_objective(hyperparameters).add_gradient(model, batch, streams)
    assert bound.shape == (2, 16)
    assert bound.is_meta


needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_a_gpu
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", METHODS)
def test_on_a_gpu_replays_train_as_steps_do_to_the_last_bit(method, optimizer):
    changing = {"schedule": "linear", "max_epochs": 8, "parameter_average": "exponential"}
    hyperparameters = some_hyperparameters(method=method, optimizer=optimizer, **changing)
    data, device = TRAIN.cuda(), torch.device("cuda")
    captured = ReplicateGroup(hyperparameters, DATA.dims, [0, 1], device)
    plain = ReplicateGroup(hyperparameters, DATA.dims, [0, 1], device, lambda *_: None)
    with torch.no_grad():
        for epoch in range(1, 9):
            for group in (captured, plain):
                group.begin_epoch(epoch)
            assert torch.equal(captured.train_epoch(data), plain.train_epoch(data))
    for row in (0, 1):
        expected = plain.row_state(row)
        for name, value in captured.row_state(row).items():
            assert torch.equal(value, expected[name]), name


@needs_a_gpu
@pytest.mark.parametrize("method", METHODS)
def test_on_a_gpu_the_host_waits_for_nothing_inside_an_epoch(method):
    data, device = TRAIN.cuda(), torch.device("cuda")
    settings = some_hyperparameters(method=method, parameter_average="uniform", schedule="cosine")
    group = ReplicateGroup(settings, DATA.dims, [0, 1], device)
    with torch.no_grad():
        for epoch in range(1, 6):
            group.begin_epoch(epoch)
            group.train_epoch(data)
        torch.cuda.set_sync_debug_mode("error")
        try:
            group.begin_epoch(6)
            group.train_epoch(data)
            group.validate(data)
        finally:
            torch.cuda.set_sync_debug_mode("default")
