"""The built wheel is all that a user needs: in a folder that holds one study, everything works."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from email import message_from_bytes
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from gmm_study.trials.provenance import COMMIT_VARIABLE

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SOURCES = ("gmm_study", "analysis", "bench", "tests", "studies", "pyproject.toml", "README.md")
FORGOTTEN = {"PYTHONPATH", "GMM_STUDY_DATA", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", COMMIT_VARIABLE}
STUDY = """
question: Does it work without the checkout?
datasets: [digits]
methods: [gmm]
fixed: {layers: [6], max_epochs: 2}
evaluation: {samples: 10}
"""


def ended(command, folder, environment, status=0):
    """What a command printed, which must end with the status."""
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of what is in the checkout, built without a network."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    source.mkdir()
    for name in (*SOURCES, "LICENSE"):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation"]
    ended([*pip, "--wheel-dir", folder, source], folder, os.environ)
    (built,) = folder.glob("*.whl")
    return built


class Installation:
    """An environment of the wheel and its dependencies, and a folder with a user's study alone."""

    def __init__(self, wheel, folder):
        self.prefix, self.folder = folder / "environment", folder / "work"
        self.folder.mkdir()
        venv.create(self.prefix, with_pip=False, symlinks=True)
        self.bin = self.prefix / "bin"
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install"]
        self.environment = {
            name: value for name, value in os.environ.items() if name not in FORGOTTEN
        }
        self.environment |= {
            "COLUMNS": "200",
            "GMM_STUDY_EAGER": "1",  # else the loops would be compiled anew
            "GMM_STUDY_CACHE": str(folder / "cache"),
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }
        ended([*pip, "--no-index", "--no-deps", wheel], self.folder, self.environment)
        (library,) = self.prefix.glob("lib/python*/site-packages")
        # Paths named here bring packages in, and not what is installed there as editable.
        paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (library / "dependencies.pth").write_text("\n".join(paths))

    def run(self, *arguments, status=0):
        """`gmm-study ARGUMENTS` in the user's folder."""
        command = [self.bin / "gmm-study", *arguments]
        return ended(command, self.folder, self.environment, status)

    def files(self):
        """The names of what is in the user's folder."""
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return Installation(wheel, tmp_path_factory.mktemp("user"))


def test_the_wheel_has_the_packages_and_their_data_and_nothing_else(wheel):
    with ZipFile(wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    tops = {name.parts[0] for name in names if not name.parts[0].endswith(".dist-info")}
    assert tops == {"gmm_study", "analysis"}
    data = {path.relative_to(ROOT) for top in tops for path in (ROOT / top).rglob("*.*")}
    data = {path for path in data if path.suffix not in (".py", ".pyc", ".nbc", ".nbi")}
    assert PurePosixPath("gmm_study/study/template.yaml") in names
    assert PurePosixPath("analysis/published.csv") in names
    assert {PurePosixPath(path) for path in data} <= names


def imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def plain(name):
    """A distribution's name as all its spellings have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_that_the_wheel_imports_is_one_that_it_or_an_extra_requires(wheel):
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        modules = {
            module
            for name in names
            if name.endswith(".py")
            for module in imported(archive.read(name))
        }
        (metadata,) = (archive.read(name) for name in names if name.endswith("/METADATA"))
    required = message_from_bytes(metadata).get_all("Requires-Dist")
    ours = [line for line in required if not re.search(r"extra == .(dev|docs)", line)]
    required = {plain(re.match(r"[\w.-]+", line)[0]) for line in ours}
    required |= {"pydantic-core", "botocore"}  # which pydantic and boto3 pin
    modules -= set(sys.stdlib_module_names) | {"gmm_study", "analysis"}
    distributions = packages_distributions()
    assert modules
    for module in modules:
        assert required & {plain(name) for name in distributions[module]}, module


def test_what_is_installed_is_the_wheel_and_it_looks_at_no_checkout(installed):
    code = "import gmm_study, analysis; print(gmm_study.__file__, analysis.__file__)"
    said = ended([installed.bin / "python", "-c", code], installed.folder, installed.environment)
    assert all(path.startswith(str(installed.prefix)) for path in said.stdout.split())
    assert "gmm-study" in installed.run("--version").stdout
    assert "gmm-study new NAME" in installed.run("--help").stdout
    assert json.loads(installed.run("data", "list", "--json").stdout)["datasets"]
    assert json.loads(installed.run("schema").stdout)["properties"]["question"]
    assert "there is no folder studies" in installed.run("plan", "x", status=2).stderr
    assert "uci_table" in installed.run("reproduction", status=2).stderr
    assert installed.files() == set()


def test_a_study_is_planned_run_and_reported_where_nothing_else_is(installed):
    (installed.folder / "my.yaml").write_text(STUDY)
    planned = json.loads(installed.run("plan", "my.yaml", "--json").stdout)
    assert planned["states"] == {"pending": 1}
    assert installed.files() == {"my.yaml"}
    done = json.loads(installed.run("run", "my.yaml", "--json").stdout)
    assert (done["states"], done["trained"]) == ({"complete": 1}, {"complete": 1})
    assert done["mlflow"] is None
    assert installed.files() == {"my.yaml", "results", "reports", "mlflow.db", "mlartifacts"}
    assert "1 complete" in installed.run("status", "my.yaml").stdout
    assert "gmm" in installed.run("report", "my.yaml").stdout
    assert (installed.folder / "reports" / "my" / "table.csv").is_file()
    (trial,) = planned["trials"]
    result = json.loads(
        (installed.folder / "results" / trial["trial_id"] / "result.json").read_text()
    )
    assert result["git_commit"] is None  # the code that a worker ran is of no checkout


def test_a_new_study_can_be_planned_where_nothing_else_is(installed):
    installed.run("new", "mine", "--method", "gmm")
    planned = installed.run("plan", "mine", "--small").stdout
    assert "mine: 2 trials of 2 replicates: 2 pending" in planned
