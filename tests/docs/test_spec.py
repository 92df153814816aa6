"""The specification agrees with the code: its numbers, its names, and the references to it."""

import re
from itertools import product

import pytest

from analysis.published import load_published
from gmm_study.data.registry import REGISTRY
from gmm_study.estimators import INNER_SAMPLES
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.presets import PRESETS
from gmm_study.training.state import Ending, TrialState
from tests.docs.pages import ROOT
from tests.docs.tables import names, rows

PAGE = "docs/spec.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
SECTIONS = {
    re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    for heading in re.findall(r"^##+ (.+)$", TEXT, re.MULTILINE)
}


def number(text):
    return int(text.replace(",", ""))


def test_every_section_that_the_code_refers_to_is_there():
    files = [
        path
        for room in ("gmm_study", "analysis", "tests", "bench")
        for path in (ROOT / room).rglob("*.py")
    ]
    found = {
        (path, section)
        for path in files
        for section in re.findall(r"docs/spec\.md#([\w-]+)", path.read_text(encoding="utf-8"))
    }
    assert len(found) > 10
    for path, section in found:
        assert section in SECTIONS, f"{path}: {PAGE} has no section '{section}'"


def test_the_named_data_sets_are_those_of_the_registry():
    said = {
        name.strip("`").partition("`")[0]: (number(dims), tuple(map(number, sizes.split(" / "))))
        for name, dims, sizes, _ in (row for row in rows(PAGE, "Data") if len(row) == 4)
    }
    known = {name: (entry.dims, entry.sizes) for name, entry in REGISTRY.items()}
    assert said == {name: facts for name, facts in known.items() if not name.startswith("debd/")}
    assert f"the {len(known) - len(said)} density estimation benchmark sets" in TEXT


def test_the_published_files_are_those_of_the_registry():
    blobs = {row[0].strip("`"): row[1] for row in rows(PAGE, "Data") if len(row) == 2}
    files = {name: file for name, entry in REGISTRY.items() for file in entry.files}
    assert blobs == {name: file.git_blob for name, file in files.items() if file.git_blob}
    commits = {found for file in files.values() for found in re.findall(r"[0-9a-f]{40}", file.url)}
    assert len(commits) == 2
    assert all(commit in TEXT for commit in commits)


def test_the_published_results_are_those_of_the_file_that_reports_read():
    section = TEXT.partition("## Published results")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    said, datasets = set(), []
    for model, metric, *values, source in lines:
        if model == "model":
            datasets = values
            continue
        for dataset, value in zip(datasets, values, strict=True):
            said.add((model.strip("`"), metric.strip("`"), dataset, float(value), source))
    figures = load_published().values()
    unchecked = [figure for figure in figures if not figure.checked]
    assert said == {(f.method, f.metric, f.dataset, f.nll, f.source) for f in unchecked}
    (checked,) = (figure for figure in figures if figure.checked)
    layers = ",".join(map(str, checked.layers))
    said = f"`{checked.method}` with layers {layers} has `{checked.metric}` {checked.nll}"
    assert said in " ".join(section.split())


@pytest.mark.parametrize("row", rows(PAGE, "Training"), ids=lambda row: row[0])
def test_a_default_is_that_of_the_program(row):
    for name in re.findall(r"`(\w+)`", row[0]):
        settings = Hyperparameters()
        value = settings.training_samples if name == "samples" else getattr(settings, name)
        said, *others = row[1].split("; ")
        assert said == (",".join(map(str, value)) if isinstance(value, tuple) else str(value))
        for method, default in (other.split(": ") for other in others):
            assert default == str(Hyperparameters(method=method).canonical()[name])


def test_the_preset_of_the_authors_differs_from_the_defaults_in_the_settings_that_are_named():
    sentence = re.search(r"It differs from the defaults in([^.]*(?:\.\d[^.]*)*)\.\n", TEXT)
    assert sentence
    named = set(re.findall(r"`(\w+)`", sentence[1]))
    methods, optimizers = ("gmm", "rws", "vae"), ("adam", "sgd", "rmsprop")
    differing = set()
    for method, optimizer in product(methods, optimizers):
        basis = {"method": method, "optimizer": optimizer}
        default = Hyperparameters.from_mapping(basis).canonical()
        settings = {**PRESETS["authors"].of_method(method), **basis}
        preset = Hyperparameters.from_mapping(settings).canonical()
        differing |= {name for name, value in preset.items() if value != default[name]}
    assert named == differing


def test_the_numbers_of_samples_for_z_are_those_of_a_trial():
    assert f"$M = {INNER_SAMPLES}$" in TEXT
    assert f"{Hyperparameters.z_samples:,} draws" in TEXT


def test_the_states_of_a_trial_are_those_of_the_program():
    assert names(PAGE, "Words") == [*TrialState, *Ending]


def test_it_names_no_place_of_a_machine():
    assert not re.search(r"/work|/home|\.\./", TEXT.replace("](../", ""))
