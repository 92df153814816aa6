"""All the trials of a study, each once."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import Any

from gmm_study.study.schema import VARIATION, RandomSearch, Study
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and where it lies in its study."""

    config: TrialConfig
    axes: dict[str, Any]
    """Its variation, and its value on each axis of the space that its configuration reads."""

    @property
    def label(self) -> str:
        """A short name for people, as `digits gmm depth=3` or `digits gmm variation='no bias'`."""
        words = (self.config.dataset, self.config.hyperparameters.method, self.place)
        return " ".join(filter(None, words))

    @property
    def place(self) -> str:
        """Its value on each axis, as `depth=3`."""
        return " ".join(
            f"{name.rpartition('.')[2]}={_quoted(value)}" for name, value in self.axes.items()
        )


@dataclass(frozen=True)
class Plan:
    """The trials of a study, ordered by data set, grid (the report's x first), method and draw."""

    study: Study
    trials: tuple[PlannedTrial, ...]
    """Each once, at the first of its places."""
    places: tuple[PlannedTrial, ...]
    """Every place of the study; configurations that train alike share a trial."""
    without_data: tuple[str, ...] = ()
    """The data sets of the study that could not be had, and so have no trials."""

    @property
    def x(self) -> str | None:
        """The axis that the report runs along, None without a space."""
        return self.study.x

    def shared(self) -> dict[str, list[PlannedTrial]]:
        """By its id, the places of every trial that has more than one."""
        by_id: dict[str, list[PlannedTrial]] = {}
        for place in self.places:
            by_id.setdefault(place.config.trial_id, []).append(place)
        return {trial_id: places for trial_id, places in by_id.items() if len(places) > 1}


def make_plan(study: Study, dataset_sha256: Mapping[str, str]) -> Plan:
    """Expand a study; `dataset_sha256` has the checksums by name of the data sets that can be had.

    Configurations that train alike, such as those that differ in a setting their method does not
    read, are one trial. Where a variation makes no difference to a method, or two values of an axis
    make none, the trial has a place for each.
    """
    trials: dict[str, PlannedTrial] = {}
    places: dict[tuple[str, str], PlannedTrial] = {}
    read_names = _ReadNames()
    for dataset in study.datasets:
        if dataset not in dataset_sha256:
            continue
        checksum = dataset_sha256[dataset]
        for cell in _grid_cells(study):
            for method in study.methods:
                for axes in _draws(study, method, checksum, cell, read_names):
                    hyperparameters = study.hyperparameters(method, axes)
                    config = TrialConfig(hyperparameters, dataset, checksum)
                    read = read_names.among(hyperparameters, axes)
                    trial = PlannedTrial(config, read)
                    trials.setdefault(config.trial_id, trial)
                    places.setdefault((config.trial_id, repr(read)), trial)
    without_data = tuple(name for name in study.datasets if name not in dataset_sha256)
    return Plan(study, tuple(trials.values()), tuple(places.values()), without_data)


class _ReadNames:
    """The settings that a configuration reads, which hangs on its textual settings alone."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], set[str]] = {}

    def among(self, configuration: Hyperparameters, axes: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the axes that the configuration reads, and the variation always."""
        key = tuple(value for value in vars(configuration).values() if isinstance(value, str))
        if key not in self._known:
            self._known[key] = {VARIATION, *configuration.canonical()}
        names = self._known[key]
        return {name: value for name, value in axes.items() if name.partition(".")[0] in names}


def _grid_cells(study: Study) -> Iterator[dict[str, Any]]:
    names = sorted(study.grids, key=lambda name: name != study.x)
    for values in product(*(study.grids[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def _draws(
    study: Study, method: str, checksum: str, cell: Mapping[str, Any], read_names: _ReadNames
) -> Iterator[dict[str, Any]]:
    """The cell itself, or with a value for every axis that is no grid: the points, then draws.

    A draw hangs on its number, the axis, the search's seed and what the cell is, and on no other
    cell, draw or axis. All variations have the same draws, so that they differ in nothing else.
    """
    drawn = {name: axis for name, axis in study.space.items() if not axis.grid}
    if not (drawn and isinstance(study.search, RandomSearch)):
        yield dict(cell)
        return
    start = {**cell, **{name: axis.at(0) for name, axis in drawn.items()}}
    read = read_names.among(study.hyperparameters(method, start), cell)
    read.pop(VARIATION, None)
    seed = json.dumps([study.search.seed, method, checksum, read], sort_keys=True)
    points = study.search.points[: study.search.trials]
    for point in points:
        yield {**cell, **point}
    for number in range(len(points), study.search.trials):
        values = {name: axis.at(_fraction(seed, name, number)) for name, axis in drawn.items()}
        yield {**cell, **values}


def _fraction(*content: Any) -> float:
    """A number uniform in [0, 1), the same on every machine."""
    digest = sha256(json.dumps(content).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def _quoted(value: Any) -> str:
    text = str(value)
    return f"'{text}'" if set(text) & set(" =") else text
