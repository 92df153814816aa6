import math
import re

import numpy as np
import pytest

from analysis import load, verdict
from analysis.differences import LogP
from analysis.planned import join
from analysis.statistics import paired_difference
from analysis.tables.formats import latex, markdown
from analysis.tables.layout import lay_out
from gmm_study.trials.averages import mean_and_standard_error

SPACE = {"layers.depth": {"grid": [1, 2, 5]}}
SIZES = {"layers": {"first": 8, "last": 4}}


def one(cells, **where):
    for name, value in where.items():
        cells = cells[cells[name] == value]
    (cell,) = cells.to_dict("records")
    return cell


def test_the_standard_error_divides_by_n_minus_one():
    # deviations -1, 0, 1: variance 2 / 2 = 1, standard error 1 / sqrt(3)
    assert mean_and_standard_error([-22.0, -21.0, -20.0]) == pytest.approx((-21.0, 0.577350269))
    # deviations -0.5, 0.5: variance 0.5 / 1, standard error sqrt(0.5 / 2) = 0.5
    assert mean_and_standard_error([-1.0, 0.0]) == pytest.approx((-0.5, 0.5))
    mean, error = mean_and_standard_error([-3.0])
    assert mean == -3.0
    assert math.isnan(error)


def test_a_complete_cell_is_averaged_over_its_replicates(study, summary):
    _, cells = summary(study)
    cell = one(cells, method="gmm", x=5, metric="test/log_p")
    assert (cell["mean"], cell["standard_error"]) == pytest.approx((-15.0, 0.577350269))
    assert (cell["n"], cell["samples"], cell["mark"]) == (3, 1000, "")
    bound = one(cells, method="gmm", x=5, metric="test/bound")
    assert (bound["mean"], bound["samples"]) == (pytest.approx(-16.0), 10)


@pytest.mark.parametrize(("x", "mark"), [(2, "diverged 1 of 3 replicates"), (5, "pending")])
def test_an_incomplete_cell_is_marked_and_has_no_average(study, summary, x, mark):
    _, cells = summary(study)
    for metric in ("test/log_p", "test/bound"):
        cell = one(cells, method="rws", x=x, metric=metric)
        assert math.isnan(cell["mean"])
        assert math.isnan(cell["standard_error"])
        assert (cell["n"], cell["complete"], cell["mark"]) == (0, False, mark)


def test_a_test_figure_that_is_not_finite_is_not_averaged_over(lab, figures, summary):
    plan = lab.plan()
    lab.write(plan.trials[0].config, figures(-21, -20), figures(-21, None), figures(-21, -20))
    _, cells = summary(plan)
    log_p = one(cells, metric="test/log_p")
    assert math.isnan(log_p["mean"])
    assert log_p["mark"] == "test log p not finite in 1 of 3 replicates"
    assert one(cells, metric="test/bound")["mean"] == -20.0


def test_one_replicate_has_no_standard_error_and_says_so(lab, figures, summary):
    plan = lab.plan(replicates=1)
    lab.write(plan.trials[0].config, figures(-21.0, -20.25))
    _, cells = summary(plan)
    table = lay_out(plan, cells)[0]
    assert math.isnan(one(cells, metric="test/log_p")["standard_error"])
    assert "-20.25 ± n/a" in markdown(table)
    assert r"$-20.25 \pm \mathrm{n/a}$" in latex([table])
    assert "no standard error" in table.caption


def test_the_best_is_bold_for_log_p_alone_and_only_beside_a_rival(study, summary):
    _, cells = summary(study)
    log_p, bound = (markdown(table) for table in lay_out(study, cells))
    # at depths 2 and 5 gmm is the only complete method
    assert re.findall(r"\*\*(-.*?)\*\*", log_p) == ["-19.00 ± 0.58"]
    assert re.findall(r"\*\*(-.*?)\*\*", bound) == []
    assert "none is bold" in bound


def test_an_error_looks_like_zero_only_where_it_is_zero(lab, figures, summary):
    plan = lab.plan(methods=["gmm", "rws", "vae"], replicates=2)
    spreads = (2.0, 0.0008, 0.00000002)
    for trial, spread in zip(plan.trials, spreads, strict=True):
        lab.write(trial.config, figures(-21.0, -20.0 - spread), figures(-21.0, -20.0 + spread))
    _, cells = summary(plan)
    text = markdown(lay_out(plan, cells)[0])
    for words in ("-20.0000 ± 2.0000", "-20.0000 ± 0.0008", "-20.0000 ± <0.0001"):
        assert words in text
    assert "-20.00 ± 0.00" in markdown(lay_out(plan, cells)[1])


def test_captions_say_what_a_reader_needs(lab, figures, summary):
    plan = lab.plan(methods=["gmm", "rws", "vae"], evaluation={"samples": 2000})
    _, cells = summary(plan)
    log_p, bound = (f"{table.title} {table.caption}" for table in lay_out(plan, cells))
    for words in ("nats", "Higher is better", "n = 3", "n - 1", "K = 2,000", "lower bound"):
        assert words in log_p
    for words in ("gmm: log p̃, K = 10", "rws: log p, K = 10", "vae: ELBO, K = 1"):
        assert words in bound


def test_the_bound_of_a_trial_with_stages_is_that_of_its_last_stage(lab, figures, summary):
    variations = {"one": {}, "two": {"stages": [{"max_epochs": 5}, {"samples": 50}]}}
    plan = lab.plan(methods=["gmm"], variations=variations)
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21, -20)] * 3)
    _, cells = summary(plan)
    assert one(cells, x="two", metric="test/bound")["samples"] == 50
    caption = lay_out(plan, cells[cells["metric"] == "test/bound"])[-1].caption
    assert "gmm: log p̃, K = 10 to 50" in caption
    assert "a different quantity for every K" in caption


def test_many_values_of_the_axis_go_down_the_page(lab, figures, summary):
    plan = lab.plan(space={"layers.depth": {"grid": list(range(1, 13))}}, fixed=SIZES)
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0 - trial.axes["layers.depth"])] * 3)
    table = lay_out(plan, summary(plan)[1])[0]
    assert table.columns == ("gmm",)
    assert dict(table.rows)["12"][0].mean == -32.0


def test_the_verdict_is_the_paired_difference_between_the_ends_of_the_axis(lab, figures, summary):
    plan = lab.plan(space=SPACE, fixed=SIZES)
    values = {1: (-22.0, -21.0, -20.0), 2: (-9.0, -9.0, -9.0), 5: (-20.0, -19.5, -19.0)}
    for trial in plan.trials:
        lab.write(
            trial.config, *(figures(-21.0, value) for value in values[trial.axes["layers.depth"]])
        )
    # differences 2, 1.5, 1: mean 1.5, standard error 0.5 / sqrt(3), 4.302653 of which are 1.24
    assert verdict(plan, *summary(plan)) == [
        "From depth 1 to 5, in nats of test log p: gmm gains 1.50 ± 0.29 (95% interval "
        "0.26 to 2.74); errors over seeds alone, as values of single datapoints are missing.",
        "The best depth by validation: gmm 1.",
    ]


def test_a_difference_that_may_be_chance_is_no_gain(lab, figures, summary):
    plan = lab.plan(space={"layers.depth": {"grid": [1, 5]}}, fixed=SIZES)
    values = {1: (-22.0, -21.0, -20.0), 5: (-20.0, -20.0, -20.0)}
    for trial in plan.trials:
        own = values[trial.axes["layers.depth"]]
        lab.write(trial.config, *(figures(-21.0, value) for value in own))
    # differences 2, 1, 0: mean 1, standard error 1 / sqrt(3), 4.302653 of which are 2.48; with
    # n = 7, t would be sqrt(7) = 2.646 against 2.447, with n = 6 2.449 against 2.571
    assert verdict(plan, *summary(plan)) == [
        "From depth 1 to 5, in nats of test log p: gmm +1.00 ± 0.58 (not resolved: 95% "
        "interval -1.48 to 3.48; about 7 seeds would decide); errors over seeds alone, as values "
        "of single datapoints are missing."
    ]


DEPTHS = {"layers.depth": {"grid": [1, 5]}}


@pytest.fixture
def changes(lab, figures, summary):
    """The sentences of a study of two depths, from log p by method at the first and the second."""

    def _changes(values, **content):
        plan = lab.plan(space=DEPTHS, fixed=SIZES, methods=list(values), **content)
        for trial in plan.trials:
            of_method = values[trial.config.hyperparameters.method]
            own = of_method[trial.axes["layers.depth"] == 5]
            lab.write(trial.config, *(figures(-21.0, value) for value in own))
        return verdict(plan, *summary(plan))

    return _changes


def test_the_changes_of_two_methods_are_compared_seed_by_seed(changes):
    gmm = (-22.0, -21.0, -20.0), (-19.0, -19.5, -18.0)  # changes 3, 1.5, 2
    rws = (-22.0, -22.0, -22.0), (-20.5, -21.0, -21.0)  # changes 1.5, 1, 1
    # differences 1.5, 0.5, 1: mean 1, standard error 0.5 / sqrt(3), 4.302653 of which are 1.24
    assert changes({"gmm": gmm, "rws": rws})[1] == (
        "From depth 1 to 5, the change of gmm, in nats, compared with that of rws: +1.00 ± 0.29 "
        "(not resolved: 95% interval -0.24 to 2.24; about 4 seeds would decide); errors over seeds "
        "alone, as values of single datapoints are missing."
    )


def test_the_change_of_the_first_method_is_compared_with_that_of_every_other(changes):
    gmm = (-20.0, -20.0, -20.0), (-21.0, -21.0, -21.1)  # changes -1, -1, -1.1
    rws = (-20.0, -20.0, -20.0), (-25.0, -25.0, -25.0)  # changes -5
    vae = (-22.0, -22.0, -22.0), (-20.0, -20.0, -20.0)  # changes 2
    # standard error 0.1 / 3 = 0.033, 4.302653 of which are 0.143
    _, compared, *_ = changes({"gmm": gmm, "rws": rws, "vae": vae})
    assert "that of rws: higher by 3.97 ± 0.03 (95% interval 3.82 to 4.11)" in compared
    assert "that of vae: lower by 3.03 ± 0.03 (95% interval 2.89 to 3.18)" in compared


def test_equal_changes_of_different_values_are_not_called_the_same_values(changes):
    gmm = (-20.0, -20.5, -20.0), (-19.0, -19.5, -19.0)
    rws = (-30.0, -30.5, -30.0), (-29.0, -29.5, -29.0)
    _, compared = changes({"gmm": gmm, "rws": rws})
    assert "that of rws: +0.00 ± 0.00 (no difference beyond the margin of 0.2" in compared


@pytest.fixture
def four(lab):
    """The cells of two methods at two depths, and the `[R, N]` values of each."""
    plan = lab.plan(space=DEPTHS, fixed=SIZES, methods=["gmm", "rws"])
    values = np.random.default_rng(0).normal(size=(4, 3, 7)).astype(np.float32)
    cells = [{"trial_id": trial.config.trial_id} for trial in plan.trials]
    return plan, cells, values


def log_p_of(lab, four, replicates=(3, 3, 3, 3)):
    plan, _, values = four
    stored = {}
    for trial, own, count in zip(plan.trials, values, replicates, strict=True):
        lab.write(trial.config, *({"test/log_p": float(each.mean())} for each in own[:count]))
        stored[trial.config.trial_id] = dict(enumerate(own))
    rows = join(plan, load(lab.store))
    return LogP(plan, rows[rows["replicate_state"] == "complete"], stored.__getitem__)


def test_changes_over_datapoints_are_compared_datapoint_by_datapoint(lab, four):
    _, cells, values = four
    found = log_p_of(lab, four).of_changes(cells[:2], cells[2:])
    first, second = np.float64(values[1::2]) - values[::2]
    expected = paired_difference(first.mean(1), second.mean(1), (first, second))
    assert found.mean == pytest.approx(expected.mean)
    assert found.standard_error == pytest.approx(expected.standard_error)
    assert found.knows_data
    assert found.paired


def test_methods_with_other_seeds_are_compared_unpaired_and_ends_with_other_seeds_not_at_all(
    lab, four
):
    _, cells, _ = four
    found = log_p_of(lab, four, (3, 3, 2, 2)).of_changes(cells[:2], cells[2:])
    assert not found.paired
    assert log_p_of(lab, four, (3, 3, 3, 2)).of_changes(cells[:2], cells[2:]) is None


def test_there_is_no_verdict_where_an_end_is_incomplete(study, summary):
    gmm, _, rws = verdict(study, *summary(study))
    gain = "gmm gains 4.00 ± 0.00 (95% interval 4.00 to 4.00); errors over seeds alone"
    assert gmm.startswith(f"From depth 1 to 5, in nats of test log p: {gain}")
    assert rws == "rws: no verdict from depth 1 to 5 (depth 5: pending)."


def test_without_an_axis_the_verdict_compares_methods(lab, figures, summary):
    plan = lab.plan(methods=["gmm", "rws"], replicates=2)
    for trial, values in zip(plan.trials, [(-21.0, -20.0), (-20.0, -18.0)], strict=True):
        lab.write(trial.config, *(figures(-21.0, value) for value in values))
    # rws over gmm: 1 and 2, mean 1.5, standard error sqrt(0.5 / 2); t with one degree: 12.7062
    (sentence,) = verdict(plan, *summary(plan))
    assert sentence.startswith("rws has the highest test log p, in nats: over gmm +1.50 ± 0.50 ")
    assert "(not resolved: 95% interval -4.85 to 7.85; about 4 seeds would decide);" in sentence
