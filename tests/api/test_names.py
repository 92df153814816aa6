"""Two study files of one name do not take each other's report and experiment unasked."""

import shutil

import pytest

import gmm_study
from gmm_study.api.reports import write_all_reports
from gmm_study.errors import InputError
from tests.workbench import STUDY

OTHER = "other/tiny.yaml"


@pytest.fixture
def folder(bench):
    """A folder with two studies of the same name, of which that in `studies` has a report."""
    bench.folder.joinpath("other").mkdir()
    bench.folder.joinpath(OTHER).write_text(STUDY.format(epochs=2))
    gmm_study.report("tiny")
    return bench.folder


def act_on(what, study):
    return {"run": gmm_study.run, "report": gmm_study.report, "sync": gmm_study.sync}[what](study)


@pytest.mark.parametrize("what", ["run", "report", "sync"])
def test_another_file_of_the_name_is_refused_in_a_line_that_names_both_and_the_way_out(
    folder, what
):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as refused:
        act_on(what, OTHER)
    assert "'other/tiny.yaml'" in str(refused.value)
    assert "'studies/tiny.yaml'" in str(refused.value)
    assert "rename one of the files, or remove reports/tiny" in str(refused.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_plan_of_the_other_file_is_shown(folder):
    assert len(gmm_study.plan(OTHER).plan.trials) == 4


def test_a_report_from_before_files_were_named_is_that_of_the_file_in_studies(folder):
    (folder / "reports/tiny/study.json").unlink()
    with pytest.raises(InputError, match="would replace"):
        gmm_study.report(OTHER)
    gmm_study.report("tiny")


def test_the_name_is_free_once_the_report_is_removed_or_its_file_is_gone(folder):
    shutil.rmtree(folder / "reports")
    gmm_study.report(OTHER)
    with pytest.raises(InputError, match="would replace"):
        gmm_study.report("tiny")
    assert "would replace" in write_all_reports().without["tiny"]
    (folder / OTHER).rename(folder / "other" / "renamed.yaml")
    gmm_study.report("tiny")


def test_a_file_may_be_named_in_any_way_and_have_variants(folder):
    (folder / "link").symlink_to(folder / "studies")
    for name in ("studies/tiny.yaml", str(folder / "studies/tiny.yaml"), "link/tiny.yaml"):
        gmm_study.report(name)
    gmm_study.report(gmm_study.load_study("tiny", ["max_epochs=3"]))


@pytest.fixture
def two(bench):
    """Two studies of the same name, neither of which was run."""
    for place in ("a", "b"):
        bench.folder.joinpath(place).mkdir()
        bench.folder.joinpath(place, "tiny.yaml").write_text(STUDY.format(epochs=2))
    return bench.folder


@pytest.mark.process
def test_a_sync_claims_the_name(two):
    gmm_study.sync("a/tiny.yaml")
    with pytest.raises(InputError, match=r"'b/tiny.yaml' would replace .* 'a/tiny.yaml'"):
        gmm_study.sync("b/tiny.yaml")


@pytest.mark.process
def test_of_two_runs_that_begin_together_one_is_refused_before_it_trains(two, monkeypatch):
    begun = []

    def other(*arguments):
        begun.append(arguments)
        assert len(begun) == 1
        with pytest.raises(InputError, match=r"'b/tiny.yaml' would replace"):
            gmm_study.run("b/tiny.yaml", "elsewhere")
        raise KeyboardInterrupt

    monkeypatch.setattr("gmm_study.orchestration.driver.run_trials", other)
    with pytest.raises(KeyboardInterrupt):
        gmm_study.run("a/tiny.yaml")
    assert not (two / "elsewhere").exists()


@pytest.mark.process
@pytest.mark.parametrize("own", [False, True], ids=["without reports", "with a folder reports"])
def test_a_run_that_is_refused_claims_nothing(two, monkeypatch, own):
    if own:
        (two / "reports").mkdir()

    def refuse(*arguments):
        raise InputError("resources.cpus: there are fewer")

    monkeypatch.setattr("gmm_study.orchestration.driver.run_trials", refuse)
    with pytest.raises(InputError, match="fewer"):
        gmm_study.run("a/tiny.yaml")
    assert (two / "reports").exists() == own
    assert not list(two.glob("reports/*"))
