"""Estimates on a fake GPU: no operation mixes devices, and the host does not wait for chunks."""

import pytest
import torch

from gmm_study.estimators import estimate_bound, estimate_log_p, estimate_log_z2
from gmm_study.exact import exact_log_likelihoods
from gmm_study.models import RandomStreams
from gmm_study.training.build import build_model, build_objective
from gmm_study.trials.evaluation import evaluate_on_test, evaluate_on_validation
from tests.fake_gpu import fake_gpu
from tests.training.small import METHODS, a_dataset, some_hyperparameters

DATA = a_dataset()


def settings_of(method, **more):
    return some_hyperparameters(
        method=method, layers=(5, 4, 3), z_samples=50, selection_samples=20, **more
    )


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_the_host_waits_for_nothing_while_likelihoods_are_estimated(method, replicates):
    settings = settings_of(method)
    with fake_gpu() as gpu:
        model = build_model(settings, DATA.dims, range(replicates), "cuda")
        streams = RandomStreams(0, range(replicates), "evaluation", "cuda")
        data = torch.from_numpy(DATA.test).to("cuda")
        gpu.waits.clear()
        found = estimate_bound(build_objective(settings), model, data, streams, 20)
        found |= estimate_log_p(model, data, 9, streams, 20)
        assert all(values.shape == (replicates, len(data)) for values in found.values())
        if method != "vae":
            found["log_z2"], found["error"] = estimate_log_z2(model, 50, streams, 100)
        assert all(values.device.type == "cuda" for values in found.values())
        assert gpu.waits == []


@pytest.mark.parametrize("method", METHODS)
def test_the_host_waits_for_the_figures_of_an_evaluation_and_not_for_its_chunks(method):
    settings, waits, metrics = settings_of(method), [], {}
    for chunk_rows in (20, 10_000):
        with fake_gpu() as gpu:
            model = build_model(settings, DATA.dims, [0], "cuda")
            gpu.waits.clear()
            found = evaluate_on_test(settings, model, DATA, 0, chunk_rows)
            metrics = found.metrics | evaluate_on_validation(settings, model, DATA, 0, chunk_rows)
            waits.append(len(gpu.waits))
    assert found.log_p.shape == (len(DATA.test),)
    assert ("test/log_p_star" in metrics) == (method == "gmm")
    data, log_p = 2, 1
    assert waits[0] == waits[1] <= len(metrics) + data + log_p


def test_exact_likelihoods_are_computed_where_the_model_is():
    with fake_gpu():
        model = build_model(settings_of("gmm"), DATA.dims, [0, 1], "cuda")
        found = exact_log_likelihoods(model, torch.from_numpy(DATA.test).to("cuda"))
        assert {values.device.type for values in found.values()} == {"cuda"}
        assert "log_p_star" in found
