"""Collapsed replicates in an answer: counted, named, and never an error of their own."""

import pytest

from analysis import find
from analysis.tables.formats import latex, markdown
from gmm_study.training.state import Ending
from tests.analysis.endings import SETTLED, write


def test_collapsed_replicates_are_counted_and_marked_at_the_means_that_include_them(
    conditions, lab
):
    def of_replicate(depth, number):
        collapsed = depth == 2 and number == 1
        return Ending.CONVERGED, {"test/log_p": -25.2, "collapsed": True} if collapsed else {}

    plan, found = conditions(of_replicate, report={"margin": 50.0})
    assert found == [
        "1 of 6 replicates collapsed, which means no better than independent pixels, and are in "
        "the means: gmm at depth 2 (1 of 3)."
    ]
    cells = find(plan, lab.store).cells
    log_p = cells[cells["metric"] == "test/log_p"]
    assert log_p["mark"].tolist() == [
        "",
        "1 of 3 replicates collapsed: no better than independent pixels; the mean of the others is "
        "-19.9",
    ]
    assert log_p["mean"].iloc[1] == pytest.approx((-20.0 - 25.2 - 19.8) / 3)


def test_a_replicate_that_collapsed_while_still_rising_is_counted_as_both(conditions):
    rise = {"valid/rise": 0.024, "valid/rise_se": 0.001, "collapsed": True}
    rising, collapsed = conditions(lambda *_: (Ending.EPOCHS, rise))[1]
    assert rising.startswith("6 of 6 replicates ended at the limit of epochs while still rising")
    assert collapsed.startswith("6 of 6 replicates collapsed")


def test_a_cost_of_a_variation_that_collapsed_says_so(lab):
    plan = lab.plan(variations={"authors": {}, "no baseline": {"q_baseline": "none"}})
    for trial in plan.trials:
        collapsed = trial.axes["variation"] == "no baseline"
        figures = [
            SETTLED | {"test/log_p": -20.0 - number - 5 * collapsed, "collapsed": collapsed}
            for number in range(3)
        ]
        write(lab, trial.config, figures, [Ending.CONVERGED] * 3)
    found = find(plan, lab.store)
    assert found.costs["mark"].tolist() == ["3 of 3 replicates of no baseline collapsed"]
    assert "gmm with no baseline (3 of 3)" in found.conditions[0]


def test_what_blew_up_is_named_as_collapsed_with_an_exponent_and_without_a_number_of_seeds(lab):
    plan = lab.plan(variations={"authors": {}, "boom": {"learning_rate": 1e6}})
    for trial in plan.trials:
        boom = trial.axes["variation"] == "boom"
        values = (-1e7, -3e7, -0.2e7) if boom else (-20.0, -20.1, -20.3)
        figures = [SETTLED | {"test/log_p": value, "collapsed": boom} for value in values]
        write(lab, trial.config, figures, [Ending.CONVERGED] * 3)
    found = find(plan, lab.store)
    (sentence,) = found.sentences
    assert "collapsed in every replicate: boom +1.4e+07 ± 8.3e+06 (-2.2e+07 to 5.0e+07)" in sentence
    assert "not resolved" not in sentence
    assert "seeds would decide" not in sentence
    assert "| +1.4e+07 ± 8.3e+06" in markdown(found.tables[0])
    assert r"$+1.4 \times 10^{7} \pm 8.3 \times 10^{6}$" in latex(found.tables)


def test_a_variation_of_which_some_replicates_collapsed_has_their_number_and_none_of_seeds(lab):
    plan = lab.plan(variations={"authors": {}, "zero": {"initial_bias": 0}})
    for trial in plan.trials:
        zero = trial.axes["variation"] == "zero"
        values = (-20.1, -28.0, -19.9) if zero else (-20.0, -20.1, -20.3)
        figures = [
            SETTLED | {"test/log_p": value, "collapsed": value < -25 and zero} for value in values
        ]
        write(lab, trial.config, figures, [Ending.CONVERGED] * 3)
    (sentence,) = find(plan, lab.store).sentences
    shown = "zero +2.5 ± 2.7 (-9.0 to 14.1; 1 of 3 replicates of zero collapsed)"
    assert f"not resolved: {shown}" in sentence
    assert "seeds would decide" not in sentence


@pytest.fixture
def answer(lab):
    """The answer on these variations, of which every replicate below -25 nats collapsed."""

    def _answer(**values):
        replicates = len(values["first"])
        variations = {name: {"batch_size": 50 + i} for i, name in enumerate(values)}
        plan = lab.plan(variations=variations, replicates=replicates)
        for trial in plan.trials:
            figures = [
                SETTLED | {"test/log_p": value, "collapsed": value < -25}
                for value in values[trial.axes["variation"]]
            ]
            endings = [Ending.CONVERGED] * replicates
            write(lab, trial.config, figures, endings, kept=[None] * replicates)
        (sentence,) = find(plan, lab.store).sentences
        return sentence

    return _answer


def test_a_reference_of_which_some_replicates_collapsed_is_named_once_and_no_number_of_seeds(
    answer,
):
    first = (-20.1, -28.0, -19.9)
    sentence = answer(first=first, b=(-20.0, -20.1, -20.3), c=(-20.1, -20.4, -20.2))
    unresolved = sentence.partition("not resolved: ")[2]
    assert unresolved.startswith("c -2.4 ± 2.6 (")
    assert ", b -2.5 ± 2.7 (" in unresolved
    assert unresolved.count("1 of 3 replicates of first collapsed") == 1
    assert "would decide" not in sentence


def test_a_variation_that_collapsed_like_its_reference_is_said_to_be_no_different(answer):
    sentence = answer(first=(-27.0, -28.0, -29.0), b=(-27.01, -28.0, -29.01))
    assert "collapsed in every replicate: b (no difference beyond the margin of 0.2: -0.0" in (
        sentence
    )
    assert "; 3 of 3 replicates of first collapsed" in sentence


def test_of_one_replicate_what_collapsed_is_named_apart_from_the_highest_cost(answer):
    sentence = answer(first=(-20.0,), b=(-28.0,), c=(-20.5,))
    assert "c costs most, 0.50 nats (one replicate, so no error over seeds); " in sentence
    assert "; collapsed in every replicate: b +8.00 nats" in sentence
    sentence = answer(first=(-26.0,), b=(-28.0,))
    assert sentence == (
        "gmm: against first, collapsed in every replicate: b +2.00 nats (one replicate, so no "
        "error over seeds); 1 of 1 replicate of first collapsed."
    )


def test_a_collapsed_end_of_an_axis_is_named_in_place_of_a_number_of_seeds(conditions, lab):
    def of_replicate(depth, number):
        collapsed = depth == 2 and number == 1
        return Ending.CONVERGED, {"test/log_p": -25.2, "collapsed": True} if collapsed else {}

    plan, _ = conditions(of_replicate)
    (sentence,) = find(plan, lab.store).sentences
    assert "not resolved: 95% interval" in sentence
    assert "; 1 of 3 replicates of gmm at depth 2 collapsed)" in sentence
    assert "would decide" not in sentence


def test_a_collapsed_method_is_named_in_place_of_a_number_of_seeds(lab):
    plan = lab.plan(methods=["gmm", "rws"])
    for trial in plan.trials:
        rws = trial.config.hyperparameters.method == "rws"
        values = (-20.1, -28.0, -19.9) if rws else (-20.0, -20.1, -20.3)
        figures = [
            SETTLED | {"test/log_p": value, "collapsed": value < -25 and rws} for value in values
        ]
        write(lab, trial.config, figures, [Ending.CONVERGED] * 3)
    (sentence,) = find(plan, lab.store).sentences
    assert "not resolved: 95% interval" in sentence
    assert "; 1 of 3 replicates of rws collapsed)" in sentence
