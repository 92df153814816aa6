"""The plan of a study without its data, for reports.

Reports read records only and need no data: the checksums of the data sets come from the registry or
from the records.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.reading import UNREADABLE
from gmm_study.study import Cell, Plan, Study, load_study, make_plan
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.survey import configurations

if TYPE_CHECKING:
    from gmm_study.search.history import History


def plan_from_records(study: Study | str | Path, store: RecordStore) -> Plan:
    """A study's plan without its data, including what its searches have proposed.

    `study` is loaded, or NAME for `studies/NAME.yaml`, or the path of such a file. A data set has
    no trials if its checksum is neither in the registry nor in a record. If a data set has several,
    as a published file and a copy in another order have, the trials are those of the first that the
    study has records of, never of both. Raises `InputError` if the study cannot be used.
    """
    study = study if isinstance(study, Study) else load_study(study)
    possible, stored = _checksums(study, store), set(store.trial_ids())

    def planned(checksums: Mapping[str, str]) -> Plan:
        return make_plan(study, checksums, lambda cell: _history(store, cell))

    def recorded(plan: Plan) -> set[str]:
        configs = [trial.config for trial in plan.trials]
        return {config.dataset for config in configs if config.trial_id in stored}

    first = {name: checksums[0] for name, checksums in possible.items()}
    plan = planned(first)
    chosen = dict(first)
    for name in first.keys() - recorded(plan):
        others = (each for each in possible[name][1:] if recorded(planned({name: each})))
        chosen[name] = next(others, first[name])
    return plan if chosen == first else planned(chosen)


def _checksums(study: Study, store: RecordStore) -> dict[str, list[str]]:
    """The checksums that each data set may have, the likeliest first."""
    from gmm_study.data.registry import REGISTRY

    known = {
        name: [checksum for checksum in (entry.sha256, entry.canonical_sha256) if checksum]
        for name, entry in REGISTRY.items()
        if entry.sha256
    }
    if not set(study.datasets) <= set(known):
        known = _in_records(store) | known
    return {name: known[name] for name in study.datasets if name in known}


def _in_records(store: RecordStore) -> dict[str, list[str]]:
    """The checksums of every data set in the records, the most frequent first."""
    found: dict[str, Counter[str]] = {}
    for config in configurations(store, store.trial_ids(), UNREADABLE).values():
        found.setdefault(config.dataset, Counter())[config.dataset_sha256] += 1
    return {
        name: [checksum for checksum, _ in counts.most_common()] for name, counts in found.items()
    }


def _history(store: RecordStore, cell: Cell) -> "History":
    from gmm_study.search.history import History

    return History(store, cell)
