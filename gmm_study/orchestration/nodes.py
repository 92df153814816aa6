"""The resources that the nodes of the connected Ray have, and the trials that fit on them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gmm_study.errors import InputError
from gmm_study.machine import trials_on
from gmm_study.study.sections import Resources


def check_resources(asked: Resources, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raise `InputError` if no node has what one trial needs."""
    for field_name, resource in (("cpus", "CPU"), ("gpus", "GPU")):
        wanted = least(asked)[resource]
        most = max((node.get(resource, 0) for node in nodes), default=0)
        if wanted > most:
            without = {"CPU": "add a node with CPUs", "GPU": "set 0 to train on CPUs"}[resource]
            raise InputError(
                f"resources.{field_name}: a trial needs {wanted:g}, but no node of Ray has more "
                f"than {most:g}; {f'set at most {most:g}' if most else without}"
            )


def least(asked: Resources) -> dict[str, float]:
    """The resources that a node must have for one trial; `auto` fits into any GPU."""
    return {"CPU": asked.cpus, "GPU": 0.0 if asked.gpus == "auto" else asked.gpus}


def trials_at_a_time(asked: Resources, gpu_share: float) -> int:
    """The number of trials that the connected Ray can run at a time.

    With an autoscaler it is one more than fit, because only a trial that waits makes it add a node.
    """
    import ray

    there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fit = 0
    for resources in there:
        on_cpus = int(resources.get("CPU", 0) // asked.cpus)
        on_gpus = trials_on(resources.get("GPU", 0), gpu_share) if gpu_share else on_cpus
        fit += min(on_cpus, on_gpus)
    fit += asked.autoscaling
    return max(1, min(fit, asked.concurrent or fit))
