"""The lead of a trial over the best other one of the same data set and method in a storage."""

from collections.abc import Mapping
from math import isfinite, nan, sqrt

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gmm_study.diagnosis.figures import Lead, half_width
from gmm_study.trials.averages import mean_and_standard_error
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.result import TrialResult
from gmm_study.trials.selection import VALID_LOG_P
from gmm_study.trials.survey import configurations

UNREADABLE = (ValueError, OSError, pa.ArrowException)
_ALIKE = ("method", "seed", "selection_samples")
"""Settings in which trials agree whose log p of the validation data can be compared."""


def lead_over_rivals(
    store: RecordStore, config: TrialConfig, result: TrialResult, record: Record
) -> Lead | str:
    """By how much the trial is ahead of the best other one on validation data, or why not known.

    Their replicates are compared one by one, on the same data with the same random numbers. The
    error over data is that of the difference on test data, scaled by the errors of log p on both.
    The best of many trials is a lucky one, so where it is ahead, the interval is that of all others
    at once (Bonferroni).
    """
    best: tuple[float, str, TrialConfig, dict[int, float]] | None = None
    ours, rivals = _valid(result), 0
    if not ours:
        return "it has no log p on validation data"
    for folder, other in configurations(store, store.trial_ids(), UNREADABLE).items():
        if other.trial_id == config.trial_id or not _can_be_compared(config, other):
            continue
        theirs = _valid(_result_of(store.record(folder)))
        common = ours.keys() & theirs.keys()
        if len(common) == len(ours):
            rivals += 1
            mean = float(np.mean([theirs[number] for number in common]))
            if best is None or mean > best[0]:
                best = mean, folder, other, {number: theirs[number] for number in common}
    if best is None:
        return "the storage has no other trial of this data set and method with its replicates"
    _, folder, other, theirs = best
    difference, over_seeds = mean_and_standard_error(ours[each] - theirs[each] for each in theirs)
    on_test = _error_on_test(record, store.record(folder), sorted(theirs))
    at_once = rivals if difference < 0.0 else 1
    noise = half_width(over_seeds, len(theirs), on_test * _scale(result), at_once)
    if not isfinite(noise):
        return "with one replicate it takes the values of the test datapoints, which a record lacks"
    name, seeds = f"trial {other.trial_id}", len(theirs)
    return Lead(difference, noise, _differing(config, other), name, seeds, at_once)


def _can_be_compared(config: TrialConfig, other: TrialConfig) -> bool:
    ours, theirs = config.hyperparameters, other.hyperparameters
    alike = all(getattr(ours, name) == getattr(theirs, name) for name in _ALIKE)
    trained_otherwise = ours.identity_of_training() != theirs.identity_of_training()
    return alike and trained_otherwise and config.dataset_sha256 == other.dataset_sha256


def _result_of(record: Record) -> TrialResult | None:
    try:
        return record.result()
    except UNREADABLE:
        return None


def _valid(result: TrialResult | None) -> dict[int, float]:
    """log p of the validation data by replicate, of those that have it."""
    complete = result.complete if result else {}
    values = {number: each.metrics.get(VALID_LOG_P, nan) for number, each in complete.items()}
    return {number: value for number, value in values.items() if isfinite(value)}


def _differing(config: TrialConfig, other: TrialConfig) -> tuple[str, ...]:
    ours, theirs = config.hyperparameters.canonical(), other.hyperparameters.canonical()
    return tuple(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))


def _error_on_test(record: Record, other: Record, numbers: list[int]) -> float:
    """The standard error over test data of the mean difference of replicates; NaN if unknown."""
    ours, theirs = _datapoints(record), _datapoints(other)
    known = [number for number in numbers if number in ours and number in theirs]
    if len(known) < len(numbers) or any(len(ours[n]) != len(theirs[n]) for n in known):
        return nan
    differences = np.mean([ours[n].astype(np.float64) - theirs[n] for n in known], axis=0)
    return float(differences.std(ddof=1) / sqrt(len(differences)))


def _datapoints(record: Record) -> Mapping[int, NDArray[np.float32]]:
    try:
        return record.datapoints()
    except UNREADABLE:
        return {}


def _scale(result: TrialResult) -> float:
    """The error of log p on validation data as a multiple of that on test data."""
    pairs = [
        (each.metrics.get(f"{VALID_LOG_P}_se", nan), each.metrics.get("test/log_p_se", nan))
        for each in result.complete.values()
    ]
    return float(np.mean([valid for valid, _ in pairs]) / np.mean([test for _, test in pairs]))
