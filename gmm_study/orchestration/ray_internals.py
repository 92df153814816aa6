"""Everything that this project uses of Ray and that Ray does not document.

Each item says why the documented way does not do; `tests/orchestration/test_ray_internals.py` fails
with a sentence when a release of Ray no longer has it.
"""

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

SETTINGS = {
    # Otherwise Ray starts a worker for each core at once, and each imports torch for nothing.
    "RAY_prestart_worker_first_driver": "0",
    # The only setting that keeps a local Ray on 127.0.0.1. The documented `_node_ip_address` does
    # not: Ray replaces it by the machine's address, and listens on all interfaces.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Otherwise a driver in a job may not set what the job's runtime environment sets.
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
}
"""Environment variables that Ray reads when it is imported, or when it starts a process."""
CONNECT_TIMEOUT = "RAY_py_gcs_connect_timeout_s"
"""Seconds that Ray waits for a head. `ray.init` has no timeout of its own."""
NODE_TIMEOUT = "RAY_gcs_server_request_timeout_seconds"
"""Seconds that Ray waits for a node on this machine. `ray.init` has no timeout of its own."""
JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Set in a driver that `ray job submit` started. The documented runtime context says the same, but
only once the cluster was joined and the job's environment set up."""


def working_folder_of_job() -> str | None:
    """The address of the copied working folder of a Ray job; None outside of such a job."""
    runtime_env = json.loads(os.environ.get(JOB_CONFIG, "{}")).get("runtime_env") or {}
    folder = runtime_env.get("working_dir")
    return None if folder is None else str(folder)


def ask_head(address: str) -> None:
    """Ask the head of a cluster for its status, as `ray status` does, and print it.

    Raises an error of Ray's if nothing answers as a head, or if the token is wrong. The documented
    `ray.init` takes minutes for the first, and reports the second as the first. The command is
    documented, and where Python finds it is not.
    """
    from ray.scripts.scripts import status

    status.main(["--address", address], standalone_mode=False)


def print_no_errors_of_nodes() -> None:
    """Keep Ray from printing what happens to nodes, such as a page of state when one dies.

    The documented `log_to_driver=False` leaves out only what workers print.
    """
    from ray._private import worker

    worker.listen_error_messages = lambda worker, stopped: None


def leave_sigterm_alone() -> None:
    """Keep `ray.init` from replacing this process's handler of SIGTERM.

    Ray's handler ends the process wherever it is, or is ignored if it raises within a callback from
    C++. No option turns it off.
    """
    from ray._private import utils

    utils.set_sigterm_handler = lambda handler: None


def forget_moving_averages(trial: "Trial") -> None:
    """Free the moving averages that Tune keeps of every trial until the run ends, some 10 KiB.

    No option of Tune's turns them off.
    """
    trial.metric_analysis.clear()
    trial.metric_n_steps.clear()


def count_no_callbacks() -> None:
    """Skip the two seconds in which Tune imports MLflow to count callbacks for its statistics.

    Tune counts them even if the documented setting turns the statistics off.
    """
    with suppress(ImportError):
        from ray.air._internal import usage

        usage.tag_callbacks = lambda callbacks: False
