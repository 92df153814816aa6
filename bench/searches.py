"""Whether tpe with asha finds more than random search does in as many epochs.

`python -m bench.searches FOLDER` trains with the data set mushrooms, through `gmm-study run`, and
holds the best validation bound of either search against the other's at equal numbers of trained
epochs, over several seeds.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

import pyarrow.parquet
from tabulate import tabulate

STUDY = """
question: Which step size and batch does gmm want on mushrooms?
datasets: [mushrooms]
methods: [gmm]
fixed: {max_epochs: 45, patience: 45, layers: [48, 24, 12]}
space:
  learning_rate: {log_uniform: [1e-5, 1e-1]}
  batch_size: {integer: [10, 200]}
  l2: {log_uniform: [1e-7, 1e-2]}
search: {kind: tpe, trials: 40}
scheduler: {kind: asha, grace_epochs: 5}
evaluation: {samples: 10}
"""
RANDOM = ("--set", "search.kind=random", "--set", "scheduler.kind=none")
"""As many random trials as tpe has in epochs, and a few more."""


def main() -> None:
    """Run both searches with every seed in a folder, where a second call goes on; print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the study and its records are")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    (options.folder / "studies").mkdir(parents=True, exist_ok=True)
    (options.folder / "studies" / "searched.yaml").write_text(STUDY)
    rows = [_compare(options.folder, seed) for seed in range(options.seeds)]
    headings = ["seed", "epochs", "tpe with asha", "random", "difference"]
    print(tabulate([[seed, *row] for seed, row in enumerate(rows)], headings, floatfmt=".3f"))
    differences = [row[-1] for row in rows]
    error = stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
    print(f"difference: {fmean(differences):.3f} ± {error:.3f} nats of validation bound")


def _compare(folder: Path, seed: int) -> tuple[int, float, float, float]:
    """Epochs, the best bound of each search within them, and the difference, in nats."""
    ours = _curves(_run(folder, f"tpe-{seed}", "--set", f"search.seed={seed}"))
    budget = sum(len(curve) for curve in ours)
    trials = budget // 45 + 2
    random = (*RANDOM, "--set", f"search.seed={seed}", "--set", f"search.trials={trials}")
    theirs = _curves(_run(folder, f"random-{seed}", *random))
    found = max(max(curve) for curve in ours)
    baseline = _best_within(theirs, budget)
    return budget, found, baseline, found - baseline


def _run(folder: Path, name: str, *overrides: str) -> list[Path]:
    """Run a search; the records of its trials in the order in which they were drawn."""
    gmm_study = Path(sys.executable).with_name("gmm-study")
    command = [str(gmm_study), "run", "searched", "--storage", name, *overrides]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    plan = [str(gmm_study), "plan", "searched", "--storage", name, *overrides]
    listed = subprocess.run(plan, cwd=folder, check=True, capture_output=True, text=True).stdout
    ids = [words[1] for line in listed.splitlines() if len(words := line.split()) > 2]
    return [folder / name / each for each in ids if (folder / name / each).is_dir()]


def _curves(records: list[Path]) -> list[list[float]]:
    """The validation bound of every epoch, a list a trial; a trial that diverged ends early."""
    curves = []
    for record in records:
        rows = pyarrow.parquet.read_table(record / "metrics.parquet").to_pylist()
        status = json.loads((record / "status.json").read_text())["state"]
        assert status in ("complete", "stopped", "diverged"), f"{record}: {status}"
        curves.append([r["value"] for r in rows if (r["split"], r["metric"]) == ("valid", "bound")])
    return curves


def _best_within(curves: list[list[float]], budget: int) -> float:
    """The best of the epochs that were trained first, trial after trial."""
    epochs = [bound for curve in curves for bound in curve]
    return max(epochs[:budget])


if __name__ == "__main__":
    main()
