import json
import math
from pathlib import Path

import pytest

from analysis import join, load
from gmm_study.training.state import TrialState
from gmm_study.trials.survey import survey

DEPTHS = {"layers.depth": {"grid": [1, 2]}}
SIZES = {"layers": {"first": 8, "last": 4}}


def test_a_record_is_a_row_of_trials_and_a_row_for_each_replicate(lab, figures):
    config = lab.plan().trials[0].config
    lab.write(config, figures(-21.0, -20.0), figures(None, -20.5), None)

    records = load(str(lab.folder / "results"))

    (trial,) = records.trials.to_dict("records")
    assert trial["trial_id"] == config.trial_id
    assert trial["state"] == "complete"
    assert (trial["method"], trial["dataset"], trial["depth"]) == ("gmm", "digits", 3)
    assert {str(records.trials[name].dtype) for name in ("l1", "learning_rate")} == {"float64"}
    assert {str(records.trials[name].dtype) for name in ("depth", "samples")} == {"Int64"}
    replicates = records.replicates
    assert list(replicates["state"]) == ["complete", "complete", "diverged"]
    assert list(replicates["replicate"]) == [0, 1, 2]
    assert replicates["valid/bound"][0] == -21.0
    assert math.isnan(replicates["valid/bound"][1])
    assert records.warnings == ()


def test_frames_of_an_empty_store_have_their_columns(lab):
    records = load(lab.store)
    assert {"trial_id", "state"} <= set(records.trials)
    assert {"trial_id", "replicate", "seconds"} <= set(records.replicates)
    assert list(records.curves()) == ["trial_id", "replicate", "epoch", "split", "metric", "value"]


@pytest.mark.parametrize(
    "content", [b'{"schema": 1, "repl', b"[]\n[]", b"\xff\xfe", b'{"state": 1}']
)
def test_a_broken_result_is_reported_and_costs_no_other_record(lab, figures, content):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    good, bad = (trial.config for trial in plan.trials)
    for config in (good, bad):
        lab.write(config, *[figures(-21.0, -20.0)] * 3)
    (lab.folder / "results" / bad.trial_id / "result.json").write_bytes(content)

    records = load(lab.store)

    states = dict(zip(records.trials["trial_id"], records.trials["state"], strict=True))
    assert states == {good.trial_id: "complete", bad.trial_id: "failed"}
    (warning,) = records.warnings
    assert bad.trial_id in warning
    assert "result.json" in warning
    assert set(records.replicates["trial_id"]) == {good.trial_id}
    joined = join(plan, records)
    assert set(joined.loc[joined["x"] == 2, "state"]) == {"failed"}
    assert "result.json" in joined.loc[joined["x"] == 2, "reason"].iloc[0]


def test_a_configuration_that_cannot_be_read_or_is_missing_costs_the_settings_alone(lab, figures):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    first, second = (t.config for t in plan.trials)
    for config in (first, second):
        lab.write(config, figures(-21.0, -20.0))
    folder = lab.folder / "results"
    (folder / first.trial_id / "config.json").write_text('{"schema"')
    (folder / second.trial_id / "config.json").unlink()

    records = load(lab.store)

    standings = survey(lab.store, records.trials["trial_id"], 1)
    assert list(records.trials["state"]) == [standing.state for standing in standings.values()]
    assert list(records.trials["state"]) == ["complete", "complete"]
    assert set(records.replicates["trial_id"]) == {first.trial_id, second.trial_id}
    assert "layers" not in records.trials
    assert len(records.warnings) == 2
    assert all("config.json" in warning for warning in records.warnings)


def test_a_trial_that_failed_before_its_configuration_was_written_is_not_called_damaged(lab):
    config = lab.plan(space=DEPTHS, fixed=SIZES).trials[0].config
    error = "warm_start: 'nosuch' has no checkpoint"
    lab.store.record(config.trial_id).write_status(TrialState.FAILED, error=error)
    records = load(lab.store)
    assert records.warnings == ()
    assert list(records.trials["state"]) == ["failed"]
    assert list(records.trials["reason"]) == [error]


def test_a_folder_that_is_no_record_is_passed_over(lab):
    (lab.folder / "results" / "notes").mkdir(parents=True)
    records = load(lab.store)
    assert records.trials.empty
    assert records.warnings == ()


def test_curves_are_those_of_the_records(lab, figures):
    first, second = (t.config for t in lab.plan(space=DEPTHS, fixed=SIZES).trials)
    rows = [
        {"replicate": 0, "epoch": epoch, "split": "valid", "metric": "bound", "value": value}
        for epoch, value in enumerate([-30.0, float("nan")], start=1)
    ]
    for config in (first, second):
        lab.write(config, figures(-21.0, -20.0))
    lab.store.record(first.trial_id).write_metrics(rows)
    lab.store.record(second.trial_id).write_file("metrics.parquet", b"PAR1 cut sh")

    with pytest.warns(UserWarning, match=second.trial_id):
        curves = load(lab.store).curves()

    assert set(curves["trial_id"]) == {first.trial_id}
    assert list(curves["epoch"]) == [1, 2]
    assert curves["value"][0] == -30.0
    assert math.isnan(curves["value"][1])


def test_a_planned_trial_without_a_record_is_there_as_pending(lab, figures):
    plan = lab.plan(space=DEPTHS, fixed=SIZES)
    lab.write(plan.trials[0].config, *[figures(-21.0, -20.0)] * 3)

    joined = join(plan, load(lab.store))

    assert len(joined) == 2 * 3
    assert list(joined["x"]) == [1, 1, 1, 2, 2, 2]
    assert set(joined.loc[joined["x"] == 1, "state"]) == {"complete"}
    assert set(joined.loc[joined["x"] == 2, "state"]) == {"pending"}
    assert joined.loc[joined["x"] == 2, "test/log_p"].isna().all()


def test_a_record_with_fewer_replicates_than_planned_is_not_complete(lab, figures):
    plan = lab.plan(replicates=3)
    lab.write(plan.trials[0].config, *[figures(-21.0, -20.0)] * 2)
    joined = join(plan, load(lab.store))
    assert list(joined["replicate_state"]) == ["complete", "complete", "pending"]
    assert set(joined["state"]) == {"pending"}


def test_replicates_beyond_the_planned_ones_are_left_out(lab, figures):
    plan = lab.plan(replicates=2)
    lab.write(plan.trials[0].config, None, None, figures(-21.0, -20.0))
    joined = join(plan, load(lab.store))
    assert list(joined["replicate"]) == [0, 1]
    assert set(joined["state"]) == {"diverged"}


def test_a_failed_trial_says_why(lab):
    plan = lab.plan()
    record = lab.store.record(plan.trials[0].config.trial_id)
    record.write_config(plan.trials[0].config)
    record.write_status(TrialState.FAILED, error="out of memory\nat epoch 3", traceback="...")
    joined = join(plan, load(lab.store))
    assert set(joined["state"]) == {"failed"}
    assert set(joined["reason"]) == {"out of memory at epoch 3"}


def test_a_running_trial_is_running_until_it_shows_no_sign_of_life(lab):
    plan = lab.plan()
    config = plan.trials[0].config
    record = lab.store.record(config.trial_id)
    record.write_config(config)
    record.write_status(TrialState.RUNNING, epoch=3)
    assert set(join(plan, load(lab.store))["state"]) == {"running"}

    path = Path(record.path) / "status.json"
    path.write_text(json.dumps({"state": "running", "time": 0.0, "host": "elsewhere", "pid": 1}))
    assert set(join(plan, load(lab.store))["state"]) == {"pending"}


def test_other_axes_are_columns_and_one_text(lab):
    space = {**DEPTHS, "learning_rate": {"grid": [0.001, 0.003]}}
    plan = lab.plan(space=space, fixed=SIZES, report={"x": "layers.depth"})
    joined = join(plan, load(lab.store))
    assert set(joined["settings"]) == {"learning_rate=0.001", "learning_rate=0.003"}
    assert set(joined["learning_rate"]) == {0.001, 0.003}
    assert set(joined["x"]) == {1, 2}


def test_a_method_that_does_not_read_the_axis_has_no_x(lab):
    plan = lab.plan(methods=["gmm", "vae"], space={"q_baseline": {"grid": ["uniform", "none"]}})
    joined = join(plan, load(lab.store)).drop_duplicates("trial_id")
    assert list(zip(joined["method"], joined["x"], strict=True)) == [
        ("gmm", "uniform"),
        ("vae", None),
        ("gmm", "none"),
    ]
