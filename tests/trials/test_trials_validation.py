"""The kept model is estimated anew on the validation data, for selection and to find collapse."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gmm_study.data import Dataset, independent_log_likelihoods
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import Ending, TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.evaluation import evaluate_on_validation, has_collapsed
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.networks import DIMS, SIZES, a_network
from tests.oracle import enumerate_states
from tests.training.small import a_dataset, some_hyperparameters

ROWS = np.random.RandomState(3).randint(2, size=(60, DIMS))
DATA = Dataset.from_splits("bits", {"train": ROWS, "valid": ROWS[:50], "test": ROWS[:7]})


def evaluate(selection_samples=2000, **settings):
    settings |= {"layers": SIZES, "selection_samples": selection_samples}
    hyperparameters = Hyperparameters(**settings)
    model = a_network(dtype=torch.float32)
    return evaluate_on_validation(hyperparameters, model, DATA, 0, 4000)


def test_log_p_is_that_of_the_validation_data_by_enumeration():
    found = evaluate()
    exact = enumerate_states(a_network(dtype=torch.float32).parameters, torch.from_numpy(ROWS[:50]))
    errors = ((1.0 / exact.ess - 1.0) / 2000).sqrt()
    error = errors.square().mean().sqrt() / 50**0.5
    assert abs(found["valid/log_p"] - exact.log_p.mean()) < 4.0 * error
    spread = exact.log_p.std() / 50**0.5
    assert found["valid/log_p_se"] == pytest.approx(spread.item(), rel=0.1)


def test_all_trials_of_a_seed_draw_the_same_numbers_for_it():
    """Settings of the training do not change them; the seed and the number of samples do."""
    assert evaluate(10) == evaluate(10, learning_rate=0.1, samples=3, evaluation_samples=5)
    assert evaluate(10) != evaluate(10, seed=1)
    assert evaluate(10) != evaluate(11)


def test_it_changes_no_other_figure_of_a_trial(tmp_path):
    data, found = a_dataset(), []
    for samples in (100, 7):
        settings = some_hyperparameters(max_epochs=2, selection_samples=samples)
        run = TrialRun(
            TrialConfig(settings, data.name, data.sha256),
            data,
            [0],
            Record.at(str(tmp_path / str(samples))),
        )
        while not run.finished:
            run.advance()
        found.append(run.result().replicates[0].metrics)
    differ = {name for name in found[0] if found[0][name] != found[1][name]}
    assert differ == {"valid/log_p", "valid/log_p_se"}


def test_independent_pixels_are_bernoullis_with_the_smoothed_means_of_the_training_data():
    train = np.array([[1, 0], [1, 0], [0, 0]], np.uint8)  # means 2.5 / 4 and 0.5 / 4
    found = independent_log_likelihoods(train, np.array([[1, 0], [0, 1]], np.uint8))
    assert found == pytest.approx(np.log([0.625 * 0.875, 0.375 * 0.125]))


def test_they_sum_to_one_over_all_data():
    every_x = (np.arange(2**DIMS)[:, None] >> np.arange(DIMS) & 1).astype(np.uint8)
    found = independent_log_likelihoods(DATA.train, every_x)
    assert np.exp(found).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("gain", "collapsed"), [(-1.0, True), (0.0, True), (0.09, True), (0.11, False), (5.0, False)]
)
def test_a_model_has_collapsed_if_it_gains_at_most_a_tenth_of_a_nat(gain, collapsed):
    metrics = {"valid/log_p": -20.0 + gain, "valid/independent": -20.0}
    assert has_collapsed(metrics, DATA) is collapsed  # 4 dims, 60 rows: D / (2 M) is 0.03


def test_on_few_training_data_the_margin_is_what_the_means_cost():
    few = replace(DATA, train=DATA.train[:10])  # D / (2 M) is 0.2
    for gain, collapsed in ((0.19, True), (0.21, False)):
        metrics = {"valid/log_p": -20.0 + gain, "valid/independent": -20.0}
        assert has_collapsed(metrics, few) is collapsed


def train(tmp_path, data, **settings):
    hyperparameters = some_hyperparameters(batch_size=50, **settings)
    config = TrialConfig(hyperparameters, data.name, data.sha256)
    record = Record.at(str(tmp_path))
    run = TrialRun(config, data, [0], record)
    while not run.finished:
        run.advance()
    return record.result().replicates[0]


def test_a_model_of_pixels_that_are_independent_ends_collapsed_and_complete(tmp_path):
    random = np.random.RandomState(0)
    rows = (random.uniform(size=(1500, 6)) < [0.1, 0.3, 0.5, 0.7, 0.9, 0.2]).astype(np.uint8)
    splits = dict(zip(("train", "valid", "test"), np.split(rows, [1000, 1400]), strict=True))
    ended = train(tmp_path, Dataset.from_splits("coins", splits), method="vae", max_epochs=8)
    assert ended.collapsed
    assert (ended.state, ended.ending) == (TrialState.COMPLETE, Ending.EPOCHS)
    assert ended.how_it_ended == ("epochs", "collapsed")
    expected = independent_log_likelihoods(splits["train"], splits["valid"]).mean()
    assert ended.metrics["valid/independent"] == pytest.approx(expected)


def test_a_model_that_has_learned_something_does_not(tmp_path):
    patterns = np.random.RandomState(1).randint(2, size=(2, 8))
    rows = patterns[np.random.RandomState(2).randint(2, size=1500)].astype(np.uint8)
    splits = dict(zip(("train", "valid", "test"), np.split(rows, [1000, 1400]), strict=True))
    ended = train(tmp_path, Dataset.from_splits("patterns", splits), max_epochs=20)
    assert ended.how_it_ended == ("epochs",)
    assert ended.metrics["valid/log_p"] > ended.metrics["valid/independent"] + 1.0
