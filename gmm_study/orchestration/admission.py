"""Which nodes of a cluster may train: those that can run the trials and share the storage.

A node that does not really share the storage would lose records silently. The driver therefore
sends a check to every node, also to those that join while the study runs, and lists the nodes that
passed it in a file of the storage. A worker begins only once it sees its own node in that file.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.orchestration.cause import last_line
from gmm_study.orchestration.nodes import least
from gmm_study.storage.file_systems import first_line
from gmm_study.study.sections import Resources
from gmm_study.trials.record_store import RecordStore

NODE_ANSWERS_IN = 300.0
"""Seconds in which a node must unpack this code, import it and check the storage."""
LOOK_EVERY = 2.0
"""Seconds between two looks at which nodes there are."""


class NoAnswerError(InputError):
    """The check of a node has had no answer, for example because its process was killed."""


class Admission:
    """The nodes that may train trials of these methods into a store; `problem` is what was refused.

    `say` is called with one line when a node joins or leaves.
    """

    def __init__(
        self,
        asked: Resources,
        store: RecordStore,
        methods: Sequence[str],
        say: Callable[[str], object],
    ) -> None:
        self.file = f".nodes-{uuid.uuid4().hex[:8]}"
        self.problem: InputError | None = None
        self._asked, self._store, self._methods, self._say = asked, store, methods, say
        self._folder = store.folder
        self._hosts: dict[str, str] = {}  # of the admitted nodes, by their ids
        self._checks: dict[str, tuple[Any, str, float]] = {}  # task, host, end; by the node's id
        self._silent: set[str] = set()  # the nodes whose check has had no answer once
        self._listed: set[str] | None = None  # the nodes that the file lists
        self._looked_at = monotonic()

    @contextmanager
    def open(self) -> Iterator["Admission"]:
        """Admit the nodes that are there. Raises `InputError` if one of them cannot train."""
        import ray

        self._publish()
        try:
            self._check(self._alive())
            if tasks := [task for task, *_ in self._checks.values()]:
                ray.wait(tasks, num_returns=len(tasks), timeout=NODE_ANSWERS_IN)
            for node_id in list(self._checks):
                self._admit(node_id)
            self._publish()
            yield self
        finally:
            with suppress(OSError):
                self._folder.delete_file(self.file)

    def follow(self) -> None:
        """Check nodes that have joined and notice those that have left; call it often.

        A node whose check has no answer is checked once more, because it may just have been lost.
        """
        if self.problem or monotonic() < self._looked_at + LOOK_EVERY:
            return
        self._looked_at, alive = monotonic(), self._alive()
        for node_id in self._hosts.keys() - alive:
            host = self._hosts.pop(node_id)
            self._say(f"node '{host}' has left the cluster; its trials continue on another node")
        for node_id in self._checks.keys() - alive:
            del self._checks[node_id]
        self._check({key: alive[key] for key in alive.keys() - self._hosts - self._checks.keys()})
        try:
            for node_id in [each for each in self._checks if self._has_ended(each)]:
                self._welcome(node_id)
            with suppress(OSError):  # it is tried again
                self._publish()
        except InputError as error:
            self.problem = error

    def _alive(self) -> dict[str, str]:
        """The host of every node on which a trial fits, by the node's id."""
        import ray

        wanted = least(self._asked).items()
        return {
            node["NodeID"]: node["NodeManagerHostname"]
            for node in ray.nodes()
            if node["Alive"]
            and all(node["Resources"].get(name, 0) >= amount for name, amount in wanted)
        }

    def _check(self, nodes: dict[str, str]) -> None:
        """Start the check on each of these nodes."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        check = ray.remote(num_cpus=0, max_retries=0)(what_is_wrong)
        for node_id, host in nodes.items():
            only_there = NodeAffinitySchedulingStrategy(node_id, soft=False)
            on_node = check.options(scheduling_strategy=only_there)
            task = on_node.remote(self._store.storage, self.file, self._methods)
            self._checks[node_id] = (task, host, monotonic() + NODE_ANSWERS_IN)

    def _has_ended(self, node_id: str) -> bool:
        """Whether a node's check has ended, or has taken too long."""
        import ray

        task, _, end = self._checks[node_id]
        return bool(ray.wait([task], timeout=0)[0]) or monotonic() > end

    def _welcome(self, node_id: str) -> None:
        """Admit a node that has joined, unless its check has had no answer for the first time."""
        try:
            self._say(f"node '{self._admit(node_id)}' has joined the cluster")
        except NoAnswerError:
            if node_id in self._silent:
                raise
            self._silent.add(node_id)

    def _admit(self, node_id: str) -> str:
        """Admit a node by the answer of its check; returns its host, or raises `InputError`."""
        import ray

        task, host, _ = self._checks.pop(node_id)
        try:
            wrong = ray.get(task, timeout=0)
        except ray.exceptions.GetTimeoutError:
            raise NoAnswerError(f"address: node '{host}' does not answer") from None
        except ray.exceptions.RayError as error:
            answered = isinstance(error, ray.exceptions.RayTaskError)
            raise (InputError if answered else NoAnswerError)(
                f"address: node '{host}' cannot run trials: {redact(last_line(error))}"
            ) from None
        if wrong:
            raise InputError(f"storage: node '{host}' {wrong}; {self._right_storage()}")
        self._hosts[node_id] = host
        return host

    def _right_storage(self) -> str:
        """What would be right where a node cannot use the storage."""
        if self._store.is_local:
            return "give a folder that all nodes share, or the address of a bucket"
        return "every node needs the packages, the credentials and the endpoint of the bucket"

    def _publish(self) -> None:
        """Write the file that the workers read, if it does not list the admitted nodes yet."""
        if self._listed == self._hosts.keys():
            return
        self._folder.write_file(self.file, json.dumps(sorted(self._hosts)).encode())
        self._listed = set(self._hosts)


def is_admitted(store: RecordStore, file: str) -> bool:
    """Whether this worker's node may train; one that does not share the storage never may."""
    import ray

    with suppress(OSError, ValueError):
        listed = store.folder.read_file(file)
        return ray.get_runtime_context().get_node_id() in json.loads(listed or b"[]")
    return False


def what_is_wrong(storage: str, probe: str, methods: Sequence[str]) -> str | None:
    """Run on a node: what prevents its trials from being written to the driver's storage.

    It is the end of a sentence that begins with the node; None if nothing is wrong. `probe` is the
    name of a file that the driver has written. Raises `InputError` for an unknown method.
    """
    import gmm_study.trials.run  # noqa: F401  # which needs all that a trial needs
    from gmm_study.training.methods import method_named

    for method in methods:
        method_named(method)
    try:
        store = RecordStore(storage)
        store.exists()  # which says why a bucket cannot be used
    except InputError as error:
        return f"says: {str(error).removeprefix('storage: ')}"
    folder, shown = store.folder, store.root if store.is_local else redact(storage)
    try:
        if folder.read_file(probe) is None:
            return f"cannot see the files that the driver writes to '{shown}'"
        folder.try_to_write()
    except OSError as error:
        return f"cannot use '{shown}': {redact(first_line(error))}"
    return None
