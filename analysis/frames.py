"""Records as tidy frames, from a store or from an MLflow server, in a line or two of a notebook.

from analysis import load

records = load("results", study="depth_sweep")
records.trials, records.replicates, records.curves()
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from warnings import warn

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.plans import plan_from_records
from analysis.reading import UNREADABLE, Reading, line
from gmm_study.errors import InputError
from gmm_study.storage.together import read_together
from gmm_study.tracking.words import DECLARED
from gmm_study.trials.record_store import RecordStore

if TYPE_CHECKING:
    from gmm_study.study import Study

T = TypeVar("T")

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
    "ending": "string",
    "kept": "string",
    "collapsed": "bool",
}
_CURVE = {
    "trial_id": "category",
    "replicate": "int32",
    "epoch": "int32",
    "split": "category",
    "metric": "category",
    "value": "float64",
}


@dataclass(frozen=True)
class Records:
    """What a store holds of some trials.

    `trials`: a row per trial: `trial_id`, `state`, `status` (the state of the replicates that have
    not ended), `reason` (why it failed), `git_commit`, `versions` and `machine` (of the replicates
    that ended last), `finished`, and the flat configuration.
    `replicates`: a row per ended replicate: `trial_id`, `replicate`, `state`, `epochs`,
    `best_epoch`, `seconds`, `ending` (why its training ended), `kept` (which parameters are its
    model; both missing in old records), `collapsed` (whether its model is no better than
    independent pixels; False in old records), and one column per final metric (nats; NaN if it is
    not finite).
    `warnings`: a line per file that could not be read. Without its `result.json`, a trial is
    `failed`; without its `config.json`, it has no settings.

    What is in a bucket is read as of `load`, or as of a later time.
    """

    trials: pd.DataFrame
    replicates: pd.DataFrame
    warnings: tuple[str, ...]
    read_curves: Callable[[list[str]], pd.DataFrame]
    """Reads the curves of trials by id; the frame is that of `curves`."""
    own: frozenset[str] = frozenset()
    """The ids of the user's own trials among records that come with the project; else none."""
    are_shipped: bool = False
    """Whether there are records, and all of them come with the project."""
    read_datapoints: Callable[[str], Mapping[int, np.ndarray]] = lambda trial_id: {}
    """Reads the values of a trial's test datapoints; see `datapoints`."""
    read_gradients: Callable[[str, Mapping[str, Any]], Sequence[Mapping[str, Any]] | None] = (
        lambda trial_id, asked: None
    )
    """Reads the quality of a trial's gradients; None if what is asked for is not in its record."""

    def curves(self, trial_ids: Iterable[str] | None = None) -> pd.DataFrame:
        """The curves of all trials, or some: trial_id, replicate, epoch, split, metric, value.

        Values are in nats, except effective sample sizes, which are fractions. Every call reads
        the files again; one that cannot be read is left out with a `UserWarning`.
        """
        ids = self.trials["trial_id"] if trial_ids is None else trial_ids
        return self.read_curves([str(trial_id) for trial_id in ids])

    def datapoints(self, trial_id: str) -> Mapping[int, np.ndarray]:
        """Test log p in nats of every datapoint of a trial: float32 `[N]` by replicate.

        Empty if the record is from before they were stored, or comes from an MLflow server. Every
        call reads the file again; one that cannot be read counts as empty, with a `UserWarning`.
        """
        try:
            return self.read_datapoints(str(trial_id))
        except UNREADABLE as error:
            warn(f"{trial_id}: datapoints.parquet: {line(error)}", stacklevel=2)
            return {}


def load(
    storage: RecordStore | str,
    study: "Study | str | None" = None,
    trial_ids: Iterable[str] | None = None,
) -> Records:
    """The records in a store or at a storage address: all of them, a study's, or `trial_ids`.

    `study` is NAME for `studies/NAME.yaml` under the current folder, the path of such a file, or a
    loaded study; its trials are found through the checksums in the records, without reading data.
    A trial without a record has no row. A trial whose result cannot be read has a row with the
    state `failed` and the reason. Every file that cannot be read has a line in `warnings`. A
    missing folder has no records.
    Raises `InputError` for an invalid storage address or study.
    """
    if not (isinstance(storage, RecordStore) or (isinstance(storage, str) and storage)):
        raise InputError(f"storage: {storage!r} must be a folder or the URL of a bucket")
    store = RecordStore(storage) if isinstance(storage, str) else storage
    if study is not None:
        plan = plan_from_records(study, store)
        planned = dict.fromkeys(trial.config.trial_id for trial in plan.trials)
        asked = planned if trial_ids is None else trial_ids
        trial_ids = [trial_id for trial_id in asked if trial_id in planned]
    ids = store.trial_ids() if trial_ids is None else list(dict.fromkeys(trial_ids))
    listed = store.listed(ids)
    readings = _read_each(listed, lambda trial_id: Reading(listed, trial_id), ids)
    read = [reading for reading in readings if reading.exists]
    return Records(
        trials=_typed([reading.trial for reading in read], _TRIAL),
        replicates=_typed([row for reading in read for row in reading.replicates], _REPLICATE),
        warnings=tuple(warning for reading in read for warning in reading.warnings),
        read_curves=lambda ids: _curves(listed, ids),
        own=listed.own(reading.trial["trial_id"] for reading in read),
        are_shipped=listed.are_packed(ids),
        read_datapoints=lambda trial_id: listed.record(trial_id).datapoints(),
        read_gradients=lambda trial_id, asked: listed.record(trial_id).gradients(asked),
    )


def load_from_mlflow(study: str, uri: str | None = None, variant: str | None = DECLARED) -> Records:
    """The same frames of a study from an MLflow server, without the records.

    `uri` is a tracking URI; None stands for `MLFLOW_TRACKING_URI` or `mlflow.db` in the current
    folder. `variant` is `declared`, the study as its file declares it, or another variant such as
    `small` or `max_epochs=5`; None stands for all variants. The values are those of the records at
    the last sync, bit for bit; records that cannot be read are missing. Raises `InputError` if
    there is no such database, experiment or variant.
    """
    from gmm_study.tracking.reading import read_study

    stored = read_study(study, uri, variant)
    trials = [
        row
        | {"reason": line(row["reason"]) if row["reason"] else ""}
        | {"finished": pd.to_datetime(row["finished"], unit="s", utc=True)}
        for row in stored.trials
    ]

    def read_curves(trial_ids: list[str]) -> pd.DataFrame:
        rows = stored.curves(set(trial_ids))
        return pd.DataFrame(rows, columns=list(_CURVE)).astype(_CURVE)

    return Records(
        trials=_typed(trials, _TRIAL),
        replicates=_typed(stored.replicates, _REPLICATE),
        warnings=(),
        read_curves=read_curves,
    )


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


def _read_each(store: RecordStore, read: Callable[[str], T], trial_ids: list[str]) -> list[T]:
    """What `read` returns for each trial; several are read at a time in a bucket."""
    if store.is_local:
        return [read(trial_id) for trial_id in trial_ids]
    return read_together(read, trial_ids)


def _curves(store: RecordStore, trial_ids: list[str]) -> pd.DataFrame:
    def read(trial_id: str) -> pa.Table | Exception:
        try:
            return store.record(trial_id).metrics()
        except UNREADABLE as error:
            return error

    tables = []
    for trial_id, table in zip(trial_ids, _read_each(store, read, trial_ids), strict=True):
        if isinstance(table, Exception):
            warn(f"{trial_id}: metrics.parquet: {line(table)}", stacklevel=3)
        else:
            own = pa.repeat(trial_id, table.num_rows)
            tables.append(table.add_column(0, "trial_id", own))
    if not tables:
        return pd.DataFrame(columns=list(_CURVE)).astype(_CURVE)
    names = [name for name, kind in _CURVE.items() if kind == "category"]
    frame: pd.DataFrame
    frame = pa.concat_tables(tables).to_pandas(categories=names, split_blocks=True)
    return frame
