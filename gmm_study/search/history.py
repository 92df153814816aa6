"""The events of a cell's search, in order, stored beside the records.

    .searches/STUDY/KEY.json    the cell, the axes that are drawn from, and its events

An event is a mapping whose `event` is one of

    propose    `trial_id`, `axes`: a value for every axis that is drawn from
    report     `trial_id`, `epoch`, `bound`: the bound that a trial reached at a milestone
    end        `trial_id`, `state`, `bound` and `log_p`: what trials are selected by
               (`trials/selection.py`; None or missing unless the trial is complete)

Bounds and log p are in nats. Histories of older versions have no `log_p`. The history is the
search: an event is stored before anything acts on it, and an interrupted search continues by
replaying its events in a new Optuna study. Optuna's own storage is not used for this, because it
contains pickles and has a lock around it. The file contains a digest; a file that does not match
its digest is ignored.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from gmm_study.study.axis import Axis
from gmm_study.study.plan import Cell
from gmm_study.training.state import TrialState
from gmm_study.trials.folder import Folder
from gmm_study.trials.record import RecordStore
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P, Scores, common_metric

FOLDER = ".searches"
_KEYS = {"bound": VALID_BOUND, "log_p": VALID_LOG_P}
Event = dict[str, Any]


class History:
    """The events of one cell; `store` writes the events that were added."""

    def __init__(self, store: RecordStore, cell: Cell) -> None:
        self._folder = _folder(store, cell.study.name)
        self.cell = cell
        self.events: list[Event] = _read(store, cell.study.name, cell.key).get("events", [])
        self._stored = len(self.events)
        self.problem = "" if self.events else _problem(self._folder, cell)
        """One line if the file is damaged: the records are kept, but the search is lost."""

    def add(self, event: Event) -> None:
        """Append an event."""
        self.events.append(event)

    def store(self) -> None:
        """Replace the file if there are new events. Raises `OSError` if that fails."""
        if self._stored == len(self.events):
            return
        axes = self.cell.study.drawn
        drawn = {name: axis.model_dump(exclude_unset=True) for name, axis in axes.items()}
        document = {
            "cell": self.cell.label,
            "drawn": drawn,
            "events": self.events,
            "sha256": _digest(drawn, self.events),
        }
        self._folder.write_file(f"{self.cell.key}.json", json.dumps(document).encode())
        self._stored = len(self.events)

    def proposals(self) -> list[dict[str, Any]]:
        """The values of every proposal on the axes that are drawn from, in order."""
        return [event["axes"] for event in self.events if event["event"] == "propose"]


def _problem(folder: Folder, cell: Cell) -> str:
    name = f"{cell.key}.json"
    if folder.read_file(name) is None:
        return ""
    return f"{folder.path}/{name} is damaged, so the search of '{cell.label}' starts again"


@dataclass
class Proposal:
    """One proposal and its outcome."""

    trial_id: str
    axes: Mapping[str, Any]
    reports: dict[int, float] = field(default_factory=dict)
    """The bounds (nats) that it has reported at milestones, by epoch."""
    state: TrialState | None = None
    """None until it has ended."""
    value: float | None = None
    """Of a complete trial, the figure that the search maximises, in nats."""


@dataclass(frozen=True)
class StoredSearch:
    """A search as read from its file."""

    cell: str
    drawn: dict[str, Axis]
    proposals: tuple[Proposal, ...]


def read_search(store: RecordStore, study: str, key: str) -> StoredSearch | None:
    """The search of a cell; None if there is no readable file."""
    found = _read(store, study, key)
    if not found:
        return None
    proposals: list[Proposal] = []
    by = metric_of_events(found["events"])
    ends: dict[str, Event] = {}
    for event in found["events"]:
        mine = [proposal for proposal in proposals if proposal.trial_id == event["trial_id"]]
        if event["event"] == "propose":
            proposals.append(Proposal(event["trial_id"], event["axes"]))
            mine = proposals[-1:]
        elif event["event"] == "report":
            mine[0].reports[event["epoch"]] = event["bound"]
        else:
            ends[event["trial_id"]] = event
        if end := ends.get(event["trial_id"]):
            for proposal in mine:
                proposal.state, proposal.value = TrialState(end["state"]), scores_of(end).get(by)
    drawn = {name: Axis.model_validate(axis) for name, axis in found["drawn"].items()}
    return StoredSearch(found["cell"], drawn, tuple(proposals))


def end_event(trial_id: str, state: TrialState, scores: Scores) -> Event:
    """The event of a trial's end."""
    figures = {key: scores.get(metric) for key, metric in _KEYS.items()}
    return {"event": "end", "trial_id": trial_id, "state": state, **figures}


def scores_of(end: Event) -> Scores:
    """What the trial of an end is selected by."""
    figures = {metric: end.get(key) for key, metric in _KEYS.items()}
    return {name: value for name, value in figures.items() if value is not None}


def metric_of_events(events: Iterable[Event]) -> str:
    """The figure that a search with these events maximises."""
    ends = (scores_of(event) for event in events if event["event"] == "end")
    return common_metric(scores for scores in ends if scores)


def _read(store: RecordStore, study: str, key: str) -> dict[str, Any]:
    """The content of a file; empty if there is no file or it is damaged."""
    content = _folder(store, study).read_file(f"{key}.json")
    try:
        document = dict(json.loads(content or b"{}"))
        whole = document["sha256"] == _digest(document["drawn"], document["events"])
        return document if whole else {}
    except (ValueError, TypeError, LookupError):
        return {}


def _digest(drawn: Any, events: Any) -> str:
    return sha256(json.dumps([drawn, events], sort_keys=True).encode()).hexdigest()


def _folder(store: RecordStore, study: str) -> Folder:
    return Folder(store.file_system, f"{store.root}/{FOLDER}/{study}")
