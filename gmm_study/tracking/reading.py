"""A study's trials, replicates and curves from an MLflow server, for users without the records.

MLflow has all values that the data frames need (`words.py` lists them), and they are read back
unchanged to the last bit.
"""

import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from math import copysign, inf
from typing import Any

from mlflow.entities import Metric, Run
from mlflow.tracking import MlflowClient

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.tracking.database import is_missing, short_waits, tracking_uri
from gmm_study.tracking.experiment import runs_of
from gmm_study.tracking.lists import from_tag
from gmm_study.tracking.mlflow_internals import PARENT_RUN, bulk_history
from gmm_study.tracking.refusals import refusal_of
from gmm_study.tracking.store import open_store
from gmm_study.tracking.words import BEST_BOUND, DECLARED, VARIANTS, figure_of
from gmm_study.training.hyperparameters import declared_settings
from gmm_study.training.methods import added_settings
from gmm_study.training.state import TrialState
from gmm_study.trials.result import COLLAPSED, parse_ending

RUNS_AT_ONCE = 100
ASKED_AT_ONCE = 8
_COUNTED = {"epochs": int, "best_epoch": int, "seconds": float}
_SETTINGS = {"depth": int} | {field.name: field.type for field in declared_settings().values()}


@dataclass(frozen=True)
class StudyRows:
    """The content of MLflow on a study, as plain rows in the order of the trials' ids.

    `trials` has a row for each trial: `trial_id`, `state`, `status` (the state of its replicates
    without a result), `reason` (why it failed, else empty), `git_commit`, `versions` and `machine`
    (of the replicates that ended last, None if unknown), `finished` (seconds since 1970, or None),
    and the flat configuration, typed.

    `replicates` has a row for each replicate that has ended: `trial_id`, `replicate`, `state`,
    `epochs`, `best_epoch`, `seconds`, `ending`, `kept` (None if unknown), `collapsed`, and its
    final metrics (nats; NaN if not finite).
    """

    trials: list[dict[str, Any]]
    replicates: list[dict[str, Any]]
    client: MlflowClient
    runs: dict[str, tuple[str, int]]
    """By the id of a replicate's run: its trial and number."""
    curve_names: tuple[str, ...]

    def curves(self, trial_ids: Collection[str] | None = None) -> list[dict[str, Any]]:
        """Rows of trial_id, replicate, epoch, split, metric, value (nats), in this order.

        They are the curves of all trials or of the given ones. Every call asks MLflow.
        """
        wanted = [
            run_id
            for run_id, (trial_id, _) in self.runs.items()
            if trial_ids is None or trial_id in trial_ids
        ]
        rows = []
        for run_id, name, point in _histories(self.client, wanted, self.curve_names):
            trial_id, replicate = self.runs[run_id]
            rows.append((trial_id, replicate, point.step, *name.split("/", 1), _value(point.value)))
        names = ("trial_id", "replicate", "epoch", "split", "metric", "value")
        return [dict(zip(names, row, strict=True)) for row in sorted(set(rows), key=_place)]


def read_study(study: str, uri: str | None = None, variant: str | None = DECLARED) -> StudyRows:
    """The content of a tracking server, or of MLflow's database, on a study.

    `uri` is a tracking URI; None means `MLFLOW_TRACKING_URI`, or `mlflow.db` in the current folder.
    `variant` is `declared` (the study as its file declares it) or the name of another variant, such
    as `small` or `max_epochs=5`; None means all of them. The values are those of the records at the
    last sync, to the bit. Raises `InputError` if there is no such database, experiment or variant.
    """
    uri = uri or tracking_uri()
    if is_missing(uri):
        raise InputError(f"MLflow: no {redact(uri)}; `gmm-study sync {study}` creates it")
    try:
        with short_waits():
            client = open_store(uri)
            experiment = client.get_experiment_by_name(study)
    except Exception as error:
        if refusal := refusal_of(error):
            raise InputError(f"MLflow at {redact(uri)}: {refusal}") from None
        raise
    if experiment is None:
        raise InputError(f"{study}: MLflow at {redact(uri)} has no such experiment")
    runs = [run for run in runs_of(client, experiment.experiment_id) if _is_of_a_trial(run)]
    parents = {run.data.tags["trial_id"]: run for run in runs if "replicate" not in run.data.tags}
    parents = _of_variant(parents, study, variant)
    replicates = sorted(_below(runs, parents), key=_identity)
    ended = [run for run in replicates if _state_of(run).has_result]
    states: dict[str, set[TrialState]] = {trial_id: set() for trial_id in parents}
    for run in ended:
        states[run.data.tags["trial_id"]].add(_state_of(run))
    names = {name for run in replicates for name in run.data.metrics if _is_curve(name)}
    return StudyRows(
        [_trial_row(parents[trial_id], states[trial_id]) for trial_id in sorted(parents)],
        [_replicate_row(run) for run in ended],
        client,
        {run.info.run_id: _identity(run) for run in replicates},
        tuple(sorted(names)),
    )


def _is_of_a_trial(run: Run) -> bool:
    return {"trial_id", "state"} <= set(run.data.tags)


def _of_variant(parents: dict[str, Run], study: str, variant: str | None) -> dict[str, Run]:
    """The trials' runs that belong to a variant of the study; None means all variants."""
    if variant is None or not parents:
        return parents
    lists = {trial_id: from_tag(run.data.tags.get(VARIANTS)) for trial_id, run in parents.items()}
    known = sorted({name for names in lists.values() for name in names})
    if variant not in known:
        there = " or ".join(map(repr, known)) or "None, as MLflow knows of no variants"
        raise InputError(f"{study}: variant: {variant!r} must be {there}")
    return {trial_id: run for trial_id, run in parents.items() if variant in lists[trial_id]}


def _below(runs: list[Run], parents: dict[str, Run]) -> Iterator[Run]:
    """The replicates' runs that belong to these runs of trials."""
    for run in runs:
        tags = run.data.tags
        parent = parents.get(tags["trial_id"])
        if parent and tags.get(PARENT_RUN) == parent.info.run_id:
            yield run


def _identity(run: Run) -> tuple[str, int]:
    return run.data.tags["trial_id"], int(run.data.tags["replicate"])


def _state_of(run: Run) -> TrialState:
    return TrialState(run.data.tags["state"])


def _trial_row(run: Run, states: set[TrialState]) -> dict[str, Any]:
    tags, rest = run.data.tags, _state_of(run)
    if rest.has_result:
        rest = TrialState(tags.get("rest") or TrialState.PENDING)
    ended = TrialState.COMPLETE if TrialState.COMPLETE in states else TrialState.DIVERGED
    error = tags.get("error") or "no reason was recorded"
    return {
        "trial_id": tags["trial_id"],
        "state": str(ended if states else rest),
        "status": str(rest),
        "reason": error if rest is TrialState.FAILED else "",
        **{name: tags.get(name) for name in ("git_commit", "versions", "machine")},
        "finished": float(tags["finished"]) if "finished" in tags else None,
        **{name: _setting(name, text) for name, text in run.data.params.items()},
    }


def _replicate_row(run: Run) -> dict[str, Any]:
    metrics, (trial_id, replicate) = run.data.metrics, _identity(run)
    figures = {
        figure: _value(value)
        for name, value in sorted(metrics.items(), key=lambda item: item[0] != BEST_BOUND)
        if (figure := figure_of(name)) is not None
    }
    counted = {n: kind(metrics[n]) if n in metrics else None for n, kind in _COUNTED.items()}
    tags = run.data.tags
    ending, collapsed = parse_ending(tags.get("ending"))
    return {
        "trial_id": trial_id,
        "replicate": replicate,
        "state": tags.get("state"),
        "ending": None if ending is None else str(ending),
        "kept": tags.get("kept"),
        COLLAPSED: collapsed or COLLAPSED in tags,
        **counted,
        **figures,
    }


def _setting(name: str, text: str) -> Any:
    """The value of a setting, parsed from MLflow's text."""
    kind = _SETTINGS.get(name) or _type_of_added(name)
    if kind is float:
        return float(text)
    return int(text) if kind in (int, int | None) else text


def _is_curve(name: str) -> bool:
    return "/" in name and figure_of(name) is None


def _histories(
    client: MlflowClient, run_ids: list[str], names: tuple[str, ...]
) -> Iterator[tuple[str, str, Metric]]:
    """All points of some metrics of some runs, by the store's bulk call if it has one."""
    read = bulk_history(client)
    if read is not None:
        for name in names:
            for start in range(0, len(run_ids), RUNS_AT_ONCE):
                for point in read(run_ids[start : start + RUNS_AT_ONCE], name):
                    yield point.run_id, name, point
        return
    asked = [(run_id, name) for run_id in run_ids for name in names]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
        histories = threads.map(lambda one: client.get_metric_history(*one), asked)
        for (run_id, name), history in zip(asked, histories, strict=True):
            yield from zip(repeat(run_id), repeat(name), history, strict=False)


def _value(value: float) -> float:
    """A value as it was logged; MLflow's database stores infinity as the largest number."""
    return copysign(inf, value) if abs(value) == sys.float_info.max else value


def _place(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[:-1]


@cache
def _type_of_added(name: str) -> Any:
    """The type of a setting that an installed package adds to a method; None if none does."""
    return next((spec.type for spec in added_settings() if spec.name == name), None)
