"""Fixtures of the data tests: no user's settings, a cache of their own, and a local server."""

import dataclasses
import os
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from gmm_study.data import Dataset
from gmm_study.data.registry import REGISTRY, NamedDataset, RemoteFile

PUBLISHED = os.environ.get("GMM_STUDY_DATA")
SIZES = {"train": 8, "valid": 3, "test": 4}
DIMS = 6


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    monkeypatch.delenv("GMM_STUDY_DATA", raising=False)
    monkeypatch.setenv("GMM_STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def at_hand(monkeypatch):
    """Use the user's folder of published files, and skip a name whose files it lacks."""

    def need(name: str) -> None:
        folder = Path(PUBLISHED or "").resolve()
        if not PUBLISHED or not all((folder / f.path).is_file() for f in REGISTRY[name].files):
            pytest.skip(f"GMM_STUDY_DATA does not hold {name}")
        monkeypatch.setenv("GMM_STUDY_DATA", str(folder))

    return need


@pytest.fixture
def splits():
    random = np.random.default_rng(3)
    return {
        split: random.integers(2, size=(rows, DIMS), dtype=np.uint8)
        for split, rows in SIZES.items()
    }


@pytest.fixture
def known(splits):
    return Dataset.from_splits("known", splits)


class Server:
    """What a test wants to be served: contents by path, the announced length of each, a count."""

    def __init__(self, address: str):
        self.address = address
        self.contents: dict[str, bytes] = {}
        self.announced: dict[str, int] = {}
        self.requests: Counter[str] = Counter()


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.requests[self.path] += 1
            body = served.contents.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(served.announced.get(self.path, len(body))))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Server(f"http://127.0.0.1:{http.server_port}")
    Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield served
    http.shutdown()
    http.server_close()


@pytest.fixture
def register(monkeypatch):
    """Give a data set of one archive or three texts the name `toy`."""

    def add(address: str, paths: list[str], **known) -> NamedDataset:
        archive = {split: f"{split}_data" for split in SIZES}
        keys = [archive] if len(paths) == 1 else [{split: split} for split in SIZES]
        blob = known.pop("git_blob", None)
        files = tuple(
            RemoteFile(path, f"{address}/{path}", key, blob)
            for path, key in zip(paths, keys, strict=True)
        )
        entry = NamedDataset("toy", DIMS, tuple(SIZES.values()), "a test", files=files)
        entry = dataclasses.replace(entry, **known)
        monkeypatch.setitem(REGISTRY, "toy", entry)
        return entry

    return add
