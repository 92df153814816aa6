"""On a CPU, the steps of small models are recorded and run again, and train as the steps do."""

from dataclasses import replace

import pytest
import torch

from gmm_study.models import fused
from gmm_study.training import methods, passes
from gmm_study.training.captured import build_graphs
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.recorded import RecordedSteps
from tests.training.small import METHODS, OPTIMIZERS, a_dataset, some_hyperparameters

DATA = torch.from_numpy(a_dataset(dims=9).train)
CPU = torch.device("cpu")


def states_of(settings, epochs, build=build_graphs):
    """What a group of two replicates is after some epochs, and how many steps were replayed."""
    group = ReplicateGroup(settings, DATA.shape[1], [0, 1], CPU, build)
    with torch.no_grad():
        for epoch in range(1, epochs + 1):
            group.begin_epoch(epoch)
            group.train_epoch(DATA)
    return [group.row_state(row) for row in (0, 1)]


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        assert [name for name in one if not torch.equal(one[name], other[name])] == []


class Counted(RecordedSteps):
    """Counts replays."""

    def __init__(self):
        self.replays = 0

    def capture(self, work):
        replay = super().capture(work)

        def counted():
            self.replays += 1
            replay()

        return counted


@pytest.mark.sampled
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", METHODS)
def test_recorded_steps_train_as_unrecorded_ones_to_the_last_bit(method, optimizer):
    settings = some_hyperparameters(
        method=method,
        optimizer=optimizer,
        deterministic_layers=1,
        schedule="cosine",
        max_epochs=8,
        parameter_average="exponential",
        **({"l1": 1e-3} if methods.METHODS[method].model.penalised else {}),
    )
    counted = Counted()
    found = states_of(settings, 8, lambda *_: counted)
    assert_equal(found, states_of(settings, 8, lambda *_: None))
    assert counted.replays > 8


@pytest.mark.parametrize("threads", [1, 2])
def test_recorded_steps_have_as_many_threads_as_others(threads):
    settings = some_hyperparameters(layers=(60, 20), samples=20, batch_size=40)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert_equal(states_of(settings, 6), states_of(settings, 6, lambda *_: None))
    finally:
        torch.set_num_threads(before)


def test_a_recording_is_of_the_loops_or_of_torch_as_the_step_was():
    settings = some_hyperparameters()
    with fused.switched_off():
        assert_equal(states_of(settings, 6), states_of(settings, 6, lambda *_: None))


def test_large_models_and_methods_that_do_not_allow_it_are_not_recorded(monkeypatch):
    settings = some_hyperparameters(layers=(5, 3), samples=4, batch_size=16)
    assert isinstance(build_graphs(settings, CPU, []), RecordedSteps)
    monkeypatch.setattr(passes, "MOST_RECORDED_STATES", 16 * 4 * 8)
    assert isinstance(build_graphs(settings, CPU, []), RecordedSteps)
    monkeypatch.setattr(passes, "MOST_RECORDED_STATES", 16 * 4 * 8 - 1)
    assert build_graphs(settings, CPU, []) is None
    monkeypatch.undo()
    unrecorded = replace(methods.GMM, recorded_on_cpu=False)
    monkeypatch.setitem(methods.BUILT_IN, "gmm", unrecorded)
    assert build_graphs(settings, CPU, []) is None
