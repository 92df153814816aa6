"""A shell completes commands, studies, data sets, settings and methods."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from gmm_study.cli import cli
from gmm_study.cli.completion import SHELLS, VARIABLE
from tests.training.small import METHODS
from tests.workbench import GMM_STUDY, call


def completed(*words):
    """What is offered for the last of the words."""
    shell = ShellComplete(cli, {}, "gmm-study", VARIABLE)
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture(autouse=True)
def _in_its_folder(bench, monkeypatch):
    monkeypatch.chdir(bench.folder)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["stat"], ["status"]),
        (["run", "ti"], ["tiny"]),
        (["plan", "tiny", "--dataset", "mush"], ["mushrooms"]),
        (["data", "fetch", "debd/nl"], ["debd/nltcs"]),
        (["plan", "tiny", "--set", "max_e"], ["max_epochs="]),
        (["plan", "tiny", "--set", "layers.d"], ["layers.depth="]),
        (["plan", "tiny", "--set", "evaluation.sa"], ["evaluation.samples="]),
        (["plan", "tiny", "--set", "scheduler.r"], ["scheduler.reduction_factor="]),
        (["plan", "tiny", "--set", "replic"], ["replicates="]),
        (["plan", "tiny", "--set", "method="], [f"method={name}" for name in METHODS]),
        (["plan", "tiny", "--set", "dataset=mush"], ["dataset=mushrooms"]),
        (["plan", "tiny", "--set", "preset="], ["preset=authors"]),
        (["train", "--preset", "a"], ["authors"]),
        (["train", "--method", "r"], ["rws"]),
        (["train", "--optimizer", "a"], ["adam"]),
        (["new", "mine", "--method", "va"], ["vae"]),
        (["evaluate", "x", "--split", "v"], ["valid"]),
        (["completion", "f"], ["fish"]),
        (["sample", "bm"], ["bmnist-12"]),
    ],
)
def test_what_is_begun_is_completed(words, offered):
    assert completed(*words) == offered


def test_a_shipped_model_is_offered_beside_the_folders_that_begin_alike(bench):
    (bench.folder / "bm-mine").mkdir()
    assert completed("sample", "bm") == ["bmnist-12", "bm-mine/"]
    (bench.folder / "bm-mine").rmdir()


def test_a_path_is_left_to_the_shell():
    shell = ShellComplete(cli, {}, "gmm-study", VARIABLE)
    for words in (["run"], ["train", "--dataset"]):
        (item,) = shell.get_completions(words, "./my")
        assert item.type == "file"


def test_data_sets_that_cannot_be_listed_are_not_offered(monkeypatch):
    monkeypatch.setenv("GMM_STUDY_DATA", "nowhere")
    assert "mushrooms" not in completed("train", "--dataset", "mush")


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script(tmp_path, shell):
    assert f"{VARIABLE}={shell}_complete" in call(tmp_path, "completion", shell).stdout


@pytest.mark.process
def test_bash_completes_behind_an_equals_sign_and_puts_no_blank_there(tmp_path):
    script = call(tmp_path, "completion", "bash").stdout
    ask = """
compopt() { echo "$@"; }
COMP_WORDS=(gmm-study plan tiny --set optimizer = s) COMP_CWORD=6
_gmm_study_completion gmm-study
echo "${COMPREPLY[@]}"
COMP_WORDS=(gmm-study plan tiny --set optim) COMP_CWORD=4 COMPREPLY=()
_gmm_study_completion gmm-study
echo "${COMPREPLY[@]}"
"""
    said = subprocess.check_output(
        ["bash", "--norc", "-c", script + ask],
        env=os.environ | {"PATH": f"{GMM_STUDY.parent}:{os.environ['PATH']}"},
        text=True,
    )
    assert said.split("\n")[:3] == ["sgd", "-o nospace", "optimizer="]


@pytest.mark.process
def test_completing_imports_no_heavy_package():
    code = (
        "import sys; from gmm_study.cli.completion import *; "
        "dataset_names(), study_names(), override_keys(); "
        "import gmm_study.cli; print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "gmm_study.study.schema" in loaded
    assert not loaded & {"torch", "ray", "mlflow", "optuna", "pandas", "numba", "sklearn", "scipy"}
