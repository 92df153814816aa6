"""The state of all trials of a plan, read from their records.

No process is asked: the records say which process is training a trial, its progress and its
remaining time. This works from any machine and after a crash. The store's folder is listed once,
and only the records that exist are read, in parallel.
"""

from collections.abc import Collection, Iterable, Mapping

from gmm_study.storage.together import read_together
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import LOG, Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.standing import Standing


def survey(
    store: RecordStore, trial_ids: Iterable[str], replicates: int | Mapping[str, int] = 1
) -> dict[str, Standing]:
    """The standing of each trial, by id; a trial without a record is `pending`.

    `replicates` is the number of replicates that a trial needs to be complete, of all trials or of
    each by its id.
    """
    wanted = list(trial_ids)
    counts = dict.fromkeys(wanted, replicates) if isinstance(replicates, int) else replicates
    listed = store.listed(wanted)
    there = set(listed.trial_ids())
    standings = dict.fromkeys(wanted, Standing())
    recorded = [trial_id for trial_id in wanted if trial_id in there]
    found = read_together(lambda each: listed.record(each).standing(counts[each]), recorded)
    return standings | dict(zip(recorded, found, strict=True))


def configurations(
    store: RecordStore,
    trial_ids: Collection[str],
    passed_over: tuple[type[Exception], ...] = (ValueError,),
) -> dict[str, TrialConfig]:
    """The configurations of trials by id, in the given order.

    A trial is left out if it has none, or if reading it raises an exception of `passed_over`.
    Raises `OSError` if the storage cannot be read.
    """
    listed = store.listed(trial_ids)

    def read(trial_id: str) -> TrialConfig | None:
        try:
            return listed.record(trial_id).config()
        except passed_over:
            return None

    found = zip(trial_ids, read_together(read, trial_ids), strict=True)
    return {trial_id: config for trial_id, config in found if config is not None}


def log_of(record: Record) -> str | None:
    """The path of a trial's log, None if it has none."""
    return f"{record.path}/{LOG}" if record.is_file(LOG) else None
