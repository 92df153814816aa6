"""Tries an address of a Ray cluster: `python -m gmm_study.orchestration.knock ADDRESS`.

In a process of its own, because Ray waits for long and writes to stderr from C++. `ray.init` alone
takes nine minutes to give up on something that is not Ray, and reports a wrong token as the same;
so `ray status` asks the head first, except for `auto`, where it would not find the token.

Prints the head as HOST:PORT, or ends with one of the exit statuses below, or with an error.
"""

import os
import re
import sys
from pathlib import Path

from gmm_study.orchestration import ray_internals

NEEDS_TOKEN, NO_HEAD, NO_NODE, OTHER_VERSIONS = 3, 4, 5, 6
"""The cluster wants another token; no head of a cluster answers; no node runs on this machine; the
cluster runs other versions of Ray or Python."""
VERSION = re.compile(r"(Ray|Python)(?: version)?(?: is)?:? (\d\S*)")
"""A version in Ray's error, which lists those of the cluster before those of this process."""


def knock(address: str) -> int:
    """Join the cluster for a moment and print its head; gives the exit status."""
    import ray
    from ray.exceptions import AuthenticationError, RayError

    if _lacks_token():  # `ray status` would end the process from C++
        return NEEDS_TOKEN
    try:
        if address != "auto":
            ray_internals.ask_head(address)
        ray.init(address, log_to_driver=False)
    except AuthenticationError:
        return NEEDS_TOKEN
    except RayError as error:
        print(error, file=sys.stderr)
        return NO_HEAD
    except ConnectionError:
        return NO_NODE
    except RuntimeError as error:
        if "ersion mismatch" not in str(error):
            raise
        print(_versions(str(error)), file=sys.stderr)
        return OTHER_VERSIONS
    print(ray.get_runtime_context().gcs_address)
    return 0


def _versions(mismatch: str) -> str:
    """`Ray 2.60.0 and Python 3.12.1, and this process Ray 2.60.0 and Python 3.11.7`."""
    found = [" ".join(version) for version in VERSION.findall(mismatch)]
    there, here = found[: len(found) // 2], found[len(found) // 2 :]
    return f"{' and '.join(there)}, and this process {' and '.join(here)}"


def _lacks_token() -> bool:
    """Whether the environment asks for a token that none of Ray's documented places has."""
    elsewhere = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    in_a_file = (Path.home() / ".ray" / "auth_token").exists()
    return os.environ.get("RAY_AUTH_MODE") == "token" and not (elsewhere or in_a_file)


if __name__ == "__main__":
    sys.exit(knock(sys.argv[1]))
