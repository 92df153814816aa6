"""A trial's result is read from what any version has written, and written in today's form."""

import json
from copy import deepcopy
from math import isnan, nan

import pytest

from gmm_study.training.state import TrialState
from gmm_study.trials.record import Record
from gmm_study.trials.result import TrialResult
from tests.trials.results import result_of

ENDED = {
    "state": "complete",
    "epochs": 57,
    "best_epoch": 47,
    "seconds": 3.2,
    "metrics": {"valid/bound": -20.5, "test/log_p": -20.25, "test/log_p_se": None},
    "git_commit": "c0ffee",
}
CONVERGED = {**ENDED, "ending": "converged", "kept": "averaged", "collapsed": True}
LOST = {"state": "diverged", "epochs": 3, "best_epoch": 2, "seconds": 0.1, "metrics": {}}
TODAY = {
    "schema": 1,
    "trial_id": "0123456789abcdef",
    "state": "complete",
    "replicates": {"0": ENDED, "2": {**LOST, "git_commit": None}, "10": CONVERGED},
    "finished": 1766400000.25,
    "git_commit": None,
    "versions": {"python": "3.11.9", "torch": "2.13.0", "numba": None},
    "machine": {"system": "Linux", "processor": "x86_64", "cores": 2},
}


def without(document, *names):
    return {name: value for name, value in document.items() if name not in names}


def test_what_is_written_today_is_written_again_byte_for_byte(tmp_path):
    text = json.dumps(TODAY, indent=2) + "\n"
    (tmp_path / "result.json").write_text(text)
    record = Record.at(str(tmp_path))
    record.write_result(record.result())
    assert (tmp_path / "result.json").read_text() == text


def test_replicates_are_numbered_and_a_null_figure_is_nan():
    result = TrialResult.from_json(TODAY)
    assert list(result.replicates) == [0, 2, 10]
    assert list(result.complete) == [0, 10]
    assert result.replicates[2].state is TrialState.DIVERGED
    assert isnan(result.replicates[0].metrics["test/log_p_se"])
    assert result.has([0, 2])
    assert not result.has(range(2))


@pytest.mark.parametrize(
    ("missing", "missing_of_replicate"),
    [
        pytest.param(["machine"], ["git_commit"], id="the first version"),
        pytest.param(["machine"], [], id="before the machine was noted"),
        pytest.param([], ["ending", "kept", "collapsed"], id="before endings were stored"),
        pytest.param(["machine", "versions", "git_commit"], [], id="written by a benchmark"),
    ],
)
def test_records_of_older_versions_are_read(missing, missing_of_replicate):
    replicates = {
        name: without(each, *missing_of_replicate) for name, each in TODAY["replicates"].items()
    }
    old = without(TODAY, *missing) | {"replicates": replicates}
    result = TrialResult.from_json(old)
    assert result.state is TrialState.COMPLETE
    assert result.machine == (None if "machine" in missing else TODAY["machine"])
    assert not result.on_gpu
    assert result.scores(1) == {"valid/bound": -20.5}
    for number, replicate in result.replicates.items():
        stored = without(TODAY["replicates"][str(number)], *missing_of_replicate)
        for name in ("git_commit", "ending", "kept"):
            assert getattr(replicate, name) == stored.get(name)
        assert replicate.collapsed is stored.get("collapsed", False)


def test_a_collapse_that_an_older_record_has_in_place_of_the_ending_is_read():
    old = TODAY | {"replicates": {"0": {**ENDED, "ending": "collapsed"}}}
    replicate = TrialResult.from_json(old).replicates[0]
    assert (replicate.ending, replicate.collapsed) == (None, True)
    assert replicate.to_json() == {**ENDED, "collapsed": True}


def test_a_machine_with_a_gpu_is_known_by_it():
    on_gpu = {"machine": TODAY["machine"] | {"gpu": "NVIDIA A100"}}
    assert TrialResult.from_json(TODAY | on_gpu).on_gpu
    listed = {"machine": TODAY["machine"] | {"gpus": []}}  # as one version wrote
    assert not TrialResult.from_json(TODAY | listed).on_gpu


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema",), 2, "schema: 2 must be 1"),
        (("trial_id",), 7, "trial_id: 7 must be a text"),
        (("state",), "pending", "state: 'pending' must be 'complete' or 'diverged'"),
        (("state",), "diverged", "state: 'diverged' must be 'complete'"),
        (("replicates",), [], "replicates: [] must be an object"),
        (("replicates", "one"), ENDED, "replicates: 'one' must be a number"),
        (("replicates", "0"), 3, "replicates: 0: 3 must be an object"),
        (("replicates", "0", "epochs"), "5", "replicates: 0: epochs: '5' must be an integer"),
        (("replicates", "0", "best_epoch"), True, "best_epoch: True must be an integer"),
        (("replicates", "0", "seconds"), None, "seconds: None must be a number"),
        (("replicates", "0", "metrics", "test/ess"), "x", "test/ess: 'x' must be a number"),
        (("replicates", "0", "metrics", "test/ess"), 10**400, "test/ess is too large"),
        (("replicates", "0", "ending"), "bored", "ending: 'bored' must be one of converged, sched"),
        (("replicates", "0", "kept"), 5, "kept: 5 must be a text"),
        (("replicates", "0", "collapsed"), 1, "collapsed: 1 must be true or false"),
        (("finished",), "today", "finished: 'today' must be a number"),
        (("machine",), "two cores", "machine: 'two cores' must be an object"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(tmp_path, place, value, message):
    document = deepcopy(TODAY)
    inner = document
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"result\.json cannot be read") as refusal:
        Record.at(str(tmp_path)).result()
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["trial_id", "state", "replicates", "finished"])
def test_a_missing_field_is_named(name):
    with pytest.raises(ValueError, match=f"^{name} is missing$"):
        TrialResult.from_json(without(TODAY, name))


@pytest.mark.parametrize("name", list(LOST))
def test_a_missing_field_of_a_replicate_is_named(name):
    replicates = {"3": without(LOST, name)}
    with pytest.raises(ValueError, match=f"^replicates: 3: {name} is missing$"):
        TrialResult.from_json(TODAY | {"state": "diverged", "replicates": replicates})


def test_a_figure_that_is_not_finite_is_written_as_null(tmp_path):
    record = Record.at(str(tmp_path))
    record.write_result(result_of("trial", {"test/log_p": nan, "test/ess": 0.5}))
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["replicates"]["0"]["metrics"] == {"test/log_p": None, "test/ess": 0.5}


def test_means_are_over_the_complete_replicates_of_figures_that_all_have():
    figures = [
        {"valid/bound": -20.0, "test/log_p": -19.0, "test/log_p_se": 0.3, "test/ess": 0.5},
        {"valid/bound": -22.0, "test/log_p": nan, "test/log_p_se": 0.3, "test/ess": 0.5},
    ]
    means = result_of("trial", *figures, None).means()
    assert means == {"valid/bound": (-21.0, pytest.approx(1.0)), "test/ess": (0.5, 0.0)}


def test_a_trial_has_scores_only_if_all_wanted_replicates_have_them():
    complete = [{"valid/bound": -20.0}, {"valid/bound": -22.0}]
    assert result_of("trial", *complete).scores(2) == {"valid/bound": -21.0}
    assert result_of("trial", *complete, None).scores(2) == {"valid/bound": -21.0}
    assert result_of("trial", *complete).scores(3) == {}
    assert result_of("trial", *complete, None).scores(3) == {}
    assert result_of("trial", *complete, {"valid/bound": nan}).scores(3) == {}
    assert result_of("trial", *complete, {}).scores(3) == {}
    both = [{"valid/bound": -20.0, "valid/log_p": -19.0}, {"valid/bound": -21.0}]
    assert result_of("trial", *both).scores(1) == {"valid/bound": -20.0, "valid/log_p": -19.0}
    assert result_of("trial", *both).scores(2) == {"valid/bound": -20.5}
