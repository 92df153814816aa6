"""What a variation costs: the arithmetic, and that nothing incomplete or shared misleads."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from analysis import find, join, load, summarise, verdict
from analysis.costs import costs_of_variations
from analysis.figures.costs import draw_costs
from analysis.tables.costs import lay_out_costs
from analysis.tables.formats import latex, markdown
from analysis.tables.layout import lay_out

VARIATIONS = {
    "authors": {},
    "K=1": {"samples": 1},
    "no baseline": {"q_baseline": "none"},
    "clipped": {"probability_clip": 1e-6},
}
REFERENCE = (-20.0, -21.0, -22.0)


@pytest.fixture
def costs(lab, figures):
    """Writes the test log p of each variation's replicates; None leaves it pending."""

    def _costs(values, **content):
        plan = lab.plan(variations=VARIATIONS, **{"methods": ["gmm"], **content})
        for place in plan.trials:
            given = values.get(place.axes["variation"])
            if given is not None:
                lab.write(place.config, *(v and figures(-21.0, v) for v in given))
        rows = join(plan, load(lab.store))
        cells = summarise(plan, rows)
        return plan, rows, cells, costs_of_variations(plan, rows, cells)

    return _costs


def one(costs, label, **where):
    for name, value in {"variation": label, **where}.items():
        costs = costs[costs[name] == value]
    (row,) = costs.to_dict("records")
    return row


def test_a_cost_is_the_mean_difference_within_a_replicate(costs):
    *_, found = costs({"authors": REFERENCE, "K=1": (-21.0, -22.5, -24.0)})
    row = one(found, "K=1")
    # differences 1, 1.5, 2: mean 1.5, standard deviation 0.5, standard error 0.5 / sqrt(3)
    assert row["cost"] == pytest.approx(1.5)
    assert row["standard_error"] == pytest.approx(0.288675135)
    # alone in its family, so Student's t with 2 degrees of freedom: 4.302653 standard errors
    assert (row["low"], row["high"]) == pytest.approx((1.5 - 1.242069, 1.5 + 1.242069), abs=1e-6)
    assert (row["n"], row["finding"], row["matters"]) == (3, "costs", True)
    assert (row["reference"], row["mark"]) == ("authors", "")


def test_what_gains_costs_less_than_nothing(costs):
    *_, found = costs({"authors": REFERENCE, "K=1": (-19.5, -20.0, -20.5)})
    assert one(found, "K=1")["cost"] == pytest.approx(-1.0)


def test_a_cost_within_its_interval_does_not_matter(costs):
    *_, found = costs({"authors": REFERENCE, "K=1": (-20.0, -22.0, -24.0)})
    row = one(found, "K=1")
    # differences 0, 1, 2: mean 1, standard error 1 / sqrt(3), 4.302653 of which are 2.48
    assert (row["cost"], row["standard_error"]) == pytest.approx((1.0, 0.577350269))
    assert (row["finding"], row["matters"]) == ("not resolved", False)


def test_trials_of_different_seeds_are_not_paired(lab, figures):
    plan = lab.plan(variations={"authors": {}, "reseeded": {"seed": 1}})
    for place, values in zip(plan.trials, (REFERENCE, (-21.0, -22.5, -24.0)), strict=True):
        lab.write(place.config, *(figures(-21.0, value) for value in values))
    rows = join(plan, load(lab.store))
    found = costs_of_variations(plan, rows, summarise(plan, rows))
    row = one(found, "reseeded")
    # variances 1 and 2.25 over 3 replicates each: sqrt(1 / 3 + 0.75)
    assert (row["cost"], row["standard_error"]) == pytest.approx((1.5, 1.040833))
    # Welch: (1 / 3 + 0.75)^2 / ((1 / 3)^2 / 2 + 0.75^2 / 2) = 3.4845 degrees of freedom
    assert (row["high"] - row["cost"]) / row["standard_error"] == pytest.approx(2.9447, abs=2e-3)
    assert "not paired over seeds" in markdown(lay_out_costs(plan, found)[0])


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        ({"authors": REFERENCE}, "pending"),
        ({"K=1": REFERENCE}, "authors: pending"),
        ({"authors": REFERENCE, "K=1": (-20.0, None, -20.0)}, "diverged 1 of 3 replicates"),
    ],
)
def test_an_incomplete_pair_has_no_cost_and_says_why(costs, values, mark):
    plan, *_, found = costs(values)
    row = one(found, "K=1")
    assert math.isnan(row["cost"])
    assert (row["n"], row["matters"], row["mark"]) == (0, False, mark)
    (table,) = lay_out_costs(plan, found)
    assert mark in table.letters


def test_a_variation_that_a_method_does_not_read_points_to_the_trial_it_shares(lab, figures, costs):
    values = dict.fromkeys(VARIATIONS, REFERENCE)
    plan, rows, cells, found = costs(values, methods=["gmm", "vae"])
    assert len(found) == 2 * 3
    row = one(found, "no baseline", method="vae")
    assert (row["cost"], row["mark"]) == (0.0, "the same trial as authors")
    assert one(found, "no baseline", method="gmm")["mark"] == "the same values as authors"
    log_p, _ = lay_out(plan, cells)
    shown = dict(log_p.rows)
    assert shown["no baseline"][1].mean == shown["authors"][1].mean
    assert shown["no baseline"][1].note in log_p.letters
    assert "the same trial as variation authors" in markdown(log_p)
    assert any("are the same trial as authors" in line for line in verdict(plan, rows, cells))


def test_the_verdict_names_what_matters_dearest_first(costs):
    plan, rows, cells, _ = costs(
        {
            "authors": REFERENCE,
            "K=1": (-30.0, -31.0, -32.1),
            "no baseline": (-20.5, -21.5, -22.6),
        }
    )
    # costs 10, 10, 10.1 and 0.5, 0.5, 0.6
    assert verdict(plan, rows, cells) == [
        "gmm: against authors, in nats with simultaneous 95% intervals (Dunnett): K=1 costs "
        "10.03 ± 0.03 (9.85 to 10.21), no baseline costs 0.53 ± 0.03 (0.35 to 0.71); not known "
        "(pending): clipped; errors over seeds alone, as values of single datapoints are missing."
    ]
    plan, rows, cells, _ = costs({"authors": REFERENCE, "K=1": (-20.0, -22.0, -21.0)})
    (sentence,) = verdict(plan, rows, cells)
    # costs 0, 1, -1: mean 0, standard error 1 / sqrt(3); it stands out beside no baseline, so
    # Dunnett's with two comparisons and its own two degrees of freedom: 5.418, which is 3.13
    assert "not resolved: K=1 +0.00 ± 0.58 (-3.13 to 3.13; about 95 seeds would decide)" in sentence


def test_a_cost_within_the_margin_is_called_so_in_the_sentence_and_marked_in_the_table(costs):
    plan, rows, cells, found = costs({"authors": REFERENCE, "K=1": (-20.05, -21.04, -22.06)})
    row = one(found, "K=1")
    assert (row["finding"], row["matters"], row["equivalent"]) == ("costs", True, True)
    (sentence,) = verdict(plan, rows, cells)
    assert "K=1 costs 0.050 ± 0.006 (0.025 to 0.075), within the margin of 0.2;" in sentence
    assert "| **+0.050 ± 0.006** ≈ |" in markdown(lay_out_costs(plan, found)[0])


def test_one_replicate_has_a_cost_and_no_error(costs):
    plan, rows, cells, found = costs(
        {"authors": (-20.0,), "K=1": (-25.5,), "no baseline": (-20.25,)}, replicates=1
    )
    row = one(found, "K=1")
    assert row["cost"] == 5.5
    assert math.isnan(row["standard_error"])
    assert not row["matters"]
    (sentence,) = verdict(plan, rows, cells)
    assert "K=1 costs most, 5.50 nats (one replicate, so no error over seeds)" in sentence
    assert "n/a" in markdown(lay_out_costs(plan, found)[0])


@pytest.mark.figure
def test_all_formats_of_a_report_show_the_same_costs(report_of, costs):
    plan, *_ = costs(
        {"authors": REFERENCE, "K=1": (-21.4, -22.5, -23.6), "no baseline": (-19.9, -20.9, -21.8)}
    )
    report = report_of(plan)
    table = pd.read_csv(report.paths["costs.csv"])
    shown = [(f"{row['cost']:+.2f}", f"{row['error_both']:.2f}") for _, row in table.iterrows()]
    assert shown[:2] == [("+1.50", "0.08"), ("-0.13", "0.07")]
    page, tex = (report.paths[name].read_text() for name in ("table.md", "table.tex"))
    for cost, error in shown[:2]:
        assert f"{cost} ± {error}" in page
        assert rf"{cost} \pm {error}" in tex
    assert "**+1.50 ± 0.08**" in page
    assert "paired" in page
    assert "K=1 (samples 1)" in page
    assert tex.count(r"\begin{table}") == 4
    assert len(re.findall(r"(?<!\\)[{]", tex)) == len(re.findall(r"(?<!\\)[}]", tex))
    assert latex(lay_out_costs(plan, report.found.costs)).count(r"\begin{table}") == 1


@pytest.mark.figure
def test_the_figure_has_a_row_a_variation_and_a_panel_a_dataset(costs):
    values = {"authors": REFERENCE, "K=1": (-21.0, -22.5, -24.0), "clipped": REFERENCE}
    *_, found = costs(values, datasets=["digits", "bars"])
    panels = draw_costs(found).axes
    assert [panel.get_title() for panel in panels] == ["digits", "bars"]
    labels = [label.get_text() for label in panels[0].get_yticklabels()]
    assert labels == ["K=1", "no baseline", "clipped"]
    for panel in panels:
        drawn = [container.lines[0].get_xdata()[0] for container in panel.containers]
        assert drawn[0] == pytest.approx(1.5)
        (bar,) = panel.containers[0].lines[2][0].get_segments()
        row = one(found, "K=1", dataset=panel.get_title())
        assert [end[0] for end in bar] == pytest.approx([row["low"], row["high"]])
        assert math.isnan(drawn[1])
        assert panel.get_xscale() == "linear"


@pytest.mark.figure
def test_a_cost_that_dwarfs_the_others_makes_the_axis_logarithmic(costs):
    *_, found = costs(
        {
            "authors": REFERENCE,
            "K=1": (-60.0, -61.0, -62.0),
            "no baseline": (-20.1, -21.1, -22.2),
            "clipped": (-20.1, -21.2, -22.1),
        }
    )
    (panel,) = draw_costs(found).axes
    assert panel.get_xscale() == "symlog"
    assert panel.get_xlim()[1] > 40


def test_a_study_whose_report_runs_along_another_axis_has_no_costs(lab):
    plan = lab.plan(
        variations=VARIATIONS,
        space={"batch_size": {"grid": [50, 100]}},
        report={"x": "batch_size"},
    )
    assert find(plan, lab.store).costs.empty
    assert "variation=" in " ".join(t.label for t in plan.trials)


def test_the_interval_of_many_is_that_of_dunnett_for_blocks(costs):
    values = {"authors": (-20.0, -21.0, -22.0), "K=1": (-21.0, -22.5, -23.6)}
    values |= {"no baseline": (-20.1, -21.0, -21.9)}
    *_, found = costs(values)
    table = np.array(list(values.values()))
    left = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    pooled = (left**2).sum() / 4  # (3 - 1) trials times (3 - 1) replicates
    row = one(found, "no baseline")
    # the variance of this trial is the smaller one
    assert row["standard_error"] >= (2 * pooled / 3) ** 0.5 * (1 - 1e-12)
    # Dunnett (1955), two-sided, 5%, two comparisons, four degrees of freedom
    half_width = (row["high"] - row["low"]) / 2
    assert half_width / row["standard_error"] == pytest.approx(3.31, abs=0.005)


COPIED = {"authors": REFERENCE, "K=1": (-21.0, -22.5, -23.6), "no baseline": (-20.1, -21.0, -21.9)}


@pytest.mark.parametrize("original", ["authors", "K=1"])
def test_a_variation_with_the_values_of_another_changes_no_interval_of_the_others(costs, original):
    *_, without = costs(COPIED)
    plan, rows, cells, found = costs(COPIED | {"clipped": COPIED[original]})
    for label in ("K=1", "no baseline"):
        assert str(one(found, label)) == str(one(without, label))
    row = one(found, "clipped")
    assert row["mark"] == f"the same values as {original}"
    assert f"{row['mark']}" in lay_out_costs(plan, found)[0].letters
    if original == "authors":
        assert (row["cost"], row["error_both"], row["low"], row["high"]) == (0.0, 0.0, 0.0, 0.0)
        assert (row["n"], row["finding"]) == (3, "")
        assert "clipped has the same values as authors" in verdict(plan, rows, cells)[0]
    else:
        assert [row[name] for name in ("cost", "low", "high")] == [
            one(found, "K=1")[name] for name in ("cost", "low", "high")
        ]


def test_one_of_many_comparisons_needs_to_be_clearer_than_one_alone(costs):
    doubtful = (-21.0, -22.5, -24.0)  # costs 1.5 +- 0.29, 5.2 standard errors
    *_, alone = costs({"authors": REFERENCE, "K=1": doubtful})
    others = {"no baseline": (-20.1, -21.6, -21.5), "clipped": (-20.5, -20.6, -22.1)}
    *_, among = costs({"authors": REFERENCE, "K=1": doubtful} | others)
    widths = [
        (row["high"] - row["low"]) / 2 / row["standard_error"]
        for row in (one(alone, "K=1"), one(among, "K=1"))
    ]
    # Student's t with 2 degrees of freedom; Dunnett's with three comparisons and 6 of them
    assert widths == pytest.approx([4.302653, 3.10], abs=0.01)
    assert one(alone, "K=1")["matters"]


def test_effects_of_ten_standard_errors_are_found_among_eight_at_three_seeds(costs_of_eight):
    found = costs_of_eight(effect=0.5, spread=0.05 / (2 / 3) ** 0.5)
    assert (found["finding"] == "costs").sum() == 8


def test_a_variation_that_collapses_does_not_hide_the_costs_of_the_others(costs_of_eight):
    found = costs_of_eight(effect=0.5, spread=0.05 / (2 / 3) ** 0.5, collapsed=True)
    assert (found["finding"] == "costs").sum() >= 7


@pytest.fixture
def costs_of_eight(lab, figures):
    """The costs of eight variations with one effect, in which each seed has an effect as well."""

    def _costs_of_eight(effect, spread, collapsed=False):
        labels = {"authors": {}} | {f"rate {i}": {"learning_rate": 1e-3 * i} for i in range(2, 10)}
        plan, random = lab.plan(variations=labels), np.random.default_rng(3)
        for place in plan.trials:
            noise = spread * random.standard_normal(3)
            start = -20.0 if place.axes["variation"] == "authors" else -20.0 - effect
            if collapsed and place.axes["variation"] == "rate 9":
                noise = np.array([-7.0, 0.0, -7.0])
            lab.write(place.config, *(figures(-21.0, start + each) for each in noise))
        rows = join(plan, load(lab.store))
        return costs_of_variations(plan, rows, summarise(plan, rows))

    return _costs_of_eight
