"""The page of MLflow names what a trial's runs have there, all of it and nothing else."""

import pytest

from gmm_study.data import load_dataset
from gmm_study.tracking.account import STATUS
from gmm_study.tracking.runs import StudyRuns
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.docs.pages import ROOT, spans
from tests.docs.tables import names

PAGE = "docs/reference/mlflow.md"


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    """The runs of a trial of gmm on pictures, with two replicates, and the client to ask."""
    folder = tmp_path_factory.mktemp("view")
    data = load_dataset("digits")
    settings = Hyperparameters(layers=(4,), max_epochs=1, evaluation_samples=2)
    config = TrialConfig(settings, data.name, data.sha256)
    record = Record.at(str(folder / "record"))
    run = TrialRun(config, data, [0, 1], record)
    while not run.finished:
        run.advance()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        view = StudyRuns("a study", "why?", f"sqlite:///{folder}/mlflow.db")
        view.sync("a label", config, record, 2)
        yield view, view.client.search_runs([view.experiment_id])


def said():
    return {code for _, code in spans(ROOT / PAGE)}


def test_it_names_every_metric(view):
    for run in view[1]:
        plain = {name.removesuffix("_se") for name in run.data.metrics}
        assert plain <= said()


def test_it_names_every_tag(view):
    own = {tag for run in view[1] for tag in run.data.tags if not tag.startswith("mlflow.")}
    assert own | {"error"} == set(names(PAGE, "Tags"))


def test_it_names_every_artifact(view):
    view, runs = view
    (parent,) = (run for run in runs if "replicate" not in run.data.tags)
    listed = {item.path for item in view.client.list_artifacts(parent.info.run_id)}
    below = {
        item.path
        for path in listed
        for item in view.client.list_artifacts(parent.info.run_id, path)
    }
    files = {path for path in listed | below if "." in path}
    assert files
    assert files <= said()


def test_it_names_every_parameter_that_is_no_setting(view):
    settings = set(Hyperparameters.__dataclass_fields__)
    assert {name for name in view[1][0].data.params if name not in settings} <= said()


def test_it_names_every_state():
    told = zip(names(PAGE, "Status"), strict=False)
    assert {name for (name,) in told} == set(STATUS)
