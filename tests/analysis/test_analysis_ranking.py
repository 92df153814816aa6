"""What is bold in a table, worked out by hand."""

import pytest

from analysis import join, load, summarise, verdict
from analysis.tables.layout import lay_out

# Student's t with two degrees of freedom: p = 1 - t / sqrt(t^2 + 2)


@pytest.fixture
def ranked(lab, figures):
    def _ranked(**values):
        replicates = len(next(iter(values.values())))
        plan = lab.plan(methods=list(values), replicates=replicates)
        for trial in plan.trials:
            own = values[trial.config.hyperparameters.method]
            lab.write(trial.config, *(figures(-21.0, value) for value in own))
        cells = summarise(plan, join(plan, load(lab.store)))
        log_p = cells[cells["metric"] == "test/log_p"].set_index("method")
        return plan, cells, log_p

    return _ranked


def test_a_method_that_a_paired_test_tells_from_the_best_is_not_bold(ranked):
    # differences 1.0, 1.1, 1.2: mean 1.1, standard error 0.1 / sqrt(3), t = 19.05, p = 0.0027
    plan, cells, log_p = ranked(gmm=[-20.0, -19.0, -18.0], rws=[-21.0, -20.1, -19.2])
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": ""}
    assert log_p["p_value"]["rws"] == pytest.approx(0.00275, abs=1e-5)
    rows = dict(lay_out(plan, cells)[0].rows)
    assert [rows[method][0].best for method in ("gmm", "rws")] == [True, False]


def test_a_method_that_it_does_not_tell_from_the_best_is_tied(ranked):
    # differences 2, 1, 0: mean 1, standard error 1 / sqrt(3), t = sqrt(3), p = 1 - sqrt(3 / 5)
    plan, cells, log_p = ranked(gmm=[-20.0, -20.0, -20.0], rws=[-22.0, -21.0, -20.0])
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": "tied"}
    assert log_p["p_value"]["rws"] == pytest.approx(1 - (3 / 5) ** 0.5)
    table = lay_out(plan, cells)[0]
    assert all(entries[0].best for _, entries in table.rows)
    assert "paired t-test over the n = 3 replicates" in table.caption
    assert "exceeds 4.3 standard errors" in table.caption  # Student's t, 97.5%, 2 degrees


def test_the_pairs_are_replicates_of_one_seed_so_that_what_they_share_cancels(ranked):
    # the spread over replicates is 10 times the difference, which is the same in each
    _, _, log_p = ranked(gmm=[-20.0, -30.0, -40.0], rws=[-21.0, -31.0, -41.0])
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": ""}


def test_with_one_replicate_there_is_a_best_one_and_no_test(ranked):
    plan, cells, log_p = ranked(gmm=[-20.0], rws=[-21.0])
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": ""}
    assert log_p["p_value"].isna().all()
    assert "its significance cannot be tested" in lay_out(plan, cells)[0].caption


def test_trials_of_other_seeds_are_compared_by_welch_and_the_caption_says_so(lab, figures):
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
    # both have the variance 1: the difference of 1 has the error sqrt(2 / 3), t = 1.22, 4 degrees
    log_p = cells[cells["metric"] == "test/log_p"].set_index("method")
    assert dict(log_p["rank"]) == {"gmm": "best", "rws": "tied"}
    assert log_p["p_value"]["rws"] == pytest.approx(0.28786, abs=1e-5)
    assert "Welch's test, which is not paired" in lay_out(plan, cells)[0].caption
    (sentence,) = verdict(plan, rows, cells)
    assert "(not paired: different seeds)" in sentence


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


def test_bounds_are_not_ranked_and_a_method_alone_is_no_winner(ranked):
    _, cells, _ = ranked(gmm=[-20.0, -20.0], rws=[-21.0, -21.0])
    assert set(cells.loc[cells["metric"] == "test/bound", "rank"]) == {""}
    _, cells, _ = ranked(gmm=[-20.0, -20.0])
    assert set(cells["rank"]) == {""}
