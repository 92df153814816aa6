"""Which trials of a study are its best, by their mean validation bound alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple


class Cell(NamedTuple):
    """Trials that compete: those of a data set, a method and a value of the report's x."""

    dataset: str
    method: str
    x: str


@dataclass
class Best:
    """Ids of the best trials."""

    of_cell: dict[Cell, str] = field(default_factory=dict)
    of_method: dict[tuple[str, str], str] = field(default_factory=dict)
    """By data set and method."""


def best_trials(bounds: Mapping[str, float | None], cells: Mapping[str, Sequence[Cell]]) -> Best:
    """The best trial of every cell and method; of equal ones the first in the order of `cells`.

    `bounds` are the mean validation bounds in nats by trial id, missing or None of a trial that is
    no candidate; `cells` are those that a trial competes in.
    """
    best = Best()
    for trial_id, places in cells.items():
        bound = bounds.get(trial_id)
        if bound is None:
            continue
        for cell in places:
            if bound > _bound(bounds, best.of_cell.get(cell)):
                best.of_cell[cell] = trial_id
            if bound > _bound(bounds, best.of_method.get(cell[:2])):
                best.of_method[cell[:2]] = trial_id
    return best


def _bound(bounds: Mapping[str, float | None], trial_id: str | None) -> float:
    known = bounds[trial_id] if trial_id else None
    return -inf if known is None else known
