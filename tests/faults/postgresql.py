"""A PostgreSQL server of a test's own, in a temporary folder."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.workbench import answers, free_port, wait_until

USER = "postgres"
"""Who runs the server where the tests are run by root, which PostgreSQL refuses."""
LOGIN = "tracker"


def programs() -> Path:
    """The folder of PostgreSQL's programs; the test is skipped if there is none."""
    installed = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found = installed[0] if installed else shutil.which("initdb")
    if found is None:
        pytest.skip("needs PostgreSQL: initdb is neither on PATH nor in /usr/lib/postgresql")
    if os.getuid() == 0 and USER not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip(f"PostgreSQL refuses to be run by root, and there is no user {USER}")
    return Path(found).resolve().parent


class Postgresql:
    """A server whose user `tracker` has a password, and the database `tracker`."""

    def __init__(self, password: str) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="gmm-study-postgresql-"))
        self._user = USER if os.getuid() == 0 else None
        self.port = free_port()
        self.password = password
        (self._folder / "password").write_text(password)
        if self._user:
            for path in (self._folder, self._folder / "password"):
                shutil.chown(path, self._user)
        words = ["-D", "data", "--auth=scram-sha-256", "--pwfile=password", f"--username={LOGIN}"]
        self._run("initdb", *words, "--no-sync", "--no-locale", "--encoding=UTF8")
        self._server: subprocess.Popen[bytes] | None = None

    def uri(self, password: str | None = None, user: str = LOGIN, database: str = LOGIN) -> str:
        """The address with the right password, or another one; "" for none."""
        login = f"{user}:{self.password if password is None else password}".rstrip(":")
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "log_connections": "on",
            "fsync": "off",
        }
        words = [f"--{name}={value}" for name, value in settings.items()]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", *words],
                cwd=self._folder,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: answers(self.port))
        wait_until(lambda: "ready to accept connections" in self.log().rpartition("starting")[2])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its sessions, SIGQUIT ends it as a crash does."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait()
            self._server = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def create(self, database: str) -> None:
        self._run("createdb", *self._place(), database)

    def dump(self, database: str = LOGIN) -> str:
        """All that a database has."""
        return self._run("pg_dump", *self._place(), database)

    def _place(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", f"--username={LOGIN}"]

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [self._programs / program, *words],
            cwd=self._folder,
            env=os.environ | {"PGPASSWORD": self.password},
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
