"""MLflow as a view of the records: one experiment a study, a run a trial, a nested run a replicate.

Everything is read from the records and written by whoever calls `sync`, which adds what MLflow
does not have yet; so the view can be brought up to date, or rebuilt, at any time.
"""

import logging
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record

DEFAULT_URI = "sqlite:///mlflow.db"
DEFAULT_ARTIFACTS = "mlartifacts"
BATCH = 1000
"""Metrics in one request, the most that MLflow takes."""
ARTIFACTS = (
    "config.json",
    "checkpoint/model.safetensors",
    "checkpoint/meta.json",
    "pictures/samples.png",
)
STATUS = {"complete": "FINISHED", "diverged": "FAILED", "failed": "FAILED"}


def tracking_uri() -> str:
    """Where the runs go: `MLFLOW_TRACKING_URI`, or a database in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


@dataclass
class _Run:
    run_id: str
    state: str = "running"
    last_epoch: int = 0


@dataclass
class _TrialRuns:
    parent: _Run
    replicates: dict[int, _Run] = field(default_factory=dict)


class StudyRuns:
    """The MLflow runs of one study's trials."""

    def __init__(self, study: str, question: str, uri: str | None = None) -> None:
        for chatty in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self.study = study
        self.client = MlflowClient(tracking_uri=uri or tracking_uri())
        self.experiment_id = self._experiment(question)
        self.trials = self._known_runs()

    def sync(self, label: str, config: TrialConfig, record: Record, replicates: int) -> None:
        """Add to MLflow whatever the trial's record holds that it lacks."""
        state = record.state(replicates)
        known = self.trials.get(config.trial_id)
        if (
            known
            and known.parent.state == state == "complete"
            and len(known.replicates) == replicates
        ):
            return
        result = record.result() or {"replicates": {}}
        if known is None:
            parent = self._create_run(label, config, {"state": state}, parent=None)
            known = self.trials[config.trial_id] = _TrialRuns(parent)
        curves = _curves(record)
        for index in range(replicates):
            ended = result["replicates"].get(str(index))
            self._sync_replicate(config, known, index, curves[index], ended)
        self._close_parent(known.parent, record, result, state)

    def _sync_replicate(
        self,
        config: TrialConfig,
        known: _TrialRuns,
        index: int,
        curve: list[dict[str, Any]],
        ended: dict[str, Any] | None,
    ) -> None:
        run = known.replicates.get(index)
        if run is None:
            tags = {"state": "running", "replicate": str(index)}
            run = self._create_run(f"replicate {index}", config, tags, known.parent.run_id)
            known.replicates[index] = run
        if run.state == "complete":
            return
        now = int(time.time() * 1000)
        metrics = [
            Metric(f"{row['split']}/{row['metric']}", row["value"], now, row["epoch"])
            for row in curve
            if row["epoch"] > run.last_epoch
        ]
        if ended:
            metrics += [
                Metric(name, nan if value is None else value, now, ended["best_epoch"])
                for name, value in ended["metrics"].items()
                if not name.startswith("valid/")
            ]
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(run.run_id, metrics=metrics[start : start + BATCH])
        run.last_epoch = max([row["epoch"] for row in curve], default=run.last_epoch)
        if ended:
            self._end(run, ended["state"])

    def _close_parent(self, run: _Run, record: Record, result: dict[str, Any], state: str) -> None:
        if state not in STATUS or run.state == state:
            return
        now = int(time.time() * 1000)
        means = _means_over_replicates(result)
        self.client.log_batch(
            run.run_id,
            metrics=[Metric(name, value, now, 0) for name, value in means.items()],
            tags=[RunTag("git_commit", str(result.get("git_commit")))],
        )
        if state == "failed":
            self.client.set_tag(run.run_id, "error", record.status().get("error", ""))
        self._log_artifacts(run, record)
        self._end(run, state)

    def _log_artifacts(self, run: _Run, record: Record) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name in ARTIFACTS:
                content = record.read_file(name)
                if content is not None:
                    target = Path(folder) / name
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(content)
            self.client.log_artifacts(run.run_id, folder)

    def _end(self, run: _Run, state: str) -> None:
        self.client.set_tag(run.run_id, "state", state)
        self.client.set_terminated(run.run_id, STATUS[state])
        run.state = state

    def _create_run(
        self, name: str, config: TrialConfig, tags: dict[str, str], parent: str | None
    ) -> _Run:
        all_tags = {
            "study": self.study,
            "trial_id": config.trial_id,
            "dataset_sha256": config.dataset_sha256,
            MLFLOW_RUN_NAME: name,
            **tags,
        }
        if parent:
            all_tags[MLFLOW_PARENT_RUN_ID] = parent
        run_id = self.client.create_run(self.experiment_id, tags=all_tags).info.run_id
        params = [Param(name, str(value)) for name, value in config.flat().items()]
        self.client.log_batch(run_id, params=params)
        return _Run(run_id)

    def _experiment(self, question: str) -> str:
        experiment = self.client.get_experiment_by_name(self.study)
        if experiment is not None:
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
        """The runs that MLflow has already, by trial id."""
        parents: dict[str, _Run] = {}
        children: dict[str, dict[int, _Run]] = defaultdict(dict)
        for run in self._all_runs():
            tags = run.data.tags
            if "trial_id" not in tags:
                continue
            found = _Run(run.info.run_id, tags.get("state", "running"))
            if "replicate" not in tags:
                parents[tags["trial_id"]] = found
                continue
            if run.info.status == RunStatus.to_string(RunStatus.RUNNING):
                history = self.client.get_metric_history(run.info.run_id, "valid/bound")
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


def _curves(record: Record) -> dict[int, list[dict[str, Any]]]:
    curves: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in record.metrics().to_pylist():
        curves[row["replicate"]].append(row)
    return curves


def _means_over_replicates(result: dict[str, Any]) -> dict[str, float]:
    """Mean of every final figure over the complete replicates, and the error of the main ones."""
    complete = [r["metrics"] for r in result["replicates"].values() if r["state"] == "complete"]
    means: dict[str, float] = {}
    for name in complete[0] if complete else ():
        values = [metrics[name] for metrics in complete]
        if name.endswith("_se") or None in values:
            continue
        means[name] = fmean(values)
        if len(values) > 1:
            means[f"{name}_se"] = stdev(values) / len(values) ** 0.5
    return means
