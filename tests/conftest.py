"""What tests of several rooms start from."""

import pytest


@pytest.fixture
def epochs_trained(monkeypatch):
    """The replicates of every epoch that is trained from here on."""
    from gmm_study.training.group import ReplicateGroup

    trained, original = [], ReplicateGroup.train_epoch

    def train_epoch(group, data):
        trained.extend(group.replicates)
        return original(group, data)

    monkeypatch.setattr(ReplicateGroup, "train_epoch", train_epoch)
    return trained
