"""The compiled loops over a layer's logits: random numbers, states, log-probabilities, residuals.

Everything that a loop inlines is in this file: numba's cache on disk notices changes of the file
that a loop is in, and of no other.

A loop works on tiles: rows of `[R, B * K, n]`, about `TILE` numbers, so that its three buffers stay
in a first-level cache. Inside a tile it makes several short passes over contiguous numbers instead
of one long one, which the compiler turns into vector instructions. Arrays are single precision.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np

try:
    from numba import config, njit, prange
except ImportError:  # a bare machine: torch does it
    njit = None
else:
    if config.DISABLE_JIT:  # uncompiled, a training step would take minutes
        njit = None

Function = TypeVar("Function", bound=Callable[..., Any])

COMPILED = njit is not None
TILE = 2048
"""Approximate numbers per tile; three buffers of them take 24 of a first-level cache's 32 KiB. The
layout of random numbers depends on it, so another value would change every result."""


def _compiled(function: Function, **options: Any) -> Function:
    """The function, compiled at its first call if numba is there.

    Of the liberties of `fastmath`, it may reorder sums and fuse products. It may not assume that no
    number is NaN or infinite, as a diverged replicate has to be noticed.
    """
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
    except RuntimeError:  # no folder in which the compiled code could be kept
        return _compiled(function, parallel=True)


@cache
def serial(loop: Any) -> Callable[..., None]:
    """The same loop for one thread."""
    function: Callable[..., None] = loop.py_func
    return _compiled(function)


@_inline
def exp_minus(x: np.float32) -> np.float32:
    """exp(-x) of x >= 0, with a relative error of at most 1.2e-7 (Cephes' expf).

    exp(-x) = 2^n exp(r) with |r| <= (log 2) / 2, and exp(r) = 1 + r + r^2 P(r). P has degree 5 and
    the least relative error that is possible on [-1/2, 1/2], 2.4e-8 (`tests/models/polynomials.py`
    fits it again). log 2 is subtracted in two parts, of which the first has so few bits that its
    multiples are exact. 87 is about the largest x whose 2^n is a normal number, for then n + 127,
    put into the exponent's bits, is 2^n.
    """
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
    """Four words of 32 bits, a function of the block's number and the key (Philox4x32-10)."""
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
    """A number in [0, 1) from 32 bits.

    The upper 31 bits are taken, as a signed integer becomes a float in one vector instruction.
    Rounding may give 1, which is replaced by the largest number below it.
    """
    uniform = np.float32(np.int32(word >> np.uint64(1))) * np.float32(2.0**-31)
    return min(uniform, np.float32(1.0 - 2.0**-24))


@_inline
def _draw_tile(tile: int, key: np.uint64, draws: np.ndarray) -> None:
    """The draws of a tile. Block i fills place i of each quarter, so that stores are contiguous."""
    quarter = draws.size // 4
    for i in range(quarter):
        c0, c1, c2, c3 = _philox(np.uint64(tile * quarter + i), key)
        draws[i] = _unit(c0)
        draws[quarter + i] = _unit(c1)
        draws[2 * quarter + i] = _unit(c2)
        draws[3 * quarter + i] = _unit(c3)


@_inline
def log_one_plus(e: np.float32) -> np.float32:
    """log(1 + e) of e in [0, 1], with a relative error of at most 2e-7.

    log(1 + e) = e P(e). P has degree 8 and interpolates log(1 + e) / e at the nine Chebyshev points
    of [0, 1], rounded to eight decimals, with a relative error of 4.3e-8
    (`tests/models/polynomials.py` fits it again). The factor e keeps the relative precision of
    small e.
    """
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
    """exp(-|logit|) of every logit. In a pass of its own, its constants stay in registers."""
    for i in range(logits.size):
        out[i] = exp_minus(abs(logits[i]))


@_inline
def _probability(logit: np.float32, e: np.float32) -> np.float32:
    """sigmoid(logit), given e = exp(-|logit|), which cannot overflow. A NaN stays NaN."""
    likelier = np.float32(1.0) / (np.float32(1.0) + e)
    return likelier if logit > np.float32(0.0) else e * likelier


@_inline
def _log_prob(state: np.float32, logit: np.float32, e: np.float32) -> np.float32:
    """log sigmoid(logit) for a state of 1, log sigmoid(-logit) for 0, given e = exp(-|logit|).

    For the signed logit s it is min(s, 0) - log(1 + e). The minimum is written so that NaN stays.
    """
    signed = logit if state > np.float32(0.5) else -logit
    return (np.float32(0.0) if signed > np.float32(0.0) else signed) - log_one_plus(e)


@_inline
def _add_rows(terms: np.ndarray, units: int, out: np.ndarray) -> None:
    """The sum of each row of a tile."""
    for row in range(out.size):
        of_row, total = terms[row * units : (row + 1) * units], np.float32(0.0)
        for i in range(of_row.size):
            total += of_row[i]
        out[row] = total


@_inline
def _buffer(rows: int, units: int) -> np.ndarray:
    """A buffer for a tile, of whole blocks of four random numbers."""
    return np.empty((rows * units + 3) // 4 * 4, np.float32)


@_inline
def _rows(array: np.ndarray) -> np.ndarray:
    """`[R, B, K, n]` as `[R, B * K, n]`."""
    replicates, datapoints, samples, units = array.shape
    return array.reshape((replicates, datapoints * samples, units))


@_inline
def _tiles(rows: np.ndarray) -> tuple[int, int]:
    """Of `[R, B * K, n]`: the rows per tile, and the tiles per replicate. The last may be short."""
    height = max(1, TILE // rows.shape[2])
    return height, (rows.shape[1] + height - 1) // height


@_loop
def fill_uniform(out: np.ndarray, keys: np.ndarray) -> None:
    """Fill `out` `[R, B, K, n]` with uniform draws; `keys` `[R]` are of 64 bits."""
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
    """Rows `start` to `stop` of `source` with each of its rows repeated `times` times."""
    units = source.shape[1]
    for row in range(start, stop):
        out[(row - start) * units : (row - start + 1) * units] = source[row // times]


@_loop
def sample(
    residual: np.ndarray,
    logits: np.ndarray,
    states: np.ndarray,
    log_prob: np.ndarray,
    keys: np.ndarray,
) -> None:
    """Draw `states` and fill `log_prob` and `residual` from `logits`, which may be `residual`.

    Shapes as in `fused.sample`. The draws are those of `fill_uniform` with the same keys.
    """
    all_z, all_logits, all_h = _rows(residual), _rows(logits), _rows(states)
    all_log_prob = log_prob.reshape(all_z.shape[:2])
    of_replicate, units = all_z.shape[1:]
    height, tiles = _tiles(all_z)
    for tile in prange(tiles * len(all_z)):
        replicate, start = tile // tiles, tile % tiles * height
        stop = min(start + height, of_replicate)
        z, h = all_z[replicate, start:stop].reshape(-1), all_h[replicate, start:stop].reshape(-1)
        if all_logits.shape[1] < of_replicate:  # one row per datapoint: repeat it per sample
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
def score(
    residual: np.ndarray,
    logits: np.ndarray,
    target: np.ndarray,
    log_prob: np.ndarray,
) -> None:
    """Fill `log_prob` and `residual` of `target` from `logits`, which may be `residual`.

    Shapes as in `fused.score`.
    """
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
def weigh(residual: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    """Multiply the rows of `residual` by their weights, and add them to `sums` `[R, n]`."""
    replicates, datapoints, samples, units = residual.shape
    # Each datapoint has sums of its own, added below in order: threads do not change the result.
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
