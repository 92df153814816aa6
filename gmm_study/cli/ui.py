"""`gmm-study ui`: the MLflow UI over the studies' runs."""

import rich_click as click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="Port to listen on.")
def ui(host: str, port: int) -> None:
    """Serve the MLflow UI and print its address."""
    from gmm_study.tracking import serve, tracking_uri

    if tracking_uri().startswith("http"):
        print(f"MLflow UI: {tracking_uri()} (served there already)")
        return
    print(f"MLflow UI: http://{host}:{port} (Ctrl-C ends it)", flush=True)
    serve(host, port)
