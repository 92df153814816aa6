"""What a study costs beside the training of its trials, by the real command in fresh processes.

Each study has a folder of its own, with new records and a new MLflow database. Cost is wall-clock
time, what a person waits: that of the whole command, less the trials' own training spread over the
workers. So the evaluation, the pictures, the records, MLflow, the report and the start of Ray all
count; the last is told apart as well, by a study that has hardly any trials. The CPU time of a
further trial is that of a study of many trials less that of one of few, by process.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from tqdm import tqdm

from bench.cases import Row
from bench.processes import ProcessorTime
from bench.timing import significant

TRIALS, FEW_TRIALS = 64, 2
WORKERS = 2
REPETITIONS = 5
OVERHEAD_TARGET, CPU_TARGET = "at most 0.35", "at most 0.2"
HELP_TARGET, PLAN_TARGET = "at most 0.5", "at most 2"
GMM_STUDY = Path(sys.executable).with_name("gmm-study")
ROOT = Path(__file__).parent.parent
STUDY = """
question: What does a trial cost beside its training?
datasets: [digits]
methods: [gmm]
fixed: {{layers: [16, 8], max_epochs: 1, samples: 5}}
space:
  seed: {{grid: {seeds}}}
evaluation: {{samples: 10}}
resources: {{concurrent: {workers}}}
"""


@dataclass(frozen=True)
class Cost:
    """Seconds of one study."""

    trials: int
    wall: float
    training: float
    """Of all trials together, as their records say."""
    report: float
    """Of `gmm-study report` on the records."""

    @property
    def beyond(self) -> float:
        """Wall-clock seconds beyond the training of the trials."""
        return self.wall - self.training / WORKERS


def measure(smoke: bool = False) -> list[Row]:
    """Seconds of the commands that answer at once, and of the study and its parts."""
    rows = [
        _row("gmm-study --help", command_seconds("--help"), HELP_TARGET),
        _row("gmm-study plan depth_sweep", command_seconds("plan", "depth_sweep"), PLAN_TARGET),
    ]
    if smoke:
        return rows
    used = {trials: ProcessorTime() for trials in (FEW_TRIALS, TRIALS)}
    sizes = tqdm(used.items(), "orchestration", leave=False, disable=None)
    few, many = [study_cost(trials, processors.look) for trials, processors in sizes]
    more = many.trials - few.trials
    before, after = [processors.by_role() for processors in used.values()]
    cpu = {role: (after[role] - before[role]) / more for role in after}
    training = (many.training - few.training) / more
    return [
        *rows,
        _row(f"a study of {few.trials} trials: fixed costs", few.wall),
        _row(f"a study of {many.trials} trials", many.wall),
        _row("training of its trials, summed", many.training),
        _row("a trial beyond training, all costs", many.beyond / many.trials, OVERHEAD_TARGET),
        _row("a trial beyond training, in core-seconds", many.beyond * WORKERS / many.trials),
        _row("a further trial beyond training", (many.beyond - few.beyond) / more),
        _row(f"gmm-study report of {many.trials} trials", many.report),
        *(_row(f"CPU of a further trial: {role}", seconds) for role, seconds in cpu.items()),
        _row("CPU of a further trial beyond training", sum(cpu.values()) - training, CPU_TARGET),
    ]


def study_cost(trials: int, watch: Callable[[int], None] | None = None) -> Cost:
    """Run a study of so many trials of an epoch on digits, each with one seed.

    `watch` is told the driver's process id every second.
    """
    with TemporaryDirectory(prefix="gmm-study-bench-") as name:
        folder = Path(name)
        (folder / "studies").mkdir()
        text = STUDY.format(seeds=list(range(trials)), workers=WORKERS)
        (folder / "studies" / "many.yaml").write_text(text)
        wall = seconds_of(folder, "run", "many", watch=watch)
        results = [json.loads(path.read_text()) for path in folder.glob("results/*/result.json")]
        training = sum(result["replicates"]["0"]["seconds"] for result in results)
        return Cost(len(results), wall, training, seconds_of(folder, "report", "many"))


def command_seconds(*arguments: str) -> float:
    """Median seconds of `gmm-study ARGUMENTS`, each in a fresh process."""
    return median(seconds_of(ROOT, *arguments) for _ in range(REPETITIONS))


def seconds_of(folder: Path, *arguments: str, watch: Callable[[int], None] | None = None) -> float:
    """Of a command in a folder, to its end; `watch` is told its process id every second."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    command, started = [str(GMM_STUDY), *arguments], perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        while watch and process.poll() is None:
            watch(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return perf_counter() - started


def _row(what: str, seconds: float, target: str | None = None) -> Row:
    row: Row = {"what": what, "seconds": significant(seconds)}
    return row if target is None else {**row, "target": target, "measured": significant(seconds)}
