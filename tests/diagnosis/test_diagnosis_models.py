"""What is measured of models, against enumeration: refined q, information of units, gaps."""

from itertools import product

import numpy as np
import pytest
import torch

from gmm_study.data import Dataset
from gmm_study.diagnosis.refined import gain_of_refining
from gmm_study.diagnosis.units import layers_of
from gmm_study.estimators import estimate_bound
from gmm_study.exact import exact_log_likelihoods
from gmm_study.models import RandomStreams, VariationalAutoencoder
from gmm_study.objectives import GeometricMeanMatching
from gmm_study.training.build import build_model, build_objective
from gmm_study.training.hyperparameters import Hyperparameters
from tests.networks import a_network

METHODS = ("gmm", "rws", "vimco", "nvil")
DATA = torch.tensor(list(product((0.0, 1.0), repeat=4)))


def streams_of(seed, purpose="test"):
    return RandomStreams(seed, [0], purpose)


def a_trained_kind(method, sizes, spread=1.5, **settings):
    """A model of a method far from its initial parameters, and its settings."""
    hyperparameters = Hyperparameters(method=method, layers=sizes, **settings)
    model = build_model(hyperparameters, 4, [0])
    model.initialise(streams_of(3, "initialisation"))
    noise = streams_of(4, "spread").normal(model.parameters.flat.shape[1])
    for name, view in model.parameters.views_of(noise).items():
        if not name.startswith("baseline."):  # of nvil, which would no longer be one
            model.parameters[name].add_(spread * view)
    return hyperparameters, model


def mean_bound(settings, model, repeats=200):
    """The mean bound of every datapoint and its standard error over repeats."""
    objective = build_objective(settings)
    found = torch.stack(
        [
            estimate_bound(objective, model, DATA, streams_of(number, "repeats"))["bound"][0]
            for number in range(repeats)
        ]
    )
    return found.mean(0), found.std(0) / repeats**0.5


@pytest.mark.sampled
@pytest.mark.parametrize("method", METHODS)
def test_refining_q_closes_the_gap_where_q_can_be_the_posterior(method):
    # With a single unit the posterior of every datapoint is of q's form.
    settings, model = a_trained_kind(method, (1,), samples=5)
    exact = exact_log_likelihoods(model, DATA)["log_p"][0]
    bound, error = mean_bound(settings, model)
    gap = exact - bound
    gains = torch.stack(
        [gain_of_refining(settings, model, DATA, streams_of(seed)) for seed in range(4)]
    )
    gain, spread = gains.mean(0), gains.std(0) / len(gains) ** 0.5
    of_mean = 4 * float((error.square() + spread.square()).sum().sqrt()) / len(DATA)
    assert abs(float(gain.mean()) - float(gap.mean())) < of_mean
    assert float(gap.mean()) > of_mean


@pytest.mark.sampled
@pytest.mark.parametrize("method", METHODS)
def test_refining_leaves_the_model_as_it_was(method):
    settings, model = a_trained_kind(method, (3, 2), samples=5)
    before = model.parameters.flat.clone()
    gain_of_refining(settings, model, DATA, streams_of(0))
    assert torch.equal(model.parameters.flat, before)
    assert type(model) is type(a_trained_kind(method, (3, 2))[1])


class InfersByItself(GeometricMeanMatching):
    """Scores its states under q itself, so the offsets get no gradient."""

    def add_gradient(self, model, data, streams):
        """That of q alone."""
        inferred = model.score_inference(model.infer(data, self.samples, streams).states)
        model.add_inference_gradient(inferred, torch.ones_like(inferred.log_prob))
        return inferred.log_prob.mean(2)


def test_an_objective_that_gives_the_offsets_no_gradient_is_not_judged(monkeypatch):
    settings, model = a_trained_kind("gmm", (3, 2), samples=5)
    monkeypatch.setattr(
        "gmm_study.diagnosis.refined.build_objective", lambda own: InfersByItself(own.samples)
    )
    assert gain_of_refining(settings, model, DATA, streams_of(0)) is None


@pytest.mark.sampled
@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_refining_the_encoder_of_a_vae_raises_its_bound(bound):
    settings, model = a_trained_kind("vae", (6, 2), spread=0.7, samples=10, bound=bound)
    before = model.parameters.flat.clone()
    gains = torch.stack(
        [gain_of_refining(settings, model, DATA, streams_of(seed)) for seed in range(4)]
    ).mean(1)
    assert float(gains.mean()) > 4 * float(gains.std() / len(gains) ** 0.5)
    assert torch.equal(model.parameters.flat, before)


def exact_information(given_x):
    """Of each unit about x, from its probabilities `[N, n]`."""
    mean = given_x.mean(0)

    def entropy(p):
        return -(p * p.log() + (1 - p) * (1 - p).log())

    return entropy(mean) - entropy(given_x).mean(0)


def test_the_information_of_units_is_that_of_enumeration():
    model = a_network(spread=1.5, dtype=torch.float32, sizes=(3, 2))
    parameters = model.parameters
    first = model.inference[0](parameters, DATA[None, :, None]).probabilities[0, :, 0].double()
    states = torch.tensor(list(product((0.0, 1.0), repeat=3)))
    above = model.inference[1](parameters, states[None, :, None]).probabilities[0, :, 0].double()
    chosen = states.double()[None] * first[:, None] + (1 - states.double()[None]) * (
        1 - first[:, None]
    )
    second = chosen.prod(2) @ above
    found = [layers_of(model, DATA, streams_of(seed)) for seed in range(40)]
    below = [layers[0].information for layers in found]
    assert np.allclose(below, exact_information(first), atol=1e-6)  # rounding of float32
    upper = np.array([layers[1].information for layers in found])
    error = upper.std(0, ddof=1) / len(upper) ** 0.5
    assert (abs(upper.mean(0) - exact_information(second).numpy()) < 4 * error).all()


def test_the_parts_are_the_latent_layers_of_q_and_those_of_p_below_another():
    model = a_network(dtype=torch.float32, sizes=(3, 2, 2))
    layers = layers_of(model, DATA, streams_of(0))
    parts = ["q(h1 | x)", "q(h2 | h1)", "q(h3 | h2)", "p(h1 | h2)", "p(h2 | h3)"]
    assert [layer.part for layer in layers] == parts
    assert [len(layer.information) for layer in layers] == [3, 2, 2, 0, 0]


def test_the_slope_is_one_at_one_half_and_vanishes_with_large_logits():
    model = a_network(dtype=torch.float32, sizes=(3, 2))
    model.parameters.flat.zero_()
    assert all(layer.slope == 1.0 for layer in layers_of(model, DATA, streams_of(0)))
    for name in model.parameters:
        model.parameters[name].fill_(50.0)
    assert all(layer.slope < 1e-12 for layer in layers_of(model, DATA, streams_of(0)))


def test_a_dimension_of_a_vae_that_ignores_the_data_has_no_information():
    model = VariationalAutoencoder(4, (2,), 1)
    model.initialise(streams_of(0, "initialisation"))
    weight = model.parameters["encoder.0.weight"]
    weight.zero_()
    weight[0, :, 1] = 2.0  # the mean of the second dimension alone
    (layer,) = layers_of(model, DATA, streams_of(0))
    dead, alive = layer.information
    assert dead == 0.0
    assert alive > 0.0


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measurements of a model that can be enumerated, trained on bars."""
    import gmm_study
    from gmm_study.data import load_dataset
    from gmm_study.diagnosis.measured import Measured
    from gmm_study.training.checkpoint import open_checkpoint

    folder = tmp_path_factory.mktemp("bars") / "rws"
    settings = {"method": "rws", "layers": [4, 2], "max_epochs": 3, "learning_rate": 0.01}
    gmm_study.train("bars", output=folder, device="cpu", threads=1, **settings)
    bars = load_dataset("bars")
    splits = {"train": bars.train[:50], "valid": bars.valid[:40], "test": bars.test[:5]}
    small = Dataset.from_splits("bars", splits)
    return Measured(open_checkpoint(folder), 0, small, samples=2000, datapoints=100, draws=40)


def test_as_many_training_rows_as_validation_rows_are_used_each_once(measured):
    assert len(measured.train) == len(measured.valid) == measured.likelihoods.rows == 40
    rows = sorted(map(tuple, measured.valid.tolist()))
    assert rows == sorted(map(tuple, measured.dataset.valid.tolist()))


def test_log_p_of_both_sets_is_the_exact_one_and_the_bound_is_below_it(measured):
    found = measured.likelihoods
    for rows, mean in ((measured.train, found.train_log_p), (measured.valid, found.valid_log_p)):
        exact = exact_log_likelihoods(measured.model, rows)["log_p"][0]
        assert abs(float(exact.mean()) - mean.value) < 4 * mean.error
        assert mean.error == pytest.approx(float(exact.std()) / 40**0.5, rel=0.05)
    assert found.valid_gap.value > 0
    assert found.train_gap.value > 0


def test_the_signal_to_noise_has_every_layer_of_q(measured):
    assert list(measured.gradient_of_q) == ["q(h1 | x)", "q(h2 | h1)"]
    assert all(each.signal_to_noise_upper > 0 for each in measured.gradient_of_q.values())


def test_the_rows_that_are_announced_are_those_that_are_told(measured):
    told = []
    fresh = type(measured)(measured.checkpoint, 0, measured.dataset, 10, 30, 40, watch=told.append)
    assert fresh.likelihoods.rows == 30
    assert fresh.gain_of_refining is not None
    assert sum(told) == fresh.sample_rows == 3 * 30 * 10
