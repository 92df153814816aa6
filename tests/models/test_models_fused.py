"""The fused loops: good random numbers, and what torch computes, on the same random numbers."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch.utils._python_dispatch import TorchDispatchMode

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, fused
from gmm_study.models.bernoulli import Bernoulli, Scored
from gmm_study.objectives import GeometricMeanMatching, ReweightedWakeSleep

WORDS = 2**32


def philox(counter, key):
    """Philox4x32-10 of Salmon et al., SC 2011, in whole numbers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        even, odd = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1 = (odd // WORDS) ^ c1 ^ k0, odd % WORDS
        c2, c3 = (even // WORDS) ^ c3 ^ k1, even % WORDS
        k0, k1 = (k0 + 0x9E3779B9) % WORDS, (k1 + 0xBB67AE85) % WORDS
    return c0, c1, c2, c3


def filled(keys, *shape):
    out = torch.empty(len(keys), *shape)
    fused.fill_uniform(out, torch.tensor(keys))
    return out


def some_streams(replicates=(0,), purpose="noise"):
    return RandomStreams(3, replicates, purpose)


def both_ways(work):
    """What `work` gives of the loops, and of torch."""
    by_loops = work()
    with fused.switched_off():
        return by_loops, work()


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_the_reference_gives_the_published_answers(counter, key, expected):
    counter, key, expected = (
        [int(word, 16) for word in words.split()] for words in (counter, key, expected)
    )
    assert list(philox(counter, key)) == expected


@pytest.mark.parametrize("key", [0, 1, 0x123456789ABCDEF])
def test_uniform_draws_are_philoxs_words(key):
    draws = filled([key], 1024, 4).flatten()
    for block in (0, 1, 511, 512, 1023):
        words = philox((block, 0, 0, 0), (key % WORDS, key // WORDS))
        expected = np.array([word // 2 / 2**31 for word in words], np.float32)
        tile, place = divmod(block, 512)
        found = draws[tile * 2048 : (tile + 1) * 2048].view(4, 512)[:, place]
        np.testing.assert_array_equal(found.numpy(), expected)


def test_uniform_draws_are_in_zero_to_one_evenly_spread_and_unrelated():
    draws = filled([7, 8], 500, 301).double()
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    for row in draws.flatten(1):
        counts = torch.histc(row, 256, 0.0, 1.0)
        expected = len(row) / 256
        statistic = ((counts - expected) ** 2 / expected).sum().item()
        assert 1e-4 < chi2.sf(statistic, 255) < 1 - 1e-4
    one, other = draws.flatten(1)
    for shift in (1, 2, 301, 512, 602):
        for first, second in ((one[shift:], one[:-shift]), (one[shift:], other[:-shift])):
            correlation = np.corrcoef(first, second)[0, 1]
            assert abs(correlation) * len(first) ** 0.5 < 4.5


def test_a_replicate_draws_the_same_alone_and_among_others():
    together = some_streams((0, 1, 2)).uniform(7, 30, 11)
    alone = some_streams((2,)).uniform(7, 30, 11)
    torch.testing.assert_close(together[2:], alone, rtol=0, atol=0)


def test_every_call_draws_other_numbers():
    streams = some_streams()
    assert (streams.uniform(50, 4) != streams.uniform(50, 4)).all()


def test_threads_change_nothing():
    logits = torch.randn(2, 100, 10, 300)
    target = (torch.rand(2, 100, 1, 300) < 0.3).float()
    weights = torch.rand(2, 100, 10)

    def work():
        states, scored = Bernoulli(logits.clone()).sample(10, some_streams((0, 1)))
        again = Bernoulli(logits.clone()).score(target)
        sums = torch.zeros(2, 300)
        weighted = Scored(torch.empty(0), again.residual.clone()).weigh(weights, sums)
        results = [states, scored.log_prob, scored.residual, again.log_prob, again.residual]
        results += [weighted, sums]
        return [*results, filled([5, 6], 4000, 50)]

    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(work())
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for found, expected in zip(other, results[0], strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)


shapes = pytest.mark.parametrize(
    "shape", [(1, 100, 10, 784), (2, 7, 3, 1), (3, 5, 4, 35), (1, 3, 2, 5000), (1, 1, 1, 2)]
)


@shapes
@pytest.mark.parametrize("one_row", [False, True])
def test_samples_are_those_of_torch(shape, one_row):
    replicates, datapoints, samples, units = shape
    logits = 4.0 * torch.randn(replicates, datapoints, 1 if one_row else samples, units)

    def work():
        streams = some_streams(range(replicates))
        states, scored = Bernoulli(logits.clone()).sample(samples, streams)
        return states, scored.log_prob, scored.residual

    (states, log_prob, residual), expected = both_ways(work)
    torch.testing.assert_close(states, expected[0], rtol=0, atol=0)
    torch.testing.assert_close(log_prob, expected[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(residual, expected[2], rtol=1e-5, atol=1e-6)


@shapes
@pytest.mark.parametrize("one_row", ["", "logits", "target"])
def test_scores_are_those_of_double_precision(shape, one_row):
    replicates, datapoints, samples, units = shape
    logits = 4.0 * torch.randn(replicates, datapoints, 1 if one_row == "logits" else samples, units)
    target = torch.rand(replicates, datapoints, 1 if one_row == "target" else samples, units)
    target = (target < 0.3).float()
    found = Bernoulli(logits.clone()).score(target)
    expected = Bernoulli(logits.double()).score(target.double())
    torch.testing.assert_close(found.log_prob.double(), expected.log_prob, rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(found.residual.double(), expected.residual, rtol=0, atol=3e-7)


def test_log_probabilities_keep_their_relative_precision_far_from_zero():
    logits = torch.linspace(-80.0, 80.0, 3201).view(1, -1, 1, 1)
    for state in (0.0, 1.0):
        target = torch.full_like(logits, state)
        found = Bernoulli(logits.clone()).score(target)
        expected = Bernoulli(logits.double()).score(target.double())
        certain = expected.log_prob.abs() < 1e-30
        error = (found.log_prob.double() / expected.log_prob - 1.0).abs()
        assert error[~certain].max() < 1e-6
        assert found.log_prob[certain].abs().max() < 1e-30


@pytest.mark.parametrize("logit", [torch.nan, 1e30, -1e30, torch.inf, -torch.inf])
def test_a_diverged_logit_is_never_hidden(logit):
    logits = torch.zeros(1, 2, 1, 40)
    logits[0, 0, 0, 17] = logit
    for state in (0.0, 1.0):
        target = torch.full_like(logits, state)
        found, expected = both_ways(lambda target=target: Bernoulli(logits.clone()).score(target))
        torch.testing.assert_close(found.log_prob, expected.log_prob, equal_nan=True)
        torch.testing.assert_close(found.residual, expected.residual, equal_nan=True)
    _, drawn = Bernoulli(logits.clone()).sample(3, some_streams())
    assert drawn.log_prob[0, 0].isnan().all() == (logit != logit)
    assert drawn.log_prob[0, 1].isfinite().all()


@pytest.mark.sampled
@pytest.mark.parametrize("objective", [GeometricMeanMatching(7), ReweightedWakeSleep(7)])
@pytest.mark.parametrize("deterministic_layers", [0, 1])
def test_gradients_and_bounds_are_those_of_torch(objective, deterministic_layers):
    model = SigmoidBeliefNetwork(33, [40, 21, 10], 2, deterministic_layers, initialisation="glorot")
    model.initialise(some_streams((0, 1), "initialisation"))
    data = (some_streams((0, 1), "data").uniform(25, 33) < 0.3).float()

    def work():
        model.parameters.grad.zero_()
        bound = objective.add_gradient(model, data, some_streams((0, 1)))
        return bound, model.parameters.grad.clone()

    (bound, gradient), (bound_by_torch, gradient_by_torch) = both_ways(work)
    torch.testing.assert_close(bound, bound_by_torch, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, gradient_by_torch, rtol=1e-5, atol=1e-6)


def test_parameters_are_not_used_up():
    model = SigmoidBeliefNetwork(3, [1], 1)
    model.initialise(some_streams((0,), "initialisation"))
    before = model.parameters.flat.clone()
    data = torch.ones(1, 1, 3)
    model.generate(1, some_streams())
    GeometricMeanMatching(1).add_gradient(model, data, some_streams())
    torch.testing.assert_close(model.parameters.flat, before, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1, 2, 6, 4), (3, 1, 6, 4), (3, 2, 5, 4), (3, 2, 6, 1)])
def test_states_that_do_not_fit_the_logits_are_refused(shape):
    with pytest.raises(ValueError, match="cannot stand for"):
        Bernoulli(torch.zeros(3, 2, 6, 4)).score(torch.zeros(shape))


def test_weighted_residuals_and_their_sums_are_those_of_double_precision():
    residual, weights = torch.randn(2, 50, 40, 33), torch.rand(2, 50, 40)
    expected = residual.double() * weights.double().unsqueeze(3)
    sums = torch.zeros(2, 33)
    weighted = Scored(torch.empty(0), residual).weigh(weights, sums)
    torch.testing.assert_close(weighted.double(), expected, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(sums.double(), expected.sum((1, 2)), rtol=1e-5, atol=1e-4)


class UniformDraws(TorchDispatchMode):
    """The sizes of all tensors that a generator of torch fills with uniform numbers."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "uniform_" in str(function) and args[0].numel():
            self.sizes.append(args[0].numel())
        return function(*args, **(kwargs or {}))


def test_a_pass_draws_all_numbers_of_a_replicate_at_once_where_torch_draws_them():
    model = SigmoidBeliefNetwork(6, [5, 3], 2, dtype=torch.float64)
    streams = RandomStreams(0, [0, 1], "noise", dtype=torch.float64)
    with UniformDraws() as draws:
        model.infer(torch.ones(2, 9, 6, dtype=torch.float64), 4, streams)
    assert draws.sizes == 2 * [9 * 4 * (5 + 3)]
    with UniformDraws() as draws:
        model.generate(7, streams)
    assert draws.sizes == 2 * [7 * (6 + 5 + 3)]


TRAIN = """
import sys
if "no numba" in sys.argv:
    sys.modules["numba"] = None
import torch
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, fused
from gmm_study.objectives import GeometricMeanMatching
model = SigmoidBeliefNetwork(6, [5, 3], 2)
model.initialise(RandomStreams(0, [0, 1], "initialisation"))
data = (torch.rand(2, 9, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
bound = GeometricMeanMatching(4).add_gradient(model, data, RandomStreams(0, [0, 1], "noise"))
print(fused.serves(data), bound.isfinite().all().item(), bound.mean().item())
"""


def trained_lines(*arguments, code=TRAIN, **environment):
    command = [sys.executable, "-c", code, *arguments]
    output = subprocess.check_output(command, text=True, env=os.environ | environment)
    return output.splitlines()


def trained(*arguments, **options):
    (line,) = trained_lines(*arguments, **options)
    serves, finite, bound = line.split()
    return serves == "True", finite == "True", float(bound)


@pytest.mark.process
def test_torch_does_it_without_numba_or_when_told_to():
    assert trained("no numba")[:2] == (False, True)
    assert trained(NUMBA_DISABLE_JIT="1")[:2] == (False, True)
    by_loops, by_torch = trained(), trained(GMM_STUDY_EAGER="1")
    assert (by_loops[0], by_torch[0]) == (True, False)
    assert abs(by_loops[2] - by_torch[2]) < 1e-5


@pytest.mark.process
def test_the_loops_leave_torch_as_many_threads_as_it_had():
    code = (
        "import torch; torch.set_num_threads(1)" + TRAIN + "sys.exit(torch.get_num_threads() - 1)"
    )
    assert trained(code=code)[:2] == (True, True)


@pytest.mark.process
def test_the_loops_run_in_a_forked_process():
    in_child = """
sys.stdout.flush()
child = os.fork()
if child:
    sys.exit(os.waitpid(child, 0)[1])
"""
    one_thread = "import os, torch; torch.set_num_threads(1)"  # with more, torch itself would hang
    lines = trained_lines(code=one_thread + TRAIN + in_child + TRAIN)
    assert len(lines) == 2
    assert lines[0] == lines[1]


@pytest.mark.process
def test_the_loops_run_where_what_is_compiled_cannot_be_kept():
    nowhere = "IPythonCacheLocator"  # which keeps cells of a notebook alone
    assert trained(NUMBA_CACHE_LOCATOR_CLASSES=nowhere)[:2] == (True, True)
