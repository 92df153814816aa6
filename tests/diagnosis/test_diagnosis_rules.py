"""Every rule speaks on a run that was made to fail in its way, and is silent on a good one."""

import pytest

from gmm_study.diagnosis import rules
from gmm_study.diagnosis.finding import Missing
from gmm_study.training.hyperparameters import Hyperparameters

FAILING = [
    ("rising", "still rising", "max_epochs=60"),
    ("collapsed", "collapsed", "l1=0.001"),
    ("few rows", "overfitting of p", "l1=0.0001"),
    ("few rows of a vae", "overfitting of p", "smaller layers"),
    ("few rows of a vae", "overfitting of q", "more data"),
    ("few rows of a vae", "amortisation gap", "samples=10"),
    ("no gradient", "amortisation gap", "deterministic_layers=1"),
    ("few rows of a vae", "loose bound", "bound=iwae"),
    ("noise", "loose bound", "samples=10"),
    ("dead", "dead units", "l1=0.0003"),
    ("saturated", "saturated layers", "smaller learning rate than 0.5"),
    ("noise", "gradient of q below its noise", "q_baseline=uniform"),
    ("no gradient", "gradient of q below its noise", "samples=10"),
    ("few samples", "too few effective samples", "evaluation_samples=500"),
    ("saturated", "learning rate too large", "learning_rate=0.2"),
    ("diverged", "learning rate too large", "learning_rate=10"),
    ("too small", "learning rate too small", "learning_rate=0.0003"),
]
"""A run, what is wrong with it, and what is proposed."""
SETTINGS = {*Hyperparameters.__dataclass_fields__, "evaluation.samples"}


@pytest.mark.sampled
@pytest.mark.parametrize(("run", "rule", "proposed"), FAILING)
def test_a_rule_speaks_on_a_run_that_was_made_to_fail_in_its_way(runs, run, rule, proposed):
    found = runs.finding(run, rule)
    assert found.found
    assert found.figure or found.what
    assert found.threshold
    assert proposed in found.to_do
    assert found.what.endswith(".")
    assert found.to_do.endswith(".")
    assert found.values
    words = found.to_do.replace("(", " ").split()
    named = {word.partition("=")[0] for word in words if "=" in word}
    assert named <= SETTINGS


def test_every_rule_that_judges_a_run_is_silent_on_a_good_one_and_has_its_figure(runs):
    good = runs.of("good")
    assert good.found == []
    judging = {*rules.OF_RECORDS, *rules.OF_MODELS}
    assert {each.rule for each in good.nothing} == judging
    assert {rule for _, rule, _ in FAILING} == judging
    for each in good.nothing:
        assert each.figure
        assert each.threshold
        assert each.values
        assert (each.what, each.to_do) == ("", "")


def test_a_run_fails_in_no_other_way_than_follows_from_what_was_done_to_it(runs):
    assert [each.rule for each in runs.of("few samples").found] == ["too few effective samples"]
    assert [each.rule for each in runs.of("diverged").found] == ["learning rate too large"]
    overfitted = {each.rule for each in runs.of("few rows").found}
    assert overfitted.isdisjoint({"collapsed", "saturated layers", "dead units", "still rising"})


def test_of_a_diverged_run_the_other_rules_say_that_it_diverged(runs):
    replicate = runs.of("diverged")
    others = {each.rule: each.why for each in replicate.left_out}
    known = {*rules.NAMES} - {"learning rate too large", "validation noise"}
    assert {rule for rule, why in others.items() if why == "it diverged"} == known


def test_rules_on_binary_units_leave_a_vae_out_with_the_reason(runs):
    left_out = {each.rule: each.why for each in runs.of("few rows of a vae").left_out}
    assert left_out["saturated layers"] == "a model of vae has no binary layers"


def test_the_table_has_every_rule_under_the_name_that_it_gives_to_its_verdict(runs):
    replicate = runs.of("good")
    assert [each.rule for each in replicate.verdicts] == list(rules.NAMES)


def test_a_rule_left_out_says_why():
    assert rules.without({"one": None}, "no data") == [Missing("one", "no data")]
