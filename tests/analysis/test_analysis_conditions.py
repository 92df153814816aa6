"""The sentences on what an answer depends on, from replicates that are written by hand."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from analysis import find, write_index
from analysis.pages.protocol import protocol
from analysis.places import size_range
from analysis.tables.formats import latex, markdown
from gmm_study.training.state import Ending, TrialState
from tests.trials.results import result_of

DEPTHS = {"layers.depth": {"grid": [1, 2]}}
SIZES = {"layers": {"first": 8, "last": 4}}
SETTLED = {
    "valid/bound": -21.0,
    "valid/log_p": -20.5,
    "valid/log_p_se": 0.3,
    "valid/rise": 0.0001,
    "valid/rise_se": 0.0002,
    "test/bound": -21.0,
    "test/log_p_se": 0.3,
    "test/log_p_gap": 0.004,
    "test/log_p_gap_se": 0.0005,
    "test/log_p_gap_before": 0.008,
    "test/log_p_gap_before_se": 0.001,
    "test/ess": 0.31,
}
"""The figures of a replicate that needs no condition, apart from log p."""
KEPT = "parameters kept in all trials, the better ones by validation"


@pytest.fixture
def conditions(lab):
    """What is said of gmm at two depths, 57 epochs, three replicates each, the rest as given.

    A function gives, from depth and replicate, the ending and the figures that differ.
    """

    def _conditions(of_replicate, methods=("gmm",), **content):
        plan = lab.plan(methods=list(methods), space=DEPTHS, fixed=SIZES, **content)
        for trial in plan.trials:
            depth = trial.axes["layers.depth"]
            endings, figures = [], []
            for number in range(plan.study.replicates):
                ending, others = of_replicate(depth, number)
                endings.append(ending)
                figures.append(SETTLED | {"test/log_p": -20.0 + 0.1 * number} | others)
            write(lab, trial.config, figures, endings)
        return plan, list(find(plan, lab.store).conditions)

    return _conditions


def write(lab, config, figures, endings, best_epoch=56, kept=(None, None, None)):
    record = lab.store.record(config.trial_id)
    record.write_config(config)
    collapses = [bool(each.pop("collapsed", False)) for each in figures]
    result = result_of(config.trial_id, *figures)
    replicates = {
        number: replace(
            own, ending=ending, best_epoch=best_epoch, collapsed=collapsed, kept=kept[number]
        )
        for (number, own), ending, collapsed in zip(
            result.replicates.items(), endings, collapses, strict=True
        )
    }
    record.write_result(replace(result, replicates=replicates))


def test_an_answer_of_converged_replicates_has_no_conditions(conditions):
    assert conditions(lambda depth, number: (Ending.CONVERGED, {}))[1] == []


def test_replicates_that_a_limit_ended_while_rising_are_counted_with_the_size_of_the_rise(
    conditions,
):
    def of_replicate(depth, number):
        rise = {"valid/rise": 0.012 * (number + 1), "valid/rise_se": 0.001}
        return (Ending.EPOCHS, rise) if depth == 2 else (Ending.CONVERGED, rise)

    # over half of 57 epochs: 28.5 times the slope
    assert conditions(of_replicate)[1] == [
        "3 of 6 replicates ended at the limit of epochs while still rising, by 0.012 to 0.036 nats "
        "an epoch (0.34 to 1.0 over half as many epochs again): gmm 3 of 6."
    ]


def test_replicates_that_ended_with_their_schedule_are_counted_however_flat_their_end(conditions):
    found = conditions(
        lambda depth, number: (Ending.SCHEDULE if depth == 2 else Ending.CONVERGED, {})
    )[1]
    assert found == [
        "3 of 6 replicates ended with their learning rate's schedule, whose end is flat at any "
        "length: only a longer schedule shows whether more training gains more, as with "
        "--set longer=5."
    ]


@pytest.mark.parametrize("ending", [Ending.TIME, Ending.SCHEDULE])
def test_a_limit_of_time_and_a_schedule_without_a_flat_end_are_named(conditions, ending):
    rise = {"valid/rise": 0.01, "valid/rise_se": 0.001}
    sentence = conditions(lambda depth, number: (ending, rise))[1][0]
    assert sentence.startswith("6 of 6 replicates ")
    assert ("limit of time" in sentence) == (ending is Ending.TIME)
    assert ("learning rate's schedule" in sentence) == (ending is Ending.SCHEDULE)


def test_replicates_that_ended_at_the_limit_of_time_are_counted_however_flat_their_end(conditions):
    found = conditions(lambda depth, number: (Ending.TIME if number else Ending.CONVERGED, {}))[1]
    assert found == [
        "4 of 6 replicates ended at the limit of time: how long they trained depends on the "
        "machine."
    ]


@pytest.mark.parametrize("ending", [Ending.EPOCHS, Ending.TIME, Ending.SCHEDULE])
def test_a_training_too_short_for_a_slope_is_named_and_its_record_is_not_blamed(conditions, ending):
    too_short = {"valid/rise": None, "valid/rise_se": None}
    found = conditions(lambda depth, number: (ending, too_short if depth == 2 else {}))[1]
    assert found[-1] == (
        "3 of 6 replicates ended too early to tell whether they were still rising, as too few "
        "epochs were validated."
    )
    assert not any("lack facts" in sentence for sentence in found)


def test_a_training_that_converged_needs_no_slope(conditions):
    no_slope = {"valid/rise": None, "valid/rise_se": None}
    assert conditions(lambda depth, number: (Ending.CONVERGED, no_slope))[1] == []


def test_the_parameters_that_were_kept_are_counted_where_an_average_was_validated(lab):
    variations = {"raw": {}, "aver": {"parameter_average": "uniform"}}
    plan = lab.plan(variations=variations)
    for trial in plan.trials:
        figures = [SETTLED | {"test/log_p": -20.0 - number} for number in range(3)]
        kept = [None] * 3 if trial.axes["variation"] == "raw" else ["averaged", "averaged", "raw"]
        write(lab, trial.config, figures, [Ending.CONVERGED] * 3, kept=kept)
    facts = protocol(find(plan, lab.store))
    assert facts[KEPT] == "gmm with aver averaged 2, raw 1"


def test_the_parameters_that_were_kept_are_counted_over_all_trials_of_a_search(lab):
    space = {"learning_rate": {"grid": [1e-3, 2e-3]}, "batch_size": {"grid": [50]}}
    average = {"parameter_average": "uniform"}
    plan = lab.plan(space=space, fixed=average, report={"x": "batch_size"})
    for trial in plan.trials:
        chosen = trial.axes["learning_rate"] == 1e-3
        valid = {"valid/log_p": -20.0 - (not chosen), "test/log_p": -20.0}
        kept = ["averaged"] * 3 if chosen else ["raw"] * 3
        write(lab, trial.config, [SETTLED | valid] * 3, [Ending.CONVERGED] * 3, kept=kept)
    found = find(plan, lab.store)
    assert len(found.cells["trial_id"].unique()) == 1
    assert protocol(found)[KEPT] == "gmm at batch size 50 averaged 3, raw 3"


@pytest.mark.parametrize(
    ("rise", "error", "said"),
    [
        (0.0040, 0.0001, True),  # 0.114 nats over half of 57 epochs, above half of the margin
        (0.0034, 0.0001, False),  # 0.097 nats, below it
        (0.0040, 0.0021, False),  # below twice its error
        (-0.01, 0.001, False),
    ],
)
def test_a_rise_counts_if_it_exceeds_its_error_and_would_matter(conditions, rise, error, said):
    figures = {"valid/rise": rise, "valid/rise_se": error}
    found = conditions(lambda depth, number: (Ending.EPOCHS, figures))[1]
    assert bool(found) == said


@pytest.mark.parametrize(("best_epoch", "said"), [(52, True), (51, False), (12, False)])
def test_a_rise_counts_only_if_the_epoch_that_was_kept_is_in_the_last_tenth(lab, best_epoch, said):
    plan = lab.plan(methods=["gmm"], space=DEPTHS, fixed=SIZES)
    rise = SETTLED | {"test/log_p": -20.0, "valid/rise": 0.01, "valid/rise_se": 0.001}
    for trial in plan.trials:
        write(lab, trial.config, [rise] * 3, [Ending.SCHEDULE] * 3, best_epoch)  # of 57 epochs
    assert any("still rising" in each for each in find(plan, lab.store).conditions) == said


def test_what_rise_matters_follows_the_margin_of_the_study(conditions):
    figures = {"valid/rise": 0.004, "valid/rise_se": 0.0001}
    found = conditions(lambda *_: (Ending.EPOCHS, figures), report={"margin": 1.0})[1]
    assert found == []


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


@pytest.mark.parametrize(
    ("finished", "sentence"),
    [
        (["rws"], "No verdict: only rws has figures; gmm: diverged 3 of 3 replicates."),
        ([], "No verdict: gmm: diverged 3 of 3 replicates; rws: diverged 3 of 3 replicates."),
    ],
)
def test_an_answer_without_two_methods_to_compare_says_why(lab, finished, sentence):
    plan = lab.plan(methods=["gmm", "rws"])
    for trial in plan.trials:
        known = trial.config.hyperparameters.method in finished
        lab.write(trial.config, *[SETTLED | {"test/log_p": -20.0} if known else None] * 3)
    assert find(plan, lab.store).sentences == (sentence,)


def test_methods_are_not_compared_before_a_trial_has_ended(lab):
    plan = lab.plan(methods=["gmm", "rws"])
    assert find(plan, lab.store).sentences == ()
    gmm, rws = (lab.store.record(trial.config.trial_id) for trial in plan.trials)
    gmm.write_config(plan.trials[0].config)
    gmm.write_status(TrialState.RUNNING, epoch=3)
    assert find(plan, lab.store).sentences == ()
    rws.write_config(plan.trials[1].config)
    rws.write_status(TrialState.FAILED, error="out of memory")
    assert find(plan, lab.store).sentences == ("No verdict: gmm: running; rws: failed.",)


def test_a_gap_above_the_error_is_named_with_the_interval_of_the_bias(conditions):
    def of_replicate(depth, number):
        if depth == 1:
            return Ending.CONVERGED, {}
        gaps = {"test/log_p_gap": 0.25, "test/log_p_gap_se": 0.01, "test/ess": 0.004}
        before = {"test/log_p_gap_before": 0.35, "test/log_p_gap_before_se": 0.01}
        return Ending.CONVERGED, gaps | before

    (sentence,) = conditions(of_replicate)[1]
    # standard error of -20.0, -19.9, -19.8: 0.1 / sqrt(3)
    assert sentence.startswith(
        "In 1 of 2 cells, log p still gains more than its error from half of its K samples to all: "
        "gmm at depth 2 (gains 0.25, error 0.058, too low by 0.2"
    )
    assert sentence.endswith("nats, 4.0 of 1,000 effective).")


def test_few_effective_samples_count_only_where_the_gap_cannot_bound_the_bias(conditions):
    def of_replicate(depth, number):
        few = {"test/ess": 0.002}
        if depth == 1:  # two effective samples, but the gaps show that log p has converged
            return Ending.CONVERGED, few
        gaps = {"test/log_p_gap": 0.03, "test/log_p_gap_se": 0.01}
        before = {"test/log_p_gap_before": 0.031, "test/log_p_gap_before_se": 0.01}
        return Ending.CONVERGED, few | gaps | before

    (sentence,) = conditions(of_replicate)[1]
    assert sentence.startswith(
        "In 1 of 2 cells, too few samples are effective to tell that log p is within 0.2 nats of "
        "its limit: gmm at depth 2 (too low by 0.0"
    )
    assert sentence.endswith(" nats or more, 2.0 of 1,000 effective).")


@pytest.mark.parametrize(("gap", "said"), [(0.0220, False), (0.0225, True)])
def test_without_an_upper_limit_a_bias_counts_from_nine_times_the_gain_on(conditions, gap, said):
    gaps = {"test/log_p_gap": gap, "test/log_p_gap_se": 0.005}
    before = {"test/log_p_gap_before": gap, "test/log_p_gap_before_se": 0.005}
    found = conditions(lambda depth, number: (Ending.CONVERGED, gaps | before))[1]
    assert bool(found) == said  # 9 times: 0.198 and 0.2025, with a margin of 0.2


def test_the_interval_of_the_bias_of_every_cell_is_in_the_table_for_programs(conditions, lab):
    plan, _ = conditions(lambda depth, number: (Ending.CONVERGED, {}))
    cells = find(plan, lab.store).cells
    log_p, bound = (cells[cells["metric"] == f"test/{name}"] for name in ("log_p", "bound"))
    assert log_p["gap"].tolist() == pytest.approx([0.004, 0.004])
    assert ((log_p["bias_low"] < 0.004) & (log_p["bias_high"] > 0.004)).all()
    assert bound["bias_high"].isna().all()


def test_old_records_are_reported_with_the_facts_that_they_lack(lab, figures):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    assert list(find(plan, lab.store).conditions) == [
        "6 of 6 replicates cannot be judged in full, as their records lack facts: why training "
        "ended and whether it collapsed, whether it was still rising, how much log p gains with K."
    ]


def test_of_old_and_new_records_the_old_ones_are_counted(lab, conditions, figures):
    plan, _ = conditions(lambda depth, number: (Ending.CONVERGED, {}))
    lab.write(plan.trials[0].config, *[figures(-21.0, -20.0)] * 3)
    (sentence,) = find(plan, lab.store).conditions
    assert sentence.startswith("3 of 6 replicates cannot be judged in full")
    assert "why training ended and whether it collapsed (3)" in sentence


def test_an_old_record_with_a_slope_lacks_that_slope_in_no_sentence(lab):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    for trial in plan.trials:
        lab.write(trial.config, *[SETTLED | {"test/log_p": -20.0}] * 3)
    assert list(find(plan, lab.store).conditions) == [
        "6 of 6 replicates cannot be judged in full, as their records lack facts: why training "
        "ended and whether it collapsed."
    ]


def test_replicates_that_are_in_no_figure_make_no_condition(lab, figures):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    lab.write(plan.trials[0].config, figures(-21.0, -20.0), None, None)
    assert find(plan, lab.store).conditions == ()


@pytest.mark.figure
def test_the_conditions_stand_before_the_tables_in_every_format(conditions, report_of, lab):
    rise = {"valid/rise": 0.01, "valid/rise_se": 0.001}
    plan, (sentence,) = conditions(lambda *_: (Ending.EPOCHS, rise))
    report = report_of(plan)
    console = Console(width=1000, record=True, file=io.StringIO())
    console.print(report)
    page, text = (report.paths[name].read_text() for name in ("index.html", "table.md"))
    for shown, table in ((page, "<table>"), (text, "| method"), (console.export_text(), "method")):
        assert -1 < shown.index(sentence) < shown.index(table)
    assert json.loads(report.paths["report.json"].read_text())["conditions"] == [sentence]
    assert sentence in write_index(lab.folder).read_text()


def test_sizes_have_two_digits_and_no_exponent():
    assert size_range([0.00421, 0.0149]) == "0.0042 to 0.015"
    assert size_range([0.3, 0.3]) == "0.30"
    assert size_range([1234.5, 12.0]) == "12 to 1,234"
