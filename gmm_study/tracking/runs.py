"""The runs of a study in MLflow: one run per trial, with one nested run per replicate.

`sync` reads the records and adds what MLflow does not have yet, so the view can be updated or
rebuilt at any time. A run of a study, a run after a crash and `gmm-study sync` share this function.

No run is created twice (`trial_runs`). The timestamp of a metric is the run's start plus the step,
so logging a value twice creates a single entry; timestamps therefore have no meaning.

The best trials are tagged when a run or a sync ends, by validation only, and separately for
each variant of the study, because variants share trials.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException

from gmm_study.addresses import redact
from gmm_study.tracking.account import Account
from gmm_study.tracking.database import await_database, lock_of, make_database, tracking_uri
from gmm_study.tracking.experiment import NOTE, StudyExperiment
from gmm_study.tracking.lists import as_tag, from_tag
from gmm_study.tracking.mlflow_internals import RUN_NAME, log_artifacts
from gmm_study.tracking.notes import PICTURES, BestRow, Facts, ReportCell, trial_note
from gmm_study.tracking.refusals import refusal_of
from gmm_study.tracking.store import open_store
from gmm_study.tracking.trial_runs import KnownRuns, Run
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


class StudyRuns:
    """The MLflow runs of one study's trials.

    Several processes may use this at the same time.
    """

    def __init__(self, facts: Facts, uri: str | None = None) -> None:
        self.facts = facts
        uri = uri or tracking_uri()
        lock = lock_of(uri, facts.name)
        with lock:
            make_database(uri)
            await_database(uri)
            self.client = open_store(uri)
            self.experiment = StudyExperiment(self.client, uri, facts)
            self.experiment_id = self.experiment.experiment_id
            self.runs = KnownRuns(self.client, self.experiment_id, facts, lock)
        self._scores: dict[str, Scores] = {}

    def sync(self, label: str, config: TrialConfig, account: Account | None) -> bool:
        """Add to MLflow what is new in the trial's record; nothing is added twice.

        Returns whether all wanted replicates have ended. Without an account, because the record
        cannot be read, nothing is added. Raises `ValueError` if its curves cannot be read, before
        anything is added.
        """
        self._scores.pop(config.trial_id, None)
        if account is None:
            return False
        has_all = self.has(label, config.trial_id, account)
        if not has_all:
            account.read()  # before anything is added
        self._scores[config.trial_id] = account.scores
        if has_all:
            self._list(self.runs.by_trial[config.trial_id].parent, VARIANTS, True)
            return True
        indices = sorted({*range(account.replicates), *account.ended})
        known = self.runs.of(label, config, indices)
        for index in indices:
            self._sync_replicate(known.replicates[index], index, account)
        self._sync_parent(known.parent, config.trial_id, account)
        return account.state.has_result

    def has(self, label: str, trial_id: str, account: Account) -> bool:
        """Whether MLflow has all of a trial that has ended, so that its curves need no reading."""
        known = self.runs.by_trial.get(trial_id)
        ended = account.state.has_result
        return ended and known is not None and known.parent.says(account, label)

    def conclude(
        self,
        places: Sequence[tuple[ReportCell, str]],
        watch: Callable[[int], object] = lambda number: None,
    ) -> None:
        """Tag the best of the synced trials, and remove such tags from the others.

        `places` are the study's trials, in order, each with every cell in which it competes.
        `watch` is called with the number of trials that are done, after each of them. A
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
        for number, (trial_id, runs) in enumerate(self.runs.by_trial.items(), start=1):
            self._list(runs.parent, BEST_OF_CELL, trial_id in of_cell)
            self._list(runs.parent, BEST_OF_METHOD, trial_id in of_method)
            watch(number)
        self.experiment.describe(facts, self._best_rows(best_of_method))

    def _best_rows(self, best: Mapping[tuple[str, str], Choice]) -> list[BestRow]:
        rows = []
        for (dataset, method), choice in best.items():
            run = self.runs.by_trial[choice.trial_id].parent
            label = run.tags[RUN_NAME]
            rows.append(
                BestRow(dataset, method, run.run_id, label, choice.value, choice.selected_by)
            )
        return rows

    def _list(self, run: Run, tag: str, wanted: bool) -> None:
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

    def _sync_replicate(self, run: Run, index: int, account: Account) -> None:
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

    def _sync_parent(self, run: Run, trial_id: str, account: Account) -> None:
        metrics: list[Metric] = []
        error = redact(account.error) if account.error else None
        tags = {KIND: TRIAL, "rest": account.rest, "error": error, **account.made_with}
        tags[VARIANTS] = as_tag({*from_tag(run.tags.get(VARIANTS)), self.facts.variant_name})
        if account.state.has_result:
            self._log_artifacts(run, account.artifacts)
            count = len(account.ended)
            # The step counts replicates, so that of two averages the later one is shown.
            metrics = [run.metric(name, value, count) for name, value in account.means().items()]
            metrics += [
                run.metric(mean_curve_name(name, len(account.complete)), value, epoch)
                for name, curve in account.mean_curves().items()
                for epoch, value in curve.items()
            ]
            pictures = [name for name in PICTURES if name in account.artifacts]
            place = _shown(account.record)
            name = run.tags[RUN_NAME]
            note = trial_note(name, trial_id, place, run.run_id, account, pictures)
            tags |= {"replicates": account.averaged, NOTE: note}
        self._move(run, account.state, tags, metrics)

    def _move(
        self,
        run: Run,
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
            self.runs.set_status(run.run_id, state)
        run.tags |= new

    def _log(self, run: Run, metrics: Sequence[Metric] = (), tags: Sequence[RunTag] = ()) -> None:
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

    def _log_artifacts(self, run: Run, artifacts: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in artifacts.items():
                target = Path(folder) / name
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)
            log_artifacts(self.client, run.artifact_uri, folder)


def _final_figures(ended: ReplicateResult) -> dict[str, float]:
    """The final metrics of a replicate, with their names in MLflow."""
    figures = {
        final_name(name): value
        for name, value in ended.metrics.items()
        if name.startswith(("valid/", "test/"))
    }
    counts = {"epochs": ended.epochs, "best_epoch": ended.best_epoch, "seconds": ended.seconds}
    return figures | counts


def _shown(record: Record) -> str:
    """The place of a record as shown to people: of a local path, only the last two folders."""
    return "/".join(redact(record.path).rsplit("/", 2)[-2:]) if record.is_local else record.path


def is_declined(error: Exception) -> bool:
    """Whether MLflow has rejected this request in particular; it may accept others."""
    if not isinstance(error, MlflowException) or refusal_of(error):
        return False
    return 400 <= int(error.get_http_status_code()) < 500
