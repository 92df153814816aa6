"""The trials of a study, each with its id and its places in the study.

A plan is made before Ray starts (`expansion.py`), so `plan`, `status` and `report` need neither Ray
nor a run. For an adaptive search, it has the trials proposed so far and the number still to come.
Two places of a study (for example two variations) may share one trial: the plan lists every place,
and every trial once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from gmm_study.study.configurations import Probe, hyperparameters, laid
from gmm_study.study.fields import VARIATION
from gmm_study.study.schema import Study
from gmm_study.study.strategies import Search
from gmm_study.training.hyperparameters import Hyperparameters, durations
from gmm_study.trials.config import TrialConfig

ALMOST_ONE = 1 - 2**-53


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and its place in a study."""

    config: TrialConfig
    axes: dict[str, Any]
    """Its variation, and its value on each axis that its method uses."""
    cell: str = ""
    """The key of its cell; empty if the study has no cells."""
    replicates: int = field(kw_only=True)
    """The number of seeds that it is to have: those of the screening until it is confirmed."""

    def at(self, axis: str) -> Any:
        """Its value on an axis of the study, or in its configuration; None if it has none."""
        if axis in self.axes:
            return self.axes[axis]
        return self.config.flat().get("depth" if axis == "layers.depth" else axis)

    @property
    def label(self) -> str:
        """A readable name, such as `digits gmm depth=3` or `digits gmm variation='no bias'`."""
        words = (self.config.dataset, self.config.hyperparameters.method, self.place)
        return " ".join(filter(None, words))

    @property
    def place(self) -> str:
        """Its value on each axis, such as `depth=3`."""
        return _place(self.axes)


@dataclass(frozen=True)
class Cell:
    """Trials that differ only in the axes searched over: the scope of one search and scheduler."""

    study: Study
    dataset: str
    dataset_sha256: str
    method: str
    axes: dict[str, Any]
    """Its variation, and its value on each grid."""

    @property
    def label(self) -> str:
        """A readable name, such as `digits gmm depth=3`."""
        return " ".join(filter(None, (self.dataset, self.method, _place(self.axes))))

    @cached_property
    def key(self) -> str:
        """A hash of everything that its search depends on, except how many trials or hours it has.

        A search thus continues when more trials or replicates are requested, and starts anew when
        its axes, its seed, its scheduler or a setting that its trials use changes.
        """
        study = self.study
        inside = {name: axis for name, axis in study.space.items() if name not in self.axes}
        start = {name: axis.at(0) for name, axis in inside.items()}
        first = Probe(self.dataset, self.method, {**self.axes, **start})
        settings = hyperparameters(study, first).identity()
        heads = {name.partition(".")[0] for name in inside}
        drawn = {name: axis.model_dump(exclude_unset=True) for name, axis in study.drawn.items()}
        content = {
            "study": study.name,
            "dataset_sha256": self.dataset_sha256,
            "settings": {name: v for name, v in settings.items() if name not in heads},
            "parts": {n: v for n, v in laid(study, first).items() if n in heads or n == "stages"},
            "drawn": drawn,
            "search": _search_identity(study.search),
            "scheduler": study.scheduler.model_dump(),
            "axes": self.axes,
            **({"longer": study.longer} if study.longer > 1 else {}),
        }
        text = json.dumps(content, sort_keys=True)
        return sha256(text.encode()).hexdigest()[:16]

    def trial(self, axes: Mapping[str, Any]) -> PlannedTrial:
        """Its trial at the given values of the axes that are searched over."""
        data, everywhere = (self.dataset, self.dataset_sha256), {**self.axes, **axes}
        return trial_at(self.study, data, self.method, everywhere, self.key)


@dataclass(frozen=True)
class Plan:
    """The trials of a study, ordered by data set, grid (the report's x first), method and draw."""

    study: Study
    trials: tuple[PlannedTrial, ...]
    """Every trial once, at the first of its places."""
    places: tuple[PlannedTrial, ...]
    """Every place of the study; equivalent configurations share a trial."""
    without_data: tuple[str, ...] = ()
    """The data sets of the study that are not available and therefore have no trials."""
    cells: Mapping[str, Cell] = field(default_factory=dict)
    """The cells whose trials a search proposes or a scheduler may stop, by key."""
    unproposed: Mapping[str, int] = field(default_factory=dict)
    """The number of trials that an adaptive search has yet to propose, by the cell's key."""
    unconfirmed: Mapping[str, int] = field(default_factory=dict)
    """The number of trials that are yet to be chosen for all seeds, by the cell's key."""

    @property
    def open_cells(self) -> list[Cell]:
        """The cells with trials that are yet to be proposed or confirmed."""
        return [
            cell
            for key, cell in self.cells.items()
            if self.unproposed.get(key) or self.unconfirmed.get(key)
        ]

    @property
    def competing(self) -> tuple[PlannedTrial, ...]:
        """The places among which a report selects: where trials were confirmed, these alone."""
        if self.study.screening is None:
            return self.places
        confirmed = self.confirmed
        chosen = {place.cell for place in self.places if place.config.trial_id in confirmed}
        return tuple(
            place
            for place in self.places
            if place.cell not in chosen or place.config.trial_id in confirmed
        )

    @property
    def confirmed(self) -> frozenset[str]:
        """The ids of the trials that have, or are to have, all seeds of the study."""
        every = self.study.replicates
        return frozenset(t.config.trial_id for t in self.trials if t.replicates == every)

    @property
    def x(self) -> str | None:
        """The x-axis of the report; None if the study has no axes."""
        return self.study.x

    def stand_ins(self) -> list[PlannedTrial]:
        """A trial in the middle of all axes for each one that is yet to be proposed or confirmed.

        The latter has the seeds that are missing after the screening.
        """
        middle = {name: axis.at(0.5) for name, axis in self.study.drawn.items()}
        more = self.study.replicates - self.study.first_replicates
        both = (self.unproposed, self.study.first_replicates), (self.unconfirmed, more)
        return [
            replace(self.cells[key].trial(middle), replicates=replicates)
            for counts, replicates in both
            for key, count in counts.items()
            for _ in range(count)
        ]

    def extremes(self) -> list[PlannedTrial]:
        """For each cell that is open, trials at the ends and the middle of all axes."""
        drawn = self.study.drawn
        places = [{name: axis.at(f) for name, axis in drawn.items()} for f in (0, 0.5, ALMOST_ONE)]
        return [cell.trial(axes) for cell in self.open_cells for axes in places]

    def shared(self) -> dict[str, list[PlannedTrial]]:
        """The places of every trial that has more than one, by the trial's id."""
        by_id: dict[str, list[PlannedTrial]] = {}
        for place in self.places:
            by_id.setdefault(place.config.trial_id, []).append(place)
        return {trial_id: places for trial_id, places in by_id.items() if len(places) > 1}


def axes_read(configuration: Hyperparameters, axes: Mapping[str, Any]) -> dict[str, Any]:
    """The axes that the configuration uses, and always the variation."""
    names = configuration.names_read
    return {
        name: value
        for name, value in axes.items()
        if name.partition(".")[0] in names or name == VARIATION
    }


def trial_at(
    study: Study, data: tuple[str, str], method: str, axes: Mapping[str, Any], key: str
) -> PlannedTrial:
    """A trial on a data set (name and checksum) at values of the axes, in the cell of a key.

    Its axes are those that it uses, with its own durations: `longer` times those of the study.
    """
    configuration = hyperparameters(study, Probe(data[0], method, dict(axes)))
    read = axes_read(configuration, axes)
    changed = read.keys() & durations() if study.longer > 1 else ()
    trained = read | {name: getattr(configuration, name) for name in changed}
    return PlannedTrial(
        TrialConfig(configuration, *data), trained, key, replicates=study.first_replicates
    )


def _search_identity(search: Search) -> dict[str, Any]:
    """What the draws of a search depend on; a later field counts only if it is not its default."""
    given = search.model_dump(exclude={"trials", "points", "hours", "screen"})
    return {
        name: value for name, value in given.items() if (name, value) != ("from_records", False)
    }


def _place(axes: Mapping[str, Any]) -> str:
    return " ".join(f"{name.rpartition('.')[2]}={_quoted(value)}" for name, value in axes.items())


def _quoted(value: Any) -> str:
    text = str(value)
    return f"'{text}'" if set(text) & set(" =") else text
