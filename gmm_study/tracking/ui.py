"""The MLflow UI."""

import os
from pathlib import Path

from gmm_study.tracking.database import DEFAULT_ARTIFACTS, tracking_uri


def serve(host: str, port: int) -> None:
    """Serve the MLflow UI until interrupted."""
    Path(DEFAULT_ARTIFACTS).mkdir(exist_ok=True)
    # In the environment, where no other user sees it, and not in a command line.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = tracking_uri()
    if host not in ("127.0.0.1", "localhost", "0.0.0.0"):  # which MLflow knows what to do with
        hosts = [name for own in ("localhost", "127.0.0.1", host) for name in (own, f"{own}:*")]
        os.environ.setdefault("MLFLOW_SERVER_ALLOWED_HOSTS", ",".join(hosts))
        os.environ.setdefault("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", f"http://{host}:{port}")
    from mlflow.cli import cli

    words = ["ui", "--host", host, "--port", str(port), "--workers", "1"]
    cli.main(words, standalone_mode=False)
