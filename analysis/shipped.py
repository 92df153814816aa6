"""The records that come with the project, so that its tables can be written without training.

    analysis/records/STUDY.parquet    the records of a study, and the histories of its searches

`analysis/ship.py` writes them.
"""

from pathlib import Path

from gmm_study.storage.pack import Pack
from gmm_study.trials.record_store import RecordStore

RECORDS = Path(__file__).with_name("records")


def with_shipped(store: RecordStore) -> RecordStore:
    """A store to read from: the user's own records, and below them those of the project."""
    return store.over(Pack(sorted(RECORDS.glob("*.parquet"))))
