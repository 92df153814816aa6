"""What is left of a study, in text."""

import os
from typing import TYPE_CHECKING

from gmm_study.machine import why_no_gpu
from gmm_study.phrases import at_a_time, clock

if TYPE_CHECKING:
    from gmm_study.estimates import RemainingCost
    from gmm_study.study.sections import Resources


def time_of(found: "RemainingCost") -> str:
    """`at most about 2:40`, or `unknown`."""
    if found.seconds is None:
        return "unknown"
    return f"{_about(found)} {clock(found.seconds)}"


def lines_of(found: "RemainingCost", cpus: int) -> list[str]:
    """Time, cost and memory of trials that have so many cores each, a line for each."""
    gigabytes, of = found.memory_bytes / 1e9, "a GPU" if found.on_gpu else "RAM"
    together = f"{found.workers} at a time {found.workers * gigabytes:.1f} GB"
    memory = f"memory: {gigabytes:.1f} GB a trial, of {of}; {together}"
    if found.worker_seconds is None:
        return [f"time: {time_of(found)}, {found.source}", memory]
    hours = found.worker_seconds * (1 if found.on_gpu else cpus) / 3600
    unit = "hours on a share of a GPU" if found.on_gpu else "core-hours"
    return [
        f"time: {time_of(found)} on this machine, "
        f"{at_a_time(found.workers, cpus, found.gpu_share)} ({found.source})",
        f"cost: {_about(found)} {hours:.2g} {unit}",
        memory,
    ]


def line_of_missing_gpu(resources: "Resources") -> str:
    """What to do where each trial needs a GPU and this machine has none; empty if nothing.

    Also empty if the study will run elsewhere, on the cluster of RAY_ADDRESS.
    """
    needs = resources.gpus != "auto" and resources.gpus > 0
    if not needs or os.environ.get("RAY_ADDRESS") or not (why := why_no_gpu()):
        return ""
    return (
        f"resources.gpus: a trial needs {resources.gpus:g}, but this machine has no GPU to use "
        f"({why}); run the study where there is one, or on a cluster (--address HOST:PORT), or "
        "set 0 to train on CPUs"
    )


def _about(found: "RemainingCost") -> str:
    return "at most about" if found.at_most else "about"
