"""What the nodes of the connected Ray have, and whether each can run the trials of a study."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from gmm_study.errors import InputError
from gmm_study.orchestration.cause import last_line
from gmm_study.study.sections import Resources
from gmm_study.trials.folder import Folder
from gmm_study.trials.record import RecordStore

NODE_ANSWERS_IN = 300.0
"""Seconds in which a node must unpack this code, import it and check the storage."""


def check_resources(asked: Resources, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raise `InputError` if no node has what one trial needs."""
    if asked.gpus == "auto" and not any(node.get("GPU") for node in nodes):
        raise InputError("resources.gpus: auto needs a GPU, but Ray has none; use 0 for CPUs")
    for field_name, resource in (("cpus", "CPU"), ("gpus", "GPU")):
        wanted = _least(asked)[resource]
        most = max((node.get(resource, 0) for node in nodes), default=0)
        if wanted > most:
            raise InputError(
                f"resources.{field_name}: a trial needs {wanted:g}, "
                f"but no node of Ray has more than {most:g}"
            )


def _least(asked: Resources) -> dict[str, float]:
    """The resources that a node must have for one trial; `auto` fits into any GPU."""
    return {"CPU": asked.cpus, "GPU": 0.0 if asked.gpus == "auto" else asked.gpus}


def trials_at_a_time(asked: Resources, gpu_share: float) -> int:
    """The number of trials that the connected Ray can run at a time."""
    import ray

    wanted = {"CPU": asked.cpus, "GPU": gpu_share}
    fit = sum(
        min(
            int(node["Resources"].get(name, 0) / amount)
            for name, amount in wanted.items()
            if amount
        )
        for node in ray.nodes()
        if node["Alive"]
    )
    return max(1, min(fit, asked.concurrent or fit))


def check_nodes(asked: Resources, store: RecordStore, methods: Sequence[str]) -> None:
    """Raise `InputError` if a node cannot run trials, or cannot write to the store."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    store.check_writable()
    probe, driver = f".probe-{uuid.uuid4().hex[:8]}", Folder(store.file_system, store.root)
    driver.write_file(probe, b"")
    look = ray.remote(num_cpus=0, max_retries=0)(_what_is_wrong)
    looks = {}
    for node in ray.nodes():
        there = node["Resources"]
        fits = all(there.get(resource, 0) >= wanted for resource, wanted in _least(asked).items())
        if node["Alive"] and fits:
            only_there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            on_node = look.options(scheduling_strategy=only_there)
            looks[on_node.remote(store.storage, probe, methods)] = node["NodeManagerHostname"]
    try:
        ray.wait(list(looks), num_returns=len(looks), timeout=NODE_ANSWERS_IN)
        for answer, host in looks.items():
            _refuse_node(host, store, answer)
    finally:
        with suppress(OSError):
            store.file_system.delete_file(f"{store.root}/{probe}")


def _refuse_node(host: str, store: RecordStore, answer: Any) -> None:
    """Raise `InputError` if a node reports a problem or does not answer."""
    import ray

    try:
        wrong = ray.get(answer, timeout=0)
    except ray.exceptions.GetTimeoutError:
        raise InputError(f"address: node '{host}' does not answer") from None
    except ray.exceptions.RayError as error:
        raise InputError(f"address: node '{host}' cannot run trials: {last_line(error)}") from None
    if wrong:
        raise InputError(
            f"storage: node '{host}' {wrong} '{store.root}'; "
            "give a folder that all nodes share, or the address of a bucket"
        )


def _what_is_wrong(storage: str, probe: str, methods: Sequence[str]) -> str | None:
    """Run on a node: what prevents its trials from being written to the driver's storage."""
    import gmm_study.trials.run  # noqa: F401  # which needs all that a trial needs
    from gmm_study.training.methods import method_named

    for method in methods:
        method_named(method)
    try:
        store = RecordStore(storage)
        folder = Folder(store.file_system, store.root)
        if folder.read_file(probe) is None:
            return "cannot see the files that this machine writes to"
        own = f"{probe}-{uuid.uuid4().hex[:8]}"
        folder.write_file(own, b"")
        store.file_system.delete_file(f"{store.root}/{own}")
    except (InputError, OSError):
        return "cannot write to"
    return None
