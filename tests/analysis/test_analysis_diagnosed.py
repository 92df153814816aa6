"""The diagnosis in a report: in which trials the rules on records find what, and what to do."""

import json

import numpy as np
import pytest

from analysis import find
from analysis.diagnosed import diagnosis_of
from gmm_study.diagnosis.rules import OF_RECORDS
from gmm_study.training.state import Ending
from tests.analysis.endings import DEPTHS, SETTLED, SIZES, write

BENT = -20.0 - 10.0 * np.exp(-np.arange(57) / 5.0)
STRAIGHT = -30.0 + 0.1 * np.arange(57)
WILD = BENT + np.random.default_rng(0).normal(0.0, 1.0, 57)


@pytest.fixture
def diagnosed(lab):
    """The diagnosis of gmm at two depths, three replicates each, of which a function gives facts.

    They are the ending, the figures that differ, and the validation bound by epoch.
    """

    def _diagnosed(of_replicate, **content):
        plan = lab.plan(space=DEPTHS, fixed=SIZES, **content)
        for trial in plan.trials:
            facts = [of_replicate(trial.axes["layers.depth"], number) for number in range(3)]
            known = [
                SETTLED | {"test/log_p": -20.0, "valid/independent": -25.0} | others
                for _, others, _ in facts
            ]
            write(lab, trial.config, known, [ending for ending, _, _ in facts])
            _write_curves(lab, trial.config, [values for *_, values in facts])
        return plan, diagnosis_of(find(plan, lab.store))

    return _diagnosed


def _write_curves(lab, config, curves):
    names = ("valid", "bound"), ("train", "learning_rate")
    lab.store.record(config.trial_id).write_metrics(
        {"replicate": number, "epoch": epoch, "split": split, "metric": metric, "value": value}
        for number, values in enumerate(curves)
        for (split, metric), points in zip(names, (values, [1e-3] * len(values)), strict=True)
        for epoch, value in enumerate(points, start=1)
    )


def settled(depth, number):
    return Ending.CONVERGED, {}, BENT


def test_of_settled_replicates_it_finds_nothing_and_says_so(diagnosed):
    found = diagnosed(settled)[1]
    assert (found.replicates, found.lines, found.left_out) == (6, (), ())
    assert "judged the 6 replicates behind the cells and found nothing" in found.summary


@pytest.mark.parametrize(
    ("rule", "ending", "figures", "values", "to_do"),
    [
        (
            "still rising",
            Ending.EPOCHS,
            {"valid/rise": 0.1, "valid/rise_se": 0.01},
            BENT,
            "Train longer, as with max_epochs=",
        ),
        ("collapsed", Ending.CONVERGED, {"collapsed": True}, BENT, "Use more epochs"),
        ("learning rate too large", Ending.CONVERGED, {}, WILD, "schedule=cosine"),
        ("learning rate too small", Ending.CONVERGED, {}, STRAIGHT, "learning_rate=0.01"),
        (
            "too few effective samples",
            Ending.CONVERGED,
            {"test/log_p_gap": 0.5, "test/log_p_gap_before": 0.7},
            BENT,
            "evaluation_samples=100000",
        ),
    ],
)
def test_every_rule_on_records_names_the_cells_where_it_applies_and_what_to_do(
    diagnosed, rule, ending, figures, values, to_do
):
    def of_replicate(depth, number):
        is_wrong = depth == 2 or number == 0
        return (ending, dict(figures), values) if is_wrong else settled(depth, number)

    found = diagnosed(of_replicate)[1]
    (line,) = found.lines
    assert line.rule == rule
    assert line.rule in OF_RECORDS
    assert line.where == "gmm at depth 1 (1 of 3), gmm at depth 2"
    assert to_do in line.to_do
    assert "0." in line.figure or "%" in line.figure


def test_a_choice_within_the_noise_of_validation_is_among_the_findings(lab):
    points = [{"learning_rate": 0.01}, {"learning_rate": 0.02}]
    search = {"kind": "random", "trials": 2, "points": points}
    plan = lab.plan(space={"learning_rate": {"log_uniform": [1e-4, 1e-1]}}, search=search)
    for trial, ahead in zip(plan.trials, (0.0, 0.1), strict=True):
        known = [
            SETTLED | {"test/log_p": -20.0, "valid/log_p": -20.0 + spread * ahead}
            for spread in (1.0, -1.0, 0.5)
        ]
        write(lab, trial.config, known, [Ending.CONVERGED] * 3)
    found = diagnosis_of(find(plan, lab.store))
    (line,) = [line for line in found.lines if line.rule == "validation noise"]
    assert line.where == "gmm"
    assert "more seeds" in line.to_do


def test_what_records_do_not_show_is_said_with_the_number_of_replicates(diagnosed):
    def of_replicate(depth, number):
        return Ending.CONVERGED, {}, BENT if depth == 1 else BENT[:5]

    found = diagnosed(of_replicate)[1]
    assert found.left_out == (
        "Not judged is 'learning rate too large' of 3 of 6 replicates: fewer than 20 epochs of it "
        "were validated.",
        "Not judged is 'learning rate too small' of 3 of 6 replicates: fewer than 10 epochs of it "
        "were validated.",
    )


def test_without_a_cell_that_has_a_mean_nothing_is_judged(lab):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    found = diagnosis_of(find(plan, lab.store))
    assert (found.replicates, found.lines) == (0, ())
    assert found.summary == "No cell has a mean yet, so no replicate was judged."


def test_a_rise_is_found_by_the_margin_of_the_study_as_in_the_conditions(diagnosed, lab):
    rise = {"valid/rise": 0.004, "valid/rise_se": 0.0001}
    for margin, said in ((0.2, True), (1.0, False)):
        plan, found = diagnosed(lambda *_: (Ending.EPOCHS, rise, BENT), report={"margin": margin})
        conditions = find(plan, lab.store).conditions
        assert any("still rising" in sentence for sentence in conditions) == said
        assert any(line.rule == "still rising" for line in found.lines) == said


def test_a_damaged_curve_costs_its_own_verdicts_alone(diagnosed, lab):
    plan, _ = diagnosed(settled)
    lab.store.record(plan.trials[0].config.trial_id).write_file("metrics.parquet", b"damaged")
    found = diagnosis_of(find(plan, lab.store))
    assert found.replicates == 6
    assert all("of 3 of 6 replicates" in sentence for sentence in found.left_out)


@pytest.mark.figure
def test_the_diagnosis_is_a_section_of_the_page_of_the_markdown_and_of_the_summary(
    diagnosed, report_of
):
    plan, found = diagnosed(lambda *_: (Ending.CONVERGED, {}, STRAIGHT))
    report = report_of(plan)
    (line,) = found.lines
    page, text = (report.paths[name].read_text() for name in ("index.html", "table.md"))
    assert '<section id="diagnosis">' in page
    assert "## Diagnosis" in text
    for shown in (page, text):
        assert line.where in shown
        assert line.to_do in shown
        assert found.summary in shown
    (told,) = json.loads(report.paths["report.json"].read_text())["diagnosis"]
    assert told == {name: getattr(line, name) for name in ("rule", "where", "figure", "to_do")}


@pytest.mark.figure
def test_conditions_lead_to_the_diagnosis_if_there_are_findings(diagnosed, report_of):
    plan, _ = diagnosed(lambda *_: (Ending.SCHEDULE, {}, BENT))
    assert 'href="#diagnosis"' not in report_of(plan).paths["index.html"].read_text()
    rise = {"valid/rise": 0.1, "valid/rise_se": 0.01}
    plan, _ = diagnosed(lambda *_: (Ending.EPOCHS, rise, BENT))
    assert 'href="#diagnosis"' in report_of(plan).paths["index.html"].read_text()
