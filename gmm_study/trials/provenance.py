"""The code, versions and machine with which a result was computed."""

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gmm_study.machine import usable_cpus

COMMIT_VARIABLE = "GMM_STUDY_GIT_COMMIT"
"""The environment variable that names the commit if the code is not in a git checkout."""


@cache
def provenance(method_package: str | None = None) -> dict[str, Any]:
    """The git commit of this code (None if unknown), the versions and the machine.

    If the method comes from another package, the version of that package is included.
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
    """Versions or a machine as text, such as `python 3.11.9, torch 2.13.0`; None if unknown."""
    if facts is None:
        return None
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)


def _machine() -> dict[str, Any]:
    """The kind of machine, without anything that identifies it."""
    import torch

    used = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_initialized() else {}
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": usable_cpus(),
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
    """The commit of this code; None outside a checkout if the environment does not name it."""
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
