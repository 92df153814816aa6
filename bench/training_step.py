"""The training step of every method against plain autograd and against itself in eager torch."""

from collections.abc import Callable
from functools import cache
from itertools import product

import torch
from torch import Tensor
from tqdm import tqdm

from bench.cases import BATCH, DEEP, METHODS, MODELS, SAMPLES, SMALL, THREADS, Row, binary_rows
from bench.peers import TWO_PASSES, PlainTraining
from bench.timing import MOST_REPETITIONS, ROUNDS, Contender, interleaved, significant, threads
from gmm_study.models import fused
from gmm_study.training.captured import build_graphs
from gmm_study.training.group import BuildGraphs, ReplicateGroup
from gmm_study.training.hyperparameters import Hyperparameters

TrainEpoch = Callable[[Tensor], object]
"""Trains one pass over data `[N, D]` in batches of `BATCH`."""

TARGETS = {
    ("gmm", DEEP, 10, 1): "at least 1.7 (aim: 2.5)",
    ("gmm", DEEP, 10, 2): "at least 2.0 (aim: 2.5)",
}
"""The peer's time over ours."""


def ours(method: str, model: str, samples: int, build: BuildGraphs = build_graphs) -> TrainEpoch:
    """What a trial does on a CPU."""
    network = MODELS[model]
    settings = Hyperparameters(
        method=method, layers=network.sizes, samples=samples, batch_size=BATCH
    )
    group = ReplicateGroup(settings, network.data_dims, [0], torch.device("cpu"), build)
    return torch.no_grad()(group.train_epoch)


def eager(method: str, model: str, samples: int) -> TrainEpoch:
    """The same without the compiled loops, but for the random numbers."""
    return fused.switched_off()(ours(method, model, samples))


def unrecorded(method: str, model: str, samples: int) -> TrainEpoch:
    """The same with its Python in every step."""
    return ours(method, model, samples, lambda *_: None)


def peer(method: str, model: str, samples: int) -> TrainEpoch:
    """The same by autograd."""
    return PlainTraining(method, MODELS[model], samples).train_epoch


def port(method: str, model: str, samples: int) -> TrainEpoch:
    """The same as the public port to PyTorch computes it, which has gmm alone."""
    return PlainTraining(TWO_PASSES, MODELS[model], samples).train_epoch


def steps(train_epoch: TrainEpoch, data: Tensor) -> Contender:
    """So many training steps, each on other rows. As in a trial, a recording sees one tensor."""
    rows = cache(lambda count: data[: count * BATCH])
    return lambda count: train_epoch(rows(count))


def measure(smoke: bool = False, rounds: int = ROUNDS) -> list[Row]:
    """A row a method, model, K and number of threads."""
    every = list(product(METHODS, MODELS, SAMPLES, THREADS))
    cases = [(method, SMALL, 10, 1) for method in METHODS] if smoke else every
    return [
        _compare(method, model, samples, count, rounds)
        for method, model, samples, count in tqdm(cases, "step", leave=False, disable=None)
    ]


def _compare(method: str, model: str, samples: int, thread_count: int, rounds: int) -> Row:
    data = binary_rows(MOST_REPETITIONS * BATCH, MODELS[model])
    others = (unrecorded, eager, peer, port) if method == "gmm" else (unrecorded, eager, peer)
    contenders = {who.__name__: steps(who(method, model, samples), data) for who in (ours, *others)}
    with threads(thread_count):
        measured = interleaved(contenders, rounds)
    row: Row = {"method": method, "model": model, "K": samples, "threads": thread_count}
    row |= {f"{name} (ms)": measured.milliseconds(name) for name in contenders}
    row |= measured.ratio("peer", "ours").cells("peer / ours")
    for name in (who.__name__ for who in others if who is not peer):
        row[f"{name} / ours"] = significant(measured.ratio(name, "ours").median)
    target = TARGETS.get((method, model, samples, thread_count))
    return row | {"target": target, "measured": row["peer / ours"]} if target else row
