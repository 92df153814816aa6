"""`gmm-study ui`: serve the MLflow UI."""

import rich_click as click

from gmm_study.addresses import redact


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=5000,
    show_default=True,
    help="Port to listen on.",
)
def ui(host: str, port: int) -> None:
    """Serve the MLflow UI and print its address.

    It accepts only requests to the address that it listens on. If it has another host name, or
    listens on 0.0.0.0, set MLFLOW_SERVER_ALLOWED_HOSTS and MLFLOW_SERVER_CORS_ALLOWED_ORIGINS.
    """
    from gmm_study.tracking.database import tracking_uri
    from gmm_study.tracking.ui import serve

    if tracking_uri().startswith("http"):
        print(f"MLflow UI: {redact(tracking_uri())} (already running)")
        return
    print(f"MLflow UI: http://{host}:{port} (ready in a few seconds; Ctrl-C stops it)", flush=True)
    serve(host, port)
