"""Reports over several datasets: one table, published figures beside, gaps for what is not had."""

import math

import pandas as pd
import pytest

from analysis import write_report
from analysis.figures.datasets import draw_datasets
from analysis.published import load_published, published
from gmm_study.errors import InputError
from tests.analysis.conftest import Lab

DATASETS = ["mushrooms", "nips", "adult"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("uci"))
    plan = lab.plan(
        "uci",
        without=["adult"],
        datasets=DATASETS,
        methods=["gmm", "vae"],
        space={"learning_rate": {"log_uniform": [1e-3, 1e-2]}},
        search={"kind": "random", "trials": 2},
    )
    for number, trial in enumerate(plan.trials):
        figures = {"valid/bound": number - 30.0, "test/bound": -20.0, "test/log_p": number - 20.0}
        lab.write(trial.config, *[figures] * 3)
    return write_report(plan, lab.store, lab.folder / "report")


def test_without_an_axis_there_is_one_table_with_a_column_a_dataset(report):
    log_p, bound = report.found.tables
    assert log_p.columns == bound.columns == tuple(DATASETS)
    assert [name for name, _ in log_p.rows] == ["gmm", "gmm, published", "vae"]
    assert [name for name, _ in bound.rows] == ["gmm", "vae"]
    gmm = dict(log_p.rows)["gmm"]
    # the second of two trials has the better validation bound on either dataset
    assert [entry.mean for entry in gmm[:2]] == [-19.0, -15.0]


def test_the_published_figure_stands_beside_ours_and_says_where_it_is_from(report):
    page = report.paths["table.md"].read_text()
    row = next(line for line in page.splitlines() if line.startswith("| gmm, published"))
    assert all(figure in row for figure in ("-9.40", "-272.66", "-13.78"))
    assert "ICML 2016, table 1; not checked against the publication" in page


def test_a_dataset_that_could_not_be_had_is_a_marked_gap(report):
    page = report.paths["table.md"].read_text()
    log_p = report.found.tables[0]
    entry = dict(log_p.rows)["gmm"][2]
    assert math.isnan(entry.mean)
    assert entry.note == "no data"
    assert "no data" in log_p.letters
    assert "- no data: adult\n" in page
    cells = pd.read_csv(report.paths["table.csv"])
    gaps = cells[cells["dataset"] == "adult"]
    assert set(gaps["mark"]) == {"no data"}
    assert not gaps["complete"].any()


def test_the_figure_has_a_panel_a_dataset_and_says_what_is_missing(report):
    panels = draw_datasets(report.found.cells).axes
    assert [panel.get_title() for panel in panels if panel.get_visible()] == DATASETS
    assert [text.get_text() for text in panels[2].texts] == ["no data"]
    assert not panels[2].containers


def test_along_an_axis_the_published_figure_is_named_in_the_caption(lab):
    plan = lab.plan(
        datasets=["mushrooms", "adult"],
        without=["adult"],
        methods=["gmm", "rws"],
        space={"samples": {"grid": [1, 5]}},
    )
    report = write_report(plan, lab.store, lab.folder / "report")
    first, second, *_ = report.found.tables
    assert "Published: gmm -9.40" in first.caption
    assert "rws -9.90" in first.caption
    assert set(second.letters) == {"no data"}


def test_published_figures_are_those_of_the_publications():
    assert published("dna", "gmm").nll == 86.49
    assert published("dna", "gmm", "test/log_p_star").nll == 86.92
    assert published("ocr_letters", "rws").nll == 29.99
    assert published("nips", "gmm").source == "ICML 2016, table 1"
    assert not published("nips", "gmm").checked
    mnist = published("bmnist", "gmm")
    assert (mnist.nll, mnist.checked, len(mnist.layers)) == (84.8, True, 12)
    assert published("digits", "gmm") is None
    assert published("dna", "gmm", "test/bound") is None


def test_every_method_has_the_eight_uci_sets():
    figures = load_published()
    assert len(figures) == 6 * 8 + 1
    assert {(method, metric) for method, metric, _ in figures} == {
        ("gmm", "log_p"),
        ("gmm", "log_p_star"),
        *((method, "log_p") for method in ("rws", "nade", "eonade", "rbm")),
    }


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("gmm,log_p,dna,86.49,maybe,a paper,", ["line 2", "checked", "'maybe'", "boolean"]),
        ("gmm,log_q,dna,86.49,no,a paper,", ["metric", "'log_q'", "log_p"]),
        ("gmm,log_p,dna,low,no,a paper,", ["nll", "'low'", "number"]),
        ("gmm,log_p,dna,-86.49,no,a paper,", ["nll", "-86.49", "greater than 0"]),
        ("gmm,log_p,dna,86.49,no,,", ["source", "missing"]),
        ("gmm,log_p,dna,86.49", ["checked", "missing"]),
        (
            "gmm,log_p,dna,1,no,a paper,\ngmm,log_p,dna,2,no,a paper,",
            ["line 3", "two figures of gmm log_p dna"],
        ),
    ],
)
def test_an_unusable_published_figure_is_refused_by_its_line(tmp_path, line, named):
    path = tmp_path / "published.csv"
    path.write_text(f"method,metric,dataset,nll,checked,source,layers\n{line}\n")
    with pytest.raises(InputError) as caught:
        load_published(path)
    assert all(part in str(caught.value) for part in ["published.csv", *named])


def test_a_published_file_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("method,nll\n")
    with pytest.raises(InputError, match="columns"):
        load_published(path)
