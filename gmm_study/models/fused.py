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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

try:
    from numba import config, get_num_threads, njit, prange, set_num_threads
except ImportError:  # a bare machine: torch does it
    njit = None
else:
    if config.DISABLE_JIT:  # uncompiled, the loops would take minutes a step
        njit = None

Function = TypeVar("Function", bound=Callable[..., Any])

TILE = 2048
"""Numbers a tile, about: its three buffers fit into a first cache of 32 KiB. Random numbers are
laid out by it, so another value would change every result."""
WORTH_THREADS = 1 << 14
"""Numbers that take longer than it takes to share them among threads."""

_PROCESS = os.getpid()
_eager = ContextVar("eager", default=os.environ.get("GMM_STUDY_EAGER", "0") not in ("", "0"))


def draws(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether numbers of this type, at this place, are drawn by counting."""
    return njit is not None and device.type == "cpu" and dtype == torch.float32


def serves(tensor: Tensor) -> bool:
    """Whether the loops take a tensor."""
    plain = tensor.is_contiguous() and not tensor.requires_grad
    return plain and not _eager.get() and draws(tensor.device, tensor.dtype)


@contextmanager
def switched_off() -> Iterator[None]:
    """Leave all but the random numbers to torch, as `GMM_STUDY_EAGER=1` does for a process."""
    token = _eager.set(True)
    try:
        yield
    finally:
        _eager.reset(token)


def fill_uniform(out: Tensor, keys: list[int]) -> None:
    """Fill `out` `[R, ..., n]` with uniform draws in [0, 1) that hang on the row's key and n."""
    rows = out.view(len(out), -1, 1, out.shape[-1])
    _run(_fill_uniform, [rows], np.array(keys, np.uint64))


def sample(logits: Tensor, samples: int, keys: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Draw `samples` a datapoint from logits `[R, B, S, n]`, S = 1 or K; uses the logits up.

    Gives states `[R, B, K, n]`, their log-probability `[R, B, K]` in nats and residuals
    `[R, B, K, n]`, state minus probability.
    """
    residual = _a_row_each(logits, samples)
    states, log_prob = torch.empty_like(residual), residual.new_empty(residual.shape[:3])
    _run(_sample, [residual, logits, states, log_prob], np.array(keys, np.uint64))
    return states, log_prob, residual


def score(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability `[R, B, K]` of `target` `[R, B, T, n]`, and residuals `[R, B, K, n]`.

    S of the logits `[R, B, S, n]` and T are 1 or K. As in `sample`; uses the logits up.
    """
    residual = _a_row_each(logits, max(logits.shape[2], target.shape[2]))
    _check_rows(target, residual.shape)
    log_prob = residual.new_empty(residual.shape[:3])
    _run(_score, [residual, logits, target.contiguous(), log_prob])
    return log_prob, residual


def weigh(residual: Tensor, weights: Tensor, sums: Tensor) -> None:
    """Multiply every row of `[R, B, K, n]` by its weight `[R, B, K]`; add them to `[R, n]`."""
    if weights.shape != residual.shape[:3]:
        raise ValueError(f"weights {[*weights.shape]} are not one a row of {[*residual.shape]}")
    _run(_weigh, [residual, weights, sums])


def compile_all() -> None:
    """Compile every loop now instead of at its first use; what is compiled is kept on disk."""
    logits, states = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    if serves(logits):
        fill_uniform(states, [0])
        sample(logits, 1, [0])
        score(logits, states)
        weigh(logits, torch.zeros(1, 1, 1), torch.zeros(1, 1))


def _a_row_each(logits: Tensor, samples: int) -> Tensor:
    """Room for a row a sample; the logits themselves where they have as many."""
    replicates, datapoints, rows, units = logits.shape
    _check_rows(logits, (replicates, datapoints, samples, units))
    return logits if rows == samples else logits.new_empty(replicates, datapoints, samples, units)


def _check_rows(tensor: Tensor, shape: Sequence[int]) -> None:
    """A row a sample or one a datapoint, as the loops look at no bounds."""
    replicates, datapoints, _, units = shape
    if tensor.shape != shape and tensor.shape != (replicates, datapoints, 1, units):
        raise ValueError(f"a tensor {[*tensor.shape]} cannot stand for one {[*shape]}")


def _run(loop: Callable[..., None], tensors: list[Tensor], *rest: Any) -> None:
    """Run `loop` in as many threads as torch has, or in one if the first tensor is small."""
    arrays = [tensor.numpy() for tensor in tensors]
    if os.getpid() != _PROCESS:
        _serial(loop)(*arrays, *rest)
        return
    _launch_threads()
    worthwhile = arrays[0].size >= WORTH_THREADS
    set_num_threads(min(torch.get_num_threads(), config.NUMBA_NUM_THREADS) if worthwhile else 1)
    loop(*arrays, *rest)


@cache
def _launch_threads() -> None:
    """Let numba start, as with the OpenMP that torch uses it sets torch's threads to all cores."""
    threads = torch.get_num_threads()
    get_num_threads()
    torch.set_num_threads(threads)


def _compiled(function: Function, **options: Any) -> Function:
    """Compiled at its first call, if numba is there; NaN stays NaN."""
    if njit is None:
        return function
    allowed = {"reassoc", "contract", "arcp", "nsz"}
    compiled: Function = njit(fastmath=allowed, nogil=True, error_model="numpy", **options)(
        function
    )
    return compiled


def _inline(function: Function) -> Function:
    return _compiled(function, inline="always")


def _loop(function: Function) -> Function:
    try:
        return _compiled(function, parallel=True, cache=True)
    except RuntimeError:  # nowhere to keep what was compiled
        return _compiled(function, parallel=True)


@cache
def _serial(loop: Any) -> Callable[..., None]:
    """The loop in one thread: in a forked process GNU's OpenMP does not work."""
    function: Callable[..., None] = loop.py_func
    return _compiled(function)


@_inline
def _exp_minus(x: np.float32) -> np.float32:
    """exp(-x) of x >= 0 to 1e-7, relative: 2^n times a polynomial (Cephes' expf)."""
    x = -min(x, np.float32(87.0))
    n: np.float32 = np.floor(x * np.float32(1.442695041) + np.float32(0.5))
    r = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * r + np.float32(1.3981999507e-3)
    y = y * r + np.float32(8.3334519073e-3)
    y = y * r + np.float32(4.1665795894e-2)
    y = y * r + np.float32(1.6666665459e-1)
    y = y * r + np.float32(5.0000001201e-1)
    y = y * r * r + r + np.float32(1.0)
    power: np.float32 = np.uint32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return y * power


@_inline
def _philox(block: np.uint64, key: np.uint64) -> tuple[np.uint64, ...]:
    """Four words of 32 bits."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    c0, c1, c2, c3 = block & low, block >> half, np.uint64(0), np.uint64(0)
    k0, k1 = key & low, key >> half
    for _ in range(10):
        product, other = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1 = (other >> half) ^ c1 ^ k0, other & low
        c2, c3 = (product >> half) ^ c3 ^ k1, product & low
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3


@_inline
def _unit(word: np.uint64) -> np.float32:
    """From 32 bits to [0, 1): the upper 31, rounded, and never up to 1."""
    uniform = np.float32(np.int32(word >> np.uint64(1))) * np.float32(2.0**-31)
    return min(uniform, np.float32(1.0 - 2.0**-24))


@_inline
def _draw_tile(tile: int, key: np.uint64, draws: np.ndarray) -> None:
    """Draws of a tile: block i of it fills place i of each quarter."""
    quarter = draws.size // 4
    for i in range(quarter):
        c0, c1, c2, c3 = _philox(np.uint64(tile * quarter + i), key)
        draws[i] = _unit(c0)
        draws[quarter + i] = _unit(c1)
        draws[2 * quarter + i] = _unit(c2)
        draws[3 * quarter + i] = _unit(c3)


@_inline
def _log_one_plus(e: np.float32) -> np.float32:
    """log(1 + e) of e in [0, 1] to 4e-8, relative: interpolated at Chebyshev's points."""
    y = np.float32(0.0051261)
    y = y * e - np.float32(0.02907406)
    y = y * e + np.float32(0.07751609)
    y = y * e - np.float32(0.13602248)
    y = y * e + np.float32(0.19076881)
    y = y * e - np.float32(0.24835399)
    y = y * e + np.float32(0.33318122)
    y = y * e - np.float32(0.49999445)
    y = y * e + np.float32(0.99999997)
    return y * e


@_inline
def _exponentials(logits: np.ndarray, out: np.ndarray) -> None:
    """exp(-|logit|) of every one; in a loop of its own the constants stay in registers."""
    for i in range(logits.size):
        out[i] = _exp_minus(abs(logits[i]))


@_inline
def _probability(logit: np.float32, e: np.float32) -> np.float32:
    """sigmoid(logit), given exp(-|logit|)."""
    likelier = np.float32(1.0) / (np.float32(1.0) + e)
    return likelier if logit > np.float32(0.0) else e * likelier


@_inline
def _log_prob(state: np.float32, logit: np.float32, e: np.float32) -> np.float32:
    """log sigmoid of the logit, or for a state of 0 of its negative; e is exp(-|logit|)."""
    signed = logit if state > np.float32(0.5) else -logit
    return (np.float32(0.0) if signed > np.float32(0.0) else signed) - _log_one_plus(e)


@_inline
def _add_rows(terms: np.ndarray, units: int, out: np.ndarray) -> None:
    """The sum of every row of a tile."""
    for row in range(out.size):
        of_row, total = terms[row * units : (row + 1) * units], np.float32(0.0)
        for i in range(of_row.size):
            total += of_row[i]
        out[row] = total


@_inline
def _buffer(rows: int, units: int) -> np.ndarray:
    """Room for a tile, in whole blocks of random numbers."""
    return np.empty((rows * units + 3) // 4 * 4, np.float32)


@_inline
def _rows(array: np.ndarray) -> np.ndarray:
    """`[R, B, K, n]` as `[R, B * K, n]`."""
    replicates, datapoints, samples, units = array.shape
    return array.reshape((replicates, datapoints * samples, units))


@_inline
def _tiles(rows: np.ndarray) -> tuple[int, int]:
    """Of `[R, B * K, n]`: the rows of a tile, and a replicate's tiles; the last may be short."""
    height = max(1, TILE // rows.shape[2])
    return height, (rows.shape[1] + height - 1) // height


@_loop
def _fill_uniform(out: np.ndarray, keys: np.ndarray) -> None:
    all_places = _rows(out)
    height, tiles = _tiles(all_places)
    for tile in prange(tiles * len(all_places)):
        replicate, start = tile // tiles, tile % tiles * height
        places = all_places[replicate, start : start + height].reshape(-1)
        draws = _buffer(height, out.shape[3])
        _draw_tile(tile % tiles, keys[replicate], draws)
        for i in range(places.size):
            places[i] = draws[i]


@_inline
def _spread(source: np.ndarray, start: int, stop: int, times: int, out: np.ndarray) -> None:
    """Rows `start` to `stop` of as many copies of every row of `source`."""
    units = source.shape[1]
    for row in range(start, stop):
        out[(row - start) * units : (row - start + 1) * units] = source[row // times]


@_loop
def _sample(
    residual: np.ndarray,
    logits: np.ndarray,
    states: np.ndarray,
    log_prob: np.ndarray,
    keys: np.ndarray,
) -> None:
    all_z, all_logits, all_h = _rows(residual), _rows(logits), _rows(states)
    all_log_prob = log_prob.reshape(all_z.shape[:2])
    of_replicate, units = all_z.shape[1:]
    height, tiles = _tiles(all_z)
    for tile in prange(tiles * len(all_z)):
        replicate, start = tile // tiles, tile % tiles * height
        stop = min(start + height, of_replicate)
        z, h = all_z[replicate, start:stop].reshape(-1), all_h[replicate, start:stop].reshape(-1)
        if all_logits.shape[1] < of_replicate:
            _spread(all_logits[replicate], start, stop, residual.shape[2], z)
        draws, terms = _buffer(height, units), _buffer(height, units)
        _draw_tile(tile % tiles, keys[replicate], draws)
        _exponentials(z, terms)
        for i in range(z.size):
            logit, e = z[i], terms[i]
            probability = _probability(logit, e)
            state = np.float32(1.0) if draws[i] < probability else np.float32(0.0)
            h[i] = state
            z[i] = state - probability
            terms[i] = _log_prob(state, logit, e)
        _add_rows(terms, units, all_log_prob[replicate, start:stop])


@_loop
def _score(
    residual: np.ndarray,
    logits: np.ndarray,
    target: np.ndarray,
    log_prob: np.ndarray,
) -> None:
    all_z, all_logits, all_targets = _rows(residual), _rows(logits), _rows(target)
    all_log_prob = log_prob.reshape(all_z.shape[:2])
    of_replicate, units = all_z.shape[1:]
    height, tiles = _tiles(all_z)
    for tile in prange(tiles * len(all_z)):
        replicate, start = tile // tiles, tile % tiles * height
        stop = min(start + height, of_replicate)
        z = all_z[replicate, start:stop].reshape(-1)
        if all_logits.shape[1] < of_replicate:
            _spread(all_logits[replicate], start, stop, residual.shape[2], z)
        h, terms = _buffer(height, units), _buffer(height, units)
        _spread(all_targets[replicate], start, stop, of_replicate // all_targets.shape[1], h)
        _exponentials(z, terms)
        for i in range(z.size):
            logit, e = z[i], terms[i]
            z[i] = h[i] - _probability(logit, e)
            terms[i] = _log_prob(h[i], logit, e)
        _add_rows(terms, units, all_log_prob[replicate, start:stop])


@_loop
def _weigh(residual: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    replicates, datapoints, samples, units = residual.shape
    of_datapoints = np.zeros((replicates, datapoints, units), np.float32)
    for place in prange(replicates * datapoints):
        replicate, datapoint = place // datapoints, place % datapoints
        of_datapoint = of_datapoints[replicate, datapoint]
        for sample in range(samples):
            weight = weights[replicate, datapoint, sample]
            row = residual[replicate, datapoint, sample]
            for i in range(units):
                row[i] *= weight
                of_datapoint[i] += row[i]
    for replicate in range(replicates):
        for datapoint in range(datapoints):
            for i in range(units):
                sums[replicate, i] += of_datapoints[replicate, datapoint, i]
