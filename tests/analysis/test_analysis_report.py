import io
import subprocess
import sys
from xml.etree import ElementTree

import pandas as pd
import pytest
from rich.console import Console

from analysis import find, write_report
from analysis.figures.along_axis import draw
from analysis.figures.style import render
from analysis.gallery import pictures_of
from analysis.pages.protocol import failures, protocol
from analysis.tables.formats import markdown
from gmm_study.search.history import History
from gmm_study.study import make_plan

pytestmark = pytest.mark.figure

DEPTHS = {"layers.depth": {"grid": [1, 2, 3]}}
SIZES = {"layers": {"first": 8, "last": 4}}
FILES = ["index.html", "report.json", "table.csv", "table.md", "table.tex"]
FIGURES = [
    f"{name}.{kind}" for name in ("ess", "quality", "result") for kind in ("pdf", "png", "svg")
]


@pytest.fixture
def study(lab, figures):
    """Three methods at three depths; rws diverged once at depth 2."""
    plan = lab.plan(methods=["gmm", "rws", "vae"], space=DEPTHS, fixed=SIZES)
    for trial in plan.trials:
        depth, method = trial.axes["layers.depth"], trial.config.hyperparameters.method
        replicates = [figures(-21.0, -20.0 + depth + step) for step in (0.0, 0.2, 0.4)]
        if (method, depth) == ("rws", 2):
            replicates[1] = None
        lab.write(trial.config, *replicates)
    return plan


@pytest.fixture
def picture(lab):
    def _picture(plan):
        return draw(plan, find(plan, lab.store).cells)

    return _picture


def words(svg):
    root = ElementTree.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_report_is_its_files_and_figures_and_no_partial_ones(lab, study):
    folder = lab.folder / "reports" / "ladder"
    report = write_report(find(study, lab.store), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["figures", *FILES]
    assert sorted(path.name for path in (folder / "figures").iterdir()) == FIGURES
    assert sorted(report.paths) == [*(f"figures/{name}" for name in FIGURES), *FILES]
    assert report.paths["figures/result.png"].read_bytes().startswith(b"\x89PNG")
    assert report.paths["figures/result.pdf"].read_bytes().startswith(b"%PDF")
    assert len(report.found.cells) == 3 * 3 * 2


def test_the_page_says_what_was_asked_what_was_run_and_how_to_run_it_again(study, report_of):
    report = report_of(study, command="gmm-study run ladder --small")
    page = report.paths["table.md"].read_text()
    assert page.startswith("# ladder\n\nDoes depth help?\n")
    assert "9 trials: 9 complete; 27 replicates: 26 complete, 1 diverged." in page
    assert "- commit: 0123456789\n" in page
    assert "](figures/result.png)" in page
    assert "\ngmm-study run ladder --small\n" in page
    assert "From depth 1 to 3, in nats of test log p: gmm gains 2.00 ± 0.00 (95% interval" in page
    assert study.trials[0].config.trial_id in page


def test_a_study_without_any_record_gives_a_report_that_says_so(lab, report_of):
    report = report_of(lab.plan(space=DEPTHS, fixed=SIZES))
    assert "none of the 3 planned trials has ended" in report.paths["table.md"].read_text()
    assert set(pd.read_csv(report.paths["table.csv"])["mark"]) == {"pending"}
    assert "no complete cell" in words(report.paths["figures/result.svg"].read_bytes())


def test_an_unreadable_record_is_named_and_the_others_are_shown(lab, study, report_of):
    lost = study.trials[0].config.trial_id
    (lab.folder / "results" / lost / "result.json").write_text('{"schema": 1, "repl')
    report = report_of(study)
    assert int(report.found.cells["complete"].sum()) == 2 * (9 - 1 - 1)
    assert lost in report.paths["table.md"].read_text()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report)
    assert f"warning: {lost}: result.json" in console.export_text()


def test_a_divergence_is_counted_once_even_if_its_trial_is_in_several_cells(lab, figures):
    plan = lab.plan(variations={"plain": {}, "same": {"samples": 10}, "few": {"samples": 1}})
    for trial in plan.trials:
        lab.write(trial.config, figures(-21.0, -20.0), None, None)
    listed = failures(find(plan, lab.store))
    assert [failure.reason for failure in listed] == ["2 of 3 replicates"] * 2


def test_the_svg_holds_its_words_as_text(study, picture):
    found = " ".join(words(render(picture(study), "svg")))
    for word in ("gmm", "rws", "vae", "depth", "ELBO", "test bound on digits (nats)"):
        assert word in found


def test_the_same_numbers_give_the_same_bytes(study, picture):
    assert render(picture(study), "svg") == render(picture(study), "svg")


def test_an_incomplete_cell_is_a_gap_in_its_line_and_not_in_the_others(study, picture):
    _, log_p = picture(study).axes
    lines = [container.lines[0].get_ydata() for container in log_p.containers]
    assert [int(pd.isna(values).sum()) for values in lines] == [0, 1, 0]
    assert lines[0][0] == pytest.approx(-18.8)


def test_depth_has_whole_ticks_on_a_linear_axis(study, picture):
    for panel in picture(study).axes:
        assert panel.get_xscale() == "linear"
        assert [label.get_text() for label in panel.get_xticklabels()] == ["1", "2", "3"]
        assert panel.get_xlabel() == "depth"


@pytest.mark.parametrize(
    ("setting", "values", "scale"),
    [
        ("learning_rate", [0.001, 0.02], "linear"),
        ("learning_rate", [0.001, 0.003, 0.021], "log"),
        ("l1", [0.0, 0.001, 0.02], "linear"),
        ("l1", [0.0, 0.001, 0.003, 0.021], "symlog"),
    ],
)
def test_an_axis_over_more_than_a_factor_of_twenty_is_logarithmic(
    lab, picture, setting, values, scale
):
    plan = lab.plan(space={setting: {"grid": values}})
    for panel in picture(plan).axes:
        assert panel.get_xscale() == scale
        assert [float(label.get_text()) for label in panel.get_xticklabels()] == values


def test_on_an_axis_from_0_the_other_values_are_as_far_apart_as_on_a_logarithmic_one(lab, picture):
    plan = lab.plan(space={"l1": {"grid": [0.0, 0.001, 0.01, 0.1]}})
    for panel in picture(plan).axes:
        places = panel.xaxis.get_transform().transform([0.0, 0.001, 0.01, 0.1])
        assert places[2] - places[1] == pytest.approx(places[3] - places[2])
        assert places[0] < places[1]


def test_there_is_a_row_of_panels_per_dataset(lab, picture):
    plan = lab.plan(datasets=["digits", "bars"], space=DEPTHS, fixed=SIZES)
    assert [panel.get_ylabel() for panel in picture(plan).axes] == [
        f"test {what} on {dataset} (nats)"
        for dataset in ("digits", "bars")
        for what in ("bound", "log p")
    ]


def test_a_method_keeps_its_colour_and_marker_in_every_study(lab, figures, study, picture):
    alone = lab.plan("alone", methods=["vae"], space=DEPTHS, fixed=SIZES)
    among, single = (picture(plan).axes[0].containers[-1].lines[0] for plan in (study, alone))
    assert among.get_color() == single.get_color()
    assert among.get_marker() == single.get_marker()


def test_without_an_axis_there_is_a_point_per_method(lab, figures, picture):
    plan = lab.plan(methods=["gmm", "rws"])
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    panel, _ = picture(plan).axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["gmm", "rws"]
    assert [list(container.lines[0].get_ydata()) for container in panel.containers] == [
        [-20.0],
        [-20.0],
    ]


def test_a_method_that_does_not_read_the_axis_is_a_level(lab, figures):
    plan = lab.plan(methods=["gmm", "vae"], space={"q_baseline": {"grid": ["uniform", "none"]}})
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    found = find(plan, lab.store)
    assert "not read" in markdown(found.tables[0])
    assert "a method that does not read q baseline" in pictures_of(found)[0].caption


@pytest.mark.process
def test_importing_the_package_loads_no_plotting_cluster_or_tracking_library():
    code = "import sys, analysis; print({'matplotlib', 'ray', 'mlflow'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "set()", answer.stderr


def test_an_axis_drawn_from_a_range_has_points_and_no_line_and_no_verdict(lab, figures):
    plan = lab.plan(
        space={"learning_rate": {"log_uniform": [1e-4, 1e-1]}},
        search={"kind": "random", "trials": 4},
        report={"x": "learning_rate"},
    )
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    found = find(plan, lab.store)
    assert found.sentences == ()
    panel, _ = draw(plan, found.cells).axes
    assert panel.containers[0].lines[0].get_linestyle() == "None"
    assert len(panel.containers[0].lines[0].get_ydata()) == 4


def test_a_report_of_a_search_that_goes_on_says_how_many_trials_are_to_come(lab, figures):
    plan = lab.plan(
        space={"learning_rate": {"log_uniform": [0.001, 0.1]}},
        search={"kind": "tpe", "trials": 5, "startup_trials": 2},
        scheduler={"kind": "asha", "grace_epochs": 4},
    )
    (cell,) = plan.cells.values()
    history = History(lab.store, cell)
    history.add({"event": "propose", "trial_id": "any", "axes": {"learning_rate": 0.003}})
    plan = make_plan(plan.study, {"digits": cell.dataset_sha256}, lambda cell: history)
    (trial,) = plan.trials
    lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    found = find(plan, lab.store)
    facts = protocol(found)
    more = "4 trials are yet to be proposed, so every choice of a trial is provisional."
    assert facts["still to come"] == more
    assert facts["search"] == "tpe, 5 trials in every cell of the grid, seed 0"
    assert facts["scheduler"] == "asha (grace_epochs 4, reduction_factor 3)"
    assert "provisional: more trials are to be proposed" in markdown(found.tables[0])


def test_a_report_of_a_longer_training_shows_the_durations_that_were_trained(lab, figures):
    plan = lab.plan(space={"patience": {"grid": [10, 20]}}, fixed={"max_epochs": 60}, longer=5)
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    found = find(plan, lab.store)
    assert sorted(set(found.cells["x"])) == [50, 100]
    assert "From patience 50 to 100" in found.sentences[0]
    facts = protocol(found)
    assert (facts["patience"], facts["fixed"]) == ("10, 20", "max_epochs 60")
    assert facts["all durations"] == "5 times those given here"
