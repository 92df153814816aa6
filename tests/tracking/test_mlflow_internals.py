"""MLflow still has everything that is used of it without being documented."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import mlflow
import mlflow.server
import pytest
from mlflow.tracking import MlflowClient

from gmm_study.tracking import mlflow_internals

pytestmark = pytest.mark.process

VIEW = json.loads(mlflow_internals.saved_view("name", "search", "valid/log_p", ["tags.`state`"], 0))
LINK = mlflow_internals.view_link("1", "best", compareRunsMode="CHART")


def lacks(what):
    return f"MLflow {mlflow.__version__} no longer has {what}; see tracking/mlflow_internals.py"


@pytest.fixture(scope="module")
def pages():
    """The code of the UI."""
    static = Path(mlflow.server.__file__).parent / "js" / "build" / "static" / "js"
    return [path.read_text(encoding="utf-8") for path in static.glob("*.js")]


@pytest.mark.parametrize(
    "word",
    [
        mlflow_internals.SAVED_VIEW.split(".")[1],
        mlflow_internals.PARENT_RUN,
        mlflow_internals.RUN_NAME,
        *mlflow_internals.EXPERIMENT_KIND,
        *mlflow_internals.EXPERIMENT_KIND.values(),
        *VIEW,
        *json.loads(VIEW["state"]),
        *(name for name, _ in parse_qsl(urlsplit(LINK.removeprefix("#")).query)),
        *(key.rpartition("_v")[0] for key in mlflow_internals.BROWSER_STORAGE),
        "get-artifact",
        "run_uuid",
    ],
)
def test_the_ui_knows_the_word(pages, word):
    assert any(word in page for page in pages), lacks(f"the word '{word}' in the code of its UI")


def test_a_database_reads_a_metric_of_many_runs_at_once(tmp_path):
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    read = mlflow_internals.bulk_history(client)
    assert read is not None, lacks("get_metric_history_bulk in its store")
    run = client.create_run("0").info.run_id
    client.log_metric(run, "valid/bound", -1.0, step=3)
    assert [(p.run_id, p.step, p.value) for p in read([run], "valid/bound")] == [(run, 3, -1.0)]


def test_artifacts_are_copied_to_a_run_by_its_address(tmp_path):
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.create_experiment("mine", f"{tmp_path}/artifacts")
    run = client.create_run(experiment).info
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "config.json").write_text("{}")
    mlflow_internals.log_artifacts(client, run.artifact_uri, f"{tmp_path}/new")
    assert [item.path for item in client.list_artifacts(run.run_id)] == ["config.json"], lacks(
        "get_artifact_repository"
    )


def test_the_client_keeps_the_name_of_a_run_in_its_tag(tmp_path):
    run = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").create_run("0", run_name="mine")
    assert run.data.tags.get(mlflow_internals.RUN_NAME) == "mine", lacks("the tag of a run's name")


def test_the_app_that_serves_the_pages_is_there():
    pages, app = mlflow_internals.apps()
    assert Path(pages.static_folder, "index.html").exists(), lacks("the page of its UI")
    assert app.routes, lacks("mlflow.server.fastapi_app")
