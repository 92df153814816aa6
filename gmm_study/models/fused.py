"""All operations after a layer's logits, as one compiled loop in place of about ten torch calls.

The loops draw states and compute log-probabilities and residuals. They serve single precision
tensors on a CPU if numba is installed; `bernoulli.py` chooses them and does the same in torch
otherwise. numba was chosen because it installs as a wheel, and because its loops are Python that a
reader of the paper can follow.

A loop handles one tile of rows at a time, small enough for the first-level cache. The tiles are
divided among as many threads as torch has. With GNU's OpenMP (libgomp) these are torch's own
threads, still awake after the matrix product; separate threads would first have to wake up and
would compete for the cores with torch's spinning threads, which gained nothing. Without libgomp,
numba uses its own threads, and then only one Python thread of a process may train. A forked process
uses one thread.

Random numbers are Philox4x32-10 (Salmon et al., SC 2011, doi 10.1145/2063384.2063405). A number
depends only on the key, its position and the width of a row, so the number of threads does not
change it.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from gmm_study.models import loops

if loops.COMPILED:
    from numba import config, get_num_threads, set_num_threads

WORTH_THREADS = 1 << 14
"""From this size on, sharing the numbers among threads takes less time than it saves."""

Launch = Callable[[], None]

_PROCESS = os.getpid()
_threads = threading.local()
"""`count`: how many threads numba uses, which it knows for each Python thread."""
_told: ContextVar[Callable[[Launch], None] | None] = ContextVar("told", default=None)
_eager = ContextVar("eager", default=os.environ.get("GMM_STUDY_EAGER", "0") not in ("", "0"))


def draws(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether uniform numbers of this type on this device are a function of key and position."""
    return loops.COMPILED and device.type == "cpu" and dtype == torch.float32


def serves(tensor: Tensor) -> bool:
    """Whether the loops can process a tensor."""
    plain = tensor.is_contiguous() and not tensor.requires_grad
    return plain and not _eager.get() and draws(tensor.device, tensor.dtype)


@contextmanager
def switched_off() -> Iterator[None]:
    """Inside, torch does all but the random numbers, as with `GMM_STUDY_EAGER=1`."""
    token = _eager.set(True)
    try:
        yield
    finally:
        _eager.reset(token)


@contextmanager
def launches_told(to: Callable[[Launch], None]) -> Iterator[None]:
    """Inside, `to` is given every loop that runs, as a function that runs it on the same memory."""
    token = _told.set(to)
    try:
        yield
    finally:
        _told.reset(token)


def fill_uniform(out: Tensor, keys: Tensor) -> None:
    """Fill `out` `[R, ..., n]` with uniform draws in [0, 1).

    They depend on a row's key (`keys` `[R]`, int64) and n.
    """
    rows = out.view(len(out), -1, 1, out.shape[-1])
    _run(loops.fill_uniform, rows, keys=keys)


def sample(logits: Tensor, samples: int, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Draw K = `samples` states per datapoint from logits `[R, B, S, n]`, where S is 1 or K.

    `keys` `[R]` are int64. Overwrites the logits. Returns states `[R, B, K, n]`, their
    log-probability `[R, B, K]` in nats and residuals `[R, B, K, n]`, state minus probability.
    """
    residual = _a_row_each(logits, samples)
    states, log_prob = torch.empty_like(residual), residual.new_empty(residual.shape[:3])
    _run(loops.sample, residual, logits, states, log_prob, keys=keys)
    return states, log_prob, residual


def score(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability `[R, B, K]` of `target` `[R, B, T, n]`, and residuals `[R, B, K, n]`.

    S of the logits `[R, B, S, n]` and T are 1 or K. Overwrites the logits, as `sample` does.
    """
    residual = _a_row_each(logits, max(logits.shape[2], target.shape[2]))
    _check_rows(target, residual.shape)
    log_prob = residual.new_empty(residual.shape[:3])
    _run(loops.score, residual, logits, target.contiguous(), log_prob)
    return log_prob, residual


def weigh(residual: Tensor, weights: Tensor, sums: Tensor) -> None:
    """Multiply every row of `[R, B, K, n]` by its weight `[R, B, K]`; add all rows to `[R, n]`."""
    if weights.shape != residual.shape[:3]:
        raise ValueError(f"weights {[*weights.shape]} do not fit rows of {[*residual.shape]}")
    _run(loops.weigh, residual, weights, sums)


def compile_all() -> None:
    """Compile every loop now instead of at its first use. The result is cached on disk."""
    logits, states = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    if serves(logits):
        keys = torch.zeros(1, dtype=torch.int64)
        fill_uniform(states, keys)
        sample(logits, 1, keys)
        score(logits, states)
        weigh(logits, torch.zeros(1, 1, 1), torch.zeros(1, 1))


def _a_row_each(logits: Tensor, samples: int) -> Tensor:
    """A tensor with a row per sample: the logits themselves if they have one, else a new one."""
    replicates, datapoints, rows, units = logits.shape
    _check_rows(logits, (replicates, datapoints, samples, units))
    return logits if rows == samples else logits.new_empty(replicates, datapoints, samples, units)


def _check_rows(tensor: Tensor, shape: Sequence[int]) -> None:
    """Refuse a tensor without a row per sample or per datapoint: the loops check no bounds."""
    replicates, datapoints, _, units = shape
    if tensor.shape != shape and tensor.shape != (replicates, datapoints, 1, units):
        raise ValueError(f"a tensor {[*tensor.shape]} cannot stand for one {[*shape]}")


def _run(loop: Callable[..., None], *tensors: Tensor, keys: Tensor | None = None) -> None:
    arrays = [tensor.numpy() for tensor in tensors]
    if keys is not None:
        arrays.append(keys.numpy().view(np.uint64))
    launch = partial(_launch, loop, arrays)
    tell = _told.get()
    if tell is not None:
        tell(launch)
    launch()


def _launch(loop: Callable[..., None], arrays: Sequence[np.ndarray]) -> None:
    """Run `loop` in as many threads as torch has, or in one if the first array is small."""
    if os.getpid() != _PROCESS:
        loops.serial(loop)(*arrays)  # GNU's OpenMP does not work in a forked process
        return
    worthwhile = arrays[0].size >= WORTH_THREADS
    threads = min(torch.get_num_threads(), config.NUMBA_NUM_THREADS) if worthwhile else 1
    if getattr(_threads, "count", None) != threads:
        _start_threads()
        set_num_threads(threads)
        _threads.count = threads
    loop(*arrays)


@cache
def _start_threads() -> None:
    """Start numba's threads and restore torch's: with the same OpenMP, the start sets them too."""
    threads = torch.get_num_threads()
    get_num_threads()
    torch.set_num_threads(threads)
