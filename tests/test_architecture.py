"""Dependencies point one way, and heavy packages stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = [
    "errors",
    "addresses",
    "catalogue",
    "data",
    "models",
    "objectives",
    "exact",
    "estimators",
    "sampling",
    "training",
]
ORDER += ["trials", "study", "search", "tracking", "orchestration", "cli"]
CORE = ["data", "models", "objectives", "exact", "estimators", "sampling", "training"]


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
            assert parts[0] != "analysis" or room == "cli", f"{path} imports {module}"
            if parts[0] == "gmm_study" and len(parts) > 1:
                assert parts[1] not in above, f"{path} imports {module}"


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("ray", "gmm_study/orchestration/"),
        ("mlflow", "gmm_study/tracking/"),
        ("optuna", "gmm_study/search/"),
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


ANALYSIS = ["labels", "statistics", "files", "reading", "plans", "frames", "planned", "selection"]
ANALYSIS += ["published", "differences", "ranking", "cells", "costs", "curves", "searched"]
ANALYSIS += ["verdict", "tables", "findings", "figures", "gallery", "pages", "report"]


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


def test_the_training_core_imports_torch_numpy_safetensors_and_the_standard_library_alone():
    rooms = ", ".join(f"gmm_study.{room}" for room in CORE)
    without_numba = "import sys; sys.modules['numba'] = None"
    code = f"{without_numba}; import {rooms}, gmm_study.training.checkpoint; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    others = {"pyarrow", "pandas", "pydantic", "yaml", "ray", "mlflow", "rich", "sklearn", "pooch"}
    assert "torch" in loaded
    assert not loaded & others


def test_planning_a_study_loads_neither_torch_nor_ray_nor_mlflow():
    code = (
        "import sys, gmm_study.cli, gmm_study.study, gmm_study.search.history; print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert not loaded & {"torch", "ray", "mlflow", "optuna", "pandas", "numba"}
