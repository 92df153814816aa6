"""Scores over several data sets: worked out by hand, and their intervals by simulation."""

import numpy as np
import pandas as pd
import pytest

from analysis import find
from analysis.gallery import pictures_of
from analysis.over_datasets import THRESHOLDS, interquartile_mean, quantile_of_t
from tests.trials.results import result_of

SETS = ["digits", "mushrooms", "dna"]


@pytest.fixture
def found(lab):
    """What is found of two methods on the data sets, from test log p by method and data set."""

    def _found(values, independent, datasets=SETS, margin=0.2):
        replicates = len(next(iter(values.values()))[0])
        plan = lab.plan(
            methods=list(values),
            datasets=datasets,
            replicates=replicates,
            report={"margin": margin},
        )
        for trial in plan.trials:
            method, place = (
                trial.config.hyperparameters.method,
                datasets.index(trial.config.dataset),
            )
            own = values[method][place]
            known = {"valid/bound": -21.0, "test/bound": -21.0}
            if independent is not None:
                known["valid/independent"] = independent[place]
            record = lab.store.record(trial.config.trial_id)
            record.write_config(trial.config)
            figures = (own and [known | {"test/log_p": value} for value in own]) or [None]
            record.write_result(result_of(trial.config.trial_id, *figures))
        return plan, find(plan, lab.store)

    return _found


GMM = [(-20.0, -22.0), (-10.0, -10.0), (-90.0, -94.0)]
RWS = [(-25.0, -25.0), (-12.0, -14.0), (-95.0, -95.0)]


def test_a_score_is_the_share_of_the_gain_of_the_best_over_independent_pixels(found):
    _, own = found({"gmm": GMM, "rws": RWS}, independent=(-31.0, -20.0, -102.0))
    # gains of the best, gmm: 10, 10, 10; scores of gmm 1.1 0.9, 1 1, 1.2 0.8; of rws 0.6 0.6,
    # 0.8 0.6, 0.7 0.7; without one run of six at each end (a quarter, rounded down)
    frame = own.over_datasets.frame
    assert frame["method"].tolist() == ["gmm", "rws"]
    assert frame["runs"].tolist() == [6, 6]
    wanted = [(0.9 + 1.0 + 1.0 + 1.1) / 4, (0.6 + 0.6 + 0.7 + 0.7) / 4]
    assert frame["interquartile_mean"].tolist() == pytest.approx(wanted)
    assert frame["mean"].tolist() == pytest.approx([1.0, 4.0 / 6])


def test_a_profile_is_the_fraction_of_runs_with_at_least_a_score(found):
    _, own = found({"gmm": GMM, "rws": RWS}, independent=(-31.0, -20.0, -102.0))
    rws = own.over_datasets.profiles[1]
    scores = np.array([0.6, 0.6, 0.8, 0.6, 0.7, 0.7])
    for threshold in (0.0, 0.55, 0.65, 0.75, 0.85):
        place = int(np.argmin(abs(THRESHOLDS - threshold)))
        assert rws.fraction[place] == pytest.approx((scores >= threshold).mean())
    assert list(rws.fraction) == sorted(rws.fraction, reverse=True)


def test_a_data_set_without_a_complete_cell_or_without_a_gain_is_left_out_and_named(found):
    sets = [*SETS, "nips", "adult"]
    values = {
        "gmm": [*GMM, (-270.0, -270.0), (-14.0, -14.0)],
        "rws": [*RWS, None, (-14.5, -14.5)],
    }
    independent = (-31.0, -20.0, -102.0, -300.0, -14.9)
    _, own = found(values, independent, sets)
    assert own.over_datasets.left_out == ("nips", "adult")
    assert own.over_datasets.frame["data_sets"].tolist() == [3, 3]
    assert own.tables[-1].title == "Scores over 3 data sets"
    assert "or as the best gains at most 1 nats: nips, adult." in own.tables[-1].caption


@pytest.mark.parametrize("independent", [None, (-31.0, -20.0, -90.5)])
def test_fewer_than_three_data_sets_with_scores_give_no_table(found, independent):
    _, own = found({"gmm": GMM, "rws": RWS}, independent)
    assert own.over_datasets.frame.empty
    assert not any(table.title.startswith("Scores") for table in own.tables)


def test_one_seed_has_a_mean_and_no_interval(found):
    values = {"gmm": [own[:1] for own in GMM], "rws": [own[:1] for own in RWS]}
    _, own = found(values, independent=(-31.0, -20.0, -102.0))
    assert own.over_datasets.frame[["standard_error", "low", "high"]].isna().all(axis=None)
    assert [entries[1].text for _, entries in own.tables[-1].rows] == ["n/a", "n/a"]


@pytest.mark.figure
def test_data_that_only_a_former_report_had_are_removed(found, lab, report_of):
    plan, _ = found({"gmm": GMM, "rws": RWS}, independent=(-31.0, -20.0, -102.0))
    report_of(plan)
    path = lab.folder / "report" / "datasets.csv"
    assert path.exists()
    report_of(found({"gmm": GMM, "rws": RWS}, None)[0])
    assert not path.exists()


def test_equal_scores_give_equal_intervals():
    strata = [np.array([0.9, 1.0, 1.1]), np.array([0.5, 0.7, 0.9]), np.array([1.0, 0.8, 0.9])]
    assert interquartile_mean(strata) == interquartile_mean(strata)


@pytest.mark.parametrize(
    ("sets", "seeds", "apart"), [(3, 3, 0.01), (3, 3, 0.1), (8, 3, 0.01), (8, 3, 0.1), (8, 10, 0.1)]
)
def test_the_interval_of_the_interquartile_mean_covers_its_expectation(
    sets, seeds, apart, monkeypatch
):
    monkeypatch.setattr("analysis.over_datasets.RESAMPLES", 200)
    random, rounds = np.random.default_rng(sets + seeds), 250
    centres = 0.8 + apart * random.standard_normal(sets)
    spreads = 0.02 * np.exp(0.5 * random.standard_normal(sets))

    def draw(count):
        noise = random.standard_normal((count, sets, seeds))
        return centres[:, None] + spreads[:, None] * noise

    middle = np.sort(draw(20_000).reshape(20_000, -1), axis=1)
    cut = int(0.25 * sets * seeds)
    truth = middle[:, cut : sets * seeds - cut].mean()
    covered = 0
    for runs in draw(rounds):
        center, error = interquartile_mean(list(runs))
        covered += abs(center - truth) <= quantile_of_t(list(runs)) * error
    # nominal 95 percent, or four standard errors of the simulation below it
    assert covered / rounds >= 0.95 - 4 * (0.95 * 0.05 / rounds) ** 0.5


@pytest.mark.figure
def test_the_scores_are_a_file_and_a_figure(found, report_of):
    plan, own = found({"gmm": GMM, "rws": RWS}, independent=(-31.0, -20.0, -102.0))
    report = report_of(plan)
    assert list(pd.read_csv(report.paths["datasets.csv"])["method"]) == ["gmm", "rws"]
    picture = {each.name: each for each in pictures_of(own)}["over-datasets"]
    means, profiles = picture.draw().axes
    assert [label.get_text() for label in means.get_yticklabels()] == ["gmm", "rws"]
    assert len(profiles.lines) == 2
