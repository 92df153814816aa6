"""Finds the head of the cluster that an address names, or says in one line why there is none.

The address is tried in a separate process (`knock.py`), because Ray waits for long and writes to
stderr from C++.
"""

import os
import socket
import subprocess
import sys

from gmm_study.errors import InputError
from gmm_study.orchestration import knock, ray_internals

ANSWERS_IN = 5.0
"""Seconds to wait for a connection to a port."""
HEAD_ANSWERS_IN = 15.0
"""Seconds that Ray may take to ask the head for its cluster; in fact it takes about ten more."""


def head_of(address: str) -> str:
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
    if answer.returncode == knock.OTHER_VERSIONS:
        return f"runs {reason}; both must be the same"
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
        touch(address)
    except (OSError, OverflowError) as error:
        raise InputError(f"address: nothing answers at '{address}': {error}") from None


def touch(address: str) -> None:
    """Connect to `HOST:PORT` for a moment; raises OSError if nothing listens there."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), ANSWERS_IN).close()
