"""All the trials of a study, each once."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import Any

from gmm_study.study.schema import RandomSearch, Study
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and where it lies in its study."""

    config: TrialConfig
    axes: dict[str, Any]
    """Its value on each axis of the space that its configuration reads."""

    @property
    def label(self) -> str:
        """A short name for people, as `digits gmm depth=3`."""
        axes = (f"{name.rpartition('.')[2]}={value}" for name, value in self.axes.items())
        return " ".join([self.config.dataset, self.config.hyperparameters.method, *axes])


@dataclass(frozen=True)
class Plan:
    """The trials of a study, ordered by data set, grid (the report's x first), method and draw."""

    study: Study
    trials: tuple[PlannedTrial, ...]

    @property
    def x(self) -> str | None:
        """The axis that the report runs along, None without a space."""
        return self.study.x


def make_plan(study: Study, dataset_sha256: Mapping[str, str]) -> Plan:
    """Expand a study; `dataset_sha256` has the checksum of each of its data sets by name.

    Configurations that train alike, such as those that differ in a setting their method does not
    read, are one trial.
    """
    trials: dict[str, PlannedTrial] = {}
    read_names = _ReadNames()
    for dataset in study.datasets:
        checksum = dataset_sha256[dataset]
        for cell in _grid_cells(study):
            for method in study.methods:
                for axes in _draws(study, method, checksum, cell, read_names):
                    hyperparameters = study.hyperparameters(method, axes)
                    config = TrialConfig(hyperparameters, dataset, checksum)
                    if config.trial_id not in trials:
                        read = read_names.among(hyperparameters, axes)
                        trials[config.trial_id] = PlannedTrial(config, read)
    return Plan(study, tuple(trials.values()))


class _ReadNames:
    """The settings that a configuration reads, which hangs on its textual settings alone."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], set[str]] = {}

    def among(self, configuration: Hyperparameters, axes: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the axes that the configuration reads."""
        key = tuple(value for value in vars(configuration).values() if isinstance(value, str))
        if key not in self._known:
            self._known[key] = set(configuration.canonical())
        names = self._known[key]
        return {name: value for name, value in axes.items() if name.partition(".")[0] in names}


def _grid_cells(study: Study) -> Iterator[dict[str, Any]]:
    grids = {name: axis.grid for name, axis in study.space.items() if axis.grid}
    names = sorted(grids, key=lambda name: name != study.x)
    for values in product(*(grids[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def _draws(
    study: Study, method: str, checksum: str, cell: Mapping[str, Any], read_names: _ReadNames
) -> Iterator[dict[str, Any]]:
    """The cell itself, or with a value drawn for every axis that is no grid.

    A draw hangs on its number, the axis, the search's seed and what the cell is, and on no other
    cell, draw or axis.
    """
    drawn = {name: axis for name, axis in study.space.items() if not axis.grid}
    if not (drawn and isinstance(study.search, RandomSearch)):
        yield dict(cell)
        return
    start = {**cell, **{name: axis.at(0) for name, axis in drawn.items()}}
    read = read_names.among(study.hyperparameters(method, start), cell)
    seed = json.dumps([study.search.seed, method, checksum, read], sort_keys=True)
    for number in range(study.search.trials):
        values = {name: axis.at(_fraction(seed, name, number)) for name, axis in drawn.items()}
        yield {**cell, **values}


def _fraction(*content: Any) -> float:
    """A number uniform in [0, 1), the same on every machine."""
    digest = sha256(json.dumps(content).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
