"""What MLflow shows of a trial: the content of its record, checked, and means over replicates."""

from collections import defaultdict
from dataclasses import dataclass, field
from math import isnan
from statistics import fmean
from typing import Any

from gmm_study.tracking.words import MEAN_CURVES
from gmm_study.training.state import TrialState
from gmm_study.trials.provenance import in_a_line
from gmm_study.trials.record import Record
from gmm_study.trials.result import ReplicateResult
from gmm_study.trials.standing import Standing

ARTIFACTS = (
    "config.json",
    "checkpoint/model.safetensors",
    "checkpoint/meta.json",
    "pictures/samples.png",
    "pictures/samples_p_star.png",
    "pictures/chain.gif",
    "pictures/inpainting.png",
)
"""The files of a record that MLflow has too."""
STATUS = {
    TrialState.PENDING: "SCHEDULED",
    TrialState.RUNNING: "RUNNING",
    TrialState.COMPLETE: "FINISHED",
    TrialState.DIVERGED: "FAILED",
    TrialState.FAILED: "FAILED",
    TrialState.STOPPED: "KILLED",
}
"""MLflow's status for each state of a trial."""


@dataclass
class Account:
    """The content of a trial's record."""

    record: Record
    replicates: int
    """The number of wanted replicates."""
    standing: Standing
    # `cached_property` of Python 3.11 would let one account at a time read its files.
    _curves: dict[int, list[dict[str, Any]]] | None = field(default=None, init=False, repr=False)
    _artifacts: dict[str, bytes] | None = field(default=None, init=False, repr=False)

    @property
    def curves(self) -> dict[int, list[dict[str, Any]]]:
        """By replicate, its rows of `metrics.parquet`. Raises `ValueError` if unreadable.

        Read only when needed, because MLflow already has those of most trials.
        """
        if self._curves is None:
            curves = defaultdict(list)
            for row in self.record.metrics().to_pylist():
                curves[row["replicate"]].append(row)
            self._curves = curves
        return self._curves

    @property
    def artifacts(self) -> dict[str, bytes]:
        """The content of the artifacts that the record has, by name."""
        if self._artifacts is None:
            found = {name: self.record.read_file(name) for name in ARTIFACTS}
            self._artifacts = {name: each for name, each in found.items() if each is not None}
        return self._artifacts

    def read(self) -> None:
        """Read the curves, and the artifacts of a trial that has ended."""
        _ = self.curves
        if self.state.has_result:
            _ = self.artifacts

    @property
    def state(self) -> TrialState:
        """The state of the wanted replicates."""
        return self.standing.state

    @property
    def rest(self) -> str | None:
        """Once the wanted replicates have a result, the state of the others; None if pending."""
        rest = self.standing.rest
        return str(rest) if self.state.has_result and rest is not TrialState.PENDING else None

    @property
    def error(self) -> str | None:
        """Why the trial, or its further replicates, failed."""
        failed = TrialState.FAILED in (self.state, self.rest)
        return self.standing.status.error if failed else None

    @property
    def made_with(self) -> dict[str, str | None]:
        """`git_commit`, `versions`, `machine` and `finished` of the replicates that ended last."""
        if (result := self.standing.result) is None:
            return dict.fromkeys(("git_commit", "versions", "machine", "finished"))
        return {
            "git_commit": result.git_commit,
            "versions": in_a_line(result.versions),
            "machine": in_a_line(result.machine),
            "finished": repr(result.finished),
        }

    @property
    def ended(self) -> dict[int, ReplicateResult]:
        """The replicates that have ended; these may include more than the wanted ones."""
        return dict(self.standing.ended)

    @property
    def averaged(self) -> str:
        """The numbers of the replicates that have ended, as `0,1,2`."""
        return ",".join(map(str, self.ended))

    @property
    def complete(self) -> dict[int, ReplicateResult]:
        """The complete replicates."""
        return self.standing.result.complete if self.standing.result else {}

    @property
    def scores(self) -> dict[str, float]:
        """What the trial is selected by, over the wanted replicates; empty if no candidate."""
        result = self.standing.result
        return result.scores(self.replicates) if result else {}

    def means(self) -> dict[str, float]:
        """The mean of every final metric over the complete replicates, and its standard error."""
        means: dict[str, float] = {}
        result = self.standing.result
        for name, (mean, error) in (result.means() if result else {}).items():
            means[name] = mean
            if not isnan(error):
                means[f"{name}_se"] = error
        return means

    def mean_curves(self) -> dict[str, dict[int, float]]:
        """By name and epoch, the mean over the complete replicates.

        An epoch that not all of them reached is left out.
        """
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
    """The content of a trial's record. Raises `ValueError` if its result cannot be read."""
    standing = record.standing(replicates)
    if standing.problem:
        raise ValueError(standing.problem)
    return Account(record, replicates, standing)
