"""Where and with what a figure was made."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


@cache
def provenance() -> dict[str, Any]:
    """The git commit of this code (None outside a checkout) and the versions it ran with."""
    packages = ("gmm-study", "torch", "numpy")
    return {
        "git_commit": _git_commit(),
        "versions": {"python": platform.python_version()}
        | {package: _version(package) for package in packages},
    }


def _git_commit() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
