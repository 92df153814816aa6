"""Products may be less precise in training steps, and nowhere else."""

import pytest
import torch

from gmm_study.training.group import ReplicateGroup
from gmm_study.training.hyperparameters import Hyperparameters
from tests.training.small import a_dataset, some_hyperparameters

DATA = a_dataset()
TRAIN, VALID = torch.from_numpy(DATA.train), torch.from_numpy(DATA.valid)


class Watched:
    """An objective that notes the precision under which it is asked."""

    def __init__(self, objective, seen):
        self.objective, self.seen, self.samples = objective, seen, objective.samples

    def add_gradient(self, *arguments):
        self.seen.append(("train", torch.get_float32_matmul_precision()))
        return self.objective.add_gradient(*arguments)

    def estimates(self, *arguments):
        self.seen.append(("validate", torch.get_float32_matmul_precision()))
        return self.objective.estimates(*arguments)


def a_watched_group(**settings):
    group = ReplicateGroup(some_hyperparameters(**settings), DATA.dims, [0], torch.device("cpu"))
    seen = []
    group.objective = Watched(group.objective, seen)
    return group, seen


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_a_step_has_the_precision_that_was_set_and_validation_what_was_there(precision):
    group, seen = a_watched_group(matmul_precision=precision)
    with torch.no_grad():
        group.train_epoch(TRAIN)
        group.validate(VALID)
    assert set(seen) == {("train", precision), ("validate", "highest")}
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_step_that_fails_leaves_the_precision_as_it_was():
    group, _ = a_watched_group(matmul_precision="medium")
    with torch.no_grad(), pytest.raises(IndexError):
        group.train_on(TRAIN, torch.full((1, 16), 10**6))
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_precision_counts_for_the_identity_of_a_trial_unless_it_is_the_highest():
    plain = Hyperparameters()
    assert "matmul_precision" not in plain.identity()
    assert Hyperparameters(matmul_precision="highest").identity() == plain.identity()
    others = [Hyperparameters(matmul_precision=name).identity() for name in ("high", "medium")]
    assert plain.identity() not in others
    assert others[0] != others[1]
