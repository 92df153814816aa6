"""Sampling on a fake GPU: no operation mixes devices, and the host does not wait for a sweep."""

import pytest
import torch

from gmm_study.models import RandomStreams
from gmm_study.sampling import GibbsChain, inpainting_chain, occluded_dims, sample_p
from gmm_study.training.build import build_model
from gmm_study.trials.pictures import write_pictures
from tests.fake_gpu import fake_gpu
from tests.training.small import METHODS, a_dataset, some_hyperparameters

DATA = a_dataset(image_shape=(2, 3))


def model_and_streams(method, layers, replicates):
    settings = some_hyperparameters(method=method, layers=layers)
    model = build_model(settings, DATA.dims, range(replicates), "cuda")
    return model, RandomStreams(0, range(replicates), "samples", "cuda")


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_the_host_waits_for_nothing_while_p_is_sampled(method, replicates):
    with fake_gpu() as gpu:
        model, streams = model_and_streams(method, (5, 3), replicates)
        samples, means = sample_p(model, 7, streams)
        assert samples.shape == means.shape == (replicates, 7, DATA.dims)
        assert samples.device.type == "cuda"
        assert gpu.waits == []


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("layers", [(5,), (5, 4, 3)], ids=["shallow", "deep"])
def test_the_host_waits_for_nothing_while_chains_of_p_star_run(layers, replicates):
    with fake_gpu() as gpu:
        model, streams = model_and_streams("gmm", layers, replicates)
        chain = GibbsChain.from_generated(model, 4, streams)
        for _ in range(2):
            moved = chain.sweep()
        assert chain.means().shape == chain.data.shape == (replicates, 4, DATA.dims)
        assert moved.shape == (replicates, len(layers) + 1)
        assert gpu.waits == []


def test_the_host_waits_for_nothing_while_hidden_dimensions_are_completed():
    with fake_gpu() as gpu:
        model, streams = model_and_streams("gmm", (5, 3), 1)
        data = torch.from_numpy(DATA.test).to("cuda", torch.float32)
        occluded = occluded_dims("top", len(data), DATA.dims, (2, 3), streams).to("cuda")
        gpu.waits.clear()
        chain = inpainting_chain(model, data[None], occluded, 3, streams)
        chain.sweep()
        assert chain.means().device.type == "cuda"
        assert gpu.waits == []


@pytest.mark.parametrize("method", METHODS)
def test_the_pictures_of_a_record_are_drawn(method):
    written = {}
    with fake_gpu():
        model, _ = model_and_streams(method, (5, 3), 1)
        settings = some_hyperparameters(method=method)
        write_pictures(_Files(written), settings, model, DATA, 0, 3)
    assert ("pictures/inpainting.png" in written) == (method == "gmm")


class _Files:
    def __init__(self, written):
        self.written = written

    def write_file(self, name, content):
        self.written[name] = content
