"""MLflow as a view of the records: one experiment a study, a run a trial, a nested run a replicate.

Everything is read from the records and written by whoever calls `sync`, which adds what MLflow
does not have yet; so the view can be brought up to date, or rebuilt, at any time.
"""

import logging
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mlflow.entities import LifecycleStage, Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record

SQLITE = "sqlite:///"
DEFAULT_URI = f"{SQLITE}mlflow.db"
DEFAULT_ARTIFACTS = "mlartifacts"
BATCH = 800
"""Metrics in one request; MLflow takes 1,000 entries, params and tags among them."""
ARTIFACTS = (
    "config.json",
    "checkpoint/model.safetensors",
    "checkpoint/meta.json",
    "pictures/samples.png",
    "pictures/samples_p_star.png",
    "pictures/chain.gif",
    "pictures/inpainting.png",
)
STATUS = {
    "pending": "SCHEDULED",
    "running": "RUNNING",
    "complete": "FINISHED",
    "diverged": "FAILED",
    "failed": "FAILED",
    "stopped": "KILLED",
}
"""MLflow's word for each state of a trial."""
ENDED = ("complete", "diverged")

for chatty in ("alembic", "mlflow.store.db.utils"):
    logging.getLogger(chatty).setLevel(logging.WARNING)


def tracking_uri() -> str:
    """Where the runs go: `MLFLOW_TRACKING_URI`, or a database in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


@dataclass
class _Run:
    """A run in MLflow and what it already says."""

    run_id: str
    state: str = "running"
    last_epoch: int = 0
    replicates: str = ""
    """Of a trial's run: the replicates whose final figures it averages."""
    params: list[Param] = field(default_factory=list)
    """Those that MLflow does not have yet."""


@dataclass
class _TrialRuns:
    parent: _Run
    replicates: dict[int, _Run] = field(default_factory=dict)


class StudyRuns:
    """The MLflow runs of one study's trials."""

    def __init__(self, study: str, question: str, uri: str | None = None) -> None:
        self.study = study
        uri = uri or tracking_uri()
        _make_database(uri)
        self.client = MlflowClient(tracking_uri=uri)
        self.experiment_id = self._experiment(question)
        self.trials = self._known_runs()

    def sync(self, label: str, config: TrialConfig, record: Record, replicates: int) -> None:
        """Add to MLflow whatever the trial's record holds that it lacks; nothing twice."""
        state, result = record.state(replicates), record.result() or {"replicates": {}}
        ended = {
            index: result["replicates"][str(index)]
            for index in range(replicates)
            if str(index) in result["replicates"]
        }
        known = self.trials.get(config.trial_id)
        averaged = ",".join(map(str, ended))
        if known and known.parent.state == state in ENDED and known.parent.replicates == averaged:
            return
        if known is None:
            parent = self._create_run(label, config, {})
            self._log(parent)  # now, as a run without params counts as half-made
            known = self.trials[config.trial_id] = _TrialRuns(parent)
        curves = _curves(record)
        for index in range(replicates):
            self._sync_replicate(config, known, index, curves[index], ended.get(index), state)
        if state in ENDED:
            self._end_parent(known.parent, record, result, ended, state)
        else:
            error = record.status().get("error") if state == "failed" else None
            self._move(known.parent, state, {"error": error} if error else {})

    def _sync_replicate(
        self,
        config: TrialConfig,
        known: _TrialRuns,
        index: int,
        curve: list[dict[str, Any]],
        ended: dict[str, Any] | None,
        trial_state: str,
    ) -> None:
        if index not in known.replicates:
            tags = {"replicate": str(index), MLFLOW_PARENT_RUN_ID: known.parent.run_id}
            known.replicates[index] = self._create_run(f"replicate {index}", config, tags)
        run = known.replicates[index]
        if run.state in ENDED:
            return
        now = int(time.time() * 1000)
        metrics = [
            Metric(f"{row['split']}/{row['metric']}", row["value"], now, row["epoch"])
            for row in curve
            if row["epoch"] > run.last_epoch
        ]
        last_epoch = max([row["epoch"] for row in curve], default=run.last_epoch)
        if ended is None:
            self._move(run, trial_state, {}, metrics)
        else:
            metrics += [
                Metric(name, nan if value is None else value, now, ended["best_epoch"])
                for name, value in ended["metrics"].items()
                if name.startswith("test/")
            ]
            self._move(run, ended["state"], {"git_commit": ended.get("git_commit")}, metrics)
        run.last_epoch = last_epoch

    def _end_parent(
        self,
        run: _Run,
        record: Record,
        result: dict[str, Any],
        ended: dict[int, dict[str, Any]],
        state: str,
    ) -> None:
        self._log_artifacts(run, record)
        now = int(time.time() * 1000)
        means = _means_over_replicates(list(ended.values()))
        # The step counts replicates, so that of two averages the later one is shown.
        metrics = [Metric(name, value, now, len(ended)) for name, value in means.items()]
        run.replicates = ",".join(map(str, ended))
        tags = {"git_commit": result.get("git_commit"), "replicates": run.replicates}
        self._move(run, state, tags, metrics)

    def _move(
        self,
        run: _Run,
        state: str,
        tags: Mapping[str, str | None] | None = None,
        metrics: Sequence[Metric] = (),
    ) -> None:
        """Log a state with what belongs to it, then MLflow's own status."""
        if run.state == state and not (tags or metrics or run.params):
            return
        said = {"state": state, **{name: text for name, text in (tags or {}).items() if text}}
        self._log(run, metrics, [RunTag(name, text) for name, text in said.items()])
        if run.state == "failed" and state != "failed":
            self._forget(run, "error")
        self._set_status(run.run_id, state)
        run.state = state

    def _log(self, run: _Run, metrics: Sequence[Metric] = (), tags: Sequence[RunTag] = ()) -> None:
        """Log metrics, the run's params with the first of them, and the tags after all else.

        One request, as a rule: each costs several transactions.
        """
        batches = [metrics[start : start + BATCH] for start in range(0, len(metrics), BATCH)]
        *others, last = batches or [()]
        for batch in others:
            self.client.log_batch(run.run_id, metrics=list(batch), params=run.params)
            run.params = []
        self.client.log_batch(run.run_id, metrics=list(last), params=run.params, tags=list(tags))
        run.params = []

    def _set_status(self, run_id: str, state: str) -> None:
        if state in (*ENDED, "failed", "stopped"):
            self.client.set_terminated(run_id, STATUS[state])
        else:
            self.client.update_run(run_id, STATUS[state])

    def _forget(self, run: _Run, tag: str) -> None:
        if tag in self.client.get_run(run.run_id).data.tags:
            self.client.delete_tag(run.run_id, tag)

    def _log_artifacts(self, run: _Run, record: Record) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name in ARTIFACTS:
                content = record.read_file(name)
                if content is not None:
                    target = Path(folder) / name
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(content)
            self.client.log_artifacts(run.run_id, folder)

    def _create_run(self, name: str, config: TrialConfig, tags: dict[str, str]) -> _Run:
        common = {
            "study": self.study,
            "trial_id": config.trial_id,
            "dataset_sha256": config.dataset_sha256,
            "state": "running",
            MLFLOW_RUN_NAME: name,
        }
        run = self.client.create_run(self.experiment_id, tags=common | tags)
        params = [Param(name, str(value)) for name, value in config.flat().items()]
        return _Run(run.info.run_id, params=params)

    def _experiment(self, question: str) -> str:
        experiment = self.client.get_experiment_by_name(self.study)
        if experiment is not None:
            if experiment.lifecycle_stage == LifecycleStage.DELETED:
                self.client.restore_experiment(experiment.experiment_id)
            return str(experiment.experiment_id)
        artifacts = None
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            artifacts = (Path(DEFAULT_ARTIFACTS) / self.study).resolve().as_uri()
        tags = {
            "mlflow.note.content": question,
            "mlflow.experimentKind": "custom_model_development",
        }
        return str(self.client.create_experiment(self.study, artifacts, tags))

    def _known_runs(self) -> dict[str, _TrialRuns]:
        """The runs that MLflow has already, by trial id; half-made ones are deleted."""
        parents: dict[str, _Run] = {}
        children: dict[str, dict[int, _Run]] = defaultdict(dict)
        for run in self._all_runs():
            tags, run_id = run.data.tags, run.info.run_id
            if "trial_id" not in tags:
                continue
            if not run.data.params:
                self.client.delete_run(run_id)
                continue
            found = _Run(run_id, tags["state"], replicates=tags.get("replicates", ""))
            if run.info.status != STATUS[found.state]:
                self._set_status(run_id, found.state)
            if "replicate" not in tags:
                parents[tags["trial_id"]] = found
                continue
            if found.state not in ENDED:
                history = self.client.get_metric_history(run_id, "valid/bound")
                found.last_epoch = max((metric.step for metric in history), default=0)
            children[tags["trial_id"]][int(tags["replicate"])] = found
        return {
            trial_id: _TrialRuns(parent, children[trial_id]) for trial_id, parent in parents.items()
        }

    def _all_runs(self) -> list[Any]:
        runs, token = [], None
        while True:
            page = self.client.search_runs([self.experiment_id], max_results=1000, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs


def serve(host: str, port: int) -> None:
    """Serve the MLflow UI until interrupted."""
    Path(DEFAULT_ARTIFACTS).mkdir(exist_ok=True)
    from mlflow.cli import cli

    cli.main(
        [
            "ui",
            "--backend-store-uri",
            tracking_uri(),
            "--host",
            host,
            "--port",
            str(port),
            "--workers",
            "1",
        ],
        standalone_mode=False,
    )


def prepare() -> None:
    """Do ahead what takes seconds when the first runs are opened, and leave no trace yet."""
    if _lacks_database(tracking_uri()):
        _new_database()


def _lacks_database(uri: str) -> bool:
    return uri.startswith(SQLITE) and "?" not in uri and not Path(uri.removeprefix(SQLITE)).exists()


def _make_database(uri: str) -> None:
    """Make a new sqlite database whole or not at all: MLflow cannot go on with half of one."""
    if _lacks_database(uri):
        path = Path(uri.removeprefix(SQLITE)).absolute()
        Record.at(str(path.parent)).write_file(path.name, _new_database())


@cache
def _new_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "mlflow.db"
        MlflowClient(tracking_uri=f"{SQLITE}{made}").search_experiments(max_results=1)
        return made.read_bytes()


def _curves(record: Record) -> dict[int, list[dict[str, Any]]]:
    curves: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in record.metrics().to_pylist():
        curves[row["replicate"]].append(row)
    return curves


def _means_over_replicates(replicates: list[dict[str, Any]]) -> dict[str, float]:
    """Mean of every final figure over the complete replicates, with its standard error (n - 1)."""
    complete = [fields["metrics"] for fields in replicates if fields["state"] == "complete"]
    means: dict[str, float] = {}
    for name in complete[0] if complete else ():
        values = [metrics[name] for metrics in complete]
        if name.endswith("_se") or None in values:
            continue
        means[name] = fmean(values)
        if len(values) > 1:
            means[f"{name}_se"] = stdev(values) / len(values) ** 0.5
    return means
