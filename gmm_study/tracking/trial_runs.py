"""The runs of a study's trials in MLflow, looked up and created: one per trial and replicate.

No run is created twice. Runs are created under a lock of the machine, after a look at what exists,
and without MLflow's own retries, which create a second run when a response is lost. If duplicates
exist all the same, the first one is kept.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Self

from mlflow import entities
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from gmm_study.tracking.account import STATUS, Account
from gmm_study.tracking.database import environment
from gmm_study.tracking.experiment import runs_of
from gmm_study.tracking.lists import as_tag
from gmm_study.tracking.mlflow_internals import PARENT_RUN, RUN_NAME
from gmm_study.tracking.notes import Facts
from gmm_study.tracking.words import KIND, REPLICATE, TRIAL, VARIANTS
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig


@dataclass
class Run:
    """A run in MLflow and its content."""

    run_id: str
    started: int
    """Its start in MLflow, in milliseconds."""
    artifact_uri: str
    tags: dict[str, str]
    last_epoch: int = 0
    lacks_params: bool = False
    params: list[Param] = field(default_factory=list)
    """To be sent with the next request."""

    @classmethod
    def of(cls, run: entities.Run, tags: Mapping[str, str], **known: Any) -> Self:
        """A run that MLflow has, with its tags and what else is known of it."""
        info = run.info
        return cls(info.run_id, info.start_time, info.artifact_uri, dict(tags), **known)

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
class TrialRuns:
    """The run of a trial, and those of its replicates by index."""

    parent: Run
    replicates: dict[int, Run] = field(default_factory=dict)


class KnownRuns:
    """The runs of one study's trials that MLflow is known to have.

    Several processes may use this at the same time. Those of one machine create runs one after
    another, under the lock, and first look up the runs that the others have created.
    """

    def __init__(
        self,
        client: MlflowClient,
        experiment_id: str,
        facts: Facts,
        lock: AbstractContextManager[Any],
    ) -> None:
        self.client, self.experiment_id, self.facts = client, experiment_id, facts
        self._lock = lock
        self.by_trial = self._known_runs()
        """By trial id."""

    def of(self, label: str, config: TrialConfig, indices: Sequence[int]) -> TrialRuns:
        """A trial's runs; unknown ones are looked up in MLflow, and created if missing."""
        known = self.by_trial.get(config.trial_id)
        if known is None or not set(indices) <= set(known.replicates):
            with self._lock:
                known = self._known_runs(config.trial_id).get(config.trial_id)
                known = known or TrialRuns(self._create_run(label, config, self._of_trial()))
                for index in sorted(set(indices) - set(known.replicates)):
                    run_id = known.parent.run_id
                    tags = {"replicate": str(index), PARENT_RUN: run_id, KIND: REPLICATE}
                    run = self._create_run(_replicate_name(index, label), config, tags)
                    known.replicates[index] = run
            self.by_trial[config.trial_id] = known
        self._name(known, label)
        for run in (known.parent, *known.replicates.values()):
            if run.lacks_params:
                run.params = [Param(name, str(value)) for name, value in config.flat().items()]
                run.lacks_params = False
        return known

    def _name(self, known: TrialRuns, label: str) -> None:
        """Name the runs in full if a variant in which less varies has created them."""
        names = [(run, _replicate_name(index, label)) for index, run in known.replicates.items()]
        for run, name in (*names, (known.parent, label)):
            if run.is_part_of(name):
                self.client.update_run(run.run_id, name=name)
                run.tags[RUN_NAME] = name

    def _of_trial(self) -> dict[str, str]:
        return {KIND: TRIAL, VARIANTS: as_tag([self.facts.variant_name])}

    def _create_run(self, name: str, config: TrialConfig, tags: dict[str, str]) -> Run:
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
        return Run.of(run, common | tags, lacks_params=True)

    def _known_runs(self, trial_id: str | None = None) -> dict[str, TrialRuns]:
        """The runs that exist in MLflow, by trial id; all, or those of one trial.

        If a lost response has led to several runs for the same trial or replicate, the first one is
        kept.
        """
        only = f"tags.trial_id = '{trial_id}'" if trial_id else ""
        kept: dict[str, TrialRuns] = {}
        # A trial's own run is created before those of its replicates.
        for run in sorted(runs_of(self.client, self.experiment_id, only), key=_when_made):
            tags, trial = run.data.tags, run.data.tags.get("trial_id")
            if trial is None:
                continue
            if "replicate" not in tags and trial not in kept:
                kept[trial] = TrialRuns(self._known_run(run))
            elif "replicate" in tags and _belongs(run, kept.get(trial)):
                kept[trial].replicates[int(tags["replicate"])] = self._known_run(run)
            else:
                self.client.delete_run(run.info.run_id)
        return kept

    def _known_run(self, run: Any) -> Run:
        run_id, tags, last_epoch = run.info.run_id, run.data.tags, 0
        state = TrialState(tags["state"])
        if run.info.status != STATUS[state]:
            self.set_status(run_id, state)
        if "replicate" in tags and not state.has_result:
            history = self.client.get_metric_history(run_id, "valid/bound")
            last_epoch = max((metric.step for metric in history), default=0)
        return Run.of(run, tags, last_epoch=last_epoch, lacks_params=not run.data.params)

    def set_status(self, run_id: str, state: TrialState) -> None:
        """Give a run the status of MLflow that a state has."""
        if state.is_over:
            self.client.set_terminated(run_id, STATUS[state])
        else:
            self.client.update_run(run_id, STATUS[state])


def _replicate_name(index: int, label: str) -> str:
    return f"replicate {index} of {label}"


def _when_made(run: Any) -> tuple[Any, ...]:
    return run.info.start_time, "replicate" in run.data.tags, run.info.run_id


def _belongs(run: Any, trial: TrialRuns | None) -> bool:
    """Whether a replicate's run is the first one for this replicate below its trial's kept run."""
    if trial is None or run.data.tags.get(PARENT_RUN) != trial.parent.run_id:
        return False
    return int(run.data.tags["replicate"]) not in trial.replicates
