"""`gmm-study ui`: the MLflow UI over the studies' runs."""

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

    It answers requests to the address that it listens on. Behind another name, or on 0.0.0.0, say
    in MLFLOW_SERVER_ALLOWED_HOSTS and MLFLOW_SERVER_CORS_ALLOWED_ORIGINS what it is called.
    """
    from gmm_study.tracking.database import tracking_uri
    from gmm_study.tracking.ui import serve

    if tracking_uri().startswith("http"):
        print(f"MLflow UI: {redact(tracking_uri())} (served there already)")
        return
    print(f"MLflow UI: http://{host}:{port} (answers in some seconds; Ctrl-C ends it)", flush=True)
    serve(host, port)
