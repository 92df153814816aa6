"""The Ray that a study runs on: a local one of its own, or an existing cluster.

On a cluster, the code is sent along in Ray's runtime environment, so that the nodes run what the
driver runs. The storage is tested from every node first, because a folder that is not really shared
would lose records silently. An address is tried in a separate process (`knock.py`). The driver
watches the head itself; Ray would end the driver with a page of C++ output. When Ray reports that a
worker is dead, its trial is released, because another host cannot check whether the owner is alive.
"""

import gc
import logging
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import gmm_study
from gmm_study.errors import InputError
from gmm_study.machine import usable_cpus
from gmm_study.orchestration import knock, ray_internals
from gmm_study.study.sections import Resources
from gmm_study.trials.folder import Folder
from gmm_study.trials.provenance import COMMIT_VARIABLE, git_commit
from gmm_study.trials.record import RecordStore

SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "600",
    **ray_internals.SETTINGS,
}
"""Environment variables of Ray, unless the user has set them; they must be set before Ray is
imported."""
ANSWERS_IN = 5.0
"""Seconds to wait for a connection to a port."""
HEAD_ANSWERS_IN = 15.0
"""Seconds that Ray may take to ask the head for its cluster; in fact it takes about ten more."""
NODE_ANSWERS_IN = 300.0
"""Seconds in which a node must unpack this code, import it and check the storage."""
HEAD_CHECK_SECONDS, LOST_AFTER = 2.0, 30.0
"""Seconds between two checks of the head, and seconds of silence after which it counts as lost.
After 60 seconds Ray itself would end the driver, with a page of C++ output."""


def prepare_ray() -> None:
    """Make Ray quiet and private. Call it before the first import of Ray."""
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    logging.getLogger("ray").setLevel(logging.CRITICAL)


@contextmanager
def ray_at(
    address: str | None, resources: Resources, store: RecordStore, methods: Sequence[str] = ()
) -> Iterator[None]:
    """A Ray that can run trials of these methods into a store: a local one or a cluster.

    The address is `HOST:PORT` of the head, or `auto`. With None, RAY_ADDRESS is used, or a local
    Ray if it is not set. Raises `InputError` if there is no such cluster, if no node has the
    resources for a trial, and if a node does not share the storage or lacks the package of a
    method.
    """
    import ray

    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if ray.is_initialized():
        raise InputError("Ray: it is already running in this process; call ray.shutdown() first")
    joined = address != "local"
    head = _head_of(address) if joined else ""
    if joined:
        _refuse_lost_storage(store)
    own: dict[str, Any] = {"num_cpus": usable_cpus()}  # Ray would count those of the machine
    own = {"runtime_env": _shipped_code()} if joined else own
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "include_dashboard": False}
    try:
        ray.init("auto" if address == "auto" else head or "local", **quiet, **own)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InputError(f"address: '{address}' cannot be joined: {_last_line(error)}") from None
    if not joined:
        _hide_token()
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        _check_resources(resources, nodes)
        with _watched(address, head) if joined else nullcontext():
            if joined:
                _check_nodes(resources, store, methods)
            yield
    finally:
        # A collection in another thread that frees one of Ray's objects now would end the process.
        gc.disable()
        ray.shutdown()
        gc.enable()


def _hide_token() -> None:
    """Make Ray's token, which Ray creates readable for everyone, unreadable for other users."""
    with suppress(OSError):
        (Path.home() / ".ray" / "auth_token").chmod(0o600)


def _head_of(address: str) -> str:
    """`HOST:PORT` of the head of a cluster that answers and has a node on this machine."""
    if "://" in address:
        raise InputError(
            f"address: '{address}' is for Ray's client or dashboard; on a machine of the cluster, "
            "give HOST:PORT of the head, or submit the study from here: ray job submit "
            "--address http://HOST:8265 --working-dir . -- gmm-study run ..."
        )
    if address != "auto":
        _connect(address)
    seconds = str(round(HEAD_ANSWERS_IN))
    timeouts = (ray_internals.CONNECT_TIMEOUT, ray_internals.NODE_TIMEOUT)
    environment = os.environ | dict.fromkeys(timeouts, seconds)
    environment.pop(ray_internals.JOB_CONFIG, None)  # only this process is the job's driver
    command = [sys.executable, "-P", "-m", knock.__name__, address]
    try:
        answer = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=6 * HEAD_ANSWERS_IN
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"address: '{address}' answers, but is not a Ray head") from None
    if answer.returncode == 0:
        return answer.stdout.split()[-1]
    raise InputError(f"address: '{address}' {_why_not(address, answer)}")


def _why_not(address: str, answer: subprocess.CompletedProcess[str]) -> str:
    """Why a cluster could not be joined, from the exit status of `knock`."""
    if answer.returncode == knock.NEEDS_TOKEN:
        return (
            "requires a token, or a different one: set RAY_AUTH_MODE=token, with the cluster's "
            "token in ~/.ray/auth_token or in the file that RAY_AUTH_TOKEN_PATH names"
        )
    if answer.returncode == knock.NO_NODE and address == "auto":
        return "finds no cluster on this machine: give HOST:PORT of its head"
    if answer.returncode == knock.NO_NODE:
        return (
            "has no node on this machine: join with `ray start --address=HOST:PORT`, or submit "
            "the study with `ray job submit`"
        )
    reason = (answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"])[-1]
    if answer.returncode != knock.NO_HEAD:
        return f"cannot be joined: {reason}"
    return (
        "does not answer as the head of a Ray cluster; `ray start --head` starts one at HOST:6379 "
        f"({reason})"
    )


def _connect(address: str) -> None:
    """Raise `InputError` if nothing listens at `HOST:PORT`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"address: '{address}' must be HOST:PORT of a cluster's head, or auto")
    try:
        _touch(address)
    except (OSError, OverflowError) as error:
        raise InputError(f"address: nothing answers at '{address}': {error}") from None


def _touch(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), ANSWERS_IN).close()


def _shipped_code() -> dict[str, Any]:
    """The runtime environment that gives nodes this code and its git commit."""
    known = {COMMIT_VARIABLE: git_commit(), "GMM_STUDY_EAGER": os.environ.get("GMM_STUDY_EAGER")}
    return {
        "py_modules": [str(Path(gmm_study.__file__).parent)],
        "excludes": ["__pycache__"],
        "env_vars": {name: value for name, value in known.items() if value},
    }


def _check_resources(asked: Resources, nodes: Sequence[Mapping[str, Any]]) -> None:
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


def _refuse_lost_storage(store: RecordStore) -> None:
    """Raise `InputError` for a storage in the working folder of a Ray job, which Ray deletes."""
    if ray_internals.working_folder_of_job() and Path(store.root).is_relative_to(Path.cwd()):
        raise InputError(
            f"storage: '{store.root}' is in the working folder of a Ray job, which Ray deletes at "
            "the end; give a shared folder's full path or the address of a bucket"
        )


def _check_nodes(asked: Resources, store: RecordStore, methods: Sequence[str]) -> None:
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
        raise InputError(f"address: node '{host}' cannot run trials: {_last_line(error)}") from None
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


@contextmanager
def _watched(address: str, head: str) -> Iterator[None]:
    """End this process with one line once the head has been silent for too long.

    This runs in a thread, because the main thread then waits inside Ray, where no signal reaches
    it.
    """
    over = threading.Event()

    def watch() -> None:
        silent = 0.0
        while silent < LOST_AFTER:
            if over.wait(HEAD_CHECK_SECONDS):
                return
            try:
                _touch(head)
                silent = 0.0
            except OSError:
                silent += HEAD_CHECK_SECONDS
        cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # which the live view hides
        print(
            f"{cursor}gmm-study: address: the Ray cluster at '{address}' no longer answers; the "
            "progress is kept, and the same command continues once there is a cluster",
            file=sys.stderr,
            flush=True,
        )
        os._exit(2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
