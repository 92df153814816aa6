"""Where and with what a figure was made."""

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMMIT_VARIABLE = "GMM_STUDY_GIT_COMMIT"
"""The commit of code that is not in its checkout, as said by whoever sent it."""


@cache
def provenance(method_package: str | None = None) -> dict[str, Any]:
    """The git commit of this code (None if unknown), the versions and the machine.

    The package of a method that is not built in is one of the versions.
    """
    packages = ["gmm-study", "torch", "numpy", "numba"]
    packages += [method_package] if method_package else []
    return {
        "git_commit": git_commit(),
        "versions": {"python": platform.python_version()}
        | {package: _version(package) for package in packages},
        "machine": _machine(),
    }


def in_a_line(facts: Mapping[str, Any] | None) -> str | None:
    """`python 3.11.9, torch 2.13.0` of versions or a machine; None where nothing is known."""
    if facts is None:
        return None
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)


def _machine() -> dict[str, Any]:
    """What hangs on the kind of machine; nothing that names it."""
    import torch

    used = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_initialized() else {}
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        **used,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def git_commit() -> str | None:
    """The commit of this code, None outside a checkout if nobody says."""
    if said := os.environ.get(COMMIT_VARIABLE):
        return said
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
