"""A server of S3 on loopback, moto's, that can fail in the ways in which servers do."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

KEY, SECRET = "a-key", "a-secret"
EMPTY_LIST = (
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>"
)
Start = Callable[..., Any]


def failure(status: str, code: str) -> tuple[str, str]:
    """An answer that is an error of S3."""
    return status, f"<Error><Code>{code}</Code><Message>{code}, says the server</Message></Error>"


THROTTLED = failure("503 Slow Down", "SlowDown")
NOT_IMPLEMENTED = failure("501 Not Implemented", "NotImplemented")
CONFLICT = failure("409 Conflict", "ConditionalRequestConflict")
UNKNOWN_KEY = failure("403 Forbidden", "InvalidAccessKeyId")


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *words: object) -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        self.close_connection = True


class S3Server:
    """The server; `answers` may answer a request in its place, and `after` hears of answers.

    A `ConnectionError` of `after` loses the answer, and an answer to a request that `breaks_off`
    ends in the middle; the connection is then closed. A request is the environment of WSGI. It
    keeps the method and path of every request.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: Callable[[dict[str, Any]], tuple[str, str] | None] = lambda request: None
        self.after: Callable[[dict[str, Any]], None] = lambda request: None
        self.breaks_off: Callable[[dict[str, Any]], bool] = lambda request: False
        self.resumed = threading.Event()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, self._serve, threaded=True, request_handler=_Quiet
        )
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.resumed.set()
        self._server.shutdown()
        self._server.server_close()

    def create(self, bucket: str) -> None:
        """Make a bucket, and forget the requests until then."""
        self._client.create_bucket(Bucket=bucket)
        self.requests.clear()

    def remove(self, bucket: str) -> None:
        """Remove a bucket with all that it holds."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", []):
                self._client.delete_object(Bucket=bucket, Key=found["Key"])
        self._client.delete_bucket(Bucket=bucket)

    def heal(self) -> None:
        """Work again, and answer what was left hanging."""
        self.answers = lambda request: None
        self.after = lambda request: None
        self.breaks_off = lambda request: False
        self.resumed.set()
        self.resumed = threading.Event()

    def hang(self) -> None:
        """Answer nothing until it heals."""
        self.answers = lambda request: self.resumed.wait(600) and None

    @property
    def environment(self) -> dict[str, str]:
        """What a user sets to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def _serve(self, request: dict[str, Any], start: Start) -> Iterable[bytes]:
        method, path = request["REQUEST_METHOD"], request["PATH_INFO"]
        self.requests.append((method, path))
        answer = self.answers(request)
        if answer is None and f"Credential={KEY}/" not in request.get("HTTP_AUTHORIZATION", ""):
            answer = UNKNOWN_KEY
        if answer is None:
            found = self._moto(request, start)
            self.after(request)
            return _half_of(found) if self.breaks_off(request) else found
        request["wsgi.input"].read(int(request.get("CONTENT_LENGTH") or 0))
        status, text = answer
        body = b"" if method == "HEAD" else text.encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        start(status, headers)
        return [body]


def _half_of(answer: Iterable[bytes]) -> Iterable[bytes]:
    """Half of an answer, after which the connection is closed."""
    content = b"".join(answer)
    yield content[: len(content) // 2]
    raise ConnectionError
