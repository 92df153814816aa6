"""Learning curves: their means, what they leave out, their slope at the end, and their figure."""

import math
from dataclasses import replace

import pytest

from analysis import write_reproduction
from analysis.figures.curves import draw_curves
from gmm_study.training.state import Ending
from tests.trials.results import gmm

pytestmark = pytest.mark.figure


def write_endings(lab, config, *figures, ending, kept=None):
    """A record whose replicates ended so and kept such parameters, by number."""
    lab.write(config, *figures)
    record = lab.store.record(config.trial_id)
    result = record.result()
    replicates = {
        number: replace(own, ending=ending, kept=(kept or {}).get(number))
        for number, own in result.replicates.items()
    }
    record.write_result(replace(result, replicates=replicates))


def test_a_curve_is_the_mean_over_replicates_as_far_as_all_of_them_reach(lab, curves):
    plan = lab.plan("c", replicates=2)
    lab.write(plan.trials[0].config, gmm(-20.0), gmm(-20.0))
    lab.write_curve(plan.trials[0].config, [-9.0, -7.0, -6.0], [-7.0, -5.0])
    (curve,) = curves(plan)
    assert list(curve.epochs["mean"]) == [-8.0, -6.0]
    assert list(curve.epochs["standard_error"]) == [1.0, 1.0]
    assert (curve.replicates, curve.shown, curve.longest) == (2, 2, 3)
    # the best of the whole curves, -6 and -5: standard deviation sqrt(0.5), over sqrt(2)
    assert (curve.best, curve.best_error) == pytest.approx((-5.5, 0.5))
    assert math.isnan(curve.last_slope())


def test_a_trial_that_stopped_early_has_no_last_slope(lab, curves):
    # the records say 57 epochs, the best of them the 47th
    for name, settings, stopped in (
        ("patient", {"max_epochs": 1000, "patience": 10}, 1),
        ("limited", {"max_epochs": 57, "patience": 20}, 0),
    ):
        plan = lab.plan(name, replicates=1, fixed=settings)
        lab.write(plan.trials[0].config, gmm(-20.0))
        lab.write_curve(plan.trials[0].config, [-30.0 + 0.1 * epoch for epoch in range(57)])
        (curve,) = curves(plan)
        assert curve.stopped == stopped
        assert math.isnan(curve.last_slope()) == bool(stopped)


@pytest.mark.parametrize("ending", [None, *(each for each in Ending if each != "diverged")])
def test_only_what_ended_by_patience_counts_as_stopped_early(lab, curves, ending):
    # 57 of at most 1000 epochs, the best of them the 47th: only an old record is judged by that
    plan = lab.plan("patient", replicates=1, fixed={"max_epochs": 1000, "patience": 10})
    write_endings(lab, plan.trials[0].config, gmm(-20.0), ending=ending)
    lab.write_curve(plan.trials[0].config, [-30.0 + 0.1 * epoch for epoch in range(57)])
    assert curves(plan)[0].stopped == (ending in (None, Ending.CONVERGED))


def test_the_last_slope_is_the_mean_of_those_in_the_records(lab, curves):
    plan = lab.plan("recorded", replicates=2)
    rises = [gmm(-20.0) | {"valid/rise": rise} for rise in (0.25, 0.5)]
    write_endings(lab, plan.trials[0].config, *rises, ending=Ending.CONVERGED)
    lab.write_curve(plan.trials[0].config, *[[-20.0] * 57] * 2)
    assert curves(plan)[0].last_slope() == 0.375
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    assert "| +0.3750 " in output.read_text()


def test_a_curve_is_of_the_parameters_that_were_kept_and_named_by_its_criterion(lab, curves):
    plan = lab.plan("kept", replicates=2, fixed={"criterion": "log_p"})
    config = plan.trials[0].config
    kept = {0: "averaged", 1: "raw"}
    write_endings(lab, config, gmm(-20.0), gmm(-20.0), ending=Ending.CONVERGED, kept=kept)
    values = {"log_p": [-9.0, -8.0, -7.0], "log_p_averaged": [None, -6.0, -5.0]}
    lab.store.record(config.trial_id).write_metrics(
        {"replicate": number, "epoch": epoch, "split": "valid", "metric": metric, "value": value}
        for number in kept
        for metric, of_epochs in values.items()
        for epoch, value in enumerate(of_epochs, start=1)
        if value is not None
    )
    (curve,) = curves(plan)
    # before its first epoch there is no average
    assert list(curve.epochs["mean"]) == [-9.0, -7.0, -6.0]
    assert curve.best == (-5.0 - 7.0) / 2
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    text = output.read_text()
    assert "![Validation log p by epoch]" in text
    assert "Mean validation log p in nats" in text
    assert "| validation log p there (nats) " in text
    assert "Bounds of different methods" not in text


def test_a_diverged_replicate_is_left_out_of_the_curve_and_the_page_says_so(lab, curves):
    plan = lab.plan("c", replicates=3)
    lab.write(plan.trials[0].config, gmm(-20.0), None, gmm(-20.0))
    lab.write_curve(plan.trials[0].config, [-9.0, -8.0, -7.0], [-9.0], [-9.0, math.nan, -7.0])
    (curve,) = curves(plan)
    assert list(curve.epochs["mean"]) == [-9.0, -8.0, -7.0]
    assert (curve.replicates, curve.left_out) == (1, 2)
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    assert "not finite: digits gmm (2)." in output.read_text()


def test_the_figure_says_which_epochs_lie_below_a_panel(lab, curves):
    plan = lab.plan("c", replicates=1)
    lab.write_curve(plan.trials[0].config, [-500.0, -400.0] + [-20.0] * 58)
    (panel,) = draw_curves(curves(plan), plan.x).axes
    assert [text.get_text() for text in panel.texts] == ["below: up to epoch 2, from -500"]
    lab.write_curve(plan.trials[0].config, [-20.0, -19.0] * 10)
    (panel,) = draw_curves(curves(plan), plan.x).axes
    assert [text.get_text() for text in panel.texts] == [""]


def test_the_last_slope_is_that_of_the_last_tenth_of_the_epochs(lab, curves):
    plan = lab.plan("c", replicates=1)
    values = [-50.0] * 90 + [-50.0 + 0.25 * epoch for epoch in range(10)]
    lab.write_curve(plan.trials[0].config, values)
    assert curves(plan)[0].last_slope() == pytest.approx(0.25)


def test_a_trial_that_still_trains_has_a_curve_where_it_is_the_only_one(lab, curves):
    plan = lab.plan("c", replicates=1, space={"layers": {"grid": [[8], [8, 4]]}})
    for trial in plan.trials:
        lab.write_curve(trial.config, [-9.0, -8.0])
    lab.write(plan.trials[0].config, gmm(-20.0))
    found = curves(plan)
    assert [(curve.x, curve.complete) for curve in found] == [("8", True), ("8,4", False)]
    (panel,) = draw_curves(found, plan.x).axes
    assert len(panel.get_lines()) == 2
