"""A real Ray cluster on this machine: nodes that are processes of their own, all on 127.0.0.1.

    python -m tests.cluster.nodes TEMP_FOLDER [HEAD]

runs one node, the head where none is named, prints its head and its raylet's process, and ends with
its stdin.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import pytest

from gmm_study.data import load_dataset
from gmm_study.models.fused import switched_off
from gmm_study.trials.once import run_once
from gmm_study.trials.record import Record
from tests.workbench import Workbench, figures, free_port

ENVIRONMENT = {
    "GMM_STUDY_EAGER": "1",  # each copy of the code would be compiled anew
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's way to say 127.0.0.1
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_failure_threshold": "3",  # a node that is gone is noticed in seconds,
    "RAY_health_check_period_ms": "1000",  # not in a quarter of a minute
    "RAY_prestart_worker_first_driver": "0",
}
VERSIONS = "CLUSTER_VERSIONS"
"""The environment variable in which a node finds the versions of Ray and Python that it has, if
they are not those that are installed."""
GPUS = "CLUSTER_GPUS"
"""The environment variable in which a node finds how many GPUs it says it has."""
AUTOSCALED_CPUS = "CLUSTER_AUTOSCALED_CPUS"
"""The environment variable in which a head finds the number of CPUs of the one node that its
autoscaler may add."""
ROOT = Path(__file__).parents[2]


ISOLATE = 'hostname "$0" && mount -t tmpfs none "$1" && shift && exec "$@"'


def isolated(name: str, hidden: Path) -> tuple[str, ...]:
    """Words before a command that give it a host name of its own and an empty folder `hidden`.

    Skips the test where the system does not allow that.
    """
    user = () if os.getuid() == 0 else ("--user", "--map-root-user")
    words = ("unshare", *user, "--uts", "--mount", "sh", "-c", ISOLATE, name, str(hidden))
    if not shutil.which("unshare") or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("no namespaces here")
    return words


def undisturbed(bench: Workbench, record: Record) -> dict:
    """The figures of a trial trained by itself, computing as nodes do, without Ray."""
    dataset = load_dataset(str(bench.folder / "data.npz"))
    with switched_off():
        result = run_once(record.config(), dataset, replicates=2, device="cpu", threads=1)
    return figures(result.to_json())


class Node:
    """One node, with one CPU; `prefix` are words before its command, such as unshare's."""

    def __init__(
        self, folder: Path, head: str = "", prefix: tuple[str, ...] = (), **environment: str
    ) -> None:
        self.process = subprocess.Popen(
            [
                *prefix,
                sys.executable,
                "-m",
                "tests.cluster.nodes",
                str(folder),
                *([head] if head else []),
            ],
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        line = self.process.stdout.readline()
        assert line, "the node did not start"
        self.head, self.pids = json.loads(line)

    def close(self) -> None:
        self.process.communicate()


class Cluster:
    """Nodes that are added while it is open; `nodes[0]` is the head."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._closing = ExitStack()
        # Paths of sockets must be short, which those of pytest's folders are not.
        temporary = TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        self.folder = Path(self._closing.enter_context(temporary))

    def __enter__(self) -> "Cluster":
        return self

    def add(self, *prefix: str, **environment: str) -> Node:
        """Start one more node."""
        node = Node(self.folder, self.address if self.nodes else "", prefix, **environment)
        self._closing.callback(node.close)
        self.nodes.append(node)
        return node

    @property
    def address(self) -> str:
        return self.nodes[0].head

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()


def autoscaled(folder: Path, cpus: int) -> dict[str, object]:
    """The parameters of a head with Ray's own autoscaler, which may add one node.

    The node is started on this machine by Ray's provider for tests of its autoscaler.
    """
    os.environ |= {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    port = free_port()
    types = {
        "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
        "larger": {"resources": {"CPU": cpus}, "node_config": {}, "max_workers": 1},
    }
    config = {
        "cluster_name": "tests",
        "max_workers": 1,
        "idle_timeout_minutes": 60,
        "provider": {"type": "fake_multinode", "gcs_address": f"127.0.0.1:{port}"},
        "auth": {},
        "available_node_types": types,
        "head_node_type": "ray.head.default",
        "head_node": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "initialization_commands": [],
        "setup_commands": [],
        "head_setup_commands": [],
        "worker_setup_commands": [],
        "head_start_ray_commands": [],
        "worker_start_ray_commands": [],
    }
    path = folder / "autoscaling.json"
    path.write_text(json.dumps(config))
    return {"autoscaling_config": str(path), "gcs_server_port": port}


def main() -> None:
    from ray._private import utils
    from ray._private.node import Node as RayNode
    from ray._private.parameter import RayParams

    if versions := os.environ.get(VERSIONS):  # which a head tells to all who join
        utils.compute_version_info = lambda: tuple(versions.split())
    folder, head = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    cpus = os.environ.get(AUTOSCALED_CPUS)
    node = RayNode(
        RayParams(
            gcs_address=head,
            node_ip_address="127.0.0.1",
            num_cpus=1,
            num_gpus=int(os.environ.get(GPUS, "0")),
            object_store_memory=100 * 2**20,
            temp_dir=folder,
            include_dashboard=False,
            include_log_monitor=False,
            node_manager_port=0,
            min_worker_port=0,
            max_worker_port=0,
            **(autoscaled(Path(folder), int(cpus)) if cpus else {}),
        ),
        head=head is None,
        shutdown_at_exit=True,
        spawn_reaper=True,
    )
    pids = {kind: [p.process.pid for p in all_] for kind, all_ in node.all_processes.items()}
    print(json.dumps([node.gcs_address, pids]), flush=True)
    for raylet in node.all_processes["raylet"]:  # workers take a zombie for a living raylet
        threading.Thread(target=raylet.process.wait, daemon=True).start()
    sys.stdin.read()
    node.kill_all_processes(check_alive=False, allow_graceful=False)


if __name__ == "__main__":
    main()
