"""What a trial costs in a study of thousands, what the driver then holds, and large plans."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cases import Row
from bench.orchestration import TRIALS, seconds_of, study_cost
from bench.timing import significant

MANY_TRIALS = 2000
RATIO_TARGET, MEMORY_TARGET, PLAN_TARGET = "at most 1.3", "at most 2048", "at most 20"
PLANNED = 100_000
PLANNED_STUDY = """
question: How long does a large plan take?
datasets: [digits]
methods: [gmm]
fixed: {{max_epochs: 1, layers: [8]}}
space:
  seed: {{integer: [0, 1000000000]}}
  learning_rate: {{log_uniform: [1e-4, 1e-1]}}
search: {{kind: random, trials: {trials}}}
"""


class Memory:
    """The memory of a process as time goes by, in MiB: `VmRSS` of now, or the peak, `VmHWM`."""

    def __init__(self, kind: str = "VmRSS") -> None:
        self.kind = kind
        self.mib: list[float] = []

    def look(self, pid: int) -> None:
        """Read it once."""
        with suppress(OSError, ValueError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(self.kind):
                    self.mib.append(int(line.split()[1]) / 1024)


def measure(smoke: bool = False) -> list[Row]:
    """Seconds a trial beyond training, of many trials relative to few; the driver's memory."""
    if smoke:
        return [_row("gmm-study plan of 1,000 trials, seconds", _plan_seconds(1000))]
    few = study_cost(TRIALS)
    memory = Memory()
    many = study_cost(MANY_TRIALS, memory.look)
    ratio = (many.beyond / many.trials) / (few.beyond / few.trials)
    quarter = len(memory.mib) // 4
    grown = max(memory.mib[-quarter:]) - max(memory.mib[: 2 * quarter])
    return [
        _row(f"seconds a trial beyond training, of {few.trials}", few.beyond / few.trials),
        _row(f"seconds a trial beyond training, of {many.trials}", many.beyond / many.trials),
        _row("the second relative to the first", ratio, RATIO_TARGET),
        _row("the driver's memory at its peak, MiB", max(memory.mib), MEMORY_TARGET),
        _row("its growth from the first half to the last quarter, MiB", grown),
        _row(f"gmm-study plan of {PLANNED:,} trials, seconds", _plan_seconds(PLANNED), PLAN_TARGET),
    ]


def _plan_seconds(trials: int) -> float:
    with TemporaryDirectory(prefix="gmm-study-bench-") as name:
        folder = Path(name)
        (folder / "studies").mkdir()
        text = PLANNED_STUDY.format(trials=trials)
        (folder / "studies" / "large.yaml").write_text(text)
        return seconds_of(folder, "plan", "large")


def _row(what: str, figure: float, target: str | None = None) -> Row:
    row: Row = {"what": what, "figure": significant(figure)}
    return row if target is None else {**row, "target": target, "measured": significant(figure)}
