"""Memory is bounded by the rows of one chunk, whatever K and the number of datapoints."""

import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from gmm_study.estimators import estimate_bound, estimate_log_p, estimate_log_z2
from gmm_study.models import SigmoidBeliefNetwork
from gmm_study.objectives import GeometricMeanMatching
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states


def watch(model, method, calls):
    """Note the datapoints and the samples of every call of a method of the model."""
    original = getattr(model, method)

    def watched(data, samples, streams):
        calls.append((data.shape[1], samples))
        return original(data, samples, streams)

    setattr(model, method, watched)


@pytest.mark.parametrize(
    ("datapoints", "samples", "chunk_rows"),
    [(1, 1000, 64), (16, 10, 64), (5, 7, 10), (16, 3, 3), (16, 3, 2), (4, 1, 1), (16, 10, 10_000)],
)
def test_no_chunk_holds_more_rows_than_asked_and_every_datapoint_gets_all_its_samples(
    datapoints, samples, chunk_rows
):
    model, calls = a_network(2), []
    watch(model, "log_weights", calls)
    data = all_states(DIMS)[:datapoints]
    found = estimate_log_p(model, data, samples, some_streams(2), chunk_rows)
    assert all(rows * drawn <= chunk_rows for rows, drawn in calls)
    assert sum(rows * drawn for rows, drawn in calls) == datapoints * samples
    assert {values.shape for values in found.values()} == {(2, datapoints)}
    assert {values.dtype for values in found.values()} == {torch.float64}


@pytest.mark.parametrize(("samples", "chunk_rows"), [(10, 64), (3, 7), (1, 1), (10, 10_000)])
def test_the_bound_takes_trainings_number_of_samples_within_the_rows_of_a_chunk(
    samples, chunk_rows
):
    model, calls = a_network(2), []
    watch(model, "log_weights", calls)
    objective = GeometricMeanMatching(samples)
    found = estimate_bound(objective, model, all_states(DIMS), some_streams(2), chunk_rows)
    assert all(rows * drawn <= chunk_rows for rows, drawn in calls)
    assert {drawn for _, drawn in calls} == {samples}
    assert found["bound"].shape == (2, 2**DIMS)


@pytest.mark.parametrize(("samples", "chunk_rows"), [(100, 64), (7, 4000), (30, 30)])
def test_log_z2_takes_all_its_samples_within_the_rows_of_a_chunk(samples, chunk_rows):
    model, inner = a_network(2), []
    watch(model, "log_weights", inner)
    found, error = estimate_log_z2(model, samples, some_streams(2), chunk_rows)
    assert all(rows * drawn <= chunk_rows for rows, drawn in inner)
    assert sum(rows for rows, _ in inner) == samples
    assert found.shape == error.shape == (2,)


class EqualWeights(SigmoidBeliefNetwork):
    """Costs nothing, so that sizes of real use can be asked for."""

    largest = 0

    def log_weights(self, data, samples, streams):
        self.largest = max(self.largest, data.shape[1] * samples)
        return torch.full((1, data.shape[1], samples), -2.5)


@pytest.mark.parametrize(("datapoints", "samples"), [(1, 100_000), (10_000, 1000)])
def test_a_full_evaluation_keeps_within_the_rows_of_a_chunk(datapoints, samples):
    model = EqualWeights(1, [1], 1)
    found = estimate_log_p(model, torch.zeros(datapoints, 1), samples, some_streams(), 4000)
    assert model.largest <= 4000
    expected = torch.full((1, datapoints), -2.5, dtype=torch.float64)
    torch.testing.assert_close(found["log_p"], expected)
    torch.testing.assert_close(found["ess"], torch.ones_like(expected))


def what_an_evaluation_takes() -> tuple[float, int]:
    """The MB by which a new process grows in 100 chunks of an evaluation; the page faults of each.

    A shorter one comes first: after it, both are large without what keeps them small.
    """
    torch.set_num_threads(1)
    model = SigmoidBeliefNetwork(123, [200, 100, 50], 1)
    streams = some_streams(dtype=torch.float32)
    estimate_log_p(model, torch.zeros(200, 123), 1000, streams, 4000)
    before, faults, grown = anonymous_megabytes(), page_faults(), [0.0]
    estimate_log_p(
        model,
        torch.zeros(400, 123),
        1000,
        streams,
        4000,
        watch=lambda rows: grown.append(anonymous_megabytes() - before),
    )
    return max(grown), (page_faults() - faults) // 100


def page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def anonymous_megabytes() -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) / 1024


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="not Linux")
def test_a_long_evaluation_does_not_grow_and_uses_the_memory_of_each_chunk_for_the_next():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        grown, faults_of_a_chunk = fresh.submit(what_an_evaluation_takes).result()
    assert grown < 20
    assert faults_of_a_chunk < 50
