"""The runs of a study in MLflow: one run per trial, with one nested run per replicate.

`sync` reads the records and adds what MLflow does not have yet, so the view can be updated or
rebuilt at any time. A run of a study, a run after a crash and `gmm-study sync` share this function.

No run is logged twice. Runs are created under a lock of the machine, after a look at what exists,
and without MLflow's own retries, which create a second run when a response is lost. If duplicates
exist all the same, the first one is kept. The timestamp of a metric is the run's start plus the
step, so logging a value twice creates a single entry; timestamps therefore have no meaning.

The best trials are tagged when a run or a sync ends, by validation only, and separately for
each variant of the study, because variants share trials.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from gmm_study.addresses import redact
from gmm_study.tracking.account import STATUS, Account, account_of
from gmm_study.tracking.database import (
    await_database,
    environment,
    lock_of,
    make_database,
    tracking_uri,
)
from gmm_study.tracking.experiment import NOTE, StudyExperiment
from gmm_study.tracking.lists import as_tag, from_tag
from gmm_study.tracking.mlflow_internals import PARENT_RUN, RUN_NAME
from gmm_study.tracking.notes import PICTURES, BestRow, Facts, ReportCell, trial_note
from gmm_study.tracking.words import (
    BEST_OF_CELL,
    BEST_OF_METHOD,
    KIND,
    REPLICATE,
    TRIAL,
    VARIANTS,
    final_name,
    mean_curve_name,
)
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.result import COLLAPSED, ReplicateResult
from gmm_study.trials.selection import SELECTION_METRICS, Choice, Scores, best_trials

BATCH = 800
"""Metrics per request; MLflow accepts 1,000 entries, including params and tags."""
ARTIFACTS = (
    "config.json",
    "checkpoint/model.safetensors",
    "checkpoint/meta.json",
    "pictures/samples.png",
    "pictures/samples_p_star.png",
    "pictures/chain.gif",
    "pictures/inpainting.png",
)


@dataclass
class _Run:
    """A run in MLflow and its content."""

    run_id: str
    started: int
    """Its start in MLflow, in milliseconds."""
    tags: dict[str, str]
    last_epoch: int = 0
    lacks_params: bool = False
    params: list[Param] = field(default_factory=list)
    """To be sent with the next request."""

    @property
    def state(self) -> TrialState:
        """Its state in MLflow."""
        return TrialState(self.tags["state"])

    @property
    def has_ended(self) -> bool:
        """Whether MLflow has the complete run; runs from before the tag `kind` are incomplete."""
        return self.state.has_result and KIND in self.tags

    def says(self, account: Account, name: str) -> bool:
        """Whether MLflow already has everything about an ended trial, and all words of its name."""
        known = (self.state, self.tags.get("replicates"), self.tags.get("rest"))
        told = self.has_ended and known == (account.state, account.averaged, account.rest)
        return told and not self.is_part_of(name)

    def is_part_of(self, name: str) -> bool:
        """Whether its name lacks words of another one, as of a variant in which more varies."""
        return set(self.tags[RUN_NAME].split()) < set(name.split())

    def metric(self, name: str, value: float, step: int) -> Metric:
        """A value whose timestamp depends only on its step; logged twice, it is stored once."""
        return Metric(name, value, self.started + step, step)


@dataclass
class _TrialRuns:
    parent: _Run
    replicates: dict[int, _Run] = field(default_factory=dict)


class StudyRuns:
    """The MLflow runs of one study's trials.

    Several processes may use this at the same time. Those of one machine create runs one after
    another, under a lock, and first look up the runs that the others have created.
    """

    def __init__(self, facts: Facts, uri: str | None = None) -> None:
        self.facts = facts
        uri = uri or tracking_uri()
        self._lock = lock_of(uri, facts.name)
        with self._lock:
            make_database(uri)
            await_database(uri)
            self.client = MlflowClient(tracking_uri=uri)
            self.experiment = StudyExperiment(self.client, facts)
            self.experiment_id = self.experiment.experiment_id
            self.trials = self._known_runs()
        self._scores: dict[str, Scores] = {}

    def sync(self, label: str, config: TrialConfig, record: Record, replicates: int) -> bool:
        """Add to MLflow what is new in the trial's record; nothing is added twice.

        Returns whether all wanted replicates have ended. Raises `ValueError` if the record cannot
        be read, before anything is added.
        """
        self._scores.pop(config.trial_id, None)
        account = account_of(record, replicates)
        self._scores[config.trial_id] = account.scores(replicates)
        known = self.trials.get(config.trial_id)
        if account.state.has_result and known and known.parent.says(account, label):
            self._list(known.parent, VARIANTS, True)
            return True
        indices = sorted({*range(replicates), *account.ended})
        known = self._runs_of(label, config, indices)
        for index in indices:
            self._sync_replicate(known.replicates[index], index, account)
        self._sync_parent(known.parent, config.trial_id, record, account)
        return account.state.has_result

    def conclude(self, places: Sequence[tuple[ReportCell, str]]) -> None:
        """Tag the best of the synced trials, and remove such tags from the others.

        `places` are the study's trials, in order, each with every cell in which it competes. A
        trial that is no longer in the study is not the best of any cell. If the bounds of a
        method's trials are not comparable, no trial is the best of the method.
        """
        of_methods = (((cell.dataset, cell.method), trial_id) for cell, trial_id in places)
        best_of_cell = best_trials(places, self._scores)
        best_of_method = best_trials(of_methods, self._scores)
        by = {choice.selected_by for choice in (*best_of_cell.values(), *best_of_method.values())}
        facts = replace(
            self.facts, selected_by=tuple(name for name in SELECTION_METRICS if name in by)
        )
        if facts.swept_bounds:
            best_of_method = {}
        of_cell, of_method = (
            {choice.trial_id for choice in best.values()} for best in (best_of_cell, best_of_method)
        )
        for trial_id, runs in self.trials.items():
            self._list(runs.parent, BEST_OF_CELL, trial_id in of_cell)
            self._list(runs.parent, BEST_OF_METHOD, trial_id in of_method)
        self.experiment.describe(facts, self._best_rows(best_of_method))

    def _best_rows(self, best: Mapping[tuple[str, str], Choice]) -> list[BestRow]:
        rows = []
        for (dataset, method), choice in best.items():
            run = self.trials[choice.trial_id].parent
            label = run.tags[RUN_NAME]
            rows.append(
                BestRow(dataset, method, run.run_id, label, choice.value, choice.selected_by)
            )
        return rows

    def _list(self, run: _Run, tag: str, wanted: bool) -> None:
        """Add this variant to a tag that lists variants, or remove it."""
        others = set(from_tag(run.tags.get(tag))) - {self.facts.variant_name}
        after = as_tag(others | {self.facts.variant_name} if wanted else others)
        if after == run.tags.get(tag, ""):
            return
        if after:
            run.tags[tag] = after
            self.client.set_tag(run.run_id, tag, after)
        else:
            self.client.delete_tag(run.run_id, tag)
            del run.tags[tag]

    def _sync_replicate(self, run: _Run, index: int, account: Account) -> None:
        if run.has_ended:
            return
        curve = account.curves[index] if not run.state.has_result else []
        ended = account.ended.get(index)
        metrics = [
            run.metric(f"{row['split']}/{row['metric']}", row["value"], row["epoch"])
            for row in curve
            if row["epoch"] > run.last_epoch
        ]
        last_epoch = max([row["epoch"] for row in curve], default=run.last_epoch)
        tags = {KIND: REPLICATE}
        if ended is None:
            self._move(run, account.state, tags, metrics)
        else:
            metrics += [
                run.metric(name, value, ended.best_epoch)
                for name, value in _final_figures(ended).items()
            ]
            ending = None if ended.ending is None else str(ended.ending)
            facts = {"git_commit": ended.git_commit, "ending": ending, "kept": ended.kept}
            facts[COLLAPSED] = "true" if ended.collapsed else None
            self._move(run, ended.state, tags | facts, metrics)
        run.last_epoch = last_epoch

    def _sync_parent(self, run: _Run, trial_id: str, record: Record, account: Account) -> None:
        metrics: list[Metric] = []
        error = redact(account.error) if account.error else None
        tags = {KIND: TRIAL, "rest": account.rest, "error": error, **account.made_with}
        tags[VARIANTS] = as_tag({*from_tag(run.tags.get(VARIANTS)), self.facts.variant_name})
        if account.state.has_result:
            artifacts = self._log_artifacts(run, record)
            count = len(account.ended)
            # The step counts replicates, so that of two averages the later one is shown.
            metrics = [run.metric(name, value, count) for name, value in account.means().items()]
            metrics += [
                run.metric(mean_curve_name(name, len(account.complete)), value, epoch)
                for name, curve in account.mean_curves().items()
                for epoch, value in curve.items()
            ]
            pictures = [name for name in PICTURES if name in artifacts]
            place = _shown(record)
            name = run.tags[RUN_NAME]
            note = trial_note(name, trial_id, place, run.run_id, account, pictures)
            tags |= {"replicates": account.averaged, NOTE: note}
        self._move(run, account.state, tags, metrics)

    def _move(
        self,
        run: _Run,
        state: TrialState,
        tags: Mapping[str, str | None],
        metrics: Sequence[Metric] = (),
    ) -> None:
        """Log a state, metrics and tags, then MLflow's own status. Tags of None are removed."""
        wanted = {"state": str(state), **{name: text for name, text in tags.items() if text}}
        new = {name: text for name, text in wanted.items() if run.tags.get(name) != text}
        gone = [name for name, text in tags.items() if not text and name in run.tags]
        if not (new or gone or metrics or run.params):
            return
        for name in gone:
            self.client.delete_tag(run.run_id, name)
            del run.tags[name]
        self._log(run, metrics, [RunTag(name, text) for name, text in new.items()])
        if "state" in new:
            self._set_status(run.run_id, state)
        run.tags |= new

    def _log(self, run: _Run, metrics: Sequence[Metric] = (), tags: Sequence[RunTag] = ()) -> None:
        """Log metrics, the run's params with the first request, and the tags with the last.

        This is usually a single request, because each request costs several transactions.
        """
        batches = [metrics[start : start + BATCH] for start in range(0, len(metrics), BATCH)]
        *others, last = batches or [()]
        for batch in others:
            self.client.log_batch(run.run_id, metrics=list(batch), params=run.params)
            run.params = []
        self.client.log_batch(run.run_id, metrics=list(last), params=run.params, tags=list(tags))
        run.params = []

    def _set_status(self, run_id: str, state: TrialState) -> None:
        if state.is_over:
            self.client.set_terminated(run_id, STATUS[state])
        else:
            self.client.update_run(run_id, STATUS[state])

    def _log_artifacts(self, run: _Run, record: Record) -> list[str]:
        """Copy the artifacts that the record has; returns their names."""
        logged = []
        with tempfile.TemporaryDirectory() as folder:
            for name in ARTIFACTS:
                content = record.read_file(name)
                if content is not None:
                    target = Path(folder) / name
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(content)
                    logged.append(name)
            self.client.log_artifacts(run.run_id, folder)
        return logged

    def _runs_of(self, label: str, config: TrialConfig, indices: Sequence[int]) -> _TrialRuns:
        """A trial's runs; unknown ones are looked up in MLflow, and created if missing."""
        known = self.trials.get(config.trial_id)
        if known is None or not set(indices) <= set(known.replicates):
            with self._lock:
                known = self._known_runs(config.trial_id).get(config.trial_id)
                known = known or _TrialRuns(self._create_run(label, config, self._of_trial()))
                for index in sorted(set(indices) - set(known.replicates)):
                    run_id = known.parent.run_id
                    tags = {"replicate": str(index), PARENT_RUN: run_id, KIND: REPLICATE}
                    run = self._create_run(_replicate_name(index, label), config, tags)
                    known.replicates[index] = run
            self.trials[config.trial_id] = known
        self._name(known, label)
        for run in (known.parent, *known.replicates.values()):
            if run.lacks_params:
                run.params = [Param(name, str(value)) for name, value in config.flat().items()]
                run.lacks_params = False
        return known

    def _name(self, known: _TrialRuns, label: str) -> None:
        """Name the runs in full if a variant in which less varies has created them."""
        names = [(run, _replicate_name(index, label)) for index, run in known.replicates.items()]
        for run, name in (*names, (known.parent, label)):
            if run.is_part_of(name):
                self.client.update_run(run.run_id, name=name)
                run.tags[RUN_NAME] = name

    def _of_trial(self) -> dict[str, str]:
        return {KIND: TRIAL, VARIANTS: as_tag([self.facts.variant_name])}

    def _create_run(self, name: str, config: TrialConfig, tags: dict[str, str]) -> _Run:
        common = {
            "study": self.facts.name,
            "trial_id": config.trial_id,
            "dataset_sha256": config.dataset_sha256,
            "state": str(TrialState.RUNNING),
            RUN_NAME: name,
        }
        # If a response was lost, a second request would create a second run.
        with environment({"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}):
            run = self.client.create_run(self.experiment_id, tags=common | tags)
        return _Run(run.info.run_id, run.info.start_time, common | tags, lacks_params=True)

    def _known_runs(self, trial_id: str | None = None) -> dict[str, _TrialRuns]:
        """The runs that exist in MLflow, by trial id; all, or those of one trial.

        If a lost response has led to several runs for the same trial or replicate, the first one is
        kept.
        """
        kept: dict[str, _TrialRuns] = {}
        # A trial's own run is created before those of its replicates.
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
        state = TrialState(tags["state"])
        if run.info.status != STATUS[state]:
            self._set_status(run_id, state)
        if "replicate" in tags and not state.has_result:
            history = self.client.get_metric_history(run_id, "valid/bound")
            last_epoch = max((metric.step for metric in history), default=0)
        return _Run(
            run_id,
            run.info.start_time,
            dict(tags),
            last_epoch,
            lacks_params=not run.data.params,
        )

    def _all_runs(self, trial_id: str | None) -> list[Any]:
        """Runs in the order in which they were created."""
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


def _final_figures(ended: ReplicateResult) -> dict[str, float]:
    """The final metrics of a replicate, with their names in MLflow."""
    figures = {
        final_name(name): value
        for name, value in ended.metrics.items()
        if name.startswith(("valid/", "test/"))
    }
    counts = {"epochs": ended.epochs, "best_epoch": ended.best_epoch, "seconds": ended.seconds}
    return figures | counts


def _replicate_name(index: int, label: str) -> str:
    return f"replicate {index} of {label}"


def _shown(record: Record) -> str:
    """The place of a record as shown to people: of a local path, only the last two folders."""
    return "/".join(redact(record.path).rsplit("/", 2)[-2:]) if record.is_local else record.path


def _when_made(run: Any) -> tuple[Any, ...]:
    return run.info.start_time, "replicate" in run.data.tags, run.info.run_id


def _belongs(run: Any, trial: _TrialRuns | None) -> bool:
    """Whether a replicate's run is the first one for this replicate below its trial's kept run."""
    if trial is None or run.data.tags.get(PARENT_RUN) != trial.parent.run_id:
        return False
    return int(run.data.tags["replicate"]) not in trial.replicates


def is_declined(error: Exception) -> bool:
    """Whether MLflow has rejected this request in particular; it may accept others."""
    return isinstance(error, MlflowException) and 400 <= error.get_http_status_code() < 500
