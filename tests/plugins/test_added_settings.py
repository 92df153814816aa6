"""A setting that a package adds to its method works like any other."""

import json

import pytest

from gmm_study.data import load_dataset
from gmm_study.errors import InputError
from gmm_study.study import load_study, make_plan
from gmm_study.training.build import build_objective
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import METHODS
from gmm_study.training.values import new_setting
from gmm_study.trials.config import TrialConfig

pytestmark = pytest.mark.process

STUDY = """
question: Does the baseline help?
datasets: [squares]
methods: [gmm, rloo]
fixed: {layers: [5], max_epochs: 2, samples: 3}
space: {baseline: {grid: [leave_one_out, none]}}
evaluation: {samples: 10}
"""
TINY = ("--layers", "5", "--max-epochs", "1", "--evaluation-samples", "20", "--json")
ADDS = (
    "from gmm_study.training.method import SBN, Method\n"
    "from gmm_study.training.values import new_setting\n"
    "METHOD = Method(name='other', summary='s', model=SBN, objective='other:Other', adds=(\n"
    "    new_setting('temperature', 1.0, 'Of the samples.', above=0),\n"
    "    new_setting('sweeps', 2, 'Per step.', at_least=1)))\n"
)


def ids(**settings):
    given = {"method": "rloo", "layers": [5], **settings}
    return TrialConfig(Hyperparameters.from_mapping(given), "squares", "0" * 64).trial_id


def test_the_objective_gets_its_value(example):
    for given, wanted in (({}, "leave_one_out"), ({"baseline": "none"}, "none")):
        settings = Hyperparameters.from_mapping({"method": "rloo", **given})
        assert build_objective(settings).baseline == wanted
        assert settings.canonical()["baseline"] == wanted


def test_it_is_part_of_an_id_unless_it_has_its_default(example):
    assert ids() == ids(baseline="leave_one_out")
    assert ids() != ids(baseline="none")


def test_a_configuration_survives_its_record(example):
    settings = Hyperparameters.from_mapping({"method": "rloo", "baseline": "none"})
    config = TrialConfig(settings, "squares", "0" * 64)
    again = TrialConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again.to_json() == config.to_json()
    assert again.trial_id == config.trial_id


def test_a_study_sweeps_it_and_methods_without_it_have_one_trial(example, bench):
    bench.write_study(STUDY)
    data = load_dataset("squares")
    study = load_study(str(bench.folder / "studies" / "tiny.yaml"))
    plan = make_plan(study, {"squares": data.sha256})
    of_rloo = [t for t in plan.trials if t.config.hyperparameters.method == "rloo"]
    assert [trial.axes for trial in of_rloo] == [
        {"baseline": "leave_one_out"},
        {"baseline": "none"},
    ]
    assert len(plan.trials) == 3  # gmm does not read it
    changed = load_study(study.file, ["baseline=none"])
    assert changed.fixed["baseline"] == "none"
    assert not changed.space


def test_a_trial_is_trained_with_it_from_the_command_line(example, bench):
    asked = ("train", "--method", "rloo", "--dataset", "squares", *TINY)
    said = json.loads(bench.call(*asked, "--set", "baseline=none").stdout)
    assert said["hyperparameters"]["baseline"] == "none"


def test_the_list_of_methods_describes_it(example, bench):
    said = " ".join(bench.call("methods").stdout.split())
    assert "setting baseline of rloo: What is taken from a sample's log weight" in said
    assert "[default: leave_one_out]" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "baseline=non"], ["baseline: 'non'", "did you mean 'none'?"]),
        (["--set", "baseline"], ["set: 'baseline' must be KEY=VALUE"]),
        (["--set", "basline=none"], ["basline: no such setting", "baseline"]),
        (["--method", "gmm", "--set", "baseline=none"], ["baseline: 'none'", "needs method rloo"]),
    ],
)
def test_what_it_cannot_be_is_said_in_a_line(example, bench, options, words):
    asked = ("train", "--method", "rloo", "--dataset", "squares", *TINY)
    said = bench.call(*asked, *options, status=2).stderr
    assert len(said.splitlines()) == 1
    assert all(word in said for word in words), said


def test_numbers_have_the_type_and_the_range_of_their_declaration(install):
    install("other", ADDS, methods="other = other:METHOD")
    settings = Hyperparameters.from_mapping({"method": "other", "temperature": "2", "sweeps": "3"})
    assert dict(settings.added) == {"temperature": 2.0, "sweeps": 3}
    for given in ({"temperature": 0}, {"sweeps": 0}, {"sweeps": 1.5}):
        with pytest.raises(InputError):
            Hyperparameters.from_mapping({"method": "other", **given})


@pytest.mark.parametrize(
    ("name", "default", "more"),
    [("two words", 1, {}), ("kind", "a", {}), ("kind", "a", {"choices": ("b",)}), ("on", True, {})],
)
def test_a_declaration_that_makes_no_sense_is_refused(name, default, more):
    with pytest.raises(InputError, match=name):
        new_setting(name, default, "Help.", **more)


def test_a_setting_cannot_take_the_name_of_a_built_in_one(install):
    lines = ADDS.replace("'sweeps'", "'learning_rate'")
    install("clash", lines, methods="other = clash:METHOD")
    with pytest.raises(InputError, match="adds 'learning_rate', which is built in"):
        Hyperparameters.from_mapping({"method": "other"}).canonical()


def test_a_setting_cannot_be_added_twice(install):
    lines = ADDS.replace("'sweeps'", "'temperature'")
    install("twice", lines, methods="other = twice:METHOD")
    with pytest.raises(InputError, match="adds 'temperature' twice"):
        Hyperparameters.from_mapping({"method": "other"}).canonical()
    assert "other" not in METHODS.usable()[0]


def test_a_stage_cannot_change_an_added_setting(example):
    stages = [{"max_epochs": 2}, {"max_epochs": 2, "baseline": "none"}]
    with pytest.raises(InputError, match=r"stages\.1\.baseline: a stage cannot change it"):
        Hyperparameters.from_mapping({"method": "rloo", "stages": stages})
