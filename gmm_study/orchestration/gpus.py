"""The share of a GPU that each trial gets: as the study says, or as many trials as fit.

With `gpus: auto`, the default, trials use a GPU if there is one, and the estimated memory of a
trial decides how many of them share it. A worker limits itself to its share of the memory, because
Ray does not.
"""

from collections.abc import Mapping, Sequence

from gmm_study.data import Dataset
from gmm_study.estimates import memory_of_a_trial
from gmm_study.study import PlannedTrial, Study

USABLE = 0.9
"""The usable part of a GPU's memory; the driver and fragmentation take the rest."""
FINEST = 10_000
"""Ray counts resources in units of 1 / `FINEST`."""


def share_of_a_gpu(
    study: Study, trials: Sequence[PlannedTrial], datasets: Mapping[str, Dataset]
) -> tuple[float, str]:
    """The share of a GPU that each trial gets, and why it is 0 where the study does not say so.

    It is the study's `resources.gpus`. With `auto` it is the share that fits the largest trial into
    the smallest GPU, for whose memory a worker on every node with GPUs is asked; and 0 if Ray sees
    no GPU or torch cannot use one of them.
    """
    if study.resources.gpus != "auto":
        return study.resources.gpus, ""
    memories = gpu_memories()
    if not memories:
        return 0.0, "Ray sees no GPU"
    if not all(memories):
        return 0.0, "torch cannot use the GPU that Ray sees"
    needed = memory_of_a_trial(study, trials, datasets, on_gpu=True)
    return share_that_fits(needed, min(memories)), ""


def share_that_fits(need: float, memory: float) -> float:
    """1/n of a GPU of `memory` bytes, with the largest n for which n trials of `need` bytes fit.

    Rounded down to Ray's units, so that n of them fit; 1 if not even one trial fits.
    """
    return (FINEST // max(1, int(memory * USABLE / need))) / FINEST


def gpu_memories() -> list[int]:
    """Memory in bytes of the first GPU of every node that has one; 0 if torch cannot use it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU")]
    asked = [
        ray.remote(_memory_of_this_gpu)
        .options(
            num_cpus=0,
            num_gpus=1 / FINEST,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
        )
        .remote()
        for node in nodes
    ]
    return list(ray.get(asked))


def _memory_of_this_gpu() -> int:
    import torch

    if not torch.cuda.is_available():
        return 0
    return int(torch.cuda.get_device_properties(0).total_memory)
