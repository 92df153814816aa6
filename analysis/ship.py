"""Copies the records of a study into the project, to be shipped with it, and back.

    python -m analysis.ship STUDY [--storage FOLDER] [--restore]

A record there has no checkpoint and no pictures, and values of datapoints only if the report shows
its trial. These are rounded, which makes them a third smaller. With `--restore`, the records are
copied from the project into the storage, where the study then continues.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.findings import find
from analysis.plans import plan_from_records
from analysis.shipped import RECORDS
from gmm_study.errors import InputError
from gmm_study.search.history import FOLDER as SEARCHES
from gmm_study.storage.folder import Folder
from gmm_study.storage.pack import Pack, write_pack
from gmm_study.study import Plan
from gmm_study.training.state import TrialState
from gmm_study.trials.datapoints import DATAPOINTS_FILE, datapoints_content
from gmm_study.trials.record import GRADIENTS_FILE, RESULT, Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.survey import survey

FILES = ("config.json", "metrics.parquet", GRADIENTS_FILE, RESULT)
STEP = np.float32(2**-8)
"""Values of datapoints are rounded to multiples of this, in nats."""


def ship(plan: Plan, store: RecordStore, target: Path) -> int:
    """Write the records of a study's trials that ended well into a pack; returns their number.

    Raises `InputError` if there are none, and for a record that cannot be read.
    """
    shown = set(find(plan, store).all_cells["trial_id"].dropna())
    standings = survey(store, [trial.config.trial_id for trial in plan.trials])
    files: dict[str, bytes] = {}
    for trial_id, standing in standings.items():
        if standing.problem:
            raise InputError(f"{trial_id}: {standing.problem}")
    over = {
        trial_id: found
        for trial_id, found in standings.items()
        if found.state.has_result or found.state is TrialState.STOPPED
    }
    for trial_id, standing in over.items():
        files |= _read(store.folder, (f"{trial_id}/{name}" for name in FILES))
        if trial_id in shown and (values := _rounded(store.record(trial_id))):
            files[f"{trial_id}/{DATAPOINTS_FILE}"] = datapoints_content(values)
        if standing.result is None:
            # Without the process that trained it, and the machine's name.
            status = {"state": standing.state, "epoch": standing.epoch}
            files[f"{trial_id}/status.json"] = json.dumps(status).encode()
    if not over:
        raise InputError(f"storage: '{store.given}' has no trial of {plan.study.name} that ended")
    for key in plan.cells:
        folder = f"{SEARCHES}/{plan.study.name}/{key}"
        pages = store.folder.inside(folder).entries()
        names = [f"{folder}.json", *(f"{folder}/{page.name}" for page in pages)]
        files |= _read(store.folder, names)
    write_pack(target, files)
    return len(over)


def restore(source: Path, folder: Folder) -> int:
    """Copy the records in a pack into a storage; returns the number of trials that it did not have.

    A trial that the storage has stays as it is, and so do the searches of a study that it has.
    Raises `InputError` if there is no such pack.
    """
    if not source.is_file():
        raise InputError(f"{source.stem}: no records of this study are shipped in '{RECORDS}'")
    kept = folder.folders()
    kept |= {f"{SEARCHES}/{name}" for name in folder.inside(SEARCHES).folders()}
    kept.discard(SEARCHES)
    files = Pack([source]).files
    new = [path for path in files if not any(path.startswith(f"{name}/") for name in kept)]
    for path in sorted(new, key=lambda path: path.endswith(f"/{RESULT}")):  # the last to be written
        folder.write_file(path, files[path])
    return sum(path.endswith("/config.json") for path in new)


def _rounded(record: Record) -> dict[int, NDArray[np.float32]]:
    """The values of a record's datapoints in nats, `[N]` by replicate, in multiples of `STEP`."""
    try:
        values = record.datapoints()
    except ValueError as error:
        raise InputError(str(error)) from None
    return {replicate: np.round(own / STEP) * STEP for replicate, own in values.items()}


def _read(folder: Folder, names: Iterable[str]) -> dict[str, bytes]:
    """The content of those of the files that exist."""
    contents = ((name, folder.read_file(name)) for name in names)
    return {name: content for name, content in contents if content is not None}


def main() -> None:
    """Write the records of a study into the project, or from there into a storage."""
    parser = argparse.ArgumentParser(description="Ship the records of a study with the project.")
    parser.add_argument("study", help="NAME of studies/NAME.yaml")
    parser.add_argument("--storage", default="results", help="where the records are")
    parser.add_argument("--restore", action="store_true", help="copy shipped records to there")
    given = parser.parse_args()
    store, pack = RecordStore(given.storage), RECORDS / f"{given.study}.parquet"
    try:
        if given.restore:
            print(f"{given.storage}: {restore(pack, store.folder)} trials more")
            return
        store.check_exists()
        count = ship(plan_from_records(given.study, store), store, pack)
    except InputError as error:
        parser.error(str(error))
    print(f"{pack}: {count} trials, {pack.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
