"""`gmm-study diagnose`: what is wrong with a run, what to do, and what could not be judged."""

import json
import shutil

import pytest

import gmm_study
from gmm_study.api.checkpoints import open_trained
from gmm_study.diagnosis import rules

QUICK = ("--samples", "20", "--datapoints", "20", "--draws", "40", "--threads", "1")


def diagnosed(commands, *arguments):
    document = json.loads(commands.run("diagnose", *arguments, "--json"))
    return document, document["replicates"]


def test_a_run_is_told_with_figures_thresholds_and_what_to_do(commands, records):
    text = commands.run("diagnose", records / "gmm", *QUICK)
    assert text.startswith("gmm on digits, trial ")
    assert "replicate 0: ended after 3 epochs, at the limit of epochs" in text
    assert "replicate 1: " in text
    for words in ("still rising", "Threshold: A slope counts above 2", "What to do: Train longer"):
        assert words in text
    assert "left out: learning rate too large (fewer than 20 epochs" in text
    assert "not found" not in text
    assert "differences below 0.2 nats are ignored" in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "saturated layers: not found (4 p (1 - p) is" in commands.run(
        "diagnose", records / "gmm", "--all", *QUICK
    )


def test_every_rule_is_found_nothing_or_left_out_for_programs(commands, records):
    document, replicates = diagnosed(commands, records / "gmm", *QUICK)
    assert set(document) == {"trial", "trial_id", "method", "dataset", "margin", "replicates"}
    assert [each["replicate"] for each in replicates] == [0, 1]
    for each in replicates:
        judged = [*each["found"], *each["nothing"]]
        assert {one["rule"] for one in [*judged, *each["left_out"]]} == {*rules.NAMES}
        assert all(one["values"] and one["threshold"] for one in judged)
        assert all(one["what"] and one["to_do"] for one in each["found"])
        assert all(one["why"] for one in each["left_out"])


def test_the_same_command_says_the_same_and_a_replicate_alone_as_among_others(commands, records):
    first, again = (diagnosed(commands, records / "gmm", *QUICK)[1] for _ in range(2))
    (alone,) = diagnosed(commands, records / "gmm", "--replicate", "1", *QUICK)[1]
    assert first == again
    assert alone == first[1]


def test_a_record_alone_is_judged_without_data_and_without_checkpoint(commands, records):
    (bare,) = diagnosed(commands, records / "rws", "--record-only")[1]
    reasons = {each["rule"]: each["why"] for each in bare["left_out"]}
    assert {reasons[rule] for rule in rules.OF_MODELS} == {"--record-only"}
    copy = commands.folder / "copy"
    shutil.copytree(records / "rws", copy, ignore=shutil.ignore_patterns("checkpoint"))
    (without,) = diagnosed(commands, copy)[1]
    reasons = {each["rule"]: each["why"] for each in without["left_out"]}
    (reason,) = {reasons[rule] for rule in rules.OF_MODELS}
    assert reason.startswith("no checkpoint: ")
    assert "is not a folder with meta.json" in reason
    assert without["found"] == bare["found"]


def test_data_that_have_gone_are_the_reason_why_the_model_is_not_judged(commands, records):
    moved = records / "moved.npz"
    (records / "bits.npz").rename(moved)
    try:
        (found,) = diagnosed(commands, records / "bits")[1]
    finally:
        moved.rename(records / "bits.npz")
    reasons = {each["rule"]: each["why"] for each in found["left_out"]}
    assert reasons["dead units"].startswith("no data: ")
    assert "bits.npz" in reasons["dead units"]
    assert "still rising" in {each["rule"] for each in [*found["found"], *found["nothing"]]}


def test_a_trial_is_found_by_its_id_in_the_storage_and_its_checkpoint_by_its_folder(
    commands, records
):
    by_folder, replicates = diagnosed(commands, records / "vae", *QUICK)
    storage = commands.folder / "results"
    shutil.copytree(records / "vae", storage / by_folder["trial_id"])
    by_id, same = diagnosed(commands, by_folder["trial_id"], *QUICK)
    assert by_id["trial_id"] == by_folder["trial_id"]
    assert same == replicates
    assert diagnosed(commands, storage / by_folder["trial_id"] / "checkpoint", *QUICK)[1] == same


def test_a_checkpoint_without_its_record_is_judged_by_its_model(commands, records):
    copy = commands.folder / "model"
    shutil.copytree(records / "gmm" / "checkpoint", copy)
    replicates = diagnosed(commands, copy, *QUICK)[1]
    assert [each["epochs"] for each in replicates] == [None, None]
    reasons = {each["rule"]: each["why"] for each in replicates[0]["left_out"]}
    assert {*rules.OF_RECORDS, *rules.OF_TRIALS} == set(reasons)
    assert set(reasons.values()) == {"there is no record of this model, only its checkpoint"}


def test_the_checkpoint_is_opened_once_also_without_a_record_beside_it(records, monkeypatch):
    opened = []

    def counted(*arguments):
        opened.append(arguments)
        return open_trained(*arguments)

    monkeypatch.setattr("gmm_study.api.found_trial.open_trained", counted)
    gmm_study.diagnose(records / "gmm" / "checkpoint", record_only=True)
    shutil.copytree(records / "gmm" / "checkpoint", records / "alone")
    gmm_study.diagnose(records / "alone", record_only=True)
    assert len(opened) == 2


def test_the_model_that_comes_with_the_project_is_judged_by_the_record_that_does(commands):
    document, (found,) = diagnosed(commands, "bmnist-12", "--record-only")
    assert document["dataset"] == "bmnist"
    assert found["epochs"] == 510
    assert [each["rule"] for each in found["found"]] == ["too few effective samples"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "trial: 'nowhere' is neither a folder, nor the id of a trial in 'results'"),
        (("bmnist12",), "did you mean 'bmnist-12'?"),
        (("{gmm}", "--replicate", "7"), "replicate: 7 is not in this trial; it has 0, 1"),
        (("{gmm}", "--margin", "0"), "--margin"),
        (("{gmm}", "--draws", "39"), "--draws"),
        (("{gmm}", "--datapoints", "1"), "--datapoints"),
        (("{gmm}", "--dataset", "bars"), "'bars' has 16 dims; the model has 64"),
        (("{gmm}", "--device", "tpu"), "device: 'tpu'"),
        (("{gmm}/config.json",), "is a file; give the folder of a record"),
    ],
)
def test_what_cannot_be_diagnosed_costs_one_line(commands, records, arguments, said):
    words = [word.format(gmm=records / "gmm") for word in arguments]
    assert said in commands.complaint("diagnose", *words)
