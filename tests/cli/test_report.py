"""`gmm-study report` and `tables`, on records that tests write by hand."""

import json

import pytest

from analysis import plan_from_records
from analysis.report import SHIPPED
from analysis.ship import ship
from gmm_study.storage.folder import Folder
from gmm_study.study import load_study, make_plan
from gmm_study.trials.record_store import RecordStore
from tests.trials.results import result_of

pytestmark = pytest.mark.figure

STUDY = """
question: Does it report?
datasets: [digits]
methods: [gmm]
replicates: 2
fixed: {layers: [4]}
space: {learning_rate: {grid: [1e-3, 1e-2]}}
"""


@pytest.fixture
def recorded(bench):
    """A study of two trials with complete records, and one without any."""
    from gmm_study.data.registry import REGISTRY

    bench.write_study(STUDY, "known")
    bench.write_study(STUDY.replace("[4]", "[5]"), "unknown")
    path = str(bench.folder / "studies" / "known.yaml")
    plan = make_plan(load_study(path), {"digits": REGISTRY["digits"].sha256})
    store = RecordStore(str(bench.folder / "results"))
    for trial in plan.trials:
        record = store.record(trial.config.trial_id)
        record.write_config(trial.config)
        figures = {"valid/bound": -20.0, "test/bound": -20.0, "test/log_p": -19.5}
        record.write_result(result_of(trial.config.trial_id, figures, figures))
    return bench


def test_report_prints_where_its_page_is_and_lists_it(recorded):
    said = recorded.call("report", "known").stdout
    assert "report: reports/known/index.html" in said
    assert (recorded.folder / "reports" / "known" / "index.html").exists()
    assert "known/index.html" in (recorded.folder / "reports" / "index.html").read_text()


def test_report_shows_the_records_of_the_project_where_there_are_none_of_ones_own(
    recorded, tmp_path, monkeypatch
):
    monkeypatch.setattr("analysis.shipped.RECORDS", tmp_path)
    store = RecordStore(str(recorded.folder / "results"))
    study = load_study(str(recorded.folder / "studies" / "known.yaml"))
    ship(plan_from_records(study, store), store, tmp_path / "known.parquet")
    (recorded.folder / "empty").mkdir()
    told = json.loads(recorded.call("report", "known", "--storage", "empty", "--json").stdout)
    assert told["trials"] == {"complete": 2}
    assert told["conditions"][0] == SHIPPED
    assert list((recorded.folder / "empty").iterdir()) == []


def test_a_trial_that_lacks_seeds_does_not_hide_the_records_of_the_project(
    recorded, tmp_path, monkeypatch
):
    monkeypatch.setattr("analysis.shipped.RECORDS", tmp_path)
    store = RecordStore(str(recorded.folder / "results"))
    plan = plan_from_records(load_study(str(recorded.folder / "studies" / "known.yaml")), store)
    ship(plan, store, tmp_path / "known.parquet")
    own, config = RecordStore(str(recorded.folder / "own")), plan.trials[0].config
    own.record(config.trial_id).write_config(config)
    figures = {"valid/bound": -10.0, "test/bound": -10.0, "test/log_p": -9.5}
    own.record(config.trial_id).write_result(result_of(config.trial_id, figures))
    told = json.loads(recorded.call("report", "known", "--storage", "own", "--json").stdout)
    assert told["conditions"][0] == SHIPPED


def test_report_refuses_a_search_that_has_proposed_nothing_anywhere(recorded):
    recorded.write_study(
        STUDY.replace("{grid: [1e-3, 1e-2]}", "{log_uniform: [1e-3, 1e-2]}")
        + "search: {kind: tpe, trials: 2}\n",
        "searched",
    )
    refused = recorded.call("report", "searched", status=2).stderr
    assert refused == "gmm-study: searched: its search has no trials yet; run the study first\n"


def test_report_tells_other_programs_what_it_says(recorded):
    told = json.loads(recorded.call("report", "known", "--json").stdout)
    assert (told["study"], told["trials"]) == ("known", {"complete": 2})
    assert told["page"] == "reports/known/index.html"
    assert told["failures"] == []
    assert SHIPPED not in told["conditions"]


def test_tables_reports_what_has_records_and_says_what_has_none(recorded):
    told = json.loads(recorded.call("tables", "--json").stdout)
    assert [report["study"] for report in told["reports"]] == ["known"]
    assert "no records" in told["without"]["unknown"]
    assert told["paper"] == []  # the studies of the published tables are not here


@pytest.mark.parametrize("storage", ["results", "s3://studies/results"])
def test_tables_reports_several_studies_from_a_folder_and_from_a_bucket(recorded, s3, storage):
    """Each in a process of its own, to which no open storage can be sent."""
    recorded.write_study(STUDY.replace("1e-2", "2e-2"), "other")
    content, bucket = recorded.folder / "results", Folder.at("s3://studies/results")
    for path in (each for each in content.rglob("*") if each.is_file()):
        bucket.write_file(path.relative_to(content).as_posix(), path.read_bytes())
    told = json.loads(recorded.call("tables", "--json", "--storage", storage).stdout)
    assert [report["study"] for report in told["reports"]] == ["known", "other"]
    assert told["reports"][1]["trials"] == {"complete": 1, "pending": 1}
    index = (recorded.folder / "reports" / "index.html").read_text()
    assert "known/index.html" in index
    assert "other/index.html" in index


def test_a_study_that_cannot_be_used_costs_no_other_its_report(recorded):
    recorded.write_study(STUDY.replace("gmm", "gmn"), "uci_table")
    ended = recorded.call("tables", status=1)
    assert "uci_table: no report:" in ended.stdout
    assert (recorded.folder / "reports" / "known" / "index.html").exists()
    assert (recorded.folder / "reports" / "index.html").exists()


def test_a_folder_of_reports_that_cannot_be_written_costs_one_line(recorded):
    (recorded.folder / "reports").write_text("a file")
    for command in (("report", "known"), ("tables",)):
        said = recorded.call(*command, status=2).stderr
        assert "cannot be written" in said
        assert len(said.splitlines()) == 1


def test_a_study_may_not_have_the_name_of_the_published_tables(recorded):
    recorded.write_study(STUDY, "paper")
    assert "give the study another name" in recorded.call("report", "paper", status=2).stderr
