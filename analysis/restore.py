"""Copies the records of a shipped study into a storage, where the study then continues.

python -m analysis.restore STUDY [--storage FOLDER]
"""

import argparse
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from analysis.shipped import RECORDS
from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.phrases import plural
from gmm_study.storage.pack import Pack
from gmm_study.storage.reach import refusal_of
from gmm_study.training.state import TrialState
from gmm_study.trials.record import RESULT
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.survey import survey


class Restored(NamedTuple):
    """How many trials were copied into a storage, and how many were left as they are there."""

    copied: int
    left: int


def restore(study: str, store: RecordStore) -> Restored:
    """Copy the shipped records of a study into a storage, and the histories of its searches.

    A trial is left as it is in the storage if it has a result there with all seeds that the shipped
    one has, if it is being trained, and if it was stopped or failed and the shipped one has no
    result either. A history is left if it is not shorter than the shipped one. If this is
    interrupted, a second call copies the rest. Raises `InputError` if the study is not shipped, if
    a process is running it, and if the storage cannot be written.
    """
    source = RECORDS / f"{study}.parquet"
    if not source.is_file():
        names = ", ".join(sorted(path.stem for path in RECORDS.glob("*.parquet")))
        raise InputError(f"study: no records of '{study}' come with gmm-study; those of {names} do")
    pack = Pack([source])
    shipped = {name.partition("/")[0] for name in pack.files if not name.startswith(".")}
    with store.the_only_driver(study):
        newer = store.over(pack).packed()
        trials = {unit: files for unit, files in newer.items() if unit in shipped}
        searches = [files for unit, files in newer.items() if unit not in shipped]
        states = {name: each.state for name, each in survey(store, trials).items()}
        try:
            copied = sum(_restored(store, name, trials[name], states[name]) for name in trials)
            for files in searches:  # after the trials that they are about
                for path, content in sorted(files.items()):
                    store.folder.write_file(path, content)
        except OSError as error:
            raise refusal_of(error, store.folder, store.given, "written") from None
    return Restored(copied, len(shipped) - copied)


def _restored(
    store: RecordStore, trial_id: str, files: Mapping[str, bytes], state: TrialState
) -> bool:
    """Copy a trial, unless it is left as it is; whether it was copied."""
    result, record = f"{trial_id}/{RESULT}", store.record(trial_id)
    if (state.is_over and result not in files) or not record.take_up():
        return False
    try:
        with suppress(FileNotFoundError):
            record.inside("checkpoint").delete()  # of a training that did not come to its end
        # The result, or the status of a stopped trial, makes it complete: it is written last.
        for path in sorted(files, key=lambda path: path.endswith((f"/{RESULT}", "/status.json"))):
            store.folder.write_file(path, files[path])
    finally:
        record.release()
    return True


def main() -> None:
    """Copy the records of a shipped study into a storage."""
    parser = argparse.ArgumentParser(description="Continue a study whose records are shipped.")
    parser.add_argument("study", help="NAME of a study whose records come with gmm-study")
    parser.add_argument("--storage", default="results", help="where to copy them to")
    given = parser.parse_args()
    try:
        done = restore(given.study, RecordStore(given.storage))
    except InputError as error:
        parser.error(str(error))
    left = f"; {done.left} were there already" if done.left else ""
    print(f"{redact(given.storage)}: {plural(done.copied, 'trial')} restored{left}")


if __name__ == "__main__":
    main()
