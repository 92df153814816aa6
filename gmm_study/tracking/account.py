"""What a record says of its trial, checked, as the view tells it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

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


@dataclass
class Account:
    """What a record says of a trial."""

    state: str
    error: str | None
    git_commit: str | None
    ended: dict[int, dict[str, Any]]
    """The final figures of the replicates that have ended."""
    curves: dict[int, list[dict[str, Any]]]


def account_of(record: Record, replicates: int) -> Account:
    """What a record says of so many replicates. Raises `ValueError` if it cannot be read."""
    try:
        state, result = record.state(replicates), record.result() or {"replicates": {}}
        # Those beyond the wanted ones too, as another variant of the study tells them.
        replicated = result["replicates"]
        ended = {index: replicated[str(index)] for index in sorted(map(int, replicated))}
        _check([state], ended.values())
        error = str(record.status().get("error", "")) if state == "failed" else None
        return Account(state, error, result.get("git_commit"), ended, _curves(record))
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


def means_over_replicates(replicates: list[dict[str, Any]]) -> dict[str, float]:
    """Mean of every final figure over the complete replicates, with its standard error (n - 1)."""
    complete = [fields["metrics"] for fields in replicates if fields["state"] == "complete"]
    means: dict[str, float] = {}
    for name in complete[0] if complete else ():
        values = [metrics[name] for metrics in complete]
        if name.endswith("_se") or None in values:
            continue
        means[name] = fmean(values)
        if len(values) > 1:
            means[f"{name}_se"] = stdev(values) / len(values) ** 0.5
    return means
