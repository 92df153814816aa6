import csv

import pytest

from analysis import PUBLISHED, find, paper_table, write_paper
from analysis.tables.formats import markdown

SETS = ["adult", "dna"]


def gmm(log_p, log_p_star):
    figures = {"valid/bound": log_p, "test/log_p": log_p, "test/log_p_star": log_p_star}
    star = {"test/ess_star": 0.5, "test/log_z2": -0.6}
    return figures | star | {"test/bound": log_p, "test/log_p_se": 0.3, "test/ess": 0.25}


def rws(log_p):
    known = ("valid/bound", "test/log_p", "test/bound", "test/log_p_se", "test/ess")
    return {name: figure for name, figure in gmm(log_p, 0.0).items() if name in known}


@pytest.fixture
def uci(lab):
    """gmm and rws on dna, three replicates each; adult is not available."""
    plan = lab.plan("uci_table", datasets=SETS, without=["adult"], methods=["gmm", "rws"])
    ours, other = plan.trials
    lab.write(ours.config, gmm(-86.0, -85.0), gmm(-87.0, -86.0), gmm(-88.0, -87.0))
    lab.write(other.config, rws(-86.5), rws(-86.5), rws(-89.0))
    return plan


@pytest.fixture
def rows(lab, uci):
    table = paper_table(find(uci, lab.store)).table
    assert table.columns == ("adult", "dna")
    return dict(table.rows)


def test_ours_the_published_figure_and_their_difference_stand_below_each_other(rows):
    # 86, 87, 88: mean 87, standard error 1 / sqrt(3); published 86.49
    ours = rows["gmm, -log p"][1]
    assert (ours.mean, ours.standard_error) == pytest.approx((87.0, 0.57735), abs=1e-5)
    assert rows["gmm, -log p, published"][1].text == "86.49"
    assert rows["gmm, -log p, difference"][1].text == "+0.51"
    assert rows["gmm, -log p*"][1].mean == 86.0
    assert rows["gmm, -log p*, difference"][1].text == "-0.92"
    assert rows["NADE, -log p, published"][1].text == "84.81"


def test_effective_sample_sizes_and_2_log_z_have_rows(rows):
    assert rows["gmm, ess"][1].text == "0.250"
    assert rows["gmm, ess for p*"][1].text == "0.500"
    assert rows["gmm, 2 log Z"][1].text == "-0.60 ± 0.00"
    assert "rws, 2 log Z" not in rows


def test_the_best_is_bold_and_what_is_neither_worse_nor_equivalent_is_not(rows):
    # gmm 87; rws 87.33: differences 0.5, -0.5, 1: mean 1/3, t = 0.76 with two degrees of freedom
    assert rows["gmm, -log p"][1].best
    assert not rows["rws, -log p"][1].best
    assert not rows["rws, -log p"][1].equivalent


def test_a_data_set_that_cannot_be_had_is_a_marked_gap_beside_the_published_figure(rows, lab, uci):
    assert rows["gmm, -log p, published"][0].text == "13.78"
    assert rows["gmm, -log p, difference"][0] is None
    text = markdown(paper_table(find(uci, lab.store)).table)
    assert "ᵃ no data" in text
    assert "not checked against the publication" in text


def test_one_frame_is_written_in_every_format(lab, uci):
    paths = write_paper([paper_table(find(uci, lab.store))], lab.folder / "paper")
    assert sorted(paths) == ["index.html", "table1.csv", "table1.md", "table1.tex"]
    with paths["table1.csv"].open(newline="") as file:
        (star,) = [
            row
            for row in csv.DictReader(file)
            if (row["dataset"], row["metric"]) == ("dna", "test/log_p_star")
        ]
    assert (float(star["nll"]), float(star["published"])) == (86.0, 86.92)
    for name in ("table1.md", "table1.tex", "index.html"):
        assert "86.92" in paths[name].read_text()


def test_along_an_axis_a_published_figure_stands_beside_its_own_layers_alone(lab):
    published = [300, 200, 100, 75, 50, 35, 30, 25, 20, 15, 10, 10]
    layers = {"layers": {"grid": [[300, 200], published]}}
    plan = lab.plan("mnist_table", datasets=["bmnist"], space=layers, replicates=1)
    shallow, deep = (trial.config for trial in plan.trials)
    lab.write(shallow, gmm(-85.0, -84.0))
    pending = paper_table(find(plan, lab.store)).frame
    assert [str(value) for value in pending["published"].iloc[::2]] == ["nan", "84.8"]
    lab.write(deep, gmm(-85.0, -84.0))
    table = paper_table(find(plan, lab.store)).table
    rows = dict(table.rows)
    assert rows["gmm, -log p, published"][0] is None
    assert rows["gmm, -log p, published"][1].text == "84.80"
    assert rows["gmm, -log p, difference"][1].text == "+0.20"


def test_every_published_table_has_a_study_of_its_own():
    from gmm_study.study import load_study

    for name in PUBLISHED:
        assert load_study(f"studies/{name}.yaml").name == name
