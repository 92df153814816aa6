"""The page of MLflow names what a trial's runs have there, all of it and nothing else."""

import re

import pytest

from gmm_study.data import load_dataset
from gmm_study.tracking.account import account_of
from gmm_study.tracking.notes import Facts
from gmm_study.tracking.runs import StudyRuns
from gmm_study.tracking.words import KEPT
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.docs.tables import names

pytestmark = pytest.mark.process

PAGE = "docs/reference/mlflow.md"
NOT_IN_EVERY_TRIAL = {"rest", "error", "ending", "kept", "collapsed"}
NOT_IN_EVERY_TRIAL |= {"best_of_cell", "best_of_method"}


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    """The runs of a trial of gmm on pictures, with two replicates, and the client to ask."""
    folder = tmp_path_factory.mktemp("view")
    data = load_dataset("digits")
    settings = Hyperparameters(layers=(4,), max_epochs=3, evaluation_samples=2)
    config = TrialConfig(settings, data.name, data.sha256)
    record = Record.at(str(folder / "record"))
    run = TrialRun(config, data, [0, 1], record)
    while not run.finished:
        run.advance()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        view = StudyRuns(Facts("a study", "why?"), f"sqlite:///{folder}/mlflow.db")
        view.sync("a label", config, account_of(record, 2))
        yield view, view.client.search_runs([view.experiment_id])


def test_it_names_every_metric(view):
    found = {
        re.sub(r"mean_of_\d+", "mean_of_R", name) for run in view[1] for name in run.data.metrics
    }
    plain = {name for name in found if not name.endswith("_se")}
    known = {name for name in plain if not name.startswith(("test/", KEPT))}
    assert found > plain > known
    assert known | {"test/NAME", f"{KEPT}NAME", "NAME_se"} == set(names(PAGE, "Metrics"))


def test_it_names_every_tag(view):
    said = set(names(PAGE, "Tags"))
    found = {tag for run in view[1] for tag in run.data.tags if not tag.startswith("mlflow.")}
    assert found | NOT_IN_EVERY_TRIAL | {"mlflow.note.content"} == said
    assert any("mlflow.note.content" in run.data.tags for run in view[1])


def test_it_names_every_param(view):
    settings = set(Hyperparameters.__dataclass_fields__) - {"layers"}
    found = {name for run in view[1] for name in run.data.params}
    assert (found - settings) | {"SETTING"} == set(names(PAGE, "Params"))


def test_it_names_every_artifact(view):
    view, runs = view
    (parent,) = (run.info.run_id for run in runs if "replicate" not in run.data.tags)
    top = view.client.list_artifacts(parent)
    below = [item for folder in top for item in view.client.list_artifacts(parent, folder.path)]
    files = {item.path for item in (*top, *below) if not item.is_dir}
    assert files == set(names(PAGE, "Artifacts"))
