"""The expected best of n trials, compared with enumeration and simulation, and what they cost."""

from itertools import combinations, product
from statistics import fmean

import numpy as np
import pandas as pd
import pytest

from analysis import find
from analysis.budget import expected_best
from analysis.gallery import pictures_of
from gmm_study.training.state import TrialState
from gmm_study.trials.record_store import RecordStore

VALUES = (-3.0, -1.0, -7.5, -2.25, -1.0)
RATES = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}}


def test_the_best_of_different_trials_is_the_mean_over_all_their_subsets():
    found = expected_best(VALUES)
    means = [fmean(map(max, combinations(VALUES, n))) for n in range(1, 6)]
    assert list(found["expected_best"]) == pytest.approx(means)
    assert list(found["trials"]) == [1, 2, 3, 4, 5]


def test_the_best_with_replacement_is_the_mean_over_all_draws():
    found = expected_best(VALUES)["expected_best_with_replacement"]
    means = [fmean(map(max, product(VALUES, repeat=n))) for n in range(1, 6)]
    assert list(found) == pytest.approx(means)


def test_the_band_has_the_quartiles_of_the_best_over_all_subsets():
    found = expected_best(VALUES)
    for n in range(1, 6):
        best = [max(own) for own in combinations(VALUES, n)]
        wanted = np.quantile(best, (0.25, 0.75), method="inverted_cdf")
        assert list(found.loc[n - 1, ["low", "high"]]) == pytest.approx(list(wanted))


def test_the_best_of_different_trials_is_unbiased_and_that_with_replacement_is_too_low():
    random, n, rounds = np.random.default_rng(0), 4, 4000
    draws = random.standard_normal((rounds, 8))
    truth = random.standard_normal((200_000, n)).max(1)
    found = pd.concat([expected_best(own).loc[[n - 1]] for own in draws])
    columns = ["expected_best", "expected_best_with_replacement"]
    deviation = found[columns] - truth.mean()
    errors = np.hypot(deviation.sem(), truth.std() / len(truth) ** 0.5)
    distance = deviation.mean() / errors
    assert abs(distance["expected_best"]) < 4
    assert distance["expected_best_with_replacement"] < -10


def test_the_best_of_many_trials_is_finite():
    found = expected_best(np.linspace(-30.0, -20.0, 1500).tolist())
    assert np.isfinite(found).all(axis=None)
    assert found["expected_best"].is_monotonic_increasing
    assert found["expected_best"].iloc[-1] == -20.0


@pytest.fixture
def searched(lab, figures):
    """Six trials of one method: bounds -20 to -24, the last one stopped after 5 seconds."""
    search = {"kind": "random", "trials": 6}
    plan = lab.plan(space=RATES, search=search, replicates=2, resources={"cpus": 2})
    *complete, cut = plan.trials
    for place, trial in enumerate(complete):
        lab.write(trial.config, *[figures(-20.0 - place, -20.0)] * 2)
    stop(lab.store, cut.config, seconds=(2.0, 3.0))
    return plan


def stop(store: RecordStore, config, seconds):
    """A trial of which a scheduler stopped every replicate after two epochs."""
    record = store.record(config.trial_id)
    record.write_config(config)
    record.write_metrics(
        {"replicate": number, "epoch": epoch, "split": "train", "metric": "seconds", "value": value}
        for number, end in enumerate(seconds)
        for epoch, value in ((1, end / 2), (2, end))
    )
    record.write_status(TrialState.STOPPED, epoch=2)


def test_a_stopped_trial_counts_as_the_worst_and_its_time_is_that_of_its_curve(lab, searched):
    budget = find(searched, lab.store).budget
    assert budget["of"].unique().tolist() == [6]
    assert budget["without_value"].unique().tolist() == [1]
    wanted = expected_best([-20.0, -21.0, -22.0, -23.0, -24.0, -24.0])
    assert list(budget["expected_best"]) == list(wanted["expected_best"])
    # five trials of two replicates with 3.2 seconds and one with 5, on two cores
    mean = 2 * (5 * 2 * 3.2 + 5.0) / 6
    assert list(budget["core_seconds"]) == pytest.approx([mean * n for n in range(1, 7)])
    assert list(budget["best_so_far"]) == [-20.0] * 6


def test_every_caption_has_the_budget_of_every_method(lab, searched):
    found = find(searched, lab.store)
    said = "Budget of the whole study, over all replicates: gmm 6 trials, 574 epochs, 74 "
    assert all(said + "core-seconds." in table.caption for table in found.tables)


def test_trials_whose_time_is_not_known_are_counted_in_the_caption(lab, searched):
    record = lab.store.record(searched.trials[-1].config.trial_id)
    record.write_metrics(
        [{"replicate": 0, "epoch": 1, "split": "valid", "metric": "bound", "value": -30.0}]
    )
    found = find(searched, lab.store)
    said = "571 epochs, 64 core-seconds, not counting 1 trial whose time is unknown."
    assert said in found.tables[0].caption
    assert found.budget["core_seconds"].isna().all()


def test_a_study_in_which_no_trials_compete_has_no_budget_file(lab, figures):
    plan = lab.plan()
    lab.write(plan.trials[0].config, *[figures(-21.0, -20.0)] * 3)
    assert find(plan, lab.store).budget.empty


@pytest.mark.figure
def test_the_budget_is_a_file_and_two_figures(lab, searched, report_of):
    report = report_of(searched)
    frame = pd.read_csv(report.paths["budget.csv"])
    assert list(frame["trials"]) == [1, 2, 3, 4, 5, 6]
    pictures = {each.name: each for each in pictures_of(report.found)}
    for name, column in (("budget", "trials"), ("budget-by-time", "core_seconds")):
        (panel,) = pictures[name].draw().axes
        expected, so_far = panel.lines
        assert list(expected.get_xdata()) == pytest.approx(list(frame[column]))
        assert list(expected.get_ydata()) == pytest.approx(list(frame["expected_best"]))
        assert list(so_far.get_ydata()) == list(frame["best_so_far"])
    assert "stopped early, diverged or failed (1)" in pictures["budget"].caption
