"""What became of every proposal of a search, kept up to date from its events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gmm_study.search.history import OF_NO_TRIAL, Event, metric_of_events, scores_of
from gmm_study.training.state import TrialState
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P, Scores


@dataclass
class Proposal:
    """One proposal and its outcome."""

    trial_id: str
    axes: Mapping[str, Any]
    reports: dict[int, float] = field(default_factory=dict)
    """The bounds (nats) that it has reported at milestones, by epoch."""
    state: TrialState | None = None
    """None until it has ended."""
    scores: Scores = field(default_factory=dict)


class Outcomes:
    """The proposals of a search, in order. Equal proposals are one trial, and have one outcome."""

    def __init__(self) -> None:
        self.proposals: list[Proposal] = []
        self.by = VALID_LOG_P
        """The metric that the search maximises."""
        self._of: dict[str, list[int]] = defaultdict(list)

    def take(self, events: Iterable[Event]) -> set[int]:
        """Apply further events; returns the numbers of the proposals that changed."""
        changed: set[int] = set()
        for event in events:
            changed.update(self._apply(event))
            if self.by == VALID_LOG_P and metric_of_events([event]) == VALID_BOUND:
                self.by = VALID_BOUND
                changed.update(range(len(self.proposals)))
        return changed

    def value(self, proposal: Proposal) -> float | None:
        """The figure that the search maximises, in nats; None unless the trial is complete."""
        return proposal.scores.get(self.by)

    def _apply(self, event: Event) -> list[int]:
        """Apply an event; returns the numbers of the proposals that it concerns."""
        if event["event"] in OF_NO_TRIAL:
            return []
        trial_id = event["trial_id"]
        mine = self._of[trial_id]
        if event["event"] == "earlier":
            mine.append(len(self.proposals))
            earlier = Proposal(trial_id, event["axes"], {}, TrialState.COMPLETE, scores_of(event))
            self.proposals.append(earlier)
            return mine
        if event["event"] == "propose":
            equal = self.proposals[mine[0]] if mine else Proposal(trial_id, event["axes"])
            mine.append(len(self.proposals))
            state, scores = equal.state, equal.scores
            self.proposals.append(Proposal(trial_id, event["axes"], {}, state, scores))
            return mine[-1:]
        if event["event"] == "report":
            self.proposals[mine[0]].reports[event["epoch"]] = event["bound"]
            return mine[:1]
        for number in mine:
            self.proposals[number].state = TrialState(event["state"])
            self.proposals[number].scores = scores_of(event)
        return mine
