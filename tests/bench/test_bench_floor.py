"""The floor counts the products that a training step has, no more and no fewer."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.cases import Network
from bench.floor import products
from bench.peers import PEERS

BATCH, NETWORK = 6, Network(11, (7, 5, 3))


def operations(method, samples):
    return sum(each.operations for each in products(method, NETWORK, BATCH, samples))


def operations_of_the_peer(method, samples):
    plain = PEERS[method](NETWORK.data_dims, NETWORK.sizes)
    data = (torch.rand(BATCH, NETWORK.data_dims) < 0.5).float()
    with FlopCounterMode(display=False) as counter:
        plain.loss(data, samples).backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(("method", "samples"), [("gmm", 1), ("rws", 1), ("vae", 1), ("vae", 4)])
def test_the_floor_has_as_many_operations_as_torch_counts_in_the_peer(method, samples):
    assert operations(method, samples) == operations_of_the_peer(method, samples)


@pytest.mark.parametrize("method", ["gmm", "rws"])
def test_with_more_samples_the_floor_keeps_the_first_layer_of_q_on_the_data(method):
    samples = 4
    logits_and_gradient = 2 * (2 * BATCH * NETWORK.data_dims * NETWORK.sizes[0])
    saved = (samples - 1) * logits_and_gradient
    assert operations(method, samples) == operations_of_the_peer(method, samples) - saved
