"""Records as tidy frames, and a plan joined with them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import nan
from typing import Any
from warnings import warn

import pandas as pd
from pyarrow import ArrowException

from analysis.labels import CRITERION, METRICS, plain
from gmm_study.study.plan import Plan, PlannedTrial
from gmm_study.trials.record import Record, RecordStore

STATES = ("complete", "stopped", "running", "pending", "diverged", "failed")
ENDED = ("complete", "diverged")

_TRIAL = {
    "trial_id": "string",
    "state": "string",
    "status": "string",
    "reason": "string",
    "git_commit": "string",
    "versions": "string",
    "machine": "string",
    "finished": "datetime64[ns, UTC]",
}
_REPLICATE = {
    "trial_id": "string",
    "replicate": "Int64",
    "state": "string",
    "epochs": "Int64",
    "best_epoch": "Int64",
    "seconds": "float64",
}
_CURVE = {
    "trial_id": "string",
    "replicate": "Int64",
    "epoch": "Int64",
    "split": "string",
    "metric": "string",
    "value": "float64",
}
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OSError, ArrowException)


@dataclass(frozen=True)
class Records:
    """What a store holds of some trials.

    `trials`: a row a trial: `trial_id`, `state`, `status` (the state of what it has not ended),
    `reason` (why it failed), `git_commit`, `versions` and `machine` (of the last replicates to
    end), `finished`, and the flat configuration.
    `replicates`: a row a replicate that has ended: `trial_id`, `replicate`, `state`, `epochs`,
    `best_epoch`, `seconds`, and one column a final metric (nats; NaN where it is not finite).
    `warnings`: a line a record that could not be read; its row in `trials` is `failed`.
    """

    trials: pd.DataFrame
    replicates: pd.DataFrame
    warnings: tuple[str, ...]
    store: RecordStore

    def curves(self) -> pd.DataFrame:
        """The curves of all trials: trial_id, replicate, epoch, split, metric, value (in nats).

        Read at every call. A file that cannot be read is left out with a `UserWarning`.
        """
        frames = [_typed([], _CURVE)]
        for trial_id in self.trials["trial_id"]:
            try:
                frame = self.store.record(trial_id).metrics().to_pandas()
                frames.append(_typed(frame.assign(trial_id=trial_id), _CURVE))
            except _UNREADABLE as error:
                warn(f"{trial_id}: metrics.parquet: {_line(error)}", stacklevel=2)
        return pd.concat(frames, ignore_index=True)


def load(store: RecordStore | str, trial_ids: Iterable[str] | None = None) -> Records:
    """The records in a store or at a storage address: all of them, or those of `trial_ids`.

    A trial without a record has no row. A record that cannot be read has a row, `failed`, with the
    reason, and a line in `warnings`; it never costs the others. Raises `InputError` for a storage
    address that is none.
    """
    store = RecordStore(store) if isinstance(store, str) else store
    ids = store.trial_ids() if trial_ids is None else list(dict.fromkeys(trial_ids))
    with ThreadPoolExecutor(max_workers=8) as readers:
        found = list(readers.map(lambda trial_id: _Reading(trial_id).read(store), ids))
    read = [reading for reading in found if reading.exists]
    return Records(
        trials=_typed([reading.trial for reading in read], _TRIAL),
        replicates=_typed([row for reading in read for row in reading.replicates], _REPLICATE),
        warnings=tuple(reading.warning for reading in read if reading.warning),
        store=store,
    )


def join(plan: Plan, records: Records) -> pd.DataFrame:
    """A row for every planned replicate, in the plan's order, whether it has a record or not.

    Columns: `dataset`, `method`, `x` (the value of the plan's axis, None where there is none),
    `settings` (the other axes, `learning_rate=0.003; batch_size=100`) and one column for each of
    them, `trial_id`, `state` and `reason` of the trial, `replicate`, `replicate_state`, `epochs`,
    `best_epoch`, `seconds`, and one column a final metric. What has no record is `pending`.
    Replicates of a record beyond the planned ones are left out.
    """
    cells = [_planned_row(plan, trial) for trial in plan.places]
    replicates = range(plan.study.replicates)
    planned = pd.DataFrame(
        [cell | {"replicate": replicate} for cell in cells for replicate in replicates],
        dtype=object,
    )
    planned = planned.drop_duplicates(["dataset", "method", "x", "trial_id", "replicate"])
    rows = (
        planned.astype({"trial_id": "string", "replicate": "Int64"})
        .merge(
            records.replicates.rename(columns={"state": "replicate_state"}),
            on=["trial_id", "replicate"],
            how="left",
        )
        .merge(records.trials[["trial_id", "status", "reason"]], on="trial_id", how="left")
    )
    for metric in (CRITERION, *METRICS):
        if metric not in rows:
            rows[metric] = nan
    rows["replicate_state"] = rows["replicate_state"].fillna(rows["status"]).fillna("pending")
    rows["state"] = rows.groupby("trial_id")["replicate_state"].transform(_trial_state)
    rows["reason"] = rows["reason"].fillna("").where(rows["state"] == "failed", "")
    return rows.drop(columns="status")


def x_values(rows: pd.DataFrame, column: str = "x") -> list[Any]:
    """The distinct values of a column: numbers in order, others in the plan's, None last."""
    distinct = list(dict.fromkeys(rows[column]))
    known = [value for value in distinct if value is not None]
    if not any(isinstance(value, str) for value in known):
        known.sort()
    return known + [None] * (None in distinct)


def is_continuous(plan: Plan) -> bool:
    """Whether x is drawn from a range of reals, so that hardly two trials share a value of it."""
    axis = plan.study.space.get(plan.x or "")
    return axis is not None and axis.kind in ("uniform", "log_uniform")


class _Reading:
    """One record while it is read, file by file, so that what fails can be named."""

    def __init__(self, trial_id: str) -> None:
        self.trial: dict[str, Any] = {"trial_id": trial_id, "reason": ""}
        self.replicates: list[dict[str, Any]] = []
        self.warning = ""
        self.exists = True
        self._file = "config.json"

    def read(self, store: RecordStore) -> "_Reading":
        trial_id = self.trial["trial_id"]
        try:
            self._read(store.record(trial_id))
        except _UNREADABLE as error:
            self.trial |= {"state": "failed", "status": "failed"}
            self.trial["reason"] = f"{self._file} cannot be read: {_line(error)}"
            self.warning = f"{trial_id}: {self.trial['reason']}"
            self.replicates = []
        return self

    def _read(self, record: Record) -> None:
        config = record.config()
        if config is not None:
            self.trial |= config.flat()
        self._file = "result.json"
        result = record.result()
        ended = result["replicates"] if result else {}
        if result:
            self.replicates = [
                _replicate_row(self.trial["trial_id"], replicate, outcome)
                for replicate, outcome in ended.items()
            ]
            self.trial["git_commit"] = result.get("git_commit")
            for name in ("versions", "machine"):
                self.trial[name] = _flat(result.get(name))
            self.trial["finished"] = pd.Timestamp(result.get("finished", nan), unit="s", tz="UTC")
        self._file = "status.json"
        status = record.status()
        self.exists = bool(config or result or status)
        if config is None and self.exists:
            self._file = "config.json"
            raise FileNotFoundError("it is missing")
        self.trial["status"] = record.state(len(ended) + 1)
        self.trial["state"] = str(result["state"]) if result else self.trial["status"]
        if self.trial["status"] == "failed":
            self.trial["reason"] = _line(status.get("error") or "no reason was recorded")


def _flat(facts: Any) -> str | None:
    """`python 3.11.9, torch 2.13.0` of a mapping; a text as it stands."""
    if isinstance(facts, dict):
        return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    return None if facts is None else str(facts)


def _replicate_row(trial_id: str, replicate: str, outcome: dict[str, Any]) -> dict[str, Any]:
    row = {"trial_id": trial_id, "replicate": int(replicate), "state": str(outcome["state"])}
    row |= {name: outcome.get(name) for name in ("epochs", "best_epoch", "seconds")}
    figures = outcome.get("metrics", {}).items()
    return row | {name: nan if value is None else float(value) for name, value in figures}


def _planned_row(plan: Plan, trial: PlannedTrial) -> dict[str, Any]:
    settings = trial.config.flat()
    axes = {name: plain(value) for name, value in trial.axes.items()}
    axes = {name: value for name, value in axes.items() if name not in ("dataset", "method")}
    x = None
    if plan.x is not None:
        stated = settings.get({"layers.depth": "depth"}.get(plan.x, plan.x))
        x = axes.pop(plan.x, stated)
    return {
        "dataset": settings["dataset"],
        "method": settings["method"],
        "x": x,
        "settings": "; ".join(f"{name}={value}" for name, value in axes.items()),
        **axes,
        "trial_id": trial.config.trial_id,
    }


def _trial_state(replicates: pd.Series) -> str:
    """One state of a trial from those of its planned replicates."""
    states = set(replicates)
    if states <= set(ENDED):
        return "complete" if "complete" in states else "diverged"
    return next(iter(states - set(ENDED)))


def _typed(rows: Any, types: dict[str, str]) -> pd.DataFrame:
    """A frame with the columns of `types` first, typed, and the others in the order they came."""
    frame = pd.DataFrame(rows, dtype=object)
    for name in types:
        if name not in frame:
            frame[name] = None
    others = [str(name) for name in frame if name not in types]
    return frame[[*types, *others]].astype(types | {name: _kind(frame[name]) for name in others})


def _kind(column: pd.Series) -> str:
    """The type of a setting's or a metric's column, in which some rows may have no value."""
    kinds = {type(value) for value in column.dropna()}
    if kinds == {int}:
        return "Int64"
    return "float64" if kinds <= {int, float} else "string"


def _line(error: object) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyError):
        text = f"{text} is missing"
    return text if len(text) <= 200 else f"{text[:199]}…"
