"""The peers compute what we compute: the same densities, gradients and estimates."""

import pytest
import torch

from bench.cases import Network
from bench.peers import PEERS, TWO_PASSES, PlainTraining, naive_log_p
from gmm_study.estimators import estimate_log_p
from gmm_study.exact import exact_log_likelihoods
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, VariationalAutoencoder
from gmm_study.objectives import GeometricMeanMatching, ReweightedWakeSleep, VariationalBound
from tests.networks import Recorder

BATCH, SAMPLES, DIMS, SIZES = 5, 4, 6, (5, 4, 3)
OBJECTIVES = {"gmm": GeometricMeanMatching, "rws": ReweightedWakeSleep, "vae": VariationalBound}


def our_model(kind, dtype=torch.float64):
    model = kind(DIMS, SIZES, 1, dtype=dtype)
    streams = RandomStreams(0, [0], "initialisation", dtype=dtype)
    model.initialise(streams)
    model.parameters.flat += 0.5 * streams.normal(model.parameters.flat.shape[1])
    return model


def linear_layers(plain, method):
    """The peer's layers by the names of our parameters."""
    if method == "vae":
        rooms = {"encoder": plain.encoder[::2], "decoder": plain.decoder[::2]}
        return {
            f"{room}.{i}": layer for room, layers in rooms.items() for i, layer in enumerate(layers)
        }
    rooms = {"inference": plain.up, "generative": plain.down}
    return {
        f"{room}.{i}.0": layer for room, layers in rooms.items() for i, layer in enumerate(layers)
    }


@torch.no_grad()
def plain_model(model, method):
    """The peer with our parameters."""
    plain = PEERS[method](DIMS, SIZES).to(model.parameters.flat.dtype)
    for name, layer in linear_layers(plain, method).items():
        layer.weight.copy_(model.parameters[f"{name}.weight"][0].T)
        layer.bias.copy_(model.parameters[f"{name}.bias"][0])
    if method != "vae":
        plain.top.copy_(model.parameters["generative.top.logits"][0])
    return plain


def rows_of(states, samples):
    """Our states `[1, B, S, n]` as the peer's `[B * K, n]`."""
    return [state[0].expand(-1, samples, -1).flatten(0, 1) for state in states]


def a_batch(dtype=torch.float64):
    return (torch.rand(BATCH, DIMS, generator=torch.Generator().manual_seed(1)) < 0.5).to(dtype)


def assert_peer_descends_what_we_ascend(plain, model, method):
    for name, layer in linear_layers(plain, method).items():
        gradient = model.parameters.gradient(f"{name}.weight")[0]
        torch.testing.assert_close(layer.weight.grad.T, -gradient, rtol=1e-10, atol=1e-10)
        gradient = model.parameters.gradient(f"{name}.bias")[0]
        torch.testing.assert_close(layer.bias.grad, -gradient, rtol=1e-10, atol=1e-10)


def test_the_peers_densities_of_given_states_are_ours():
    model = our_model(SigmoidBeliefNetwork)
    plain = plain_model(model, "gmm")
    states = model.infer(
        a_batch()[None], SAMPLES, RandomStreams(0, [0], "noise", dtype=torch.float64)
    ).states
    rows = rows_of(states, SAMPLES)
    torch.testing.assert_close(plain.log_p(rows), model.score_generative(states).log_prob.flatten())
    torch.testing.assert_close(plain.log_q(rows), model.score_inference(states).log_prob.flatten())


@pytest.mark.parametrize("peer", ["gmm", TWO_PASSES])
def test_what_the_peer_samples_has_the_density_it_says(peer):
    plain = plain_model(our_model(SigmoidBeliefNetwork), peer)
    states, log_q = plain.infer(a_batch(), SAMPLES)
    assert [state.shape for state in states] == [(BATCH * SAMPLES, n) for n in (DIMS, *SIZES)]
    torch.testing.assert_close(log_q, plain.log_q(states))


@pytest.mark.parametrize(("peer", "method"), [("gmm", "gmm"), (TWO_PASSES, "gmm"), ("rws", "rws")])
def test_the_peers_gradient_on_the_same_states_is_ours(peer, method):
    model = our_model(Recorder)
    OBJECTIVES[method](SAMPLES).add_gradient(
        model, a_batch()[None], RandomStreams(0, [0], "noise", dtype=torch.float64)
    )
    plain = plain_model(model, peer)
    states = rows_of(model.states, SAMPLES)
    plain.infer = lambda data, samples: (states, plain.log_q(states))
    plain.generate = lambda datapoints: rows_of(model.dream, 1)
    plain.loss(a_batch(), SAMPLES).backward()
    assert_peer_descends_what_we_ascend(plain, model, method)
    top = model.parameters.gradient("generative.top.logits")[0]
    torch.testing.assert_close(plain.top.grad, -top, rtol=1e-10, atol=1e-10)


def test_the_vae_peers_loss_and_gradient_with_the_same_noise_are_ours(monkeypatch):
    model = our_model(VariationalAutoencoder)
    bound = VariationalBound(SAMPLES).add_gradient(
        model, a_batch()[None], RandomStreams(0, [0], "noise", dtype=torch.float64)
    )
    noise = RandomStreams(0, [0], "noise", dtype=torch.float64).normal(BATCH, SAMPLES, SIZES[-1])
    monkeypatch.setattr(torch, "randn", lambda *shape: noise[0].transpose(0, 1))
    plain = plain_model(model, "vae")
    loss = plain.loss(a_batch(), SAMPLES)
    loss.backward()
    torch.testing.assert_close(loss, -bound.mean())
    assert_peer_descends_what_we_ascend(plain, model, "vae")


def test_the_naive_evaluation_and_ours_agree_with_enumeration_within_standard_errors():
    model = our_model(SigmoidBeliefNetwork, torch.float32)
    plain = plain_model(model, "gmm")
    data, repeats, samples = a_batch(torch.float32), 50, 200
    torch.manual_seed(0)
    many = data.repeat(repeats, 1)
    exact = exact_log_likelihoods(model, data)["log_p"][0]
    streams = RandomStreams(0, [0], "evaluation")
    for estimates in (
        naive_log_p(plain, many, samples),
        estimate_log_p(model, many, samples, streams)["log_p"][0],
    ):
        ratios = (estimates.double().view(repeats, BATCH) - exact).exp()
        errors = ratios.std(0) / repeats**0.5
        assert ((ratios.mean(0) - 1.0).abs() < 4.0 * errors).all()


@pytest.mark.sampled
@pytest.mark.parametrize("method", ["gmm", "rws", "vae"])
def test_a_peer_learns(method):
    torch.manual_seed(0)
    training = PlainTraining(method, Network(DIMS, SIZES), SAMPLES)
    data = torch.zeros(300, DIMS, dtype=torch.uint8)
    losses = [training.train_epoch(data) for _ in range(40)]
    assert losses[-1] < losses[0]
