"""The pictures at a trial's end cost little beside its training."""

from io import BytesIO

import pytest
from PIL import Image

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset, some_hyperparameters


def frames_after(epochs, folder):
    dataset = a_dataset(image_shape=(2, 3))
    hyperparameters = some_hyperparameters(max_epochs=epochs, patience=1000, evaluation_samples=2)
    config = TrialConfig(hyperparameters, dataset.name, dataset.sha256)
    run = TrialRun(config, dataset, range(1), Record.at(str(folder)))
    while not run.finished:
        run.advance()
    return Image.open(BytesIO(run.record.read_file("pictures/chain.gif"))).n_frames


@pytest.mark.parametrize("epochs", [1, 8])
def test_a_chain_is_no_longer_than_the_training_was(tmp_path, epochs):
    assert 1 < frames_after(epochs, tmp_path) <= 1 + epochs


def test_the_chain_of_a_long_training_stays_short(tmp_path):
    assert frames_after(200, tmp_path / "long") == frames_after(400, tmp_path / "longer")
