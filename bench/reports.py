"""What all reports and the published tables take over thousands of synthetic records."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from bench.cases import Row
from bench.orchestration import seconds_of
from bench.scale import Memory
from bench.timing import significant
from gmm_study.data.registry import REGISTRY
from gmm_study.study import PlannedTrial, load_study, make_plan
from gmm_study.trials.record import METRICS_SCHEMA

RECORDS = 10_000
SECONDS_TARGET, MEMORY_TARGET = "at most 20", "at most 2048"
EPOCHS, REPLICATES = 40, 3
STUDY = """
question: How do gmm and rws behave at scale?
datasets: [digits]
methods: [gmm, rws]
replicates: {replicates}
fixed: {{max_epochs: {epochs}, layers: {{first: 48, last: 12}}}}
space:
  layers.depth: {{grid: [1, 2, 3, 4, 5]}}
  learning_rate: {{log_uniform: [1e-4, 1e-1]}}
  samples: {{choice: [1, 5, 10, 20]}}
search: {{kind: random, trials: {trials}}}
"""


def measure(smoke: bool = False) -> list[Row]:
    """Seconds and peak memory of `gmm-study tables` over one study of so many trials."""
    count = 100 if smoke else RECORDS
    with TemporaryDirectory(prefix="gmm-study-bench-") as name:
        folder = Path(name)
        write_records(folder, count)
        memory = Memory("VmHWM")
        seconds = seconds_of(folder, "tables", watch=memory.look)
    peak = max(memory.mib)
    what = f"gmm-study tables over {count:,} records"
    rows: list[Row] = [
        {"what": f"{what}, seconds", "figure": significant(seconds)},
        {"what": f"{what}, peak memory in MiB", "figure": significant(peak)},
    ]
    if not smoke:
        for row, target in zip(rows, (SECONDS_TARGET, MEMORY_TARGET), strict=True):
            row |= {"target": target, "measured": row["figure"]}
    return rows


def write_records(folder: Path, count: int) -> None:
    """A study of so many trials in `studies/`, and of each a complete record in `results/`."""
    path = folder / "studies" / "many.yaml"
    path.parent.mkdir(parents=True)
    cells = 2 * 5
    path.write_text(STUDY.format(replicates=REPLICATES, epochs=EPOCHS, trials=count // cells))
    plan = make_plan(load_study(str(path)), {"digits": str(REGISTRY["digits"].sha256)})
    random = np.random.default_rng(0)
    for trial in plan.trials:
        _write_record(folder / "results" / trial.config.trial_id, trial, random)


def _write_record(folder: Path, trial: PlannedTrial, random: np.random.Generator) -> None:
    """A record as a worker leaves it; written plainly, as nobody reads it meanwhile."""
    folder.mkdir(parents=True)
    settings = trial.config.hyperparameters
    off = abs(np.log10(settings.learning_rate) + 2)
    ends = -20 - off + 0.3 * len(settings.layers) + 0.1 * random.standard_normal(REPLICATES)
    told = {"state": "complete", "epochs": EPOCHS, "best_epoch": EPOCHS, "seconds": 3.2}
    result = {
        "schema": 1,
        "trial_id": trial.config.trial_id,
        "state": "complete",
        "replicates": {
            str(index): {**told, "metrics": _figures(settings.method, float(end))}
            for index, end in enumerate(ends)
        },
        "finished": 1_766_400_000.0,
    }
    (folder / "config.json").write_text(json.dumps(trial.config.to_json()))
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "status.json").write_text(json.dumps({"state": "complete", "time": 0.0}))
    parquet.write_table(_curves(ends), folder / "metrics.parquet")


def _figures(method: str, end: float) -> dict[str, float]:
    figures = {"valid/bound": end, "test/bound": end - 0.2, "test/log_p": end + 0.2}
    figures |= {"test/log_p_se": 0.3, "test/ess": 0.3}
    if method == "gmm":
        figures |= {"test/log_p_tilde": end - 0.1, "test/log_p_star": end + 0.5}
        figures |= {"test/ess_star": 0.5, "test/log_z2": -0.6}
    return figures


def _curves(ends: np.ndarray) -> pa.Table:
    names = (("train", "bound"), ("valid", "bound"), ("valid", "log_p"), ("valid", "ess"))
    rows = [
        (replicate, epoch, *name, float(end - 5 * np.exp(-epoch / 8)))
        for replicate, end in enumerate(ends)
        for epoch in range(1, EPOCHS + 1)
        for name in names
    ]
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    return pa.table(columns, names=METRICS_SCHEMA.names).cast(METRICS_SCHEMA)
