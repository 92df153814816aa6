"""The sentences on what an answer depends on, from replicates that are written by hand."""

import io
import json

import pytest
from rich.console import Console

from analysis import find, write_index
from analysis.pages.protocol import protocol
from analysis.places import size_range
from gmm_study.training.state import Ending, TrialState
from tests.analysis.endings import DEPTHS, SETTLED, SIZES, write

KEPT = "parameters kept in all trials, the better ones by validation"


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
        "4 of 6 replicates ended at the limit of time, after 57 to 57 epochs: how long they "
        "trained depends on the machine and on what else it did."
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
        (0.0034, 0.0021, False),
        (-0.01, 0.001, False),
    ],
)
def test_a_rise_counts_if_it_exceeds_its_error_and_would_matter(conditions, rise, error, said):
    figures = {"valid/rise": rise, "valid/rise_se": error}
    found = conditions(lambda depth, number: (Ending.EPOCHS, figures))[1]
    assert bool(found) == said


@pytest.mark.parametrize(
    ("ending", "said"), [(Ending.EPOCHS, True), (Ending.TIME, True), (Ending.SCHEDULE, False)]
)
def test_a_rise_that_would_matter_and_may_be_noise_is_counted_apart(conditions, ending, said):
    figures = {"valid/rise": 0.4, "valid/rise_se": 0.21}
    found = conditions(lambda depth, number: (ending, figures))[1]
    assert [each for each in found if "rising" in each] == []
    rose = "rose at their end by 0.40 nats an epoch, which may be"
    assert any(rose in each for each in found) == said


def test_a_setting_that_does_not_act_is_named_in_the_report(conditions):
    found = conditions(
        lambda depth, number: (Ending.CONVERGED, {}),
        per_method={"gmm": {"schedule": "step", "max_epochs": 60}},
    )[1]
    assert found == [
        "A setting does not act as it is meant to: step_epochs: 100 leaves no epoch of 60 in which "
        "the learning rate falls."
    ]


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


ADVICE = "More samples, as with --set evaluation.samples=N, need no new training."


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
    assert sentence.endswith(f"nats, 4.0 of 1,000 effective). {ADVICE}")


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
    assert sentence.endswith(f" nats or more, 2.0 of 1,000 effective). {ADVICE}")


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
