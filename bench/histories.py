"""What following and continuing a search costs, by the number of trials in its cell.

`python -m bench.histories [TRIALS ...]` prints CPU milliseconds: of a look at a search that has had
one trial more since the last look (its history and its plan, then Optuna's view), of the two events
of a trial, and of a driver that takes up the search again. Nothing is trained, and trials are drawn
at random: what tpe takes to draw one is Optuna's.
"""

import argparse
import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from tabulate import tabulate

from gmm_study.api.planned_study import PlannedStudy
from gmm_study.search.cell_search import CellSearch
from gmm_study.search.history import History, end_event
from gmm_study.search.optuna_view import OptunaView
from gmm_study.training.state import TrialState
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P

TRIALS = (500, 1000, 2000, 4000, 10_000)
LOOKS = 50
STUDY = """
question: What does a long search cost?
datasets: [digits]
methods: [gmm]
fixed: {max_epochs: 1}
space:
  learning_rate: {log_uniform: [1e-5, 1e-1]}
  samples: {integer: [2, 50]}
search: {kind: tpe, trials: 1000000}
"""
HEADINGS = ["trials", "look: plan", "look: Optuna", "two events", "bytes, at most", "take up"]


def main() -> None:
    """Print a row for each number of trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=int, nargs="*", default=list(TRIALS))
    rows = []
    for trials in parser.parse_args().trials:
        with TemporaryDirectory(prefix="gmm-study-bench-") as folder:
            rows.append(_measure(Path(folder), trials))
    print(tabulate(rows, HEADINGS, floatfmt=".1f"))


def _measure(folder: Path, trials: int) -> list[float]:
    (folder / "long.yaml").write_text(STUDY)
    planned = PlannedStudy(folder / "long.yaml", str(folder / "results"))
    (cell,) = planned.plan.cells.values()
    history, draws = History(planned.store, cell), random.Random(0)
    for _ in range(trials):
        _add_trial(history, draws)
    history.store()
    view = OptunaView(planned.store, f"sqlite:///{folder}/optuna.db")
    costs: dict[str, float] = {"events": 0.0, "plan": 0.0, "optuna": 0.0}

    def look() -> None:
        costs["events"] += _milliseconds(lambda: _add_trial(history, draws, history.store))
        costs["plan"] += _milliseconds(planned.plan_now)
        costs["optuna"] += _milliseconds(lambda: view.update(planned.plan.cells.values()))

    look()
    costs = dict.fromkeys(costs, 0.0)
    for _ in range(LOOKS):
        look()
    pages = (folder / "results" / ".searches" / "long" / cell.key).iterdir()
    resumed = _milliseconds(lambda: CellSearch(planned.store, cell))
    means = [costs[name] / LOOKS for name in ("plan", "optuna", "events")]
    return [trials, *means, max(page.stat().st_size for page in pages), resumed]


def _add_trial(
    history: History, draws: random.Random, store: Callable[[], None] = lambda: None
) -> None:
    """A trial that is proposed and ends, with `store` called after each of the two events."""
    axes = {
        "learning_rate": float(f"{10 ** draws.uniform(-5, -1):.6g}"),
        "samples": draws.randint(2, 50),
    }
    trial_id = history.cell.trial(axes).config.trial_id
    history.add({"event": "propose", "trial_id": trial_id, "axes": axes})
    store()
    scores = {VALID_BOUND: -draws.random(), VALID_LOG_P: -draws.random()}
    history.add(end_event(trial_id, TrialState.COMPLETE, scores))
    store()


def _milliseconds(act: Callable[[], object]) -> float:
    """The CPU time of this process for a call."""
    before = process_time()
    act()
    return 1000 * (process_time() - before)


if __name__ == "__main__":
    main()
