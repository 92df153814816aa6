"""`import gmm_study` does what the command line does, and returns what it found."""

import inspect
import json
import shlex
import subprocess
import sys
from contextlib import chdir

import pytest

import gmm_study
from gmm_study.api.reports import write_all_reports
from gmm_study.cli import cli
from tests.cli.planned import train_all
from tests.workbench import Workbench, figures

CELL = """
import gmm_study
study = gmm_study.load_study("tiny", small=True)
ended = gmm_study.run(study)
frame = gmm_study.load("results", study=study).replicates
print(ended.trained)
print(frame[["replicate", "test/log_p"]].to_json(orient="records"))
"""
SMALL = """
small: {fixed: {max_epochs: 1}, methods: [gmm], space: {layers: {grid: [[3]]}}}
"""


@pytest.mark.process
def test_a_cell_of_five_lines_loads_a_study_runs_its_small_variant_and_shows_the_frame(tmp_path):
    bench = Workbench(tmp_path)
    bench.write_study((tmp_path / "studies" / "tiny.yaml").read_text() + SMALL)
    printed = subprocess.check_output([sys.executable, "-c", CELL], cwd=tmp_path, text=True)
    trained, frame = printed.splitlines()
    assert trained == "{'complete': 1}"
    rows = json.loads(frame)
    assert [row["replicate"] for row in rows] == [0, 1]
    (result,) = bench.results().values()
    stored = [r["metrics"]["test/log_p"] for r in result["replicates"].values()]
    assert [row["test/log_p"] for row in rows] == pytest.approx(stored, rel=1e-9)
    assert (tmp_path / "reports" / "tiny" / "small" / "index.html").exists()
    assert (tmp_path / "mlflow.db").exists()


@pytest.mark.process
def test_importing_it_imports_nothing_heavy_and_its_names_are_there():
    code = "import sys, gmm_study; print(*dir(gmm_study), *sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert set(gmm_study.__all__) <= loaded
    assert not loaded & {"torch", "ray", "mlflow", "pandas", "pydantic", "pyarrow", "click"}


def test_every_name_it_offers_is_documented():
    for name in gmm_study.__all__:
        assert getattr(gmm_study, name).__doc__, name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        gmm_study.rum  # noqa: B018


def test_a_plan_is_a_frame_of_trials_with_their_states_and_a_list_of_what_is_missing(bench):
    planned = gmm_study.plan("tiny")
    assert set(planned.frame()["state"]) == {"pending"}
    assert list(planned.frame()["layers"]) == ["6", "6", "6,3", "6,3"]
    assert len(planned.missing()) == 4
    train_all(bench.folder, "methods=[gmm]")
    again = gmm_study.plan(planned)
    assert list(again.frame()["state"]) == ["complete", "pending"] * 2
    assert len(again.missing()) == 2
    assert planned.command == "gmm-study run tiny"


def test_a_plan_estimates_the_time_and_memory_of_what_is_missing(bench):
    train_all(bench.folder, "methods=[gmm]")
    assert gmm_study.plan(gmm_study.load_study("tiny", ["methods=[gmm]"])).estimate() is None
    found = gmm_study.plan("tiny").estimate(may_calibrate=False)
    assert found.seconds > 0
    assert found.memory_bytes > 0


def test_the_command_of_a_plan_loads_the_same_study(bench):
    study = gmm_study.load_study("tiny", ["max_epochs=2", "methods=[gmm]"])
    planned = gmm_study.plan(study, storage="other folder")
    assert planned.command == (
        "gmm-study run tiny --set max_epochs=2 --set 'methods=[gmm]' --storage 'other folder'"
    )


@pytest.mark.figure
def test_a_planned_study_stays_in_its_storage(bench):
    planned = gmm_study.plan("tiny", storage="here")
    with pytest.raises(gmm_study.InputError, match="storage: 'there' must be 'here'"):
        gmm_study.report(planned, storage="there")


def test_a_command_names_the_study_and_the_storage_from_the_current_folder(bench, tmp_path):
    study = gmm_study.load_study("tiny", [f"dataset={tmp_path}/data.npz"])
    planned = gmm_study.plan(study, storage="here")
    (tmp_path / "elsewhere").mkdir()
    with chdir(tmp_path / "elsewhere"):
        words = shlex.split(planned.command)
        assert words[:4] == ["gmm-study", "run", str(tmp_path / "studies" / "tiny.yaml"), "--set"]
        assert words[-1] == (tmp_path / "here").as_uri()
        again = gmm_study.plan(gmm_study.load_study(words[2], [words[4]]), storage=words[-1])
        assert again.frame().equals(gmm_study.plan(study, storage=words[-1]).frame())
    assert planned.command.startswith("gmm-study run tiny --set ")


def test_data_by_a_relative_path_are_refused_after_a_change_of_the_folder(bench, tmp_path):
    study = gmm_study.load_study("tiny")
    planned = gmm_study.plan(study)
    (tmp_path / "elsewhere").mkdir()
    with chdir(tmp_path / "elsewhere"):
        for call, given in (
            (gmm_study.plan, study),
            (gmm_study.run, study),
            (gmm_study.run, planned),
        ):
            with pytest.raises(gmm_study.InputError) as error:
                call(given)
            assert str(error.value).startswith(f"datasets: 'data.npz' is a path from '{tmp_path}'")
            assert "\n" not in str(error.value)
    assert not any((tmp_path / "elsewhere").iterdir())
    assert len(gmm_study.plan(study).missing()) == 4


MOVED = """
import os, gmm_study
study = gmm_study.load_study("tiny", ["methods=[gmm]", f"dataset={os.getcwd()}/data.npz"])
planned = gmm_study.plan(study)
os.chdir("elsewhere")
ended = gmm_study.run(planned)
print(ended.trained, ended.mlflow_problem, os.path.exists("results"))
"""


@pytest.mark.process
def test_a_study_runs_the_same_after_a_change_of_the_folder(bench, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    printed = subprocess.check_output([sys.executable, "-c", MOVED], cwd=tmp_path, text=True)
    assert printed.splitlines()[-1] == "{'complete': 2} None False"
    assert len(bench.results()) == 2


def test_a_path_names_a_study_as_a_text_does(bench):
    path = bench.folder / "studies" / "tiny.yaml"
    assert gmm_study.plan(path).frame().equals(gmm_study.plan("tiny").frame())


def test_a_changed_copy_of_a_study_claims_no_command_that_loads_it(bench):
    study = gmm_study.load_study("tiny")
    assert study.model_copy().arguments == ("tiny",)
    changed = study.model_copy(update={"replicates": 7})
    assert (changed.replicates, changed.arguments) == (7, ())


def test_a_study_is_driven_once_in_a_process_too(bench):
    planned = gmm_study.plan("tiny")
    with (
        planned.store.the_only_driver("tiny"),
        pytest.raises(gmm_study.InputError, match="'tiny' is being run by"),
    ):
        gmm_study.sync(planned)


def test_a_report_has_the_frames_and_the_sentences_that_the_page_shows(bench):
    train_all(bench.folder)
    report = gmm_study.report("tiny")
    assert report.page.exists()
    assert {"mean", "standard_error", "n"} <= set(report.found.cells.columns)
    assert report.found.sentences


def test_a_data_set_that_is_not_available_is_a_warning_and_the_others_are_planned(
    bench, monkeypatch, tmp_path
):
    monkeypatch.setenv("GMM_STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    study = gmm_study.load_study("tiny", ["datasets=[data.npz, mushrooms]"])
    with pytest.warns(UserWarning, match="no data: .*mushrooms"):
        planned = gmm_study.plan(study)
    assert set(planned.frame()["dataset"]) == {"data.npz"}


def test_training_and_evaluating_in_python_gives_the_figures_of_the_command_line(bench):
    settings = {"layers": [4], "max_epochs": 2, "evaluation_samples": 5}
    trained = gmm_study.train("data.npz", output="python", threads=1, replicates=2, **settings)
    words = ("--layers", "4", "--max-epochs", "2", "--evaluation-samples", "5", "--threads", "1")
    arguments = ("--dataset", "data.npz", "--replicates", "2", *words, "--output", "shell")
    bench.call("train", *arguments, "--json")
    stored = {
        name: json.loads((bench.folder / name / "result.json").read_text())
        for name in ("python", "shell")
    }
    assert figures(stored["python"]) == figures(stored["shell"])
    assert list(trained.frame()["replicate"]) == [0, 1]
    evaluation = gmm_study.evaluate("python", [1, 10], z_samples=100, exact=True, threads=1)
    printed = bench.call(
        "evaluate", "shell", "--samples", "1,10", "--z-samples", "100", "--exact", "--json",
        "--threads", "1",
    )  # fmt: skip
    assert json.loads(printed.stdout)["figures"] == evaluation.figures
    assert sorted(map(str, evaluation.frame()["samples"])) == sorted(["1", "10", "exact"] * 2)
    assert evaluation.certified == []


def test_intervals_from_python_are_those_of_the_command_line(bench):
    settings = {"layers": [4], "max_epochs": 2, "evaluation_samples": 5}
    gmm_study.train("data.npz", output="python", threads=1, **settings)
    annealing = gmm_study.Annealing(chains=2, steps=3)
    few = {"z_samples": 10, "datapoints": 5, "threads": 1}
    found = gmm_study.evaluate("python", [1], certify=annealing, **few)
    printed = bench.call(
        "evaluate", "python", "--samples", "1", "--z-samples", "10", "--datapoints", "5",
        "--threads", "1", "--certify", "--chains", "2", "--steps", "3", "--json",
    )  # fmt: skip
    assert json.loads(printed.stdout)["certified"] == found.certified


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: gmm_study.load_study("tony"), "did you mean 'tiny'"),
        (lambda: gmm_study.train("data.npz", layers=[4], learning_rate=-1), "learning_rate: -1"),
        (lambda: gmm_study.train("data.npz", laers=[4]), "did you mean 'layers'"),
        (lambda: gmm_study.train("nowhere.npz", layers=[4]), "nowhere.npz"),
        (lambda: gmm_study.evaluate("nowhere"), "'nowhere'"),
        (lambda: gmm_study.evaluate("nowhere", [0]), "evaluation_samples: 0"),
        (lambda: gmm_study.evaluate("nowhere", []), "evaluation_samples: empty"),
        (lambda: gmm_study.evaluate("nowhere", datapoints=0), "datapoints: 0 must be at least 1"),
        (lambda: gmm_study.evaluate("nowhere", chunk_rows=0), "chunk_rows: 0 must be at least 1"),
        (lambda: gmm_study.evaluate("nowhere", z_samples=1), "z_samples: 1 must be at least 2"),
        (
            lambda: gmm_study.evaluate("nowhere", certify=gmm_study.Annealing(chains=0)),
            "chains: 0 must be at least 1",
        ),
        (
            lambda: gmm_study.evaluate("nowhere", certify=gmm_study.Annealing(tolerance=-1)),
            "tolerance: -1 must be a number of nats of at least 0",
        ),
        (lambda: gmm_study.train("data.npz", replicates=0), "replicates: 0 must be at least 1"),
        (lambda: gmm_study.load_study(5), "study: 5 must be a name or the path"),
        (lambda: gmm_study.load_study("tiny", "max_epochs=1"), "must be a list of texts KEY=VALUE"),
        (lambda: gmm_study.plan(None), "study: None must be a name or the path"),
        (lambda: gmm_study.plan("tiny", storage=""), "storage: '' must be a folder"),
        (lambda: gmm_study.plan("tiny", storage=5), "storage: 5 must be a folder"),
        (lambda: gmm_study.load(5), "storage: 5 must be a folder"),
        (lambda: gmm_study.train(5), "'5'"),
        (lambda: gmm_study.plan("tiny", storage="what://is/this"), "storage: 'what://is/this'"),
    ],
)
def test_input_that_cannot_be_used_is_an_input_error_of_one_line(bench, call, said):
    with pytest.raises(gmm_study.InputError) as error:
        call()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_split_must_be_one_that_there_is(bench):
    gmm_study.train("data.npz", layers=[4], max_epochs=1, evaluation_samples=2, output="model")
    with pytest.raises(gmm_study.InputError, match="split: 'tset' must be one of train, valid"):
        gmm_study.evaluate("model", [1], split="tset")


def test_a_study_outside_the_current_folder_is_loaded_by_its_path(bench, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = str(tmp_path / "studies" / "tiny.yaml")
    with chdir(elsewhere):
        study = gmm_study.load_study(path, [f"dataset={tmp_path}/data.npz"])
        planned = gmm_study.plan(study)
    assert planned.command.startswith(f"gmm-study run {path} --set dataset=")
    assert len(planned.missing()) == 4


@pytest.mark.parametrize(
    ("function", "command"),
    [
        (gmm_study.evaluate, "evaluate"),
        (gmm_study.gradients, "gradients"),
        (gmm_study.train, "train"),
        (write_all_reports, "tables"),
    ],
)
def test_an_option_has_the_default_of_the_parameter_of_its_name(function, command, monkeypatch):
    monkeypatch.delenv("GMM_STUDY_STORAGE", raising=False)
    chosen = cli.commands[command]
    context = chosen.make_context(command, ["x"] if command in ("evaluate", "gradients") else [])
    parameters = inspect.signature(function).parameters.values()
    shared = {each.name: each.default for each in parameters if each.name in context.params}
    given = {name: value for name, value in shared.items() if value is not inspect.Parameter.empty}
    assert given
    assert {name: context.params[name] for name in given} == given
