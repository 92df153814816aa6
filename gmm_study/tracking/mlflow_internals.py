"""Everything that this project uses of MLflow and that MLflow does not document.

MLflow's documented client writes and reads runs; it has nothing for what a person sees first in the
UI. `tests/tracking/test_mlflow_internals.py` fails with a sentence when a release of MLflow no
longer has an item.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from mlflow.entities.metric import MetricWithRunId
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

PARENT_RUN, RUN_NAME = "mlflow.parentRunId", "mlflow.runName"
"""The tags with the id of a nested run's parent and with a run's name. MLflow documents the tags,
and not where Python finds their names."""
EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""The tag of an experiment whose runs train models. Without it, the UI asks what they are."""
SAVED_VIEW = "mlflow.sharedViewState."
"""How the tags of an experiment begin in which the UI keeps views of its runs. A view can be saved
in the UI by hand, and not through the client."""
MACHINE_LEARNING = {"workflowType": "machine_learning"}
"""A parameter of the UI's addresses. Without it, the UI shows a study's runs as evaluations of a
language model."""
BROWSER_STORAGE = {
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.home.getting-started.collapsed_v1": "true",
    "mlflow.settings.telemetry.enabled_v1": "false",
    "mlflow.telemetry.info.alert.dismissed_v1": "true",
}
"""What the UI keeps in the browser of a person who has chosen to train models, and has closed what
is offered to those who trace language models. The server has no settings for these choices."""
ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""The variable by which `mlflow server` tells its processes below which address artifacts go.
Without it, the client of an empty database would record the current folder there."""
MOST_POINTS = 10_000_000
"""More points than a hundred curves have."""


def saved_view(name: str, search: str, metric: str, columns: Sequence[str], created: int) -> str:
    """The tag of a view: the runs that a search finds, the highest value of a metric first.

    `created` is in milliseconds since 1970.
    """
    state = {
        "searchFilter": search,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
    }
    envelope = {"name": name, "createdAt": created, "updatedAt": created}
    return json.dumps({**envelope, "state": json.dumps(state)})


def view_link(experiment_id: str, view: str, **options: str) -> str:
    """The address of a saved view, relative to that of the UI."""
    parameters = {**MACHINE_LEARNING, "viewStateShareKey": view, **options}
    return f"#/experiments/{experiment_id}/runs?{urlencode(parameters)}"


def run_link(experiment_id: str, run_id: str) -> str:
    """The address of a run, relative to that of the UI."""
    return f"#/experiments/{experiment_id}/runs/{run_id}?{urlencode(MACHINE_LEARNING)}"


def artifact_link(run_id: str, name: str) -> str:
    """The address of an artifact of a run, relative to that of the UI."""
    return f"get-artifact?{urlencode({'path': name, 'run_uuid': run_id})}"


def bulk_history(
    client: MlflowClient,
) -> Callable[[Sequence[str], str], Sequence[MetricWithRunId]] | None:
    """A function that reads one metric of many runs at once; None if the store has none.

    A database has one, and a server has not. The documented client reads one metric of one run at
    a time, which takes a hundred times as many queries.
    """
    store = getattr(getattr(client, "_tracking_client", None), "store", None)
    read = getattr(store, "get_metric_history_bulk", None)
    return None if read is None else lambda run_ids, name: read(list(run_ids), name, MOST_POINTS)


def log_artifacts(client: MlflowClient, artifact_uri: str, folder: str) -> None:
    """Copy the files in a folder to the artifacts of a run, whose address is known.

    The documented client asks for the address each time.
    """
    get_artifact_repository(artifact_uri, client.tracking_uri).log_artifacts(folder)


def apps() -> tuple[Any, Any]:
    """The app that serves the UI's pages, and the app around it that the server runs.

    MLflow documents the entry point through which a package replaces the app, and the first of
    these alone.
    """
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app

    return pages, app
