"""Errors over seeds and over test data in the cells, the costs and the answer of a study."""

import numpy as np
import pytest

from analysis import find, join, load, summarise, verdict
from analysis.costs import costs_of_variations
from analysis.differences import LogP
from analysis.statistics import mean_of
from analysis.tables.errors import lay_out_errors
from analysis.tables.formats import latex

DATAPOINTS = 200


class Values:
    """Values of datapoints by trial, which counts what is read."""

    def __init__(self):
        self.of = {}
        self.read = []

    def __call__(self, trial_id):
        self.read.append(trial_id)
        return self.of.get(trial_id, {})


@pytest.fixture
def study_of(lab, figures):
    """A study whose trials have values of datapoints: one array `[R, N]` per trial of the plan."""

    def _study_of(arrays, **content):
        plan, values = lab.plan(**content), Values()
        for trial, array in zip(plan.trials, arrays, strict=True):
            lab.write(trial.config, *(figures(-21.0, float(row.mean())) for row in array))
            values.of[trial.config.trial_id] = dict(enumerate(array.astype(np.float32)))
        rows = join(plan, load(lab.store))
        return plan, rows, values

    return _study_of


def hard(scale=10.0):
    return -20.0 + scale * np.random.default_rng(0).standard_normal(DATAPOINTS)


def near(array, seeds=0.05, data=0.3, seed=1):
    """Three replicates that differ from the values of datapoints a little."""
    random = np.random.default_rng(seed)
    rows = seeds * random.standard_normal((3, 1))
    return array + rows + data * random.standard_normal((3, DATAPOINTS))


def test_a_mean_has_both_errors_and_its_interval_includes_both(study_of):
    array = near(hard())
    plan, rows, values = study_of([array])
    cells = summarise(plan, rows, log_p=LogP(plan, rows, values))
    (cell,) = cells[cells["metric"] == "test/log_p"].to_dict("records")
    expected = mean_of(array.mean(1), array)
    assert cell["standard_error"] == pytest.approx(array.mean(1).std(ddof=1) / 3**0.5, rel=1e-4)
    assert cell["error_data"] == pytest.approx(array.mean(0).std(ddof=1) / 200**0.5, rel=1e-4)
    assert cell["error_both"] == pytest.approx(expected.standard_error, rel=1e-4)
    assert (cell["low"], cell["high"]) == pytest.approx(expected.interval(), rel=1e-4)
    bound = cells[cells["metric"] == "test/bound"].iloc[0]
    assert np.isnan(bound["error_data"])
    assert bound["error_both"] == bound["standard_error"]


def test_the_values_of_the_chosen_trials_alone_are_read_and_each_once(study_of):
    space = {"learning_rate": {"grid": [1e-3, 2e-3, 4e-3]}, "batch_size": {"grid": [50, 100]}}
    plan, rows, values = study_of(
        [near(hard(), seed=index) for index in range(6)],
        space=space,
        report={"x": "batch_size"},
    )
    log_p = LogP(plan, rows, values)
    cells = summarise(plan, rows, log_p=log_p)
    verdict(plan, rows, cells, log_p)
    chosen = set(cells["trial_id"])
    assert sorted(values.read) == sorted(chosen)
    assert len(chosen) == 2


def test_a_difference_of_methods_is_paired_over_datapoints(study_of):
    shared = hard()
    arrays = [near(shared + 0.5, seed=1), near(shared, seed=2)]
    plan, rows, values = study_of(arrays, methods=["gmm", "rws"])
    log_p = LogP(plan, rows, values)
    cells = summarise(plan, rows, log_p=log_p)
    gmm, rws = cells[cells["metric"] == "test/log_p"].to_dict("records")
    # each mean is uncertain by 10 / sqrt(200) = 0.7 nats, their difference by a tenth of that
    assert gmm["error_data"] > 0.6
    assert rws["behind_data"] < 0.05
    each = arrays[0] - arrays[1]
    assert rws["behind_data"] == pytest.approx(each.mean(0).std(ddof=1) / 200**0.5, rel=1e-3)
    (sentence,) = verdict(plan, rows, cells, log_p)
    assert "over gmm" not in sentence
    assert "over seeds alone" not in sentence


def test_a_swapped_pair_of_datapoints_in_one_record_shows_in_the_paired_error(study_of):
    shared = hard()
    exact = np.stack([shared] * 3)
    arrays = [exact + 0.5, exact]
    plan, rows, values = study_of(arrays, methods=["gmm", "rws"])
    first, second = ({"trial_id": trial.config.trial_id} for trial in plan.trials)
    right = LogP(plan, rows, values).difference(first, second)
    assert right.over_data < 1e-5  # the values are float32
    swapped = arrays[1][:, [1, 0, *range(2, DATAPOINTS)]].astype(np.float32)
    values.of[second["trial_id"]] = dict(enumerate(swapped))
    assert LogP(plan, rows, values).difference(first, second).over_data > 0.01


@pytest.mark.parametrize("lost", ["a replicate", "datapoints", "everything"])
def test_where_values_are_missing_errors_are_over_seeds_alone_and_the_answer_says_so(
    study_of, lost
):
    plan, rows, values = study_of(
        [near(hard() + 0.5, seed=1), near(hard(), seed=2)], methods=["gmm", "rws"]
    )
    second = values.of[plan.trials[1].config.trial_id]
    if lost == "a replicate":
        second.pop(1)
    elif lost == "datapoints":
        second[1] = second[1][:-1]
    else:
        second.clear()
    log_p = LogP(plan, rows, values)
    cells = summarise(plan, rows, log_p=log_p)
    gmm, rws = cells[cells["metric"] == "test/log_p"].to_dict("records")
    assert np.isfinite(gmm["error_data"])
    assert np.isnan([rws["error_data"], rws["behind_data"]]).all()
    assert rws["behind_both"] == rws["behind_seeds"]
    (sentence,) = verdict(plan, rows, cells, log_p)
    assert "over seeds alone" in sentence


def test_the_costs_of_variations_are_paired_over_datapoints(study_of):
    shared = hard()
    arrays = [near(shared, seed=1), near(shared - 0.5, seed=2), near(shared - 0.01, seed=3)]
    variations = {"authors": {}, "K=1": {"samples": 1}, "no baseline": {"q_baseline": "none"}}
    plan, rows, values = study_of(arrays, variations=variations)
    log_p = LogP(plan, rows, values)
    cells = summarise(plan, rows, log_p=log_p)
    costs = costs_of_variations(plan, rows, cells, log_p).set_index("variation")
    assert (costs["error_data"] < 0.05).all()
    assert costs.loc["K=1", "finding"] == "costs"
    (sentence,) = verdict(plan, rows, cells, log_p)
    assert "over seeds alone" not in sentence
    assert "K=1 costs 0.5" in sentence


def test_methods_with_the_same_values_count_once_and_have_no_error(study_of):
    best, worse = near(hard() + 0.5, seed=1), near(hard(), seed=2)
    plan, rows, values = study_of([best, best, worse], methods=["gmm", "vae", "rws"])
    log_p = LogP(plan, rows, values)
    cells = summarise(plan, rows, log_p=log_p)
    gmm, vae, rws = cells[cells["metric"] == "test/log_p"].to_dict("records")
    assert (vae["behind"], vae["behind_both"], vae["behind_low"]) == (0.0, 0.0, 0.0)
    (alone,) = log_p.below_best([gmm, rws])
    assert (rws["behind_low"], rws["behind_high"]) == pytest.approx(alone.interval())
    (sentence,) = verdict(plan, rows, cells, log_p)
    assert "over vae no difference (the same values in every replicate)" in sentence
    # equal means of other values of datapoints are no copy
    trial = plan.trials[1].config.trial_id
    values.of[trial] = {number: row[::-1] for number, row in values.of[trial].items()}
    swapped = LogP(plan, rows, values).difference(gmm, vae)
    assert not swapped.same
    assert swapped.over_data > 0


@pytest.mark.parametrize("start", range(3))
def test_a_trial_that_equals_several_which_differ_counts_as_the_first_of_them(study_of, start):
    shared = hard()
    arrays = [np.stack([np.roll(shared, step)] * 3) for step in range(4)]
    labels = {"authors": {}} | {f"rate {i}": {"learning_rate": 1e-4 * i} for i in range(1, 4)}
    plan, rows, values = study_of(arrays, variations=labels)
    rows["test/log_p"] = -20.0
    *known, unknown = (trial.config.trial_id for trial in plan.trials)
    values.of[unknown].clear()
    in_order = [*known[start:], *known[:start]]
    firsts = LogP(plan, rows, values).first_equal([*in_order, unknown])
    assert firsts == {trial: trial for trial in known} | {unknown: in_order[0]}


def test_one_replicate_has_an_error_over_data_and_the_answer_says_which(study_of):
    arrays = [near(hard() + 0.5, seed=1)[:1], near(hard(), seed=2)[:1]]
    plan, rows, values = study_of(arrays, methods=["gmm", "rws"], replicates=1)
    log_p = LogP(plan, rows, values)
    cells = summarise(plan, rows, log_p=log_p)
    (sentence,) = verdict(plan, rows, cells, log_p)
    assert "one replicate, so no error over seeds; ± 0.03 over test data" in sentence


def test_the_table_of_errors_has_both_and_leaves_blank_what_is_not_known(study_of):
    plan, rows, values = study_of(
        [near(hard() + 0.5, seed=1), near(hard(), seed=2)], methods=["gmm", "rws"]
    )
    values.of[plan.trials[1].config.trial_id].clear()
    cells = summarise(plan, rows, log_p=LogP(plan, rows, values))
    (table,) = lay_out_errors(plan, cells)
    gmm, rws = (dict(zip(table.columns, row, strict=True)) for _, row in table.rows)
    known = cells[cells["metric"] == "test/log_p"].iloc[0]
    assert gmm["over data"].text == f"{known['error_data']:.2f}"
    assert gmm["95% interval"].text == f"[{known['low']:.2f}, {known['high']:.2f}]"
    assert rws["over data"] is None
    assert "no values of single datapoints" in " ".join(table.caption.split())
    assert r"$[-" in latex([table])


def written(lab, plan, arrays):
    for trial, array in zip(plan.trials, arrays, strict=True):
        record = lab.store.record(trial.config.trial_id)
        record.write_datapoints(dict(enumerate(array.astype(np.float32))))


def test_a_report_reads_the_values_from_the_records(lab, study_of):
    arrays = [near(hard() + 0.5, seed=1), near(hard(), seed=2)]
    plan, _, _ = study_of(arrays, methods=["gmm", "rws"])
    written(lab, plan, arrays)
    found = find(plan, lab.store)
    log_p = found.cells[found.cells["metric"] == "test/log_p"]
    assert log_p["error_data"].notna().all()
    assert found.records.warnings == ()
    values = load(lab.store).datapoints(plan.trials[0].config.trial_id)
    assert np.stack([values[each] for each in range(3)]) == pytest.approx(arrays[0], rel=1e-6)


def test_values_that_cannot_be_read_are_named_and_count_as_missing(lab, study_of):
    arrays = [near(hard() + 0.5, seed=1), near(hard(), seed=2)]
    plan, _, _ = study_of(arrays, methods=["gmm", "rws"])
    written(lab, plan, arrays)
    damaged = plan.trials[0].config.trial_id
    lab.store.record(damaged).write_file("datapoints.parquet", b"PAR1 and no more")
    found = find(plan, lab.store)
    (warning,) = found.records.warnings
    assert warning.startswith(f"{damaged}: datapoints.parquet: ")
    log_p = found.cells[found.cells["metric"] == "test/log_p"].set_index("method")
    assert list(log_p["error_data"].notna()) == [False, True]
    assert "over seeds alone" in found.sentences[0]
    with pytest.warns(UserWarning, match=r"datapoints\.parquet"):
        assert load(lab.store).datapoints(damaged) == {}


def test_an_error_that_is_smaller_than_its_digits_is_no_other_sign_in_latex(study_of):
    array = near(hard(), seeds=1e-6, data=1e-6)
    plan, rows, values = study_of([array])
    cells = summarise(plan, rows, log_p=LogP(plan, rows, values))
    assert "& $<$0.01 &" in latex(lay_out_errors(plan, cells))


def test_huge_numbers_have_powers_of_ten_in_latex_with_and_without_a_sign(study_of):
    plan, rows, values = study_of([near(hard(1e8)), near(hard())], methods=["gmm", "rws"])
    cells = summarise(plan, rows, log_p=LogP(plan, rows, values))
    (table,) = lay_out_errors(plan, cells)
    text = latex([table])
    gmm = dict(zip(table.columns, table.rows[0][1], strict=True))
    size, power = gmm["over data"].text.split("e+0")
    assert rf"& ${size} \times 10^{{{power}}}$ &" in text
    assert "e+0" not in text
