"""The MLflow UI, opened at the runs of the studies, with the reports beside it.

MLflow finds the app through an entry point of this package. The app opens the UI's section for
training models and serves the folder `reports/` under `/reports`.
"""

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmm_study.tracking.database import DEFAULT_ARTIFACTS, tracking_uri
from gmm_study.tracking.mlflow_internals import BROWSER_STORAGE, apps

if TYPE_CHECKING:
    from flask import Response

APP = "gmm-study"
"""The name of the entry point through which MLflow finds `create_app`."""
REPORTS = "reports"
_SCRIPT = "".join(
    f"if(localStorage.getItem('{key}')===null)localStorage.setItem('{key}','{value}');"
    for key, value in BROWSER_STORAGE.items()
)
"""Does not overwrite a choice that the user has made before."""


def serve(host: str, port: int) -> None:
    """Serve the MLflow UI until interrupted, and the current folder's reports under `/reports`."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        Path(DEFAULT_ARTIFACTS).mkdir(exist_ok=True)
    # In the environment, because other users can see a command line.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = tracking_uri()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if host not in ("127.0.0.1", "localhost", "0.0.0.0"):  # which MLflow allows by itself
        hosts = [name for own in ("localhost", "127.0.0.1", host) for name in (own, f"{own}:*")]
        os.environ.setdefault("MLFLOW_SERVER_ALLOWED_HOSTS", ",".join(hosts))
        os.environ.setdefault("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", f"http://{host}:{port}")
    from mlflow.cli import cli

    words = ["ui", "--host", host, "--port", str(port), "--workers", "1"]
    if entry_points(group="mlflow.app", name=APP):  # missing in an older installation
        words += ["--app-name", APP]
    cli.main(words, standalone_mode=False)


def create_app() -> Any:
    """MLflow's own app; its first page opens the section for training models."""
    from flask import request, send_from_directory

    pages, app = apps()
    reports = Path(REPORTS).resolve()

    def report(path: str) -> "Response":
        return send_from_directory(reports, path)

    def first_page() -> str | None:
        if request.path != "/":
            return None
        page = Path(str(pages.static_folder), "index.html").read_text()
        return page.replace("<head>", f"<head><script>{_SCRIPT}</script>", 1)

    pages.add_url_rule(f"/{REPORTS}/<path:path>", "gmm_study_report", report)
    pages.before_request(first_page)
    return app
