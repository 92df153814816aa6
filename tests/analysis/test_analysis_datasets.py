"""Studies of several data sets: one table, published figures beside ours, gaps without data."""

import math

import pytest

from analysis import find
from analysis.figures.datasets import draw_datasets
from analysis.pages.protocol import protocol
from analysis.published import load_published, published
from analysis.tables.formats import markdown
from gmm_study.errors import InputError
from tests.analysis.conftest import Lab

DATASETS = ["mushrooms", "nips", "adult"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
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
    return find(plan, lab.store)


def test_without_an_axis_there_is_one_table_with_a_column_per_dataset(found):
    log_p, bound, _ = found.tables
    assert log_p.columns == bound.columns == tuple(DATASETS)
    assert [name for name, _ in log_p.rows] == ["gmm", "gmm, published", "vae"]
    assert [name for name, _ in bound.rows] == ["gmm", "vae"]
    gmm = dict(log_p.rows)["gmm"]
    # the second of two trials has the better validation bound on either dataset
    assert [entry.mean for entry in gmm[:2]] == [-19.0, -15.0]


def test_the_published_figure_stands_beside_ours_and_says_where_it_is_from(found):
    text = markdown(found.tables[0])
    row = next(line for line in text.splitlines() if line.startswith("| gmm, published"))
    assert all(figure in row for figure in ("-9.40", "-272.66", "-13.78"))
    assert "ICML 2016, table 1; not checked against the publication" in text


def test_an_unavailable_dataset_is_a_marked_gap(found):
    log_p = found.tables[0]
    entry = dict(log_p.rows)["gmm"][2]
    assert math.isnan(entry.mean)
    assert entry.note == "no data"
    assert "no data" in log_p.letters
    assert protocol(found)["no data"] == "adult"
    gaps = found.cells[found.cells["dataset"] == "adult"]
    assert set(gaps["mark"]) == {"no data"}
    assert not gaps["complete"].any()


@pytest.mark.figure
def test_the_figure_has_a_panel_per_dataset_and_says_what_is_missing(found):
    panels = draw_datasets(found.cells).axes
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
    first, second, *_ = find(plan, lab.store).tables
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
    figures = [key for key in load_published() if key[2] not in ("bmnist", "silhouettes")]
    assert len(figures) == 6 * 8
    assert {(method, metric) for method, metric, _ in figures} == {
        ("gmm", "log_p"),
        ("gmm", "log_p_star"),
        *((method, "log_p") for method in ("rws", "nade", "eonade", "rbm")),
    }


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("gmm,log_p,dna,86.49,maybe,a paper,", ["line 2", "checked", "'maybe'", "true or false"]),
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
