import re
from math import isfinite

import pytest

from analysis import find
from analysis.gallery import pictures_of
from gmm_study.training.state import TrialState

pytestmark = pytest.mark.figure

SIZES = {"layers": {"first": 8, "last": 4}}
DEPTHS = {"layers.depth": {"grid": [1, 2, 3]}}


def gmm(bound, log_p):
    return {
        "valid/bound": bound,
        "test/bound": bound,
        "test/log_p": log_p,
        "test/log_p_tilde": log_p - 0.5,
        "test/log_p_star": log_p + 0.1,
        "test/ess": 0.25,
        "test/ess_star": 0.5,
    }


@pytest.fixture
def gallery(lab):
    def _gallery(plan):
        return {picture.name: picture for picture in pictures_of(find(plan, lab.store))}

    return _gallery


@pytest.fixture
def searched(lab):
    """Twelve trials over two axes; the bound depends on the learning rate only. One is stopped."""
    plan = lab.plan(
        space={
            **DEPTHS,
            "learning_rate": {"log_uniform": [1e-4, 1e-1]},
            "batch_size": {"choice": [10, 20, 50]},
        },
        fixed=SIZES,
        search={"kind": "random", "trials": 5},
        replicates=2,
    )
    for trial in plan.trials[1:]:
        bound = -20.0 - abs(trial.axes["learning_rate"] - 0.01) * 100
        lab.write(trial.config, gmm(bound, bound), gmm(bound - 0.01, bound))
    stopped = lab.store.record(plan.trials[0].config.trial_id)
    stopped.write_config(plan.trials[0].config)
    stopped.write_status(TrialState.STOPPED, epoch=3)
    return plan


def test_gmm_has_its_three_likelihoods_and_both_sample_sizes(lab, gallery):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    for trial in plan.trials:
        lab.write(trial.config, *[gmm(-21.0, -20.0 + trial.axes["layers.depth"])] * 3)
    pictures = gallery(plan)
    assert set(pictures) == {"result", "likelihoods-gmm", "ess", "quality"}
    (panel,) = pictures["likelihoods-gmm"].draw().axes
    heights = [list(own.lines[0].get_ydata()) for own in panel.containers]
    assert heights == [[-19, -18, -17], [-19.5, -18.5, -17.5], [-18.9, -17.9, -16.9]]
    assert "log p is above log p̃ by 0.5 nats" in pictures["likelihoods-gmm"].caption
    (panel,) = pictures["ess"].draw().axes
    assert [list(own.lines[0].get_ydata()) for own in panel.containers] == [[0.25] * 3, [0.5] * 3]
    assert "gmm 0.25" in pictures["ess"].caption


def test_a_method_without_a_p_star_has_no_figure_of_it(lab, gallery):
    plan = lab.plan(methods=["rws"])
    lab.write(plan.trials[0].config, *[gmm(-21.0, -20.0)] * 3)  # an old record may say more
    pictures = gallery(plan)
    assert set(pictures) == {"result", "ess", "quality"}
    assert "p*" not in pictures["ess"].caption


def test_a_search_has_its_trials_and_what_mattered(searched, gallery):
    pictures = gallery(searched)
    assert {"trials-digits", "importance"} <= set(pictures)
    assert "Complete trials (gmm 14)" in pictures["trials-digits"].caption
    assert "Not shown: 1 that were stopped" in pictures["trials-digits"].caption
    assert "gmm on digits: learning rate" in pictures["importance"].caption


def test_the_best_trial_is_drawn_last_and_reaches_the_top(searched, gallery):
    (panel,) = gallery(searched)["trials-digits"].draw().axes
    (best,) = panel.lines[-1:]
    assert best.get_ydata()[-1] == 1.0
    assert len(panel.collections[0].get_segments()) == 14


def test_a_study_without_a_search_has_no_figures_of_one(lab, gallery):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    for trial in plan.trials:
        lab.write(trial.config, *[gmm(-21.0, -20.0)] * 3)
        lab.write_curve(trial.config, *[[-30.0, -25.0, -21.0]] * 3)
    pictures = gallery(plan)
    assert set(pictures) == {"result", "likelihoods-gmm", "ess", "curves", "quality"}
    assert "up to epoch 3" in pictures["curves"].caption


def test_of_many_values_of_the_axis_the_curves_show_a_few_and_say_so(lab, gallery):
    plan = lab.plan(space={"samples": {"grid": list(range(1, 12))}}, replicates=1)
    for trial in plan.trials:
        lab.write(trial.config, gmm(-21.0, -20.0))
        lab.write_curve(trial.config, [-30.0, -21.0])
    picture = gallery(plan)["curves"]
    assert "5 of the 11 values of training samples K are shown." in picture.caption
    assert len(picture.draw().axes[0].lines) == 5


def test_without_a_record_there_is_the_result_alone_and_it_says_so(lab, gallery):
    pictures = gallery(lab.plan(space=DEPTHS, fixed=SIZES))
    assert set(pictures) == {"result"}
    assert "Gaps are incomplete cells." in pictures["result"].caption


def test_a_setting_that_some_trials_do_not_read_is_told_so_and_costs_no_report(lab, gallery):
    plan = lab.plan(
        space={
            "optimizer": {"choice": ["adam", "sgd"]},
            "momentum": {"uniform": [0.5, 0.99]},
            "learning_rate": {"log_uniform": [1e-3, 1e-1]},
        },
        search={"kind": "random", "trials": 12},
        replicates=1,
    )
    for index, trial in enumerate(plan.trials):
        lab.write(trial.config, gmm(-20.0 - index, -20.0))
    assert {trial.config.hyperparameters.optimizer for trial in plan.trials} == {"adam", "sgd"}
    picture = gallery(plan)["trials-digits"]
    (panel,) = picture.draw().axes
    heights = [point[1] for line in panel.collections[0].get_segments() for point in line]
    assert all(isfinite(height) for height in heights)
    assert "not read" in [text.get_text() for text in panel.texts]


def test_a_setting_called_bound_is_not_taken_for_the_validation_bound(lab, gallery):
    plan = lab.plan(
        methods=["vae"],
        space={
            "bound": {"choice": ["elbo", "iwae"]},
            "learning_rate": {"log_uniform": [1e-3, 1e-1]},
        },
        search={"kind": "random", "trials": 12},
        replicates=1,
    )
    for trial in plan.trials:
        bound = -20.0 if trial.axes["bound"] == "iwae" else -40.0
        lab.write(trial.config, gmm(bound, bound))
    assert re.search(r"vae on digits: bound (9\d|100)%", gallery(plan)["importance"].caption)


def test_data_sets_with_odd_names_each_have_a_figure(lab, report_of):
    odd = ["./a/b.npz", "./a-b.npz", './x"><img src=x onerror=alert(1)>.npz']
    plan = lab.plan(
        datasets=odd,
        space={"learning_rate": {"log_uniform": [1e-3, 1e-1]}},
        search={"kind": "random", "trials": 3},
        replicates=1,
    )
    for index, trial in enumerate(plan.trials):
        lab.write(trial.config, gmm(-20.0 - index, -20.0))
    report = report_of(plan)
    names = [name for name in report.paths if "figures/trials" in name and name.endswith("svg")]
    assert len(set(names)) == 3
    page = report.page.read_text()
    assert "<img" not in page
    assert all(name in page for name in ("./a/b.npz", "./a-b.npz"))


def test_a_figure_that_cannot_be_drawn_costs_no_table(lab, figures, report_of, monkeypatch):
    plan = lab.plan(methods=["gmm", "rws"])
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)

    def broken(*arguments):
        raise RuntimeError("no ink")

    monkeypatch.setattr("analysis.pictures.results.draw", broken)
    report = report_of(plan)
    assert "figures/result.svg" not in report.paths
    assert "figures/ess.svg" in report.paths
    assert "figure result cannot be drawn: no ink" in report.page.read_text()
    assert report.summary["warnings"] == ["figure result cannot be drawn: no ink"]


def test_a_name_with_dollars_is_not_read_as_a_formula(lab, figures, report_of):
    plan = lab.plan(variations={"plain": {}, r"$\frac$": {"samples": 1}})
    for index, trial in enumerate(plan.trials):
        values = [-20.0 - index, -20.5 - index, -20.25]
        lab.write(trial.config, *(figures(-21.0, value) for value in values))
    report = report_of(plan)
    assert report.summary["warnings"] == []
    assert r"$\frac$" in report.paths["figures/result.svg"].read_text()
