"""The estimate of log p with many samples against the naive one, which holds them all at once."""

from collections.abc import Callable

from torch import Tensor
from tqdm import tqdm

from bench.cases import DEEP, MODELS, SMALL, THREADS, Row, binary_rows
from bench.peers import PlainNetwork, naive_log_p
from bench.timing import ROUNDS, Contender, interleaved, significant, threads
from gmm_study.estimators import estimate_log_p
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, fused

Evaluate = Callable[[Tensor], object]
"""Estimates log p of data `[N, D]`."""

SAMPLES, DATAPOINTS = 1000, 100
MOST_ROUNDS = 5
"""A measurement takes seconds here, and not a tenth of one."""
TARGET = "at least 3"
"""The peer's time over ours."""


def ours(model: str, samples: int) -> Evaluate:
    """What a trial does at its end."""
    network = MODELS[model]
    trained = SigmoidBeliefNetwork(network.data_dims, network.sizes, replicates=1)
    trained.initialise(RandomStreams(0, [0], "initialisation"))
    streams = RandomStreams(0, [0], "evaluation")
    return lambda data: estimate_log_p(trained, data, samples, streams)


def eager(model: str, samples: int) -> Evaluate:
    """The same without the compiled loops, but for the random numbers."""
    return fused.switched_off()(ours(model, samples))


def peer(model: str, samples: int) -> Evaluate:
    """In chunks of 100 datapoints with all their samples."""
    network = MODELS[model]
    plain = PlainNetwork(network.data_dims, network.sizes)
    return lambda data: naive_log_p(plain, data, samples)


def measure(smoke: bool = False, rounds: int = ROUNDS) -> list[Row]:
    """A row a number of threads."""
    cases = [(SMALL, 100, 1)] if smoke else [(DEEP, SAMPLES, count) for count in THREADS]
    rounds = min(rounds, MOST_ROUNDS)
    return [
        _compare(model, samples, count, rounds)
        for model, samples, count in tqdm(cases, "evaluation", leave=False, disable=None)
    ]


def _compare(model: str, samples: int, thread_count: int, rounds: int) -> Row:
    data = binary_rows(DATAPOINTS, MODELS[model])
    contenders = {who.__name__: _repeat(who(model, samples), data) for who in (ours, eager, peer)}
    with threads(thread_count):
        measured = interleaved(contenders, rounds)
    row: Row = {"model": model, "K": samples, "threads": thread_count}
    row |= {
        f"{name} (ms a datapoint)": significant(measured.milliseconds(name) / DATAPOINTS)
        for name in contenders
    }
    row |= measured.ratio("peer", "ours").cells("peer / ours")
    row["eager / ours"] = significant(measured.ratio("eager", "ours").median)
    return row | {"target": TARGET, "measured": row["peer / ours"]} if model == DEEP else row


def _repeat(evaluate: Evaluate, data: Tensor) -> Contender:
    def repeat(count: int) -> None:
        for _ in range(count):
            evaluate(data)

    return repeat
