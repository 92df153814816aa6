import math

import pytest

from analysis import best_on_validation, find, join, load
from analysis.pages.choices import how_chosen
from gmm_study.training.state import TrialState

RATES = {"learning_rate": {"grid": [0.001, 0.003]}, "layers.depth": {"grid": [1]}}
SIZES = {"layers": {"first": 8, "last": 4}}


@pytest.fixture
def choose(lab):
    def _choose(plan):
        (cell,) = best_on_validation(join(plan, load(lab.store))).to_dict("records")
        return cell

    return _choose


@pytest.fixture
def two_rates(lab):
    plan = lab.plan(space=RATES, fixed=SIZES, report={"x": "layers.depth"}, replicates=3)
    return plan, *(trial.config for trial in plan.trials)


def test_a_better_test_figure_with_a_worse_validation_bound_is_not_chosen(
    lab, figures, two_rates, choose
):
    plan, good_on_validation, good_on_test = two_rates
    lab.write(good_on_validation, *[figures(-21.0, -25.0, bound=-26.0)] * 3)
    lab.write(good_on_test, *[figures(-21.1, -15.0, bound=-16.0)] * 3)
    cell = choose(plan)
    assert cell["trial_id"] == good_on_validation.trial_id
    assert cell["settings"] == "learning_rate=0.001"
    assert cell["validation"] == pytest.approx(-21.0)
    assert (cell["candidates"], cell["trials"], cell["mark"]) == (2, 2, "")


def test_the_mean_over_replicates_decides_and_not_one_lucky_replicate(
    lab, figures, two_rates, choose
):
    plan, lucky_once, better_on_average = two_rates
    lab.write(lucky_once, *[figures(bound, -20.0) for bound in (-15.0, -24.0, -24.0)])  # mean -21
    lab.write(better_on_average, *[figures(bound, -20.0) for bound in (-20.0, -20.5, -21.0)])
    cell = choose(plan)
    assert cell["trial_id"] == better_on_average.trial_id
    assert cell["validation"] == pytest.approx(-20.5)


def test_a_trial_with_a_diverged_replicate_is_no_candidate_however_good_the_others(
    lab, figures, two_rates, choose
):
    plan, diverged, steady = two_rates
    lab.write(diverged, figures(-1.0, -1.0), None, figures(-1.0, -1.0))
    lab.write(steady, *[figures(-21.0, -20.0)] * 3)
    cell = choose(plan)
    assert cell["trial_id"] == steady.trial_id
    assert cell["mark"] == "1 of 2 trials compared; diverged 1 of 3 replicates (1 trial)"


def test_a_choice_made_before_all_trials_have_ended_is_provisional(lab, figures, two_rates, choose):
    plan, done, _ = two_rates
    lab.write(done, *[figures(-21.0, -20.0)] * 3)
    cell = choose(plan)
    assert cell["complete"]
    assert cell["mark"] == "provisional: 1 of 2 trials compared; pending (1 trial)"
    said = find(plan, lab.store).conditions[0]
    assert said == (
        "In 1 of 1 cell, the search is not complete and a better trial may follow: gmm at depth 1."
    )


def test_a_trial_that_a_scheduler_stopped_is_no_candidate_and_leaves_the_choice_final(
    lab, figures, two_rates, choose
):
    plan, done, behind = two_rates
    lab.write(done, *[figures(-21.0, -20.0)] * 3)
    lab.write_curve(behind, [-1.0], [-1.0], [-1.0])
    lab.store.record(behind.trial_id).write_status(TrialState.STOPPED, epoch=1)
    cell = choose(plan)
    assert cell["trial_id"] == done.trial_id
    assert cell["mark"] == "1 of 2 trials compared; stopped (1 trial)"
    assert not any("not complete" in said for said in find(plan, lab.store).conditions)


def test_a_cell_without_a_candidate_is_incomplete_and_says_why(lab, figures, two_rates, choose):
    plan, first, second = two_rates
    lab.write(first, figures(-21.0, -20.0), None, None)
    lab.write(second, figures(-21.0, -20.0))
    cell = choose(plan)
    assert not cell["complete"]
    assert math.isnan(cell["validation"])
    assert cell["mark"] == (
        "diverged 2 of 3 replicates (1 trial); pending, 1 of 3 replicates complete (1 trial)"
    )


@pytest.mark.parametrize(
    ("replicates", "mark"),
    [
        ("complete diverged complete", "diverged 1 of 3 replicates"),
        ("diverged diverged diverged", "diverged 3 of 3 replicates"),
        ("complete complete", "pending, 2 of 3 replicates complete"),
        ("complete null complete", "validation not finite in 1 of 3 replicates"),
        ("complete complete complete", ""),
    ],
)
def test_the_mark_of_a_single_trial_is_its_reason(lab, figures, choose, replicates, mark):
    outcome = {
        "complete": figures(-21.0, -20.0),
        "diverged": None,
        "null": figures(None, -20.0),
    }
    plan = lab.plan(replicates=3)
    lab.write(plan.trials[0].config, *(outcome[name] for name in replicates.split()))
    cell = choose(plan)
    assert cell["mark"] == mark
    assert cell["complete"] == (mark == "")


def test_a_failed_trial_marks_its_cell(lab, choose):
    plan = lab.plan()
    record = lab.store.record(plan.trials[0].config.trial_id)
    record.write_config(plan.trials[0].config)
    record.write_status(TrialState.FAILED, error="out of memory")
    assert choose(plan)["mark"] == "failed"


def test_of_equal_bounds_the_first_in_the_plan_is_chosen(lab, figures, two_rates, choose):
    plan, first, second = two_rates
    for config in (second, first):
        lab.write(config, *[figures(-21.0, -20.0)] * 3)
    assert choose(plan)["trial_id"] == first.trial_id


def test_trials_are_compared_by_validation_log_p_and_the_cell_says_so(
    lab, figures, two_rates, choose
):
    plan, tight, better = two_rates
    lab.write(tight, *[figures(-21.0, -20.0) | {"valid/log_p": -20.9}] * 3)
    lab.write(better, *[figures(-25.0, -22.0) | {"valid/log_p": -20.5}] * 3)
    cell = choose(plan)
    assert (cell["trial_id"], cell["selected_by"]) == (better.trial_id, "valid/log_p")
    assert cell["validation"] == pytest.approx(-20.5)


def test_a_cell_with_an_old_record_compares_bounds_and_says_so(lab, figures, two_rates, choose):
    plan, old, new = two_rates
    lab.write(old, *[figures(-21.0, -20.0)] * 3)
    lab.write(new, *[figures(-25.0, -22.0) | {"valid/log_p": -1.0}] * 3)
    cell = choose(plan)
    assert (cell["trial_id"], cell["selected_by"]) == (old.trial_id, "valid/bound")
    assert cell["validation"] == pytest.approx(-21.0)


def test_a_cell_without_a_candidate_is_selected_by_nothing(lab, choose):
    assert choose(lab.plan())["selected_by"] == ""


@pytest.mark.parametrize("scheduler", ["asha", "none"])
@pytest.mark.parametrize("swept", [{"samples": [5, 50]}, {"learning_rate": [1e-3, 1e-2]}])
def test_a_scheduler_that_compares_bounds_of_different_k_is_said_to_favour_the_tighter(
    lab, figures, scheduler, swept
):
    space = {name: {"choice": values} for name, values in swept.items()}
    search = {"kind": "random", "trials": 2}
    plan = lab.plan(space=space, search=search, scheduler={"kind": scheduler})
    for trial in plan.trials:
        replicate = figures(-21.0, -20.0) | {"valid/log_p": -20.5}
        lab.write(trial.config, *[replicate] * 3)
    how = how_chosen(plan, best_on_validation(join(plan, load(lab.store))))
    warned = "the scheduler, which compares bounds, favours the tighter bound" in how
    assert warned == (scheduler == "asha" and "samples" in swept)
    assert "the choice by bounds" not in how
