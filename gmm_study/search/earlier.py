"""Earlier trials of the storage that a search takes over before it begins.

A trial is one of a cell if the cell has a trial with the same id, so everything but the values on
the axes of the search is equal: the data, the method, all fixed settings and the evaluation. What
is taken over is stored as the first events of the cell's history, so a search that is continued
knows the same, whatever has been added to the storage since.
"""

from collections.abc import Iterable
from typing import Any

from gmm_study.errors import InputError
from gmm_study.search.history import History, earlier_event
from gmm_study.search.searches import objective
from gmm_study.storage.together import read_together
from gmm_study.study.axis import Axis
from gmm_study.study.plan import Cell, Plan
from gmm_study.study.settings import plain_value
from gmm_study.study.strategies import AdaptiveSearch
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.selection import Scores
from gmm_study.trials.survey import configurations


def take_over(plan: Plan, store: RecordStore) -> int:
    """Add the complete trials of the storage to the searches that have not begun.

    Does nothing unless the study asks for it by `search.from_records`. Returns how many trials were
    added; one that belongs to several cells counts in each. Raises `OSError` if the storage cannot
    be read or written.
    """
    search = plan.study.search
    if not (isinstance(search, AdaptiveSearch) and search.from_records):
        return 0
    histories = [History(store, cell) for cell in plan.cells.values()]
    new = [history for history in histories if not history.has_begun]
    configs = configurations(store, store.trial_ids()).values() if new else ()
    return sum(_take_over(history, configs, store) for history in new)


def _take_over(history: History, configs: Iterable[TrialConfig], store: RecordStore) -> int:
    """Add the trials of a cell that it does not have, which a driver that died may have added."""
    cell, known = history.cell, {event["trial_id"] for event in history.events}
    axes_of = {
        config.trial_id: axes
        for config in configs
        if config.trial_id not in known and (axes := _axes_in(cell, config)) is not None
    }

    listed = store.listed(axes_of)

    def read(trial_id: str) -> Scores:
        return objective(listed.record(trial_id), cell.study.first_replicates)[1]

    for (trial_id, axes), scores in zip(axes_of.items(), read_together(read, axes_of), strict=True):
        if scores:
            history.add(earlier_event(trial_id, axes, scores))
    history.store()
    return history.earlier - len(known)


def _axes_in(cell: Cell, config: TrialConfig) -> dict[str, Any] | None:
    """A trial's values on the axes that a cell draws from; None if it is no trial of the cell."""
    settings = config.hyperparameters
    if (config.dataset_sha256, settings.method) != (cell.dataset_sha256, cell.method):
        return None
    try:
        axes = {name: _value(settings, name, axis) for name, axis in cell.study.drawn.items()}
    except InputError:  # null, which no axis has
        return None
    if any(value not in cell.study.drawn[name] for name, value in axes.items()):
        return None
    return axes if cell.trial(axes).config.trial_id == config.trial_id else None


def _value(settings: Hyperparameters, name: str, axis: Axis) -> Any:
    """The value on an axis; the middle of the axis if the method does not use the setting."""
    whole, _, part = name.partition(".")
    if whole not in settings.names_read:
        return axis.at(0.5)
    value = settings.value_of(whole)
    if part:
        return {"depth": len(value), "first": value[0], "last": value[-1]}[part]
    return plain_value("space", name, value)
