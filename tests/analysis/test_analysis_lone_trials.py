"""Whether a lead of a method is that of one trial of its own, worked out by hand."""

import pytest

from analysis import find

SEARCH = {"kind": "random", "trials": 3, "points": [{"learning_rate": 0.01}]}
SPACE = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}}


@pytest.fixture
def said(lab, figures):
    """What is said of gmm and rws whose trials, the given one first, have these log p."""

    def _said(gmm, rws, **content):
        plan = lab.plan(methods=["gmm", "rws"], space=SPACE, search=SEARCH, **content)
        left = {"gmm": iter(gmm), "rws": iter(rws)}
        for trial in plan.trials:
            of_method = next(left[trial.config.hyperparameters.method])
            seeds = (of_method + step for step in (-0.01, 0.0, 0.01))
            lab.write(
                trial.config, *[figures(each, each) | {"valid/log_p": each} for each in seeds]
            )
        return [text for text in find(plan, lab.store).conditions if "comparison" in text]

    return _said


def test_a_lead_that_is_mostly_that_of_one_drawn_trial_is_named_with_both_sizes(said):
    assert said(gmm=[-26.0, -27.0, -28.0], rws=[-25.7, -20.0, -25.9]) == [
        "In 1 of 1 comparison of methods, more than half of the lead is due to one trial that the "
        "search drew for its method alone: rws is 6.0 nats ahead of gmm on test data, and its "
        "chosen trial is 5.7 ahead of its second-best trial on validation data. More trials would "
        "show whether another method has one as good, as with --set search.trials=6."
    ]


def test_a_lead_that_the_next_best_trial_has_too_is_not_named(said):
    assert said(gmm=[-26.0, -27.0, -28.0], rws=[-24.0, -20.0, -22.9]) == []


def test_a_trial_whose_settings_all_methods_were_given_is_not_drawn_for_one_alone(said):
    assert said(gmm=[-26.0, -27.0, -28.0], rws=[-20.0, -25.7, -25.9]) == []


def test_settings_that_both_methods_drew_are_not_those_of_one_alone(lab, figures):
    space = {"batch_size": {"choice": [50, 100]}}
    plan = lab.plan(methods=["gmm", "rws"], space=space, search={"kind": "random", "trials": 6})
    values = {("gmm", 50): -26.0, ("gmm", 100): -27.0, ("rws", 50): -20.0, ("rws", 100): -25.7}
    for trial in plan.trials:
        value = values[trial.config.hyperparameters.method, trial.axes["batch_size"]]
        lab.write(trial.config, *[figures(value, value) | {"valid/log_p": value}] * 3)
    assert not any("comparison" in text for text in find(plan, lab.store).conditions)


def test_a_lead_within_the_margin_is_not_named(said):
    assert said(gmm=[-20.1, -27.0, -28.0], rws=[-25.7, -20.0, -25.9]) == []
    wider = {"report": {"margin": 0.05}}
    assert len(said(gmm=[-20.1, -27.0, -28.0], rws=[-25.7, -20.0, -25.9], **wider)) == 1


def test_a_grid_gives_all_methods_the_same_settings(lab, figures):
    plan = lab.plan(methods=["gmm", "rws"], space={"learning_rate": {"grid": [0.01, 0.1]}})
    for trial, value in zip(plan.trials, (-26.0, -27.0, -25.7, -20.0), strict=True):
        lab.write(trial.config, *[figures(value, value) | {"valid/log_p": value}] * 3)
    assert not any("comparison" in text for text in find(plan, lab.store).conditions)
