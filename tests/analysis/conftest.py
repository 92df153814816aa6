from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis import WrittenReport, find, join, load, summarise, write_report
from analysis.curves import learning_curves
from analysis.ship import ship
from gmm_study.search.searches import Searches
from gmm_study.study import Plan, load_study, make_plan
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from tests.analysis.endings import DEPTHS, SETTLED, SIZES, write
from tests.trials.results import result_of


class Lab:
    """A folder for a study's file and a store of records that tests write by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = RecordStore(str(folder / "results"))

    def plan(self, name: str = "ladder", without: Collection[str] = (), **content: Any) -> Plan:
        """The plan of a study; the data sets in `without` are not available."""
        document = {
            "question": "Does depth help?",
            "datasets": ["digits"],
            "methods": ["gmm"],
            "replicates": 3,
            **content,
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        at_hand = [dataset for dataset in document["datasets"] if dataset not in without]
        return make_plan(load_study(str(path)), {d: f"{d:0<64}" for d in at_hand})

    def write(self, config: TrialConfig, *replicates: Mapping[str, float | None] | None) -> None:
        """A record with the final figures of each replicate; None is one that diverged."""
        record = self.store.record(config.trial_id)
        record.write_config(config)
        record.write_result(
            result_of(
                config.trial_id,
                *replicates,
                git_commit="0123456789abcdef",
                versions={"python": "3.11.9", "torch": "2.13.0"},
                machine={"cores": 2},
            )
        )

    def write_curve(self, config: TrialConfig, *replicates: Sequence[float]) -> None:
        """The validation bound of each replicate, epoch by epoch."""
        record = self.store.record(config.trial_id)
        record.write_config(config)
        known = {"split": "valid", "metric": "bound"}
        record.write_metrics(
            {"replicate": index, "epoch": epoch, "value": value, **known}
            for index, values in enumerate(replicates)
            for epoch, value in enumerate(values, start=1)
        )


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def report_of(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Callable[..., WrittenReport]:
    """Writes the report of a plan, with its figures as SVG only, which saves time."""
    monkeypatch.setattr("analysis.report.KINDS", ("svg",))

    def _report_of(plan: Plan, command: str = "") -> WrittenReport:
        return write_report(find(plan, lab.store), lab.folder / "report", command)

    return _report_of


@pytest.fixture
def figures() -> Callable[..., dict[str, float | None]]:
    """The final figures of a replicate, in nats."""

    def _figures(
        valid: float | None, log_p: float | None, bound: float | None = -20.0
    ) -> dict[str, float | None]:
        return {
            "valid/bound": valid,
            "test/bound": bound,
            "test/bound_se": 0.3,
            "test/log_p": log_p,
            "test/log_p_se": 0.3,
            "test/ess": 0.31,
        }

    return _figures


@pytest.fixture
def summary(lab):
    """The planned replicates of a study and their summary."""

    def _summary(plan):
        rows = join(plan, load(lab.store))
        return rows, summarise(plan, rows)

    return _summary


@pytest.fixture
def study(lab, figures):
    """Two methods at three depths; rws diverged once at depth 2 and has not run at depth 5."""
    space, sizes = {"layers.depth": {"grid": [1, 2, 5]}}, {"layers": {"first": 8, "last": 4}}
    plan = lab.plan(
        "a_b", methods=["gmm", "rws"], datasets=["ocr_letters"], space=space, fixed=sizes
    )
    for trial in plan.trials:
        depth, method = trial.axes["layers.depth"], trial.config.hyperparameters.method
        mean = {"gmm": -20.0, "rws": -20.5}[method] + depth
        replicates = [figures(mean - 1, mean + step, mean - 1 + step) for step in (-1.0, 0.0, 1.0)]
        if (method, depth) == ("rws", 2):
            replicates[1] = None
        if (method, depth) != ("rws", 5):
            lab.write(trial.config, *replicates)
    return plan


@pytest.fixture
def curves(lab):
    """The learning curves of a plan, from the records of the lab."""

    def _curves(plan):
        records = load(lab.store)
        rows = join(plan, records)
        return learning_curves(plan, records, rows, summarise(plan, rows))

    return _curves


@pytest.fixture
def conditions(lab):
    """What is said of gmm at two depths, 57 epochs, three replicates each, the rest as given.

    A function gives, from depth and replicate, the ending and the figures that differ.
    """

    def _conditions(of_replicate, methods=("gmm",), **content):
        plan = lab.plan(methods=list(methods), space=DEPTHS, fixed=SIZES, **content)
        for trial in plan.trials:
            depth = trial.axes["layers.depth"]
            endings, figures = [], []
            for number in range(plan.study.replicates):
                ending, others = of_replicate(depth, number)
                endings.append(ending)
                figures.append(SETTLED | {"test/log_p": -20.0 + 0.1 * number} | others)
            write(lab, trial.config, figures, endings)
        return plan, list(find(plan, lab.store).conditions)

    return _conditions


@pytest.fixture
def shipped(lab, figures, tmp_path, monkeypatch):
    """A study with a pack of its records, and a folder in which the user has none."""
    space = {"learning_rate": {"grid": [1e-3, 2e-3, 3e-3]}}
    plan = lab.plan("rates", space=space, scheduler={"kind": "asha"}, fixed={"max_epochs": 50})
    values = [-20.0, -19.0, -21.0]
    complete, stopped = plan.trials[:2], plan.trials[2]
    for trial, value in zip(complete, values, strict=False):
        lab.write(trial.config, *(figures(value + d, value - 1 + d) for d in (-0.1, 0.0, 0.2)))
        lab.write_curve(trial.config, *[[value - 1, value]] * 3)
        lab.store.record(trial.config.trial_id).write_file("checkpoint/meta.json", b"{}")
    record = lab.store.record(stopped.config.trial_id)
    record.write_config(stopped.config)
    record.write_status(TrialState.STOPPED, epoch=5)
    Searches(plan, lab.store)  # writes the histories
    for module in ("shipped", "restore"):
        monkeypatch.setattr(f"analysis.{module}.RECORDS", tmp_path / "records")
    assert ship(plan, lab.store, tmp_path / "records" / "rates.parquet") == 3
    return plan, RecordStore(str(tmp_path / "own"))
