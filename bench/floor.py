"""The floor of a training step: its matrix products alone, as plain `torch.mm` into buffers.

Counted, with B datapoints, K samples of each, and a layer's weights `[n_in, n_out]`:

- gmm: the logits of q and the gradient of its weights, the first layer's on B rows, the others'
  on B K; the logits of p and the gradient of its weights on B K rows.
- rws: these, and on B rows what the sleep update adds, the logits of p that the dream is drawn
  from, the logits of q of the dream, and the gradient of q's weights.
- vae: of the encoder on B rows and of the decoder on B K, outputs, gradients of weights, and
  gradients of inputs but for the data's.

Nothing else is: no random numbers, no elementwise work, no optimiser.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product

import torch
from torch import Tensor
from tqdm import tqdm

from bench.cases import BATCH, DEEP, METHODS, MODELS, SMALL, THREADS, Network, Row, binary_rows
from bench.timing import MOST_REPETITIONS, ROUNDS, Contender, interleaved, significant, threads
from bench.training_step import ours, steps

SAMPLES = 10
TARGETS = {("gmm", DEEP, count): "at least 75 (aim)" for count in THREADS}
"""The floor's time in percent of ours."""


@dataclass(frozen=True)
class Product:
    """`[rows, inner] @ [inner, columns]`; the left one lies transposed in memory or not."""

    rows: int
    inner: int
    columns: int
    transposed: bool = False

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.rows * self.inner * self.columns


def products(method: str, network: Network, batch: int, samples: int) -> list[Product]:
    """All matrix products of one training step."""
    if method == "vae":
        return list(_of_vae(network, batch, samples))
    found = list(_of_wake(network, batch, samples))
    return found + list(_of_sleep(network, batch)) if method == "rws" else found


def floor(method: str, network: Network, samples: int) -> Contender:
    """So many times the products of a step; operands of one shape are one tensor."""
    operand, result = cache(torch.rand), cache(torch.empty)
    work: list[tuple[Tensor, Tensor, Tensor]] = []
    for each in products(method, network, BATCH, samples):
        left = (
            operand(each.inner, each.rows).t()
            if each.transposed
            else operand(each.rows, each.inner)
        )
        right = operand(each.inner, each.columns)
        work.append((left, right, result(each.rows, each.columns)))

    def repeat(count: int) -> None:
        for _ in range(count):
            for left, right, out in work:
                torch.mm(left, right, out=out)

    return repeat


def measure(smoke: bool = False, rounds: int = ROUNDS) -> list[Row]:
    """A row a method, model and number of threads, with K of 10."""
    cases = [("gmm", SMALL, 1)] if smoke else list(product(METHODS, MODELS, THREADS))
    return [
        _compare(method, model, count, rounds)
        for method, model, count in tqdm(cases, "floor", leave=False, disable=None)
    ]


def _compare(method: str, model: str, thread_count: int, rounds: int) -> Row:
    data = binary_rows(MOST_REPETITIONS * BATCH, MODELS[model])
    contenders = {
        "ours": steps(ours(method, model, SAMPLES), data),
        "floor": floor(method, MODELS[model], SAMPLES),
    }
    with threads(thread_count):
        measured = interleaved(contenders, rounds)
    operations = sum(each.operations for each in products(method, MODELS[model], BATCH, SAMPLES))
    row: Row = {"method": method, "model": model, "K": SAMPLES, "threads": thread_count}
    row |= {f"{name} (ms)": measured.milliseconds(name) for name in contenders}
    row["GFLOP"] = significant(operations / 1e9)
    row["floor (GFLOP/s)"] = significant(operations / 1e6 / measured.milliseconds("floor"))
    row |= measured.ratio("floor", "ours").times(100).cells("floor / ours (%)")
    target = TARGETS.get((method, model, thread_count))
    return row | {"target": target, "measured": row["floor / ours (%)"]} if target else row


def _of_wake(network: Network, batch: int, samples: int) -> Iterator[Product]:
    rows = batch * samples
    for layer, (below, above) in enumerate(pairwise([network.data_dims, *network.sizes])):
        q_rows = batch if layer == 0 else rows
        yield from _of_layer(q_rows, below, above)
        yield from _of_layer(rows, above, below)


def _of_sleep(network: Network, batch: int) -> Iterator[Product]:
    for below, above in pairwise([network.data_dims, *network.sizes]):
        yield Product(batch, above, below)
        yield from _of_layer(batch, below, above)


def _of_vae(network: Network, batch: int, samples: int) -> Iterator[Product]:
    *hidden, latent = network.sizes
    encoder: Sequence[int] = [network.data_dims, *hidden, 2 * latent]
    decoder: Sequence[int] = [latent, *reversed(hidden), network.data_dims]
    for layer, (fan_in, fan_out) in enumerate(pairwise(encoder)):
        yield from _of_layer(batch, fan_in, fan_out)
        if layer > 0:
            yield Product(batch, fan_out, fan_in)
    for fan_in, fan_out in pairwise(decoder):
        yield from _of_layer(batch * samples, fan_in, fan_out)
        yield Product(batch * samples, fan_out, fan_in)


def _of_layer(rows: int, fan_in: int, fan_out: int) -> Iterator[Product]:
    """Its output, and the gradient of its weights."""
    yield Product(rows, fan_in, fan_out)
    yield Product(fan_in, rows, fan_out, transposed=True)
