"""CPU seconds of a command by process: of the driver, its workers, MLflow's process and Ray."""

from contextlib import suppress
from dataclasses import dataclass, field
from os import sysconf
from pathlib import Path

DRIVER, RAY = "the driver", "Ray"
ROLES = {"Trainable": "the workers", "gmm_study sync": "the process for MLflow"}
"""What a command line contains, and whose it is; the first that fits. All others are Ray's own."""


@dataclass
class ProcessorTime:
    """The CPU seconds of a process and of all below it, as they were last seen."""

    seconds: dict[int, float] = field(default_factory=dict[int, float])
    roles: dict[int, str] = field(default_factory=dict[int, str])

    def look(self, root: int) -> None:
        """Read them once."""
        parents, used = dict[int, int](), dict[int, float]()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                pid = int(folder.name)
                parents[pid] = int(fields[1])
                used[pid] = (int(fields[11]) + int(fields[12])) / sysconf("SC_CLK_TCK")
        for pid in used:
            if root in _with_ancestors(pid, parents):
                self.seconds[pid] = used[pid]
                role = DRIVER if pid == root else _role(pid)
                self.roles[pid] = role or self.roles.get(pid, RAY)

    def by_role(self) -> dict[str, float]:
        """Those of all processes of a role together."""
        total = dict.fromkeys([DRIVER, *ROLES.values(), RAY], 0.0)
        for pid, seconds in self.seconds.items():
            total[self.roles[pid]] += seconds
        return total


def _with_ancestors(pid: int, parents: dict[int, int]) -> set[int]:
    found = set[int]()
    while pid and pid not in found:
        found.add(pid)
        pid = parents.get(pid, 0)
    return found


def _role(pid: int) -> str:
    """Empty for a process that has just ended."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
    return next((role for text, role in ROLES.items() if text in command), RAY) if command else ""
