"""What is bold in a table and what has the mark of an equivalent entry, worked out by hand."""

import pytest

from analysis import join, load, summarise, verdict
from analysis.tables.formats import latex, markdown
from analysis.tables.layout import lay_out

# Student's t with two degrees of freedom: 2.919986 standard errors for 90%, 4.302653 for 95%


@pytest.fixture
def ranked(lab, figures):
    def _ranked(margin=0.2, **values):
        replicates = len(next(iter(values.values())))
        plan = lab.plan(methods=list(values), replicates=replicates, report={"margin": margin})
        for trial in plan.trials:
            own = values[trial.config.hyperparameters.method]
            lab.write(trial.config, *(figures(-21.0, value) for value in own))
        cells = summarise(plan, join(plan, load(lab.store)))
        log_p = cells[cells["metric"] == "test/log_p"].set_index("method")
        return plan, cells, log_p

    return _ranked


def test_the_best_alone_is_bold(ranked):
    # differences 1.0, 1.1, 1.2: mean 1.1, standard error 0.1 / sqrt(3)
    plan, cells, log_p = ranked(gmm=[-20.0, -19.0, -18.0], rws=[-21.0, -20.1, -19.2])
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": ""}
    behind = log_p.loc["rws"]
    assert (behind["behind"], behind["behind_seeds"]) == pytest.approx((1.1, 0.0577350269))
    assert behind["behind_high"] - behind["behind"] == pytest.approx(0.248414, abs=1e-6)
    rows = dict(lay_out(plan, cells)[0].rows)
    assert [rows[method][0].best for method in ("gmm", "rws")] == [True, False]


def test_what_cannot_be_told_from_the_best_is_not_bold_and_not_equivalent(ranked):
    plan, cells, log_p = ranked(gmm=[-18.20, -18.24, -18.28], vae=[-20.4, -20.8, -25.2])
    assert round(log_p.loc["vae", "standard_error"], 2) == 1.54
    assert log_p.loc["vae", "behind_low"] < 0
    assert dict(log_p["rank"]) == {"gmm": "best", "vae": ""}
    text = markdown(lay_out(plan, cells)[0])
    assert text.count("**-18.24") == 1
    assert text.count("**-2") == 0
    assert "not resolved" in lay_out(plan, cells)[0].caption


@pytest.mark.parametrize(("margin", "rank"), [(0.14, "equivalent"), (0.13, "")])
def test_what_lies_within_the_margin_is_equivalent(ranked, margin, rank):
    # differences 0, 0.1, 0.05: mean 0.05, standard error 0.05 / sqrt(3), so the 90% interval ends
    # at 0.05 + 2.92 * 0.0289 = 0.1343
    values = {"gmm": [-20.0, -20.0, -20.0], "rws": [-20.0, -20.1, -20.05]}
    plan, cells, log_p = ranked(margin=margin, **values)
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": rank}
    table = lay_out(plan, cells)[0]
    marked = rank == "equivalent"
    assert ("-20.05 ± 0.03 ≈" in markdown(table)) == marked
    assert (r"-20.05 \pm 0.03^{\approx}$" in latex([table])) == marked
    assert "two one-sided tests at 5%" in table.caption


def test_the_margin_is_a_setting_and_must_be_positive(lab):
    assert lab.plan().study.report.margin == 0.2
    with pytest.raises(Exception, match=r"report\.margin"):
        lab.plan(report={"margin": 0})


def test_the_pairs_are_replicates_of_one_seed_so_that_what_they_share_cancels(ranked):
    # the spread over replicates is 10 times the difference, which is the same in each
    _, _, log_p = ranked(gmm=[-20.0, -30.0, -40.0], rws=[-21.0, -31.0, -41.0])
    assert log_p.loc["rws", "behind_low"] == pytest.approx(1.0)


def test_the_interval_of_the_best_of_three_holds_for_all_pairs(ranked):
    values = {"gmm": [-20.0, -20.4, -20.2], "rws": [-20.5, -20.4, -20.6], "vae": [-21, -21.3, -21]}
    _, _, log_p = ranked(**values)
    rws = log_p.loc["rws"]
    # Tukey's studentised range of three means with four degrees of freedom: 5.040 / sqrt(2)
    width = (rws["behind_high"] - rws["behind"]) / rws["behind_seeds"]
    assert width == pytest.approx(5.040 / 2**0.5, abs=1e-3)


def test_with_one_replicate_there_is_a_best_one_and_no_interval(ranked):
    plan, cells, log_p = ranked(gmm=[-20.0], rws=[-20.1])
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": ""}
    assert log_p["behind_low"].isna().all()
    assert "with one replicate nothing can be said" in lay_out(plan, cells)[0].caption


def test_trials_of_other_seeds_are_compared_by_welch(lab, figures):
    points = [{"seed": 0}, {"seed": 1}]
    search = {"kind": "random", "trials": 2, "points": points}
    plan = lab.plan(methods=["gmm", "rws"], space={"seed": {"choice": [0, 1]}}, search=search)
    seed_of = {"gmm": 0, "rws": 1}
    for trial in plan.trials:
        settings = trial.config.hyperparameters
        best = seed_of[settings.method] == settings.seed
        values = (-20.0, -19.0, -18.0) if settings.method == "gmm" else (-21.0, -20.0, -19.0)
        lab.write(trial.config, *(figures(-21.0 - (not best), value) for value in values))
    rows = join(plan, load(lab.store))
    cells = summarise(plan, rows)
    # both have the variance 1: the difference of 1 has the error sqrt(2 / 3) and 4 degrees: 2.776
    log_p = cells[cells["metric"] == "test/log_p"].set_index("method")
    assert log_p.loc["rws", "behind_seeds"] == pytest.approx((2 / 3) ** 0.5)
    width = (log_p.loc["rws", "behind_high"] - 1.0) / (2 / 3) ** 0.5
    assert width == pytest.approx(2.776445, abs=1e-6)
    (sentence,) = verdict(plan, rows, cells)
    assert "over rws +1.00 ± 0.82, not paired over seeds (not resolved: " in sentence


def test_a_method_that_does_not_read_the_axis_has_no_rival_and_the_report_says_so(lab, figures):
    space = {"deterministic_layers": {"grid": [0, 1]}}
    plan = lab.plan(methods=["gmm", "rws", "vae"], space=space)
    for trial in plan.trials:
        height = {"gmm": -20.0, "rws": -21.0, "vae": -10.0}[trial.config.hyperparameters.method]
        lab.write(trial.config, *(figures(-21.0, height + step) for step in (0.0, 0.1, 0.2)))
    rows = join(plan, load(lab.store))
    cells = summarise(plan, rows)
    assert set(cells.loc[cells["method"] == "vae", "rank"]) == {""}
    assert "complete cells that read deterministic layers" in lay_out(plan, cells)[0].caption
    assert any("vae, which does not read" in sentence for sentence in verdict(plan, rows, cells))


def test_methods_that_do_not_read_the_axis_are_compared_and_the_report_says_so(lab, figures):
    plan = lab.plan(methods=["gmm", "rws", "vae"], space={"activation": {"grid": ["tanh", "relu"]}})
    for trial in plan.trials:
        height = {"gmm": -20.0, "rws": -21.0, "vae": -10.0}[trial.config.hyperparameters.method]
        lab.write(trial.config, *(figures(-21.0, height + step) for step in (0.0, 0.1, 0.2)))
    cells = summarise(plan, join(plan, load(lab.store)))
    log_p = cells[cells["metric"] == "test/log_p"].drop_duplicates("method").set_index("method")
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": "", "vae": ""}
    assert log_p.loc["rws", "behind"] == pytest.approx(1.0)
    caption = lay_out(plan, cells)[0].caption
    assert "complete cells that read activation, and among those that do not" in caption


def test_bounds_are_not_ranked_and_a_method_alone_is_no_winner(ranked):
    _, cells, _ = ranked(gmm=[-20.0, -20.0], rws=[-21.0, -21.0])
    assert set(cells.loc[cells["metric"] == "test/bound", "rank"]) == {""}
    _, cells, _ = ranked(gmm=[-20.0, -20.0])
    assert set(cells["rank"]) == {""}


def test_a_loss_has_the_interval_of_its_size(ranked, lab, figures):
    plan = lab.plan(
        space={"layers.depth": {"grid": [1, 5]}}, fixed={"layers": {"first": 8, "last": 4}}
    )
    for trial in plan.trials:
        loss = 2.0 * (trial.axes["layers.depth"] == 5)
        lab.write(trial.config, *(figures(-21.0, -20.0 - loss * s) for s in (0.9, 1.0, 1.1)))
    rows = join(plan, load(lab.store))
    (sentence,) = verdict(plan, rows, summarise(plan, rows))
    # losses 1.8, 2, 2.2: standard error 0.2 / sqrt(3), 4.302653 of which are 0.497
    assert "gmm loses 2.00 ± 0.12 (95% interval 1.50 to 2.50)" in sentence
