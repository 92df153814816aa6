"""A trial's result, written to and parsed from `result.json`: the final metrics per replicate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from gmm_study.training.state import Ending, TrialState
from gmm_study.trials.averages import mean_and_standard_error
from gmm_study.trials.config import SCHEMA
from gmm_study.trials.fields import field_of, flag_of, number_of, optional_field
from gmm_study.trials.selection import scores

COLLAPSED = "collapsed"


@dataclass(frozen=True)
class ReplicateResult:
    """The result of one replicate that has ended."""

    state: TrialState
    """`complete` or `diverged`."""
    epochs: int
    best_epoch: int
    seconds: float
    """The duration of its training."""
    metrics: Mapping[str, float]
    """Final metrics by name, in nats; NaN if not finite. A diverged replicate has none."""
    git_commit: str | None = None
    """The commit of the code that trained it; None if unknown."""
    ending: Ending | None = None
    """Why its training ended; None in records from before it was stored."""
    kept: str | None = None
    """Which parameters are its model: `raw`, or `averaged` over training; None if unknown."""
    collapsed: bool = False
    """Whether its model is no better than independent pixels; False if unknown."""

    @property
    def how_it_ended(self) -> tuple[str, ...]:
        """Why its training ended, if known, and `collapsed` if it did, as words."""
        known = () if self.ending is None else (str(self.ending),)
        return (*known, COLLAPSED) if self.collapsed else known

    def to_json(self) -> dict[str, Any]:
        """Its entry in `result.json`, in which a value that is not finite is null."""
        stored = {"ending": self.ending, "kept": self.kept}
        return {
            "state": self.state,
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
            "metrics": {
                name: value if isfinite(value) else None for name, value in self.metrics.items()
            },
            "git_commit": self.git_commit,
            **{name: text for name, text in stored.items() if text is not None},
            **({COLLAPSED: True} if self.collapsed else {}),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "ReplicateResult":
        """Parse an entry of `result.json`. Raises `ValueError`, which names the wrong field."""
        metrics = field_of(entry, "metrics", dict)
        ending, collapsed = parse_ending(optional_field(entry, "ending", str))
        return cls(
            _state_of(entry),
            field_of(entry, "epochs", int),
            field_of(entry, "best_epoch", int),
            number_of(entry, "seconds"),
            {
                name: nan if value is None else number_of(metrics, name)
                for name, value in metrics.items()
            },
            optional_field(entry, "git_commit", str),
            ending,
            optional_field(entry, "kept", str),
            collapsed=flag_of(entry, COLLAPSED) or collapsed,
        )


@dataclass(frozen=True)
class TrialResult:
    """The results of the replicates of a trial that have ended."""

    trial_id: str
    replicates: Mapping[int, ReplicateResult]
    """By number, in order; only those that have ended."""
    finished: float
    """When the last of them ended, in seconds since 1970."""
    git_commit: str | None = None
    versions: Mapping[str, Any] | None = None
    machine: Mapping[str, Any] | None = None
    """Like the commit and the versions, that of the last run in which a replicate ended. Records
    from before the machine was stored have none."""

    @property
    def state(self) -> TrialState:
        """`complete` if any replicate is complete, else `diverged`."""
        return TrialState.COMPLETE if self.complete else TrialState.DIVERGED

    @property
    def complete(self) -> dict[int, ReplicateResult]:
        """The complete replicates, by number."""
        ended = self.replicates.items()
        return {number: each for number, each in ended if each.state is TrialState.COMPLETE}

    @property
    def on_gpu(self) -> bool:
        """Whether the replicates that ended last were trained on a GPU."""
        return bool(self.machine and self.machine.get("gpu"))

    def has(self, replicates: Iterable[int]) -> bool:
        """Whether all of these replicates have ended."""
        return all(number in self.replicates for number in replicates)

    def scores(self, replicates: int) -> dict[str, float]:
        """What the trial is selected by, over the wanted replicates (`selection.scores`)."""
        found = [self.replicates.get(number) for number in range(replicates)]
        return scores((each.state, each.metrics) if each else (None, {}) for each in found)

    def means(self) -> dict[str, tuple[float, float]]:
        """Mean and standard error, over the complete replicates, of each metric that all have.

        The errors over datapoints (`..._se`) are left out, because their mean is not a standard
        error.
        """
        figures = [each.metrics for each in self.complete.values()]
        means: dict[str, tuple[float, float]] = {}
        for name in figures[0] if figures else ():
            values = [metrics.get(name, nan) for metrics in figures]
            if not name.endswith("_se") and all(map(isfinite, values)):
                means[name] = mean_and_standard_error(values)
        return means

    def rows(self) -> list[dict[str, Any]]:
        """A row for each replicate, for tables: what is known of it, and its metrics."""
        return [
            {
                "replicate": number,
                "state": str(each.state),
                "epochs": each.epochs,
                "best_epoch": each.best_epoch,
                "seconds": each.seconds,
                "ending": None if each.ending is None else str(each.ending),
                "kept": each.kept,
                COLLAPSED: each.collapsed,
                **each.metrics,
            }
            for number, each in self.replicates.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """The content of `result.json`."""
        machine = {} if self.machine is None else {"machine": self.machine}
        return {
            "schema": SCHEMA,
            "trial_id": self.trial_id,
            "state": self.state,
            "replicates": {str(number): each.to_json() for number, each in self.replicates.items()},
            "finished": self.finished,
            "git_commit": self.git_commit,
            "versions": self.versions,
            **machine,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "TrialResult":
        """Parse the content of `result.json`. Raises `ValueError`, which names the wrong field."""
        if document.get("schema", SCHEMA) != SCHEMA:
            raise ValueError(f"schema: {document['schema']!r} must be {SCHEMA}")
        result = cls(
            field_of(document, "trial_id", str),
            _replicates_of(field_of(document, "replicates", dict)),
            number_of(document, "finished"),
            optional_field(document, "git_commit", str),
            optional_field(document, "versions", dict),
            optional_field(document, "machine", dict),
        )
        if _state_of(document) is not result.state:
            raise ValueError(f"state: {document['state']!r} must be '{result.state}'")
        return result


def _replicates_of(entries: Mapping[str, Any]) -> dict[int, ReplicateResult]:
    found = {}
    for name, entry in entries.items():
        if not name.isdecimal():
            raise ValueError(f"replicates: {name!r} must be a number")
        if not isinstance(entry, dict):
            raise ValueError(f"replicates: {name}: {entry!r} must be an object")
        try:
            found[int(name)] = ReplicateResult.from_json(entry)
        except ValueError as error:
            raise ValueError(f"replicates: {name}: {error}") from None
    return dict(sorted(found.items()))


def _state_of(fields: Mapping[str, Any]) -> TrialState:
    name = field_of(fields, "state", str)
    if name not in (TrialState.COMPLETE, TrialState.DIVERGED):
        raise ValueError(f"state: {name!r} must be 'complete' or 'diverged'")
    return TrialState(name)


def parse_ending(name: str | None) -> tuple[Ending | None, bool]:
    """The ending of this name, and whether the name says that the replicate collapsed.

    Some records have `collapsed` in place of the ending, which is then unknown. Raises `ValueError`
    for any other name.
    """
    if name is None or name == COLLAPSED:
        return None, name == COLLAPSED
    if name not in list(Ending):
        raise ValueError(f"ending: {name!r} must be one of {', '.join(Ending)}")
    return Ending(name), False
