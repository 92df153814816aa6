"""A study's file as the plan of its trials: every value of the grids, and every draw of a search.

Grid and random search are expanded here, before Ray starts. The proposals of an adaptive search
come from its history, and so do the trials that were chosen for all seeds after a screening. While
it runs there are more of them at every look; only the new ones are then expanded.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from typing import Any, Protocol

from gmm_study.study.axis import Axis
from gmm_study.study.configurations import Probe, hyperparameters
from gmm_study.study.fields import VARIATION
from gmm_study.study.plan import Cell, Plan, PlannedTrial, axes_read, trial_at
from gmm_study.study.schema import Study
from gmm_study.study.strategies import DrawnSearch, Scheduler


class Proposed(Protocol):
    """What an adaptive search has proposed in a cell so far."""

    @property
    def proposals(self) -> Sequence[Mapping[str, Any]]:
        """The values on the axes that are drawn from, of each trial."""

    @property
    def earlier(self) -> int:
        """How many of them, from the first on, were trained before the search began."""

    @property
    def is_over(self) -> bool:
        """Whether no more are to come, because the time of the search is over."""

    def chosen(self, trial_ids: Sequence[str]) -> Collection[str]:
        """Those of these trials that were chosen for all seeds of the study, if any were."""

    def has_chosen(self, trial_ids: Sequence[str]) -> bool:
        """Whether trials were chosen among these, by what is known of them now."""


@dataclass(frozen=True)
class NothingProposed:
    """A search that has not begun."""

    proposals: tuple[Mapping[str, Any], ...] = ()
    earlier: int = 0
    is_over: bool = False

    def chosen(self, trial_ids: Sequence[str]) -> Collection[str]:
        """No trial."""
        return ()

    def has_chosen(self, trial_ids: Sequence[str]) -> bool:
        """No choice was made."""
        return False


def yet_to_confirm(study: Study, found: Proposed, trial_ids: Sequence[str], unproposed: int) -> int:
    """How many trials of a cell, at most, are yet to be chosen for all seeds of the study.

    `trial_ids` are those that the cell has so far, `unproposed` is the number of those to come.
    """
    if study.screening is None or (not unproposed and found.has_chosen(trial_ids)):
        return 0
    return min(study.screening.confirm, unproposed + len(set(trial_ids)))


Proposals = Callable[[Cell], Proposed]


def make_plan(
    study: Study,
    dataset_sha256: Mapping[str, str],
    proposals: Proposals = lambda cell: NothingProposed(),
) -> Plan:
    """Expand a study; `dataset_sha256` maps the available data sets to their checksums.

    Equivalent configurations, such as those that differ only in a setting that their method does
    not use, are one trial. If a variation or a value of an axis makes no difference to a method,
    the trial has several places.
    """
    return Planner(study, dataset_sha256, proposals).plan()


class Planner:
    """Makes the plan of a study again and again; every trial is expanded once."""

    def __init__(
        self, study: Study, dataset_sha256: Mapping[str, str], proposals: Proposals
    ) -> None:
        self.study = study
        self.dataset_sha256 = dataset_sha256
        self.proposals = proposals
        grows = study.is_adaptive or study.screening
        self._growing = list(self._blocks()) if grows else []
        self._plan: Plan | None = None

    def plan(self) -> Plan:
        """The plan with the current proposals; the same object as before if there are no others."""
        has_grown = [block.take(self.proposals) for block in self._growing]
        if self._plan is None or any(has_grown):
            self._plan = self._assembled()
        return self._plan

    def _assembled(self) -> Plan:
        trials: dict[str, PlannedTrial] = {}
        places: dict[tuple[str, str], PlannedTrial] = {}
        cells: dict[str, Cell] = {}
        for block in self._growing or self._blocks():
            for place, trial in block.places.items():
                known = trials.setdefault(place[0], trial)
                if trial.replicates > known.replicates:
                    trials[place[0]] = replace(known, replicates=trial.replicates)
                places.setdefault(place, trial)
            if block.cell is not None:
                cells.setdefault(block.cell.key, block.cell)
        return Plan(
            self.study,
            tuple(trials.values()),
            tuple(places.values()),
            tuple(name for name in self.study.datasets if name not in self.dataset_sha256),
            cells,
            {block.key: block.unproposed for block in self._growing},
            {block.key: block.unconfirmed for block in self._growing},
        )

    def _blocks(self) -> "Iterator[_Block]":
        """A block for each data set, value of every grid, and method, in this order."""
        cells = _Cells(self.study)
        for dataset in self.study.datasets:
            if dataset in self.dataset_sha256:
                data = dataset, self.dataset_sha256[dataset]
                for grid in _grid_values(self.study):
                    for method in self.study.methods:
                        yield _Block(
                            self.study, data, method, grid, cells.around(data, method, grid)
                        )


class _Block:
    """The trials of a method on a data set (name and checksum), at one value of every grid."""

    def __init__(
        self,
        study: Study,
        data: tuple[str, str],
        method: str,
        grid: Mapping[str, Any],
        cell: Cell | None,
    ) -> None:
        self.study, self.data, self.method = study, data, method
        self.grid, self.cell = grid, cell
        self.places: dict[tuple[str, str], PlannedTrial] = {}
        """Its places so far, by the trial's id and the values on its axes."""
        self.unproposed = 0
        """The number of trials that an adaptive search has yet to propose here."""
        self.unconfirmed = 0
        """The number of trials that are yet to be chosen for all seeds here."""
        self._taken = 0
        if not study.is_adaptive:
            self._expand(self._draws())

    @property
    def key(self) -> str:
        """The key of its cell; empty if the study has no cells."""
        return self.cell.key if self.cell else ""

    def take(self, proposals: Proposals) -> bool:
        """Expand the proposals that are new; returns whether anything has changed."""
        if self.cell is None:
            return False
        found = proposals(self.cell)
        has_grown = self._propose(found) if self.study.is_adaptive else False
        return self._confirm(found) or has_grown

    def _propose(self, found: Proposed) -> bool:
        """Expand the proposals that are new; returns whether anything has changed."""
        search = self.study.search
        if not isinstance(search, DrawnSearch):
            return False
        wanted = found.earlier + search.trials
        new = found.proposals[self._taken : wanted]
        self._expand(new)
        self._taken += len(new)
        before, self.unproposed = self.unproposed, 0 if found.is_over else wanted - self._taken
        return bool(new) or before != self.unproposed

    def _confirm(self, found: Proposed) -> bool:
        """Give all seeds to the trials that were chosen; returns whether anything has changed."""
        if self.study.screening is None:
            return False
        trial_ids = list(dict.fromkeys(trial_id for trial_id, _ in self.places))
        chosen, study = found.chosen(trial_ids), self.study
        before = dict(self.places), self.unconfirmed
        for place, trial in self.places.items():
            count = study.replicates if place[0] in chosen else study.first_replicates
            if count != trial.replicates:
                self.places[place] = replace(trial, replicates=count)
        self.unconfirmed = yet_to_confirm(study, found, trial_ids, self.unproposed)
        return before != (self.places, self.unconfirmed)

    def _expand(self, draws: Iterable[Mapping[str, Any]]) -> None:
        for axes in draws:
            trial = trial_at(self.study, self.data, self.method, {**self.grid, **axes}, self.key)
            self.places.setdefault((trial.config.trial_id, repr(trial.axes)), trial)

    def _draws(self) -> Iterable[Mapping[str, Any]]:
        """The values of every trial on the axes that are drawn from, all known in advance."""
        search, drawn = self.study.search, self.study.drawn
        if not (drawn and isinstance(search, DrawnSearch)):
            return [{}]
        read = _grids_read(self.study, self.data[0], self.method, self.grid)
        read.pop(VARIATION, None)
        seed = json.dumps([search.seed, self.method, self.data[1], read], sort_keys=True)
        return _random_draws(search, drawn, seed)


class _Cells:
    """The cells of a study, each created once."""

    def __init__(self, study: Study) -> None:
        self.study = study
        is_searched = study.is_adaptive or study.screening is not None
        self._has_cells = is_searched or isinstance(study.scheduler, Scheduler)
        self._known: dict[tuple[str, str, str], Cell] = {}

    def around(self, data: tuple[str, str], method: str, grid: Mapping[str, Any]) -> Cell | None:
        """The cell of a method at one value of every grid; None if the study has no cells.

        With a search, all grids define a cell, else only the x-axis.
        """
        if not self._has_cells:
            return None
        read = _grids_read(self.study, data[0], method, grid)
        if not self.study.drawn:
            read = {name: value for name, value in read.items() if name == self.study.x}
        known = (data[0], method, repr(read))
        if known not in self._known:
            self._known[known] = Cell(self.study, *data, method, read)
        return self._known[known]


def _grids_read(study: Study, dataset: str, method: str, grid: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the grids that a method uses on a data set."""
    start = {name: axis.at(0) for name, axis in study.drawn.items()}
    return axes_read(hyperparameters(study, Probe(dataset, method, {**grid, **start})), grid)


def _grid_values(study: Study) -> Iterator[dict[str, Any]]:
    names = sorted(study.grids, key=lambda name: name != study.x)
    for values in product(*(study.grids[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def _random_draws(
    search: DrawnSearch, drawn: Mapping[str, Axis], seed: str
) -> Iterator[dict[str, Any]]:
    """A value for every axis that is not a grid, for each trial: first the points, then draws.

    A draw depends only on its number, the axis, the search's seed and the cell, not on other cells,
    draws or axes. All variations have the same draws, so that they differ in nothing else.
    """
    points = search.points[: search.trials]
    yield from points
    fractions = {name: _fractions(seed, name) for name in drawn}
    for number in range(len(points), search.trials):
        yield {name: axis.at(fractions[name](number)) for name, axis in drawn.items()}


def _fractions(seed: str, name: str) -> Callable[[int], float]:
    """A function from a draw's number to a uniform fraction in [0, 1), equal on every machine."""
    common = sha256(f"[{json.dumps(seed)}, {json.dumps(name)}, ".encode())

    def fraction(number: int) -> float:
        hashed = common.copy()
        hashed.update(f"{number}]".encode())
        return (int.from_bytes(hashed.digest()[:8]) >> 11) / 2**53

    return fraction
