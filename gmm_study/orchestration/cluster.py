"""The Ray that a study runs on: a local one of its own, or an existing cluster.

On a cluster, the code is sent along in Ray's runtime environment, so that the nodes run what the
driver runs.
"""

import gc
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import gmm_study
from gmm_study.errors import InputError
from gmm_study.machine import usable_cpus
from gmm_study.orchestration import ray_internals
from gmm_study.orchestration.address import head_of
from gmm_study.orchestration.admission import Admission
from gmm_study.orchestration.cause import last_line
from gmm_study.orchestration.head_watch import watched
from gmm_study.orchestration.nodes import check_resources
from gmm_study.study.sections import Resources
from gmm_study.trials.provenance import COMMIT_VARIABLE, git_commit
from gmm_study.trials.record_store import RecordStore

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


def prepare_ray() -> None:
    """Make Ray quiet and private. Call it before the first import of Ray."""
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    ray_internals.print_no_errors_of_nodes()
    ray_internals.leave_sigterm_alone()


@contextmanager
def ray_at(
    address: str | None,
    resources: Resources,
    store: RecordStore,
    methods: Sequence[str] = (),
    say: Callable[[str], object] = print,
) -> Iterator[Admission | None]:
    """A Ray that can run trials of these methods into a store: a local one or a cluster.

    The address is `HOST:PORT` of the head, or `auto`. With None, RAY_ADDRESS is used, or a local
    Ray if it is not set. Gives the admission of the cluster's nodes, None on a local Ray; `say` is
    called with one line when a node joins or leaves. Raises `InputError` if there is no such
    cluster, if no node has the resources for a trial, if the storage cannot be written, and if a
    node does not share it or lacks the package of a method.
    """
    import ray

    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if ray.is_initialized():
        raise InputError("Ray: it is already running in this process; call ray.shutdown() first")
    joined = address != "local"
    head = head_of(address) if joined else ""
    if joined:
        _refuse_lost_storage(store)
    own: dict[str, Any] = {"num_cpus": usable_cpus()}  # Ray would count those of the machine
    own = {"runtime_env": _shipped_code()} if joined else own
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "include_dashboard": False}
    try:
        ray.init("auto" if address == "auto" else head or "local", **quiet, **own)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InputError(f"address: '{address}' cannot be joined: {last_line(error)}") from None
    if not joined:
        _hide_token()
    try:
        if not (joined and resources.autoscaling):
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            check_resources(resources, nodes)
        store.check_writable()
        head = head or ray.get_runtime_context().gcs_address
        admitting = Admission(resources, store, methods, say).open() if joined else nullcontext()
        with watched(address, head), admitting as admission:
            yield admission
    finally:
        # A collection in another thread that frees one of Ray's objects now would end the process.
        gc.disable()
        ray.shutdown()
        gc.enable()


def _hide_token() -> None:
    """Make Ray's token, which Ray creates readable for everyone, unreadable for other users."""
    with suppress(OSError):
        (Path.home() / ".ray" / "auth_token").chmod(0o600)


def _shipped_code() -> dict[str, Any]:
    """The runtime environment that gives nodes this code and its git commit."""
    known = {COMMIT_VARIABLE: git_commit(), "GMM_STUDY_EAGER": os.environ.get("GMM_STUDY_EAGER")}
    return {
        "py_modules": [str(Path(gmm_study.__file__).parent)],
        "excludes": ["__pycache__"],
        "env_vars": {name: value for name, value in known.items() if value},
    }


def _refuse_lost_storage(store: RecordStore) -> None:
    """Raise `InputError` for a storage in the working folder of a Ray job, which Ray deletes."""
    if ray_internals.working_folder_of_job() and Path(store.root).is_relative_to(Path.cwd()):
        raise InputError(
            f"storage: '{store.root}' is in the working folder of a Ray job, which Ray deletes at "
            "the end; give a shared folder's full path or the address of a bucket"
        )
