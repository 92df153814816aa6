"""Peak memory of a training step and of the evaluation, each in a fresh process.

It is the most that the process held while it worked, over what it held when data, model and a
first small call were there, with torch's own number of threads.
"""

import ctypes
import gc
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from bench import evaluation, training_step
from bench.cases import BATCH, DEEP, METHODS, MODELS, SMALL, Row, binary_rows

EVALUATION_TARGET = "at most 100"
"""Megabytes of 10^6 bytes."""
STATUS = Path("/proc/self/status")


def measure(smoke: bool = False) -> list[Row]:
    """A row a method, K and kind of work."""
    if smoke:
        cases = [("step", "gmm", SMALL, 10)]
    else:
        cases = [("step", method, DEEP, samples) for method in METHODS for samples in (10, 100)]
        cases.append(("evaluation", "gmm", DEEP, evaluation.SAMPLES))
    return [
        _compare(work, method, model, samples)
        for work, method, model, samples in tqdm(cases, "memory", leave=False, disable=None)
    ]


def peak_megabytes(work: str, who: str, method: str, model: str, samples: int) -> float:
    """What `ours` or the `peer` takes in this process, which should be a fresh one."""
    call: Callable[[Tensor], object]
    if work == "step":
        call = getattr(training_step, who)(method, model, samples)
    else:
        call = getattr(evaluation, who)(model, samples)
    data = binary_rows(BATCH, MODELS[model])
    call(data[:1])
    return peak_bytes_of(lambda: call(data)) / 1e6


def peak_bytes_of(call: Callable[[], object]) -> int:
    """The most that this process holds during a call, over what it holds before."""
    before = _start_again()
    call()
    return _peak_bytes() - before


def _compare(work: str, method: str, model: str, samples: int) -> Row:
    row: Row = {"work": work, "method": method, "model": model, "K": samples}
    for who in ("ours", "peer"):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            peak = fresh.submit(peak_megabytes, work, who, method, model, samples).result()
        row[f"{who} (MB)"] = round(peak, 1)
    if work == "evaluation" and model == DEEP:
        row |= {"target": EVALUATION_TARGET, "measured": row["ours (MB)"]}
    return row


def _start_again() -> int:
    """Hand back what is free, set the peak to what is held, and give that in bytes."""
    gc.collect()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
    if not STATUS.exists():
        return _peak_bytes()
    with suppress(OSError):  # not permitted: the peak so far stays, and what is told is too much
        Path("/proc/self/clear_refs").write_text("5")
    return _status_bytes("VmRSS")


def _peak_bytes() -> int:
    """The most that this process held; without Linux's own account, that of `getrusage`."""
    if STATUS.exists():
        return _status_bytes("VmHWM")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _status_bytes(name: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return 1024 * int(lines[name].split()[0])
