"""What a record says of its trial, checked, as the view tells it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev
from typing import Any

from gmm_study.tracking.words import MEAN_CURVES
from gmm_study.trials.provenance import in_a_line
from gmm_study.trials.record import METRICS_SCHEMA, Record

STATUS = {
    "pending": "SCHEDULED",
    "running": "RUNNING",
    "complete": "FINISHED",
    "diverged": "FAILED",
    "failed": "FAILED",
    "stopped": "KILLED",
}
"""MLflow's word for each state of a trial."""
ENDED = ("complete", "diverged")


@dataclass
class Account:
    """What a record says of a trial."""

    state: str
    rest: str | None
    """Where that says that the wanted replicates have ended: the state of others, if they are
    neither pending nor to be told of."""
    error: str | None
    made_with: dict[str, str | None]
    """`git_commit`, `versions`, `machine` and `finished` of the replicates that ended last."""
    ended: dict[int, dict[str, Any]]
    """The final figures of the replicates that have ended."""
    curves: dict[int, list[dict[str, Any]]]

    @property
    def averaged(self) -> str:
        """The replicates that have ended, as `0,1,2`."""
        return ",".join(map(str, self.ended))

    @property
    def complete(self) -> dict[int, dict[str, Any]]:
        """The final figures of the complete replicates."""
        ended = self.ended.items()
        return {index: fields for index, fields in ended if fields["state"] == "complete"}

    def selection_bound(self, replicates: int) -> float | None:
        """The mean validation bound of the wanted replicates; None where one of them has none."""
        complete = self.complete
        if any(index not in complete for index in range(replicates)):
            return None
        bounds = [complete[index]["metrics"].get("valid/bound") for index in range(replicates)]
        return None if any(b is None or not isfinite(b) for b in bounds) else fmean(bounds)

    def means(self) -> dict[str, float]:
        """Mean of every final figure over the complete replicates, with its standard error."""
        figures = [fields["metrics"] for fields in self.complete.values()]
        means: dict[str, float] = {}
        for name in figures[0] if figures else ():
            values = [metrics.get(name) for metrics in figures]
            if name.endswith("_se") or None in values:
                continue
            means[name] = fmean(values)
            if len(values) > 1:
                means[f"{name}_se"] = stdev(values) / len(values) ** 0.5
        return means

    def mean_curves(self) -> dict[str, dict[int, float]]:
        """By name and epoch, the mean over the complete replicates, as long as all were trained."""
        curves: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for index in self.complete:
            for row in self.curves.get(index, ()):
                name = f"{row['split']}/{row['metric']}"
                if name in MEAN_CURVES:
                    curves[name][row["epoch"]].append(row["value"])
        count = len(self.complete)
        return {
            name: {epoch: fmean(values) for epoch, values in curve.items() if len(values) == count}
            for name, curve in curves.items()
        }


def account_of(record: Record, replicates: int) -> Account:
    """What a record says of so many replicates. Raises `ValueError` if it cannot be read."""
    try:
        state, result = record.state(replicates), record.result() or {"replicates": {}}
        # Those beyond the wanted ones too, as another variant of the study tells them.
        replicated = result["replicates"]
        ended = {index: replicated[str(index)] for index in sorted(map(int, replicated))}
        _check([state], ended.values())
        status, rest = record.status(), None
        if state in ENDED and status.get("state") in ("running", "failed", "stopped"):
            rest = record.state(len(ended) + 1)
            rest = None if rest == "pending" else rest
        error = str(status.get("error", "")) if "failed" in (state, rest) else None
        made_with = {
            "git_commit": result.get("git_commit"),
            "versions": in_a_line(result.get("versions")),
            "machine": in_a_line(result.get("machine")),
            "finished": repr(float(result["finished"])) if "finished" in result else None,
        }
        return Account(state, rest, error, made_with, ended, _curves(record))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{record.path} cannot be read: {error}") from None


def _check(states: Sequence[str], ended: Iterable[Mapping[str, Any]]) -> None:
    for state in [*states, *(fields["state"] for fields in ended)]:
        if state not in STATUS:
            raise ValueError(f"no such state: {state!r}")
    for fields in ended:
        values = [int(fields["best_epoch"]), *fields["metrics"].values()]
        if not all(value is None or isinstance(value, (int, float)) for value in values):
            raise ValueError("a figure is no number")


def _curves(record: Record) -> dict[int, list[dict[str, Any]]]:
    curves: dict[int, list[dict[str, Any]]] = defaultdict(list)
    table = record.metrics().select(METRICS_SCHEMA.names).cast(METRICS_SCHEMA)
    for row in table.to_pylist():
        curves[row["replicate"]].append(row)
    return curves
