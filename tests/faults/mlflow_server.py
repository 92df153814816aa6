"""A real MLflow server, a proxy before it that breaks things, and what MLflow then says."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mlflow.tracking import MlflowClient

from tests.workbench import answers, free_port, wait_until

TAGS = ("trial_id", "replicate", "dataset_sha256", "state", "git_commit", "replicates", "error")


def start_server(
    folder: Path, database: str, *options: str, **environment: str
) -> tuple[subprocess.Popen[bytes], int]:
    """An MLflow server over a database that is there, and its port."""
    port = free_port()
    words = ["server", "--backend-store-uri", database, "--host", "127.0.0.1"]
    words += options or ("--artifacts-destination", str(folder / "artifacts"))
    server = subprocess.Popen(
        [Path(sys.executable).with_name("mlflow"), *words, "--port", str(port), "--workers", "1"],
        cwd=folder,
        # Without its seven processes for jobs, which no study has.
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | environment,
        stdout=(folder / "server.log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    wait_until(lambda: answers(port) or server.poll() is not None)
    assert server.poll() is None, (folder / "server.log").read_text()
    return server, port


class Proxy:
    """Passes requests on; can be down, delay each answer, or cut answers off in the middle."""

    def __init__(self, backend: int) -> None:
        self.backend = backend
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.delay = 0.0
        self.cuts: Callable[[str, int], bool] = lambda path, number: False
        """Whether to cut the answer to a path, asked for so many times already."""
        self.asked: list[str] = []
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """From now on connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        number = self.asked.count(path)
        self.asked.append(path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        time.sleep(self.delay)
        status, kind, content = self._ask(handler, body)
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2] if self.cuts(path, number) else content)

    def _ask(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        names = ("Content-Type", "Content-Encoding", "Transfer-Encoding", "Authorization")
        headers = {name: handler.headers[name] for name in names if handler.headers[name]}
        connection = HTTPConnection("127.0.0.1", self.backend)
        try:
            connection.request(handler.command, handler.path, body, headers)
            response = connection.getresponse()
            kind = response.getheader("Content-Type") or "application/json"
            return response.status, kind, response.read()
        except (OSError, HTTPException):
            return 502, "text/plain", b"the server is gone"
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.answer(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *words: object) -> None:
                pass

        return Handler


def content(uri: str, study: str) -> list[tuple]:
    """What MLflow says of every run of a study, in an order of its own; every history whole."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(study)
    told = []
    for run in client.search_runs([experiment.experiment_id]) if experiment else []:
        tags = [str(run.data.tags.get(name)) for name in TAGS]
        histories = {
            name: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, name)]
            for name in sorted(run.data.metrics)
        }
        files = sorted(found.path for found in client.list_artifacts(run.info.run_id))
        name = run.info.run_name
        told.append((tags, name, run.info.status, run.data.params, histories, files))
    return sorted(told, key=lambda one: one[0])
