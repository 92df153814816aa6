"""The pictures at a trial's end are made of the seed alone, and never cost its result."""

import pytest

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset, some_hyperparameters

SAMPLES, OF_P_STAR = "samples.png", ["chain.gif", "inpainting.png", "samples_p_star.png"]


def finish(folder, image_shape=(2, 3), **settings):
    dataset = a_dataset(image_shape=image_shape)
    hyperparameters = some_hyperparameters(max_epochs=2, **settings)
    config = TrialConfig(hyperparameters, dataset.name, dataset.sha256)
    run = TrialRun(config, dataset, range(1), Record.at(str(folder)))
    while not run.finished:
        run.advance()
    return folder


def pictures(folder):
    return {path.name: path.read_bytes() for path in (folder / "pictures").glob("*")}


@pytest.mark.parametrize(
    ("method", "names"), [("gmm", [*OF_P_STAR, SAMPLES]), ("rws", [SAMPLES]), ("vae", [SAMPLES])]
)
def test_gmm_leaves_pictures_of_p_and_p_star_and_the_others_of_p(tmp_path, method, names):
    assert sorted(pictures(finish(tmp_path, method=method))) == sorted(names)


def test_data_that_are_no_images_leave_none(tmp_path):
    assert not (finish(tmp_path, image_shape=None) / "pictures").exists()


def test_the_same_trial_leaves_the_same_pictures(tmp_path):
    assert pictures(finish(tmp_path / "one")) == pictures(finish(tmp_path / "other"))


def test_pictures_that_fail_cost_no_result(tmp_path, monkeypatch, caplog):
    def fail(*arguments):
        raise RuntimeError("no memory left")

    monkeypatch.setattr("gmm_study.trials.run.write_pictures", fail)
    assert Record.at(str(finish(tmp_path))).state(1) == "complete"
    assert "no memory left" in caplog.text
