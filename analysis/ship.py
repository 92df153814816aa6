"""Copies the records of a study into the project, to be shipped with it.

    python -m analysis.ship STUDY [--storage FOLDER]

A record there has no checkpoint and no pictures, and values of datapoints only if the report shows
its trial. These are rounded, which makes them a third smaller.
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
from gmm_study.storage.pack import write_pack
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
    """Write the records of a study into the project."""
    parser = argparse.ArgumentParser(description="Ship the records of a study with the project.")
    parser.add_argument("study", help="NAME of studies/NAME.yaml")
    parser.add_argument("--storage", default="results", help="where the records are")
    given = parser.parse_args()
    target = RECORDS / f"{given.study}.parquet"
    try:
        store = RecordStore(given.storage)
        store.check_exists()
        count = ship(plan_from_records(given.study, store), store, target)
    except InputError as error:
        parser.error(str(error))
    print(f"{target}: {count} trials, {target.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
