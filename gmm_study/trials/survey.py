"""The state of all trials of a plan, read from their records.

No process is asked: the records say which process is training a trial, its progress and its
remaining time. This works from any machine and after a crash. The store's folder is listed once,
and only the records that exist are read, in parallel.
"""

from collections.abc import Iterable

from gmm_study.storage.together import read_together
from gmm_study.trials.record import LOG, Record, RecordStore
from gmm_study.trials.standing import Standing


def survey(store: RecordStore, trial_ids: Iterable[str], replicates: int) -> dict[str, Standing]:
    """The standing of each trial, by id; a trial without a record is `pending`."""
    wanted = list(dict.fromkeys(trial_ids))
    there = set(store.trial_ids())
    standings = dict.fromkeys(wanted, Standing())
    recorded = [trial_id for trial_id in wanted if trial_id in there]
    found = read_together(lambda each: store.record(each).standing(replicates), recorded)
    return standings | dict(zip(recorded, found, strict=True))


def log_of(record: Record) -> str | None:
    """The path of a trial's log, None if it has none."""
    return f"{record.path}/{LOG}" if record.is_file(LOG) else None
