"""What a process may use of the machine that it runs on."""

import os
from pathlib import Path

GPUS = Path("/proc/driver/nvidia/gpus")
"""Nvidia's driver lists its GPUs here; reading it loads no library."""


def usable_cpus() -> int:
    """The number of CPUs that this process may use, at least 1.

    They may be fewer than the machine has: Slurm and `taskset` limit a process to some of them, and
    a container may have a quota.
    """
    from joblib import cpu_count

    return int(cpu_count())


def usable_gpus() -> int:
    """The number of Nvidia's GPUs that this process may use, as CUDA_VISIBLE_DEVICES says."""
    present = len(list(GPUS.iterdir())) if GPUS.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return present if visible is None else min(present, len(visible.split(",")) if visible else 0)
