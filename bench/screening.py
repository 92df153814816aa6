"""Whether a search that screens finds what a full search finds, and for what part of the cost.

`python -m bench.screening FOLDER DATASET...` runs the search of `uci_table` for gmm on each data
set twice, through `gmm-study run`: as it is, and with all seeds for every trial, none of which a
scheduler stops. Both have the same trials and the same seeds. It holds the trials that they select
on the validation data against each other. A second call goes on in the folder.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from analysis import find, plan_from_records
from analysis.labels import LOG_P
from gmm_study.study import load_study
from gmm_study.trials.record_store import RecordStore

FULL = ("search.screen=null", "scheduler.kind=none")


def main() -> None:
    """Run both searches on every data set in a folder; print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the records are")
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--study", default="studies/uci_table.yaml")
    parser.add_argument("--method", default="gmm")
    options = parser.parse_args()
    study = str(Path(options.study).resolve())
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for dataset in options.datasets:
        overrides = (f"dataset={dataset}", f"methods=[{options.method}]")
        rows.append([dataset, *_compared(options.folder, study, overrides)])
    headings = ["data set", "screened", "full", "difference", "core-seconds", "full", "part"]
    print(tabulate(rows, headings))
    print("test log p in nats, mean ± standard error over seeds; the difference is paired by seed")


def _compared(folder: Path, study: str, overrides: tuple[str, ...]) -> list[str]:
    """Test log p of both choices, their difference, and what both searches cost."""
    screened, its_values, its_seconds = _search(folder, study, "screened", *overrides)
    full, values, seconds = _search(folder, study, "full", *overrides, *FULL)
    texts = [_text(its_values), _text(values), _text(its_values - values)]
    texts[2] += " (the same trial)" if screened == full else ""
    return [*texts, f"{its_seconds:,.0f}", f"{seconds:,.0f}", f"{its_seconds / seconds:.0%}"]


def _search(
    folder: Path, study: str, storage: str, *overrides: str
) -> tuple[str, NDArray[np.float64], float]:
    """The chosen trial, its test log p by seed, `[R]`, and the core-seconds of all trials."""
    gmm_study = Path(sys.executable).with_name("gmm-study")
    changes = [word for override in overrides for word in ("--set", override)]
    command = [str(gmm_study), "run", study, "--storage", storage, *changes]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    store = RecordStore(str(folder / storage))
    found = find(plan_from_records(load_study(study, overrides), store), store)
    (chosen,) = found.cells.loc[found.cells["metric"] == LOG_P, "trial_id"]
    own = found.rows[found.rows["trial_id"] == chosen].sort_values("replicate")
    seconds = sum(each.core_seconds for each in found.spent.values())
    return str(chosen), own[LOG_P].to_numpy(np.float64), seconds


def _text(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}"


if __name__ == "__main__":
    main()
