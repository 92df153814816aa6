"""The events of a cell's search, in order, stored beside the records.

    .searches/STUDY/KEY/000000.json    the cell, the axes that are drawn from, and events 0 to 99
    .searches/STUDY/KEY/000001.json    events 100 to 199, and so on
    .searches/STUDY/KEY.json           of older versions: all events before those of the pages

An event is a mapping whose `event` is one of

    earlier    `trial_id`, `axes`, `bound`, `log_p`: a trial of an earlier record that the search
               takes over before it begins
    propose    `trial_id`, `axes`: a value for every axis that is drawn from
    report     `trial_id`, `epoch`, `bound`: the bound that a trial reached at a milestone
    end        `trial_id`, `state`, `bound` and `log_p`: what trials are selected by
               (`trials/selection.py`; None or missing unless the trial is complete)
    confirm    `trial_ids`, `replicates`, `among`: the screening with that many seeds has ended, and
               these trials, the best of the cell, are to be trained with all seeds of the study;
               `among` is a digest of all that the choice was made from
    close      `hours`: no more trials were proposed, because the search had taken that long
    pause      a run of the study has ended, in a search with a limit of hours

If the search has a limit of hours, all events but the first kind have `seconds`: the time that all
runs of the study had taken so far. Bounds and log p are in nats. Histories of older versions have
no `log_p`. The history is the search: an event is stored before anything acts on it, and an
interrupted search continues by replaying its events in a new Optuna study. Optuna's own storage is
not used for this, because it contains pickles and has a lock around it.

A store may be a bucket, in which nothing can be appended to a file. An event is stored by replacing
the last page, which is small, and a full page never changes. So an event costs one write of a few
kilobytes, and the next look one read, however long the history is. Every page has a digest of
itself and of the page before it; the history ends before a page that does not match.

A driver in a bucket that was silent may have been replaced without knowing it. A page is therefore
written under the condition that it still is what this driver has read or written last.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from gmm_study.storage.bucket import Content
from gmm_study.storage.together import READERS, read_together
from gmm_study.study.plan import Cell
from gmm_study.study.strategies import AdaptiveSearch
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P, Scores, common_metric

FOLDER = ".searches"
PAGE = 100
"""The number of events in a full page."""
TRIES = 3
"""How often a page is written that changes in between."""
OF_NO_TRIAL = ("confirm", "close", "pause")
"""The kinds of event that do not concern a single trial."""
_KEYS = {"bound": VALID_BOUND, "log_p": VALID_LOG_P}
Event = dict[str, Any]


class History:
    """The events of one cell.

    `read` adds those that another process has stored, `store` writes those that were added here.
    Only the driver of the study stores.
    """

    def __init__(self, store: RecordStore, cell: Cell) -> None:
        self._store = store
        self._folder = store.folder.inside(f"{FOLDER}/{cell.study.name}")
        self.cell = cell
        axes = cell.study.drawn
        self._drawn = {name: axis.model_dump(exclude_unset=True) for name, axis in axes.items()}
        self.events: list[Event] = []
        self.proposals: list[dict[str, Any]] = []
        """The values on the axes that are drawn from: those of the trials that were taken over from
        earlier records, then those of every proposal, in order."""
        self.earlier = 0
        """How many trials were taken over."""
        self._choices: dict[str, Event] = {}  # by the digest of what they were made from
        self._ends: dict[str, Event] = {}  # the last one of each trial
        self.seconds = 0.0
        """The time that the runs of the study had taken at the last event; 0 without a limit."""
        self._closed_after = 0.0
        self.problem = ""
        """One line if a file is damaged: the records are kept, but the search is lost from there
        on."""
        self._before = ""
        """The digest of the last full page."""
        self._tag: str | None = None
        """The version of the page that the next event belongs to; None if it does not exist."""
        self._read_single_file()
        self._start = self._stored = len(self.events)
        self.read()

    def read(self) -> None:
        """Read the events that were stored since the last call, in the time that they take."""
        number, known = divmod(self._stored - self._start, PAGE)
        for page in self._contents(number):
            self._tag = page.tag if page else None
            found = self._events_in(page, number)
            for event in found[known:]:
                self.add(event)
                self.problem = ""
            self._stored = len(self.events)
            if len(found) < PAGE:
                break
            self._before = self._digest(found)
            number, known = number + 1, 0

    def add(self, event: Event) -> None:
        """Append an event."""
        self.events.append(event)
        if event["event"] in ("propose", "earlier"):
            self.proposals.append(event["axes"])
            self.earlier += event["event"] == "earlier"
        if event["event"] == "confirm":
            self._choices.pop(event["among"], None)
            self._choices[event["among"]] = event
        if event["event"] in ("end", "earlier"):
            self._ends[event["trial_id"]] = event
        if event["event"] == "close":
            self._closed_after = event["hours"]
        self.seconds = max(self.seconds, event.get("seconds", 0.0))

    @property
    def has_begun(self) -> bool:
        """Whether the search has done anything but take over earlier trials."""
        return len(self.events) > self.earlier

    @property
    def is_over(self) -> bool:
        """Whether the hours of the search are over; a later run may allow it more."""
        hours = hours_of(self.cell)
        return hours is not None and self._closed_after >= hours

    def has_chosen(self, trial_ids: Sequence[str]) -> bool:
        """Whether trials were chosen for all seeds among these, by what is known of them now."""
        return self.among(trial_ids) in self._choices

    def chosen(self, trial_ids: Sequence[str]) -> list[str]:
        """The trials that were chosen among these for all seeds.

        Before that they are those of the last choice, among other trials of the same screening.
        """
        screening = self.cell.study.screening
        if screening is None or not self._choices:
            return []
        last = self._choices.get(self.among(trial_ids)) or [*self._choices.values()][-1]
        same = last["replicates"] == screening.replicates
        return [each for each in last["trial_ids"] if same and each in trial_ids]

    def among(self, trial_ids: Sequence[str]) -> str:
        """A digest of what a choice among these trials depends on."""
        screening = self.cell.study.screening
        ends = {trial_id: self._ends.get(trial_id, {}) for trial_id in trial_ids}
        known = {each: [end.get(key) for key in ("state", *_KEYS)] for each, end in ends.items()}
        return _sha256([screening and screening.model_dump(), known])[:16]

    def store(self) -> None:
        """Write the pages with new events.

        Raises `OSError` if that fails, and if this driver was replaced; it is then interrupted.
        """
        while self._stored < len(self.events):
            number = (self._stored - self._start) // PAGE
            first = self._start + number * PAGE
            events = self.events[first : first + PAGE]
            digest = self._digest(events)
            header = {"cell": self.cell.label, "drawn": self._drawn}
            document = {**header, "events": events, "sha256": digest}
            self._write(self._page(number), json.dumps(document).encode())
            self._stored = first + len(events)
            if len(events) == PAGE:
                self._before, self._tag = digest, None

    def _write(self, name: str, content: bytes) -> None:
        """Write a page, unless this driver was replaced.

        A page may have changed although it was not: a driver that it replaced may have written it.
        """
        for _ in range(TRIES):
            tag = self._folder.write_if_unchanged(name, content, self._tag)
            if tag is not None:
                self._tag = tag
                return
            found = self._folder.read_tagged(name)
            if self._store.ends_if_replaced(self.cell.study.name):
                break
            self._tag = found.tag if found else None
        raise OSError(f"{self._folder.path}/{name} is being written by another process")

    def _page(self, number: int) -> str:
        return f"{self.cell.key}/{number:06d}.json"

    def _contents(self, number: int) -> Iterator[Content | None]:
        """The content of every page from a number on, None for one that does not exist.

        After the first one, several are read at a time, because a bucket takes long to answer.
        """
        ahead = 1
        while True:
            names = map(self._page, range(number, number + ahead))
            yield from read_together(self._content, names)
            number, ahead = number + ahead, min(2 * ahead, READERS)

    def _content(self, name: str) -> Content | None:
        """The content of a file, None if it does not exist; empty for a folder in its place."""
        try:
            return self._folder.read_tagged(name)
        except ValueError:
            return Content(b"", "")

    def _events_in(self, page: Content | None, number: int) -> list[Event]:
        """The events of a page; none if it does not exist, or is damaged."""
        if page is None:
            return []
        document = _parsed(page.content)
        events = list(document.get("events", ()))
        if events and document["sha256"] == self._digest(events):
            return events
        self._complain(self._page(number))
        return []

    def _read_single_file(self) -> None:
        """Read the events that an older version stored, all in one file."""
        name = f"{self.cell.key}.json"
        found = self._content(name)
        if found is None:
            return
        document = _parsed(found.content)
        if document and document["sha256"] == _sha256([document["drawn"], document["events"]]):
            self._before = document["sha256"]
            for event in document["events"]:
                self.add(event)
        else:
            self._complain(name)

    def _complain(self, name: str) -> None:
        known = len(self.events)
        goes_on = f"goes on from its event {known}" if known else "starts again"
        path = f"{self._folder.path}/{name}"
        self.problem = f"{path} is damaged, so the search of '{self.cell.label}' {goes_on}"

    def _digest(self, events: list[Event]) -> str:
        """The digest of a page that follows the last full one."""
        return _sha256([self._before, self._drawn, events])


def hours_of(cell: Cell) -> float | None:
    """The limit of hours of a cell's search."""
    search = cell.study.search
    return search.hours if isinstance(search, AdaptiveSearch) else None


def end_event(trial_id: str, state: TrialState, scores: Scores) -> Event:
    """The event of a trial's end."""
    return {"event": "end", "trial_id": trial_id, "state": state, **_figures(scores)}


def earlier_event(trial_id: str, axes: Mapping[str, Any], scores: Scores) -> Event:
    """The event of a trial that is taken over."""
    return {"event": "earlier", "trial_id": trial_id, "axes": dict(axes), **_figures(scores)}


def scores_of(event: Event) -> Scores:
    """What the trial of an event is selected by."""
    figures = {metric: event.get(key) for key, metric in _KEYS.items()}
    return {name: value for name, value in figures.items() if value is not None}


def metric_of_events(events: Iterable[Event]) -> str:
    """The figure that a search with these events maximises."""
    ends = (scores_of(event) for event in events if event["event"] in ("end", "earlier"))
    return common_metric(scores for scores in ends if scores)


def _figures(scores: Scores) -> dict[str, float | None]:
    """What a trial is selected by, as an event names it."""
    return {key: scores.get(metric) for key, metric in _KEYS.items()}


def _parsed(content: bytes) -> dict[str, Any]:
    """The document in a file; empty if the file is damaged."""
    try:
        document = dict(json.loads(content))
        return document if {"drawn", "events", "sha256"} <= document.keys() else {}
    except (ValueError, TypeError):
        return {}


def _sha256(content: Any) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
