"""The plain autograd version of every objective, as the reference of the gradients by hand.

It takes the states that were sampled and writes down docs/spec.md#objectives literally, one
replicate at a time. It shares nothing with the code under test but the names of the parameters.
"""

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from gmm_study.models import SigmoidBeliefNetwork


class Recorder(SigmoidBeliefNetwork):
    """The model, remembering the states it sampled."""

    def infer(self, data, samples, streams):
        inferred = super().infer(data, samples, streams)
        self.states = inferred.states
        return inferred

    def generate(self, datapoints, streams):
        generated = super().generate(datapoints, streams)
        self.dream = generated.states
        return generated


def leaf_tensors(model) -> dict[str, Tensor]:
    """Copies of the model's parameters `[R, *shape]` that autograd follows."""
    return {name: model.parameters[name].clone().requires_grad_() for name in model.parameters}


def _logits(tensors, name, state, replicate, layers):
    for layer in range(layers):
        weight = tensors[f"{name}.{layer}.weight"][replicate]
        bias = tensors[f"{name}.{layer}.bias"][replicate]
        state = state @ weight + bias
        if layer < layers - 1:
            state = torch.tanh(state)
    return state


def log_p_and_q(tensors, states, replicate, layers_inside):
    """log p(x, h) and log q(h | x), `[B, K]`, of states `[B, K, n]` from data to top."""
    top = tensors["generative.top.logits"][replicate]
    log_p = Bernoulli(logits=top).log_prob(states[-1]).sum(-1)
    log_q = 0.0
    for layer in range(len(states) - 1):
        down = _logits(tensors, f"generative.{layer}", states[layer + 1], replicate, layers_inside)
        up = _logits(tensors, f"inference.{layer}", states[layer], replicate, layers_inside)
        log_p = log_p + Bernoulli(logits=down).log_prob(states[layer]).sum(-1)
        log_q = log_q + Bernoulli(logits=up).log_prob(states[layer + 1]).sum(-1)
    return log_p, log_q


def _states_of(states, replicate, samples):
    return [state[replicate].expand(-1, samples, -1) for state in states]


def gmm_surrogate(tensors, states, samples, beta, layers_inside):
    """What autograd ascends for gmm: weights constant, mean over the batch, sum over replicates."""
    total = 0.0
    for replicate in range(states[0].shape[0]):
        mine = _states_of(states, replicate, samples)
        log_p, log_q = log_p_and_q(tensors, mine, replicate, layers_inside)
        weights = torch.softmax((log_p - log_q) / 2, dim=1).detach()
        total = total + (weights * log_p + (weights - beta) * log_q).sum(1).mean()
    return total


def rws_surrogate(tensors, states, dream, samples, beta, layers_inside):
    """What autograd ascends for rws: wake update of p, half wake and half sleep update of q."""
    total = 0.0
    for replicate in range(states[0].shape[0]):
        mine = _states_of(states, replicate, samples)
        log_p, log_q = log_p_and_q(tensors, mine, replicate, layers_inside)
        weights = torch.softmax(log_p - log_q, dim=1).detach()
        total = total + (weights * log_p + 0.5 * (weights - beta) * log_q).sum(1).mean()
        _, log_q_dream = log_p_and_q(
            tensors, _states_of(dream, replicate, 1), replicate, layers_inside
        )
        total = total + 0.5 * log_q_dream.mean()
    return total
