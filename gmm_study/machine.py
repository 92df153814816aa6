"""What a process may use of the machine that it runs on."""

import ctypes
import os
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import Path

DEVICES = Path("/dev")
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""The numbers of glibc's options M_TRIM_THRESHOLD and M_MMAP_THRESHOLD (mallopt(3))."""
KEPT, KEPT_EACH = 1 << 28, 1 << 25
"""Bytes of free memory at the end of a heap that are kept, and of the largest tensor in a heap."""


def usable_cpus() -> int:
    """The number of CPUs that this process may use, at least 1.

    They may be fewer than the machine has: Slurm and `taskset` limit a process to some of them, and
    a container may have a quota.
    """
    from joblib import cpu_count

    return int(cpu_count())


@cache
def keep_freed_memory() -> None:
    """Keep the memory that tensors free, for the next ones. Does nothing without glibc.

    By default, glibc returns to the system what is free at the end of the heap, and asks for it
    again at the next tensor. Every page of it then costs a page fault, which took a quarter of the
    time of a step with K = 100, and a third of that of an evaluation with K = 1,000.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(TRIM_THRESHOLD, KEPT)
        libc.mallopt(MMAP_THRESHOLD, KEPT_EACH)


def trials_on(gpus: float, share: float) -> int:
    """How many trials that each get a share of a GPU fit on some; none gets parts of two GPUs."""
    return int(gpus / share) if share >= 1 else int(gpus) * int(1 / share)


def usable_gpus() -> int:
    """The number of Nvidia's GPUs that this process may use, without loading torch or a driver.

    None with a torch that is built for CPUs alone; else those whose device is there, less those
    that CUDA_VISIBLE_DEVICES hides.
    """
    if _torch_is_for_cpus():
        return 0
    present = _present_gpus()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    named = takewhile(lambda name: _is_a_gpu(name.strip(), present), visible.split(","))
    return min(present, len(list(named)))


def why_no_gpu() -> str:
    """Why this process may use no GPU; empty if it may use one."""
    if usable_gpus():
        return ""
    if _torch_is_for_cpus():
        return "the installed torch is built for CPUs alone"
    if _present_gpus():
        return f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r} hides them"
    return f"{DEVICES} has no device of Nvidia's"


def _torch_is_for_cpus() -> bool:
    with suppress(PackageNotFoundError):
        return version("torch").endswith("+cpu")
    return False


def _present_gpus() -> int:
    return len(list(DEVICES.glob("nvidia[0-9]*")))


def _is_a_gpu(name: str, present: int) -> bool:
    """Whether a name in CUDA_VISIBLE_DEVICES is a GPU; CUDA stops at the first that is none.

    An index or a UUID names a GPU; -1 and NoDevFiles name none.
    """
    return int(name) < present if name.isdigit() else name.startswith(("GPU-", "MIG-"))
