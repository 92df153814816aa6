"""Each rule on models counts a figure only beyond its threshold and its standard errors."""

from types import SimpleNamespace

import pytest

from gmm_study.diagnosis.measured import Likelihoods, Mean
from gmm_study.diagnosis.models import (
    DEAD_SHARE,
    INFORMATION,
    SLOPE,
    amortisation_gap,
    dead_units,
    loose_bound,
    overfitting_of_p,
    overfitting_of_q,
    saturated_layers,
)
from gmm_study.diagnosis.units import Layer
from gmm_study.training.hyperparameters import Hyperparameters

MARGIN = 0.2
NOTHING = Mean(0.0, 0.01)


def measured_of(method="rws", gain=NOTHING, layers=(), **means):
    """Measurements of a model that has gained 1 nat over independent pixels, and no gaps."""
    known = {"train_log_p": Mean(-19.0, 0.0), "valid_log_p": Mean(-19.0, 0.0)}
    gaps = ("train_gap", "valid_gap", "valid_gain_of_samples")
    found = known | dict.fromkeys(gaps, Mean(0.0, 0.0)) | means
    return SimpleNamespace(
        likelihoods=Likelihoods(rows=100, samples=1000, independent=-20.0, **found),
        settings=Hyperparameters(method=method),
        margin=MARGIN,
        gain_of_refining=gain,
        layers=list(layers),
    )


DIFFERENCES = {
    overfitting_of_p: lambda value, error: {"train_log_p": Mean(-19.0 + value, error)},
    overfitting_of_q: lambda value, error: {"valid_gap": Mean(value, error)},
    amortisation_gap: lambda value, error: {"gain": Mean(value, error)},
    loose_bound: lambda value, error: {"valid_gain_of_samples": Mean(value, error)},
}


@pytest.mark.parametrize("rule", DIFFERENCES)
def test_a_difference_counts_above_its_threshold_and_two_standard_errors(rule):
    def found(value, error):
        return rule(measured_of(**DIFFERENCES[rule](value, error))).found

    assert found(0.3, 0.14)
    assert not found(0.3, 0.16)
    assert not found(0.19, 0.01)
    assert found(0.21, 0.1)  # it need not be beyond the threshold by two errors


def a_layer(information, error, slope=1.0, slope_se=0.0):
    return Layer("q(h1 | x)", (information,) * 4, (error,) * 4, slope, slope_se)


def test_a_unit_is_dead_below_the_threshold_by_two_standard_errors():
    def found(information, error):
        return dead_units(measured_of(layers=[a_layer(information, error)])).found

    assert found(0.5 * INFORMATION, 0.24 * INFORMATION)
    assert not found(0.5 * INFORMATION, 0.26 * INFORMATION)
    assert not found(1.1 * INFORMATION, 0.0)


def test_dead_units_count_above_a_share_of_a_layer():
    def found(dead):
        information = (0.0,) * dead + (1.0,) * (20 - dead)
        layer = Layer("q(h1 | x)", information, (0.0,) * 20, 1.0, 0.0)
        return dead_units(measured_of(layers=[layer])).found

    assert not found(int(20 * DEAD_SHARE))
    assert found(int(20 * DEAD_SHARE) + 1)


def test_a_layer_is_saturated_below_the_threshold_by_two_standard_errors():
    def found(slope, error):
        return saturated_layers(measured_of(layers=[a_layer(1.0, 0.0, slope, error)])).found

    assert found(0.5 * SLOPE, 0.24 * SLOPE)
    assert not found(0.5 * SLOPE, 0.26 * SLOPE)


def test_a_bound_of_log_ptilde_is_loose_only_by_what_more_samples_gain():
    below_log_p = {"valid_gap": Mean(5.0, 0.1), "valid_gain_of_samples": Mean(0.01, 0.001)}
    assert not loose_bound(measured_of("gmm", **below_log_p)).found
    loose = measured_of("gmm", **below_log_p | {"valid_gain_of_samples": Mean(2.0, 0.1)})
    assert "2.00 ± 0.10 nats below log ptilde with K = 1,000" in loose_bound(loose).what
    assert "samples=" in loose_bound(loose).to_do
