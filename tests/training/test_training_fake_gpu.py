"""Training on a fake GPU: no operation mixes devices, and the host waits where it is said to."""

import pytest
import torch

from gmm_study.models import RandomStreams
from gmm_study.training.build import build_model, build_objective
from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, resume_training
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.state import Ending
from gmm_study.training.trainer import Trainer
from tests.fake_gpu import fake_gpu, gradients
from tests.training.small import (
    METHODS,
    OPTIMIZERS,
    a_dataset,
    assert_same_progress,
    some_hyperparameters,
    train,
)

DATA = a_dataset()
CUDA = torch.device("cuda")

SHALLOW, DEEP = {"layers": (5,)}, {"layers": (5, 4, 3)}
UNIFORM = {"parameter_average": "uniform", "average_from_epoch": 2}
SETTINGS = [
    *({"method": method, **layers} for method in METHODS for layers in (SHALLOW, DEEP)),
    *({"optimizer": optimizer, "schedule": "cosine"} for optimizer in OPTIMIZERS),
    {"schedule": "step", "step_epochs": 2, "warm_up_epochs": 1},
    {"schedule": "linear", "optimizer": "sgd", "momentum": 0.0},
    {"schedule": "exponential", "final_learning_rate": 0.001},
    {"parameter_average": "exponential", "method": "vae"},
    {**UNIFORM, "criterion": "log_p", "criterion_samples": 7},
    {"l1": 0.1, "l2": 0.1, "deterministic_layers": 1, "matmul_precision": "high"},
    {"probability_clip": 0.01, "top_prior": "fixed", "q_baseline": "none", "method": "rws"},
    {"initialisation": "glorot", "batch_size": 40},
    {"method": "vae", "bound": "iwae", "kl_warm_up_epochs": 3, "activation": "tanh"},
    {"method": "vae", "decoder_order": "same", "encoder_output": "log_sigma", **DEEP},
]


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("replicates", "captured"), [(3, True), (1, False)], ids=["captured", "as it is"]
)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: "-".join(map(str, each.values())))
def test_the_host_waits_for_nothing_in_an_epoch_and_its_validation(settings, captured, replicates):
    hyperparameters = some_hyperparameters(**settings)
    with fake_gpu() as gpu, torch.no_grad():
        graphs = gpu if captured else None
        group = ReplicateGroup(
            hyperparameters, DATA.dims, range(replicates), CUDA, lambda *_: graphs
        )
        train_data, valid_data = (
            torch.from_numpy(rows).to(CUDA) for rows in (DATA.train, DATA.valid)
        )
        gpu.waits.clear()
        for epoch in range(1, 7 if captured else 2):
            group.begin_epoch(epoch)
            bound = group.train_epoch(train_data)
        estimates = group.validate(valid_data)
        assert gpu.waits == []
        for value in (bound, *estimates.values()):
            assert (value.shape, value.device.type) == ((replicates,), "cuda")
        assert captured == (gpu.captures > 0) == (gpu.replays > gpu.captures)


class Captured(Trainer):
    """Trains on a fake GPU, with its graphs."""

    gpu = None

    def new_group(self, indices, stage=0):
        settings, dims = self.stages[stage], self.dataset.dims
        return ReplicateGroup(settings, dims, indices, self.device, lambda *_: self.gpu)


def trainer_on(gpu, settings, replicates=(0, 1, 2)):
    trainer = Captured(settings, DATA, replicates, "cuda")
    trainer.gpu = gpu
    gpu.waits.clear()
    return trainer


class Estimates:
    """What the host reads: the first replicate gets better with every look, the others worse."""

    def __init__(self):
        self.looks = 0

    def __call__(self, shape):
        if len(shape) != 2:  # no estimates, but the state of a replicate
            return torch.zeros(shape)
        self.looks += 1
        values = torch.full(shape, -float(self.looks))
        values[0] = self.looks
        return values


AVERAGED_STAGES = {
    "parameter_average": "exponential",
    "stages": [{"max_epochs": 3}, {"max_epochs": 4, "learning_rate": 0.02, "batch_size": 8}],
}


def test_the_host_waits_once_an_epoch_and_once_for_each_replicate_whose_parameters_it_keeps():
    with fake_gpu(Estimates()) as gpu:
        trainer = trainer_on(gpu, some_hyperparameters(patience=100))
        for kept in (3, 1, 1, 1, 1):
            trainer.train_epoch()
            assert len(gpu.waits) == 1 + kept, gpu.waits
            gpu.waits.clear()
        assert gpu.replays


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("more", [{"patience": 2}, AVERAGED_STAGES], ids=["patience", "stages"])
def test_replicates_end_one_by_one_and_leave_their_parameters_on_the_cpu(method, more):
    with fake_gpu(Estimates()) as gpu:
        trainer = train(trainer_on(gpu, some_hyperparameters(method=method, **more)))
        epochs = [replicate.epoch for replicate in trainer.replicates.values()]
        assert epochs == ([6, 3, 3] if "patience" in more else [7, 7, 7])
        for replicate in trainer.replicates.values():
            assert replicate.best_parameters.device.type == "cpu"
        assert trainer.best_model().parameters.flat.device.type == "cuda"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_goes_on_from_its_checkpoint(optimizer):
    settings = some_hyperparameters(optimizer=optimizer, parameter_average="uniform", patience=100)
    with fake_gpu(Estimates()) as gpu:
        stopped = train(trainer_on(gpu, settings), 4)
        content = checkpoint_files(stopped)[TRAINING_FILE]
        resumed = trainer_on(gpu, settings)
        resume_training(resumed, content)
        (group,) = resumed.groups
        for row in range(3):
            state, expected = group.row_state(row), stopped.groups[0].row_state(row)
            assert state.keys() == expected.keys()
            assert all(tensor.device.type == "cpu" for tensor in state.values())
        assert all(each.epoch == 6 for each in train(resumed).replicates.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_training_that_moves_to_a_gpu_or_back_goes_on_with_other_random_numbers(method):
    settings = some_hyperparameters(method=method, patience=100)
    on_cpu = train(Trainer(settings, DATA, [0, 1]), 2)
    with fake_gpu(Estimates()) as gpu:
        moved = trainer_on(gpu, settings, [0, 1])
        resume_training(moved, checkpoint_files(on_cpu)[TRAINING_FILE])
        assert [group.replicates for group in moved.groups] == [[0, 1]]
        content = checkpoint_files(train(moved, 2))[TRAINING_FILE]
    back = [Trainer(settings, DATA, [0, 1]) for _ in range(2)]
    for trainer in back:
        resume_training(trainer, content)
        assert [replicate.epoch for replicate in trainer.replicates.values()] == [4, 4]
    assert_same_progress(*(train(trainer) for trainer in back))
    assert back[0].replicates[0].ending is not Ending.DIVERGED


FAULTS = {
    "device": lambda x: x + torch.ones(3),
    "generator of cpu": lambda x: x.uniform_(generator=torch.Generator()),
    "generator of cuda": lambda x: torch.ones(3).uniform_(generator=torch.Generator("cuda")),
    "shape by values": lambda x: x[x > 0],
    "wrong size": lambda x: (
        torch.Generator("cuda").manual_seed(0).set_state(torch.Generator().get_state())
    ),
}


@pytest.mark.parametrize(("message", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_fake_gpu_refuses_what_a_gpu_refuses(message, fault):
    with fake_gpu(), pytest.raises((RuntimeError, AssertionError), match=message):
        fault(torch.ones(3, device="cuda"))


WAITS = {
    "a number": lambda x: float(x[0]),
    "a truth value": lambda x: bool(x.any()),
    "a list": lambda x: x.tolist(),
    "a copy to the host": lambda x: x.cpu(),
    "a copy into memory of the host": lambda x: torch.ones(3).copy_(x),
    "a copy to the device": lambda x: torch.ones(3).to(x.device),
    "a tensor of numbers": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "indices of the host": lambda x: x[torch.tensor([0, 1])],
    "a comparison": lambda x: torch.equal(x, x),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_a_fake_gpu_counts_each_time_that_the_host_waits_and_refuses_it_in_a_captured_step(wait):
    with fake_gpu() as gpu:
        x = torch.ones(3, device="cuda")
        wait(x)
        assert len(gpu.waits) == 1
        with pytest.raises(AssertionError, match="in a captured step"):
            gpu.capture(lambda: wait(x))


def test_a_fake_gpu_does_not_count_what_is_only_queued():
    with fake_gpu() as gpu:
        x = torch.ones(3, device="cuda")
        torch.ones(3).pin_memory().to("cuda", non_blocking=True)
        x[torch.zeros(2, dtype=torch.long, device="cuda")].mul_(2.0).fill_(1.0)
        assert gpu.waits == []


def test_a_number_of_the_host_in_a_captured_step_would_never_change_so_it_is_refused():
    with fake_gpu() as gpu, pytest.raises(AssertionError, match="host memory in a captured step"):
        gpu.capture(lambda: torch.ones(3, device="cuda") * torch.tensor(2.0))


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_the_gradients_of_a_fake_gpu_are_those_of_autograd(bound, monkeypatch):
    settings = some_hyperparameters(method="vae", bound=bound, layers=(5, 4, 3))
    found = []
    for with_the_fake in (False, True):
        if with_the_fake:
            monkeypatch.setattr("torch.autograd.grad", gradients)
        model = build_model(settings, DATA.dims, [0, 1])
        with torch.no_grad():
            model.initialise(RandomStreams(0, [0, 1], "initialisation"))
            batch = torch.from_numpy(DATA.train).float().expand(2, -1, -1)
            build_objective(settings).add_gradient(model, batch, RandomStreams(0, [0, 1], "noise"))
        found.append(model.parameters.grad)
    torch.testing.assert_close(found[0], found[1])
    assert found[0].abs().sum() > 0
