"""A reader, who types what a page says in a copy of the project and looks at what comes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import yaml

from tests.docs.checking import MAKES_OWN
from tests.docs.pages import ROOT, Block, Command

SETUP = ("pyproject.toml", "constraints.txt", "requirements.lock", "requirements-dev.lock")
COPIED = ("Makefile", *SETUP, "studies", "cluster", "examples")
FORGOTTEN = {"GMM_STUDY_DATA", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", "VIRTUAL_ENV", *MAKES_OWN}
MARKS = re.compile("[≈ᵃᵇᶜ]")
FIGURE = re.compile(r"[+-]?\d[\d.,:e+-]*")
IDENTIFIER = re.compile(r"\b[0-9a-f]{16}\b")


class Reader:
    """Types commands one after another, as in one terminal."""

    def __init__(self, home: Path, within: float = 600.0) -> None:
        self.folder = home / "gmm-study"
        self.folder.mkdir()
        self.within = within
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.folder / name)
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, self.folder)
        for name in SETUP:
            os.utime(self.folder / name, (0, 0))  # the environment is younger, whatever it is
        (self.folder / ".venv").symlink_to(Path(sys.executable).parent.parent)
        for study in (self.folder / "studies").glob("*.yaml"):
            study.write_text(shortened(study.read_text()))
        self._state = home / "environment"
        kept = {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
        beside = str(Path(sys.executable).parent)
        kept["PATH"] = ":".join(p for p in kept["PATH"].split(":") if p != beside)
        installed = str(home / "installed")  # what is installed stays out of the environment
        kept |= {"OMP_NUM_THREADS": "1"}  # quicker where several readers share few cores
        kept |= {"PIP_TARGET": installed, "PIP_NO_INDEX": "1", "COLUMNS": "100"}
        kept |= {"PYTHONPATH": f"{ROOT}:{installed}", "PWD": str(self.folder)}
        self.environment = kept

    def write(self, block: Block) -> None:
        """Make the file that a block is; a study is made one of seconds."""
        assert block.file
        target = self.folder / block.file
        target.parent.mkdir(parents=True, exist_ok=True)
        is_study = target.parent == self.folder / "studies"
        target.write_text(shortened(block.text) if is_study else block.text + "\n")

    def run(self, command: Command) -> str:
        """What a command prints, which must end well; settings and folder stay for the next."""
        script = f"{command.text}\nstatus=$?\nenv -0 > '{self._state}'\nexit $status"
        process = self._started(script, subprocess.PIPE)
        try:
            printed, _ = process.communicate(timeout=self.within)
        except subprocess.TimeoutExpired:
            _end(process)
            raise
        assert process.returncode == 0, f"{_place(command)}\n{printed}"
        pairs = (each.partition("=") for each in self._state.read_text().split("\0") if each)
        self.environment = {name: value for name, _, value in pairs}
        return printed

    def run_until(self, command: Command, said: str) -> str:
        """What a command prints until it has said something; then it gets Ctrl-C."""
        printed = self.folder.parent / "printed"
        with printed.open("w") as file:
            process = self._started(f"exec {command.text}", file)
        deadline = time.monotonic() + self.within
        while said not in printed.read_text():
            assert process.poll() is None, f"{_place(command)}\n{printed.read_text()}"
            assert time.monotonic() < deadline, f"{_place(command)}: never says {said!r}"
            time.sleep(0.1)
        _end(process)
        return printed.read_text()

    def _started(self, script: str, output: int | IO[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.environment["PWD"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def shortened(study: str) -> str:
    """A study's file that is the same but for its length."""
    document = yaml.safe_load(study)
    document.setdefault("fixed", {})["max_epochs"] = 2
    for section in ("per_dataset", "per_method"):
        for settings in document.get(section, {}).values():
            settings.pop("max_epochs", None)
    document.setdefault("evaluation", {})["samples"] = 20
    if "trials" in document.get("search", {}):
        document["search"]["trials"] = 1
        document["search"].pop("points", None)
    if "grace_epochs" in document.get("scheduler", {}):
        document["scheduler"]["grace_epochs"] = 1
    return yaml.safe_dump(document, sort_keys=False)


def check_output(command: Command, printed: str) -> None:
    """Every line that the page shows must be printed, in that order; figures are free.

    `...` stands for lines that are left out, and at the end of one for the rest of it.
    """
    lines = iter([_loose(line) for line in printed.splitlines()])
    for shown in command.output:
        start = shown.removesuffix("...")
        whole, wanted = start == shown, _loose(start)
        found = not wanted or any(
            line == wanted if whole else line.startswith(wanted) for line in lines
        )
        assert found, f"{_place(command)} does not print {shown!r}\n{printed}"


def _end(process: subprocess.Popen) -> None:
    """Ctrl-C, and more where that is ignored, as in the background of a shell."""
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
            return


def _loose(line: str) -> str:
    """The line without figures, and without the marks of a table, which depend on them."""
    plain = FIGURE.sub("#", IDENTIFIER.sub("ID", MARKS.sub("", line)))
    return " ".join(plain.replace("-", " ").replace("─", " ").replace("**", "").split())


def _place(command: Command) -> str:
    return f"{command.block.place}: {command.text}"
