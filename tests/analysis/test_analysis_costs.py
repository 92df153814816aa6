"""What a variation costs: the arithmetic, and that nothing incomplete or shared misleads."""

import math
import re

import pandas as pd
import pytest

from analysis import find, join, load, summarise, verdict
from analysis.costs import costs_of_variations
from analysis.figures.costs import draw_costs
from analysis.statistics import holm
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
    # Student's t with 2 degrees of freedom: 4.302653 standard errors
    assert row["half_width"] == pytest.approx(1.242069, abs=1e-6)
    assert (row["n"], row["paired"], row["matters"]) == (3, True, True)
    assert (row["reference"], row["mark"]) == ("authors", "")


def test_what_gains_costs_less_than_nothing(costs):
    *_, found = costs({"authors": REFERENCE, "K=1": (-19.5, -20.0, -20.5)})
    assert one(found, "K=1")["cost"] == pytest.approx(-1.0)


def test_a_cost_within_its_interval_does_not_matter(costs):
    *_, found = costs({"authors": REFERENCE, "K=1": (-20.0, -22.0, -24.0)})
    row = one(found, "K=1")
    # differences 0, 1, 2: mean 1, standard error 1 / sqrt(3), 4.302653 of which are 2.48
    assert (row["cost"], row["standard_error"]) == pytest.approx((1.0, 0.577350269))
    assert not row["matters"]


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
    assert row["half_width"] / row["standard_error"] == pytest.approx(2.9447, abs=2e-3)
    assert not row["paired"]
    assert "not paired" in markdown(lay_out_costs(plan, found)[0])


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
    assert one(found, "no baseline", method="gmm")["mark"] == ""
    log_p, _ = lay_out(plan, cells)
    shown = dict(log_p.rows)
    assert shown["no baseline"][1].mean == shown["authors"][1].mean
    assert shown["no baseline"][1].note in log_p.letters
    assert "the same trial as variation authors" in markdown(log_p)
    assert any("is the same trial as authors" in line for line in verdict(plan, rows, cells))


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
        "gmm: against authors, K=1 costs 10.03 ± 0.03 nats, no baseline costs 0.53 ± 0.03 nats; "
        "not known (pending): clipped."
    ]
    plan, rows, cells, _ = costs({"authors": REFERENCE, "K=1": (-20.0, -22.0, -21.0)})
    (sentence,) = verdict(plan, rows, cells)
    assert "not significant at 5% by Student's t with n = 3, adjusted by Holm: K=1;" in sentence


def test_one_replicate_has_a_cost_and_no_error(costs):
    plan, rows, cells, found = costs(
        {"authors": (-20.0,), "K=1": (-25.5,), "no baseline": (-20.25,)}, replicates=1
    )
    row = one(found, "K=1")
    assert row["cost"] == 5.5
    assert math.isnan(row["standard_error"])
    assert not row["matters"]
    (sentence,) = verdict(plan, rows, cells)
    assert "K=1 costs most, 5.50 nats (one replicate, so no standard error)" in sentence
    assert "n/a" in markdown(lay_out_costs(plan, found)[0])


@pytest.mark.figure
def test_all_formats_of_a_report_show_the_same_costs(report_of, costs):
    plan, *_ = costs(
        {"authors": REFERENCE, "K=1": (-21.4, -22.5, -23.6), "no baseline": (-19.9, -20.9, -21.8)}
    )
    report = report_of(plan)
    table = pd.read_csv(report.paths["costs.csv"])
    shown = [(f"{row['cost']:+.2f}", f"{row['standard_error']:.2f}") for _, row in table.iterrows()]
    assert shown[:2] == [("+1.50", "0.06"), ("-0.13", "0.03")]
    page, tex = (report.paths[name].read_text() for name in ("table.md", "table.tex"))
    for cost, error in shown[:2]:
        assert f"{cost} ± {error}" in page
        assert rf"{cost} \pm {error}" in tex
    assert "**+1.50 ± 0.06**" in page
    assert "paired" in page
    assert "K=1 (samples 1)" in page
    assert tex.count(r"\begin{table}") == 3
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
        # Student's t with 2 degrees of freedom: 4.302653 standard errors of 0.288675
        assert [end[0] for end in bar] == pytest.approx([1.5 - 1.242069, 1.5 + 1.242069])
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


def test_p_values_are_adjusted_for_their_number_as_by_hand():
    adjusted = holm([0.01, 0.04, 0.03, float("nan"), 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, float("nan"), 0.02], nan_ok=True)
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_one_of_many_comparisons_needs_to_be_clearer_than_one_alone(costs):
    doubtful = (-21.0, -22.5, -24.0)  # costs 1.5 +- 0.29, t = 5.2, p = 0.035 alone
    *_, alone = costs({"authors": REFERENCE, "K=1": doubtful})
    *_, among = costs({"authors": REFERENCE, "K=1": doubtful, "no baseline": (-20.1, -21.0, -21.9)})
    first = [frame[frame["variation"] == "K=1"].iloc[0] for frame in (alone, among)]
    assert [row["p_value"] for row in first] == pytest.approx([0.035098, 0.070196], abs=1e-5)
    assert [row["matters"] for row in first] == [True, False]
