"""One experiment a study, a run a trial, a nested run a replicate.

Everything is read from the records and written by whoever calls `sync`, which adds what MLflow
does not have yet; so the view can be brought up to date, or rebuilt, at any time.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any

from mlflow.entities import LifecycleStage, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from gmm_study.addresses import redact
from gmm_study.tracking.account import STATUS, Account, account_of, means_over_replicates
from gmm_study.tracking.database import (
    DEFAULT_ARTIFACTS,
    await_database,
    lock_of,
    make_database,
    tracking_uri,
)
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record

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
ENDED = ("complete", "diverged")
IN_PROGRESS = ("pending", "running")


@dataclass
class _Run:
    """A run in MLflow and what it already says."""

    run_id: str
    started: int
    """In milliseconds, as MLflow has it."""
    state: str = "running"
    last_epoch: int = 0
    replicates: str = ""
    """Of a trial's run: the replicates whose final figures it averages."""
    lacks_params: bool = False
    params: list[Param] = field(default_factory=list)
    """Those to go with the next request."""

    def says(self, state: str, replicates: str) -> bool:
        """Whether MLflow has this state already, of these replicates."""
        return (self.state, self.replicates) == (state, replicates)

    def metric(self, name: str, value: float, step: int) -> Metric:
        """A figure with a time of its own: said twice it is one entry, which MLflow keeps once."""
        return Metric(name, value, self.started + step, step)


@dataclass
class _TrialRuns:
    parent: _Run
    replicates: dict[int, _Run] = field(default_factory=dict)


class StudyRuns:
    """The MLflow runs of one study's trials.

    Several may be at work at a time. Those of one machine make runs one after another, by a lock in
    the folder `locks`, and look up first what the others made.
    """

    def __init__(
        self, study: str, question: str, uri: str | None = None, locks: str | None = None
    ) -> None:
        self.study = study
        uri = uri or tracking_uri()
        self._lock = lock_of(uri, study, locks or tempfile.gettempdir())
        with self._lock:
            make_database(uri)
            await_database(uri)
            self.client = MlflowClient(tracking_uri=uri)
            self.experiment_id = self._experiment(question)
            self.trials = self._known_runs()

    def sync(self, label: str, config: TrialConfig, record: Record, replicates: int) -> None:
        """Add to MLflow whatever the trial's record holds that it lacks; nothing twice.

        Raises `ValueError` for a record that cannot be read, before anything is added.
        """
        told = account_of(record, replicates)
        known = self.trials.get(config.trial_id)
        averaged = ",".join(map(str, told.ended))
        if told.state in ENDED and known and known.parent.says(told.state, averaged):
            return
        indices = sorted({*range(replicates), *told.ended})
        known = self._runs_of(label, config, indices)
        for index in indices:
            self._sync_replicate(known.replicates[index], index, told)
        if told.state in ENDED:
            self._end_parent(known.parent, record, told)
        else:
            error = redact(told.error) if told.error else None
            self._move(known.parent, told.state, {"error": error})

    def _sync_replicate(self, run: _Run, index: int, told: Account) -> None:
        if run.state in ENDED:
            return
        curve, ended = told.curves[index], told.ended.get(index)
        metrics = [
            run.metric(f"{row['split']}/{row['metric']}", row["value"], row["epoch"])
            for row in curve
            if row["epoch"] > run.last_epoch
        ]
        last_epoch = max([row["epoch"] for row in curve], default=run.last_epoch)
        if ended is None:
            self._move(run, told.state, {}, metrics)
        else:
            metrics += [
                run.metric(name, nan if value is None else value, ended["best_epoch"])
                for name, value in ended["metrics"].items()
                if name.startswith("test/")
            ]
            self._move(run, ended["state"], {"git_commit": ended.get("git_commit")}, metrics)
        run.last_epoch = last_epoch

    def _end_parent(self, run: _Run, record: Record, told: Account) -> None:
        self._log_artifacts(run, record)
        means = means_over_replicates(list(told.ended.values()))
        # The step counts replicates, so that of two averages the later one is shown.
        metrics = [run.metric(name, value, len(told.ended)) for name, value in means.items()]
        run.replicates = ",".join(map(str, told.ended))
        tags = {"git_commit": told.git_commit, "replicates": run.replicates}
        self._move(run, told.state, tags, metrics)

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
        if state in IN_PROGRESS:
            self.client.update_run(run_id, STATUS[state])
        else:
            self.client.set_terminated(run_id, STATUS[state])

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

    def _runs_of(self, label: str, config: TrialConfig, indices: Sequence[int]) -> _TrialRuns:
        """A trial's runs, looked up in MLflow where they are not known, then made."""
        known = self.trials.get(config.trial_id)
        if known is None or not set(indices) <= set(known.replicates):
            with self._lock:
                known = self._known_runs(config.trial_id).get(config.trial_id)
                known = known or _TrialRuns(self._create_run(label, config, {}))
                for index in sorted(set(indices) - set(known.replicates)):
                    tags = {"replicate": str(index), MLFLOW_PARENT_RUN_ID: known.parent.run_id}
                    run = self._create_run(f"replicate {index}", config, tags)
                    known.replicates[index] = run
            self.trials[config.trial_id] = known
        for run in (known.parent, *known.replicates.values()):
            if run.lacks_params:
                run.params = [Param(name, str(value)) for name, value in config.flat().items()]
                run.lacks_params = False
        return known

    def _create_run(self, name: str, config: TrialConfig, tags: dict[str, str]) -> _Run:
        common = {
            "study": self.study,
            "trial_id": config.trial_id,
            "dataset_sha256": config.dataset_sha256,
            "state": "running",
            MLFLOW_RUN_NAME: name,
        }
        with _asking_once():
            run = self.client.create_run(self.experiment_id, tags=common | tags)
        return _Run(run.info.run_id, run.info.start_time, lacks_params=True)

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

    def _known_runs(self, trial_id: str | None = None) -> dict[str, _TrialRuns]:
        """The runs that MLflow has already, by trial id, or those of one trial.

        Of several runs for the same, as an answer that was lost leaves them, the first one stays.
        """
        kept: dict[str, _TrialRuns] = {}
        # A trial's own run is made before those of its replicates.
        for run in self._all_runs(trial_id):
            tags, trial = run.data.tags, run.data.tags.get("trial_id")
            if trial is None:
                continue
            if "replicate" not in tags and trial not in kept:
                kept[trial] = _TrialRuns(self._known_run(run))
            elif "replicate" in tags and _belongs(run, kept.get(trial)):
                kept[trial].replicates[int(tags["replicate"])] = self._known_run(run)
            else:
                self.client.delete_run(run.info.run_id)
        return kept

    def _known_run(self, run: Any) -> _Run:
        run_id, tags, last_epoch = run.info.run_id, run.data.tags, 0
        if run.info.status != STATUS[tags["state"]]:
            self._set_status(run_id, tags["state"])
        if "replicate" in tags and tags["state"] not in ENDED:
            history = self.client.get_metric_history(run_id, "valid/bound")
            last_epoch = max((metric.step for metric in history), default=0)
        return _Run(
            run_id,
            run.info.start_time,
            tags["state"],
            last_epoch,
            tags.get("replicates", ""),
            lacks_params=not run.data.params,
        )

    def _all_runs(self, trial_id: str | None) -> list[Any]:
        """Runs in the order in which they were made."""
        only = f"tags.trial_id = '{trial_id}'" if trial_id else ""
        runs, token = [], None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], only, max_results=1000, page_token=token
            )
            runs += page
            token = page.token
            if not token:
                return sorted(runs, key=_when_made)


def _when_made(run: Any) -> tuple[Any, ...]:
    return run.info.start_time, "replicate" in run.data.tags, run.info.run_id


def _belongs(run: Any, trial: _TrialRuns | None) -> bool:
    """Whether a replicate's run is the first of its kind below the trial's run that stays."""
    if trial is None or run.data.tags.get(MLFLOW_PARENT_RUN_ID) != trial.parent.run_id:
        return False
    return int(run.data.tags["replicate"]) not in trial.replicates


def is_declined(error: Exception) -> bool:
    """Whether MLflow is there and does not take this one thing; others it may take."""
    return isinstance(error, MlflowException) and 400 <= error.get_http_status_code() < 500


@contextmanager
def _asking_once() -> Iterator[None]:
    """Without MLflow's retries: a second request would make a second run if an answer was lost."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({} if before is None else {name: before})
