"""The plan of a study without its data, for reports.

Reports read records only and need no data: the checksums of the data sets come from the registry or
from the records.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from analysis.reading import UNREADABLE
from gmm_study.study import Cell, Plan, Study, load_study, make_plan
from gmm_study.trials.record import RecordStore


def plan_from_records(study: Study | str | Path, store: RecordStore) -> Plan:
    """A study's plan without its data, including what its searches have proposed.

    `study` is loaded, or NAME for `studies/NAME.yaml`, or the path of such a file. A data set has
    no trials if its checksum is neither in the registry nor in a record. Raises `InputError` if the
    study cannot be used.
    """
    study = study if isinstance(study, Study) else load_study(study)
    return make_plan(study, _checksums(study, store), lambda cell: _proposals(store, cell))


def _checksums(study: Study, store: RecordStore) -> dict[str, str]:
    from gmm_study.data.registry import REGISTRY

    known = {name: entry.sha256 for name, entry in REGISTRY.items() if entry.sha256}
    if not set(study.datasets) <= set(known):
        known = _in_records(store) | known
    return {name: known[name] for name in study.datasets if name in known}


def _in_records(store: RecordStore) -> dict[str, str]:
    """The checksum of every data set in the records; if there are several, the most frequent."""
    found: dict[str, Counter[str]] = {}
    for trial_id in store.trial_ids():
        try:
            config = store.record(trial_id).config()
        except UNREADABLE:
            continue
        if config is not None:
            found.setdefault(config.dataset, Counter())[config.dataset_sha256] += 1
    return {dataset: counts.most_common(1)[0][0] for dataset, counts in found.items()}


def _proposals(store: RecordStore, cell: Cell) -> list[dict[str, Any]]:
    from gmm_study.search.history import History

    return History(store, cell).proposals
