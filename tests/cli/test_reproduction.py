"""`gmm-study reproduction`, and studies some of whose data sets cannot be had."""

import pytest

from analysis import plan_from_records
from gmm_study.cli.reproduction import STUDIES
from gmm_study.study import load_study
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore

pytestmark = pytest.mark.figure

STUDY = """
question: Which?
datasets: [{datasets}]
methods: [gmm]
fixed: {{layers: [6], max_epochs: 2}}
{more}
evaluation: {{samples: 10}}
"""


@pytest.fixture
def studies(bench):
    """The six studies, small; gives their planned trials in order."""
    details = "variations: {authors: {}, K=1: {samples: 1}}"
    bench.write_study(STUDY.format(datasets="mushrooms, rcv1", more=""), "uci_table")
    bench.write_study(STUDY.format(datasets="bmnist", more=""), "mnist_table")
    bench.write_study(STUDY.format(datasets="silhouettes", more=""), "silhouettes_table")
    layers = "space: {learning_rate: {grid: [1e-3, 2e-3]}}"
    for name in ("depth_claim", "dna_l1"):
        bench.write_study(STUDY.format(datasets="mushrooms", more=layers), name)
    bench.write_study(STUDY.format(datasets="mushrooms", more=details), "reproduction_details")
    store = RecordStore(str(bench.folder / "elsewhere"))
    files = [load_study(str(bench.folder / "studies" / f"{name}.yaml")) for name in STUDIES]
    return [trial for study in files for trial in plan_from_records(study, store).trials]


def test_the_page_is_written_from_records_alone(bench, studies):
    store = RecordStore(str(bench.folder / "elsewhere"))
    store.record(studies[0].config.trial_id).write_config(studies[0].config)
    process = bench.call("reproduction", "--storage", "elsewhere", "--output", "pages/ours.md")
    page = (bench.folder / "pages" / "ours.md").read_text()
    for part in (*(f"## {name}" for name in STUDIES), "no data"):
        assert part in page
    for command in ("make study NAME=mnist_table", "make study NAME=dna_l1", "make reproduction"):
        assert f"{command}\n" in page
    assert "GMM_STUDY_DATA" in page
    assert "wrote pages/ours.md" in process.stdout
    assert not (bench.folder / "cache").exists()
    assert str(bench.folder) not in page
    assert "elsewhere" not in page
    assert "](" not in page  # there is nothing to draw
    assert {str(p) for p in bench.files() if p.startswith("pages/")} == {"pages/ours.md"}


def test_where_no_planned_trial_has_a_record_there_is_one_line_and_the_page_stays(bench, studies):
    page = bench.folder / "docs" / "reproduction.md"
    page.parent.mkdir()
    page.write_text("as it was")
    other = TrialConfig(studies[0].config.hyperparameters, "web", "f" * 64)
    RecordStore(str(bench.folder / "others")).record(other.trial_id).write_config(other)
    before = bench.files()
    for storage, words in (
        ("nowhere", "there is no folder 'nowhere'"),
        ("others", "'others' has no record"),
    ):
        process = bench.call("reproduction", "--storage", storage, status=2)
        (line,) = process.stderr.strip().splitlines()
        assert words in line
        assert page.read_text() == "as it was"
    assert bench.files() == before


def test_a_page_that_is_no_markdown_is_refused(bench, studies):
    process = bench.call("reproduction", "--output", "ours.html", status=2)
    (line,) = process.stderr.strip().splitlines()
    assert "'ours.html' must end in .md" in line
    assert not (bench.folder / "ours.html").exists()


def test_without_its_studies_there_is_one_line_and_no_page(bench):
    process = bench.call("reproduction", status=2)
    assert len(process.stderr.strip().splitlines()) == 1
    assert "uci_table" in process.stderr
    assert not (bench.folder / "docs").exists()


def test_a_data_set_that_cannot_be_had_costs_a_line_and_is_a_gap_beside_the_rest(bench):
    bench.write_study(STUDY.format(datasets="data.npz, adult, web", more=""), "mixed")
    process = bench.call("report", "mixed")
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 2
    assert all("no data" in line and "GMM_STUDY_DATA" in line for line in lines)
    assert "none of the 1 planned trials" in process.stdout
    assert "no data" in (bench.folder / "reports" / "mixed" / "table.md").read_text()


def test_a_study_none_of_whose_data_sets_can_be_had_is_refused(bench):
    bench.write_study(STUDY.format(datasets="adult, web", more=""), "none")
    process = bench.call("plan", "none", status=2)
    (line,) = process.stderr.strip().splitlines()
    assert "none of the study's data sets" in line
    assert "adult" in line


def test_a_mistyped_data_set_is_refused_even_where_others_cannot_be_had(bench):
    bench.write_study(STUDY.format(datasets="data.npz, adult, mushroms", more=""), "typo")
    process = bench.call("plan", "typo", status=2)
    (line,) = process.stderr.strip().splitlines()
    assert "mushroms" in line
    assert "'mushrooms'" in line
