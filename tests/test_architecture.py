"""Dependencies point one way, and heavy packages stay where they belong."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = [
    "errors",
    "addresses",
    "paths",
    "cache_folder",
    "catalogue",
    "machine",
    "phrases",
    "data",
    "models",
    "objectives",
    "exact",
    "sampling",
    "estimators",
    "training",
]
ORDER += [
    "storage",
    "trials",
    "diagnosis",
    "study",
    "estimates",
    "search",
    "tracking",
    "orchestration",
    "api",
    "cli",
]
CORE = ["data", "models", "objectives", "exact", "sampling", "estimators", "training"]


def imported_by(path):
    """The full names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def files_of(*parts):
    place = ROOT.joinpath(*parts)
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


@pytest.mark.parametrize("room", ORDER)
def test_a_room_imports_only_rooms_below_it(room):
    above = ORDER[ORDER.index(room) + 1 :]
    for path in files_of("gmm_study", room):
        for module in imported_by(path):
            parts = module.split(".")
            assert parts[0] != "analysis" or room in ("api", "cli"), f"{path} imports {module}"
            if parts[0] == "gmm_study" and len(parts) > 1:
                assert parts[1] not in above, f"{path} imports {module}"


LEAVES = ("errors", "addresses", "paths", "cache_folder", "catalogue", "machine", "phrases")


def imports_in_the_design():
    """The package of each row of the design page's first table, with its last column."""
    table = (ROOT / "docs" / "design.md").read_text().partition("## Where is")[0]
    for line in filter(lambda line: line.startswith("|"), table.splitlines()):
        name, *_, imports = (cell.strip() for cell in line.strip("|").split("|"))
        package = name.strip("`").removeprefix("gmm_study/")
        if package == "analysis" or package in ORDER:
            yield package, set(filter(None, imports.split(", ")))


@pytest.mark.parametrize(
    ("package", "documented"), imports_in_the_design(), ids=lambda v: v if v in ORDER else ""
)
def test_the_design_page_lists_the_imports_of_every_package(package, documented):
    place = ("analysis",) if package == "analysis" else ("gmm_study", package)
    found = set()
    for path in files_of(*place):
        for module in imported_by(path):
            parts = module.split(".")
            found |= {"analysis"} if parts[0] == "analysis" else set()
            found |= set(parts[1:2]) if parts[0] == "gmm_study" else set()
    assert found - {package, *LEAVES} == documented


def modules():
    """Every module of the two packages by its full name, with its file."""
    found = {}
    for path in [*files_of("gmm_study"), *files_of("analysis")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def without_typing_blocks(tree):
    """The tree less what stands under `if TYPE_CHECKING:`, which no program imports."""
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                kept = [part for part in block if "TYPE_CHECKING" not in _condition(part)]
                setattr(node, name, kept)
    return tree


def _condition(node):
    return ast.unparse(node.test) if isinstance(node, ast.If) else ""


def modules_imported_by(path, known):
    """The modules among `known` that a file imports, in functions too."""
    for node in ast.walk(without_typing_blocks(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in members if name in known)
            if node.module in known and not all(name in known for name in members):
                yield node.module


MOST_LINES = 60
"""The largest number of lines of a function, as CONTRIBUTING says."""


def test_no_function_is_longer_than_the_rules_allow():
    for path in [path for package in ("gmm_study", "analysis") for path in files_of(package)]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= MOST_LINES, f"{path}: {node.name} has {lines} lines"


def test_no_modules_import_one_another_in_a_circle():
    known = modules()
    graph = {name: {*modules_imported_by(path, known)} - {name} for name, path in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"an import circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("ray", "gmm_study/orchestration/"),
        ("mlflow", "gmm_study/tracking/"),
        ("optuna", "gmm_study/search/"),
        ("boto3", "gmm_study/storage/"),
    ],
)
def test_a_heavy_package_is_imported_in_one_place_alone(package, allowed):
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in [*files_of("gmm_study"), *files_of("analysis")]
        if any(module.split(".")[0] == package for module in imported_by(path))
    }
    assert importers
    assert all(path.startswith(allowed) for path in importers)


MAY_BE_PRIVATE = {
    "ray": "gmm_study/orchestration/ray_internals.py",
    "mlflow": "gmm_study/tracking/mlflow_internals.py",
    "optuna": None,
    "click": None,
}


UNDOCUMENTED = ("ray.scripts", "mlflow.utils")
"""Modules that are not named as private ones, and that no documentation mentions."""


@pytest.mark.parametrize("path", [*files_of("gmm_study"), *files_of("analysis")], ids=str)
def test_private_modules_of_other_packages_are_imported_in_marked_places_alone(path):
    for module in imported_by(path):
        package, *parts = module.split(".")
        private = any(part.startswith("_") for part in parts) or module.startswith(UNDOCUMENTED)
        if package in MAY_BE_PRIVATE and private:
            assert path.relative_to(ROOT).as_posix() == MAY_BE_PRIVATE[package], module


ANALYSIS = ["labels", "places", "two_way", "simultaneous", "statistics", "pooling"]
ANALYSIS += ["files", "reading"]
ANALYSIS += [
    "plans",
    "frames",
    "planned",
    "collapse",
    "selection",
    "published",
    "differences",
    "decisions",
]
ANALYSIS += ["ranking", "cells", "comparison", "costs", "cost_sentences", "curves"]
ANALYSIS += ["searched", "verdict", "bias", "choice_noise", "lone_trials", "ends", "conditions"]
ANALYSIS += ["causes"]
ANALYSIS += [
    "spent",
    "budget",
    "over_datasets",
    "gradients",
    "signal_sentences",
    "tables",
    "findings",
    "diagnosed",
    "figures",
    "pictures",
    "gallery",
    "pages",
    "report",
    "shipped",
    "ship",
    "restore",
]


def test_a_module_of_analysis_imports_only_those_before_it():
    for path in files_of("analysis"):
        own = path.relative_to(ROOT / "analysis").with_suffix("").parts[0]
        if own == "__init__":
            continue
        before = ANALYSIS[: ANALYSIS.index(own) + 1]
        for module in imported_by(path):
            parts = module.split(".")
            if parts[0] == "analysis":
                assert parts[1] in before, f"{path} imports {module}"


@pytest.mark.process
def test_the_training_core_imports_torch_numpy_safetensors_and_the_standard_library_alone():
    rooms = ", ".join(f"gmm_study.{room}" for room in CORE)
    without_numba = "import sys; sys.modules['numba'] = None"
    code = f"{without_numba}; import {rooms}, gmm_study.training.checkpoint; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    others = {"pyarrow", "pandas", "pydantic", "yaml", "ray", "mlflow", "rich", "sklearn", "pooch"}
    assert "torch" in loaded
    assert not loaded & others


@pytest.mark.process
def test_planning_a_study_loads_neither_torch_nor_ray_nor_mlflow():
    code = (
        "import sys, gmm_study.cli, gmm_study.study, gmm_study.search.history; print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert not loaded & {"torch", "ray", "mlflow", "optuna", "pandas", "numba"}


@pytest.mark.process
def test_a_report_has_the_interval_of_the_bias_without_torch():
    code = "import sys; from analysis.bias import bias_interval; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "gmm_study.trials.bias" in loaded
    assert "torch" not in loaded
