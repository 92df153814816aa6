"""The page of the reproduction: every figure from records, every gap marked."""

import re
from dataclasses import replace

import pytest
import yaml

from analysis import find, plan_from_records, write_reproduction
from analysis.causes import FILE
from analysis.pages.remarks import remarks
from analysis.pages.reproduction import at_a_glance
from analysis.tables.comparison import lay_out_comparison
from analysis.tables.formats import markdown
from gmm_study.cli.reproduction import STUDIES
from gmm_study.data.registry import REGISTRY
from gmm_study.trials.config import TrialConfig
from tests.trials.results import gmm

pytestmark = pytest.mark.figure

SEARCH = {
    "space": {"learning_rate": {"log_uniform": [1e-3, 1e-2]}},
    "search": {"kind": "random", "trials": 2},
}
DEPTHS = {"space": {"layers": {"grid": [[8], [8, 4]]}}}


def rws(log_p, ess=0.3):
    """The final figures of a replicate of rws, whose bound is log p with few samples."""
    names = ("valid/bound", "test/bound", "test/log_p", "test/ess")
    return dict(zip(names, (log_p - 1, log_p - 1, log_p, ess), strict=True))


@pytest.fixture
def uci(lab):
    """Two of three data sets at hand; rws on nips lacks one of its two trials."""
    plan = lab.plan(
        "uci",
        without=["adult"],
        datasets=["mushrooms", "nips", "adult"],
        methods=["gmm", "rws"],
        **SEARCH,
    )
    of = {"gmm": gmm, "rws": rws}
    for number, trial in enumerate(plan.trials):
        method, dataset = trial.config.hyperparameters.method, trial.config.dataset
        level = {"mushrooms": -9.5, "nips": -272.5}[dataset] - number % 2
        if (method, dataset, number % 2) != ("rws", "nips", 1):
            lab.write(trial.config, *(of[method](level + step) for step in (-0.1, 0.0, 0.1)))
    return plan


def compared(plan, lab):
    return find(plan, lab.store).compared


def one(frame, **where):
    for name, value in where.items():
        frame = frame[frame[name] == value]
    (row,) = frame.to_dict("records")
    return row


@pytest.fixture
def page(lab, uci):
    output = lab.folder / "docs" / "reproduction.md"
    written = write_reproduction([uci], lab.store, output)
    return written, output.read_text()


def test_ours_is_compared_with_the_published_within_one_standard_error(uci, lab):
    frame = compared(uci, lab)
    row = one(frame, dataset="mushrooms", method="gmm", metric="test/log_p")
    # -9.6, -9.5, -9.4: standard deviation 0.1, standard error 0.1 / sqrt(3); published 9.40
    assert (row["nll"], row["standard_error"]) == pytest.approx((9.5, 0.057735))
    assert row["difference"] == pytest.approx(0.10)
    assert row["reached"] is False
    assert (row["n"], row["samples"], row["ess"]) == (3, 1000, pytest.approx(0.3))
    star = one(frame, dataset="mushrooms", method="gmm", metric="test/log_p_star")
    assert (star["nll"], star["published"], star["reached"]) == (pytest.approx(9.0), 9.40, True)
    assert (star["ess"], star["log_z2"]) == pytest.approx((0.6, -0.5))
    assert one(frame, dataset="nips", method="gmm", metric="test/log_p")["reached"] is True
    assert set(frame[frame["method"] == "rws"]["metric"]) == {"test/log_p"}


def test_a_figure_a_hair_above_the_published_one_is_within_its_error(lab):
    plan = lab.plan("hair", datasets=["mushrooms"])
    for values in ((-9.54, -9.44, -9.34),):
        lab.write(plan.trials[0].config, *map(gmm, values))
    row = one(compared(plan, lab), metric="test/log_p")
    # 0.04 above with a standard error of 0.058
    assert row["difference"] == pytest.approx(0.04)
    assert row["reached"] is True


def test_the_page_says_what_is_reached_what_is_missing_and_what_is_unchecked(page):
    written, text = page
    glance = "\n".join(written.sentences)
    assert (
        "9 published figures, 6 compared (1 of them provisional, as the search is not complete): "
        "ours is at or below 5 within one standard error over replicates." in glance
    )
    assert re.search(r"Above \(.*\): mushrooms gmm -log p \(\+0\.10\)\.", glance)
    assert re.search(r"nips rws -log p \(-?\+?\d+\.\d+, provisional\)", glance)
    assert "Ours missing for 3, no data: adult 3." in glance
    assert "9 of the 9 published figures were not checked" in glance
    assert all(f"- {sentence}\n" in text for sentence in written.sentences)


def test_the_page_holds_commands_choices_and_provenance(page, uci):
    _, text = page
    assert "make study NAME=uci\nmake reproduction\n" in text
    assert "GMM_STUDY_DATA" in text
    assert "provisional: 1 of 2 trials compared; pending (1 trial)" in text
    rate = uci.trials[0].axes["learning_rate"]
    assert re.search(rf"\| mushrooms +\| gmm +\| learning_rate={rate} .*\| 2 of 2", text)
    assert "- commit: 0123456789\n" in text
    assert "- versions: python 3.11.9, torch 2.13.0\n" in text
    assert "- machine: cores 2\n" in text
    # 7 trials of 3 replicates, 3.2 seconds each
    assert "- training time: 0.02 hours" in text
    assert "| adult" not in text.partition("### Trials behind")[2].partition("###")[0]
    assert "no data" in text


def test_the_page_shows_pictures_that_lie_beside_it_the_same_whenever_written(lab, uci):
    for trial in uci.trials:
        lab.write_curve(trial.config, *([-10 - 1 / epoch for epoch in range(1, 31)] for _ in "abc"))
    output = lab.folder / "docs" / "reproduction.md"
    written = write_reproduction([uci], lab.store, output)
    pictures = re.findall(r"\]\((.*?)\)", output.read_text())
    assert pictures == ["reproduction/uci_curves.png"]
    assert (lab.folder / "docs" / pictures[0]).read_bytes().startswith(b"\x89PNG")
    assert {p for p in output.parent.rglob("*") if p.is_file()} == set(written.paths)
    before = {path: path.read_bytes() for path in written.paths}
    write_reproduction([uci], lab.store, output)
    assert {path: path.read_bytes() for path in written.paths} == before


def test_a_study_of_variations_gets_its_costs(lab):
    plan = lab.plan("details", variations={"authors": {}, "K=1": {"samples": 1}})
    for trial, values in zip(plan.trials, ((-20, -21, -22), (-21, -22.5, -24)), strict=True):
        lab.write(trial.config, *(gmm(float(value)) for value in values))
    output = lab.folder / "page.md"
    written = write_reproduction([plan], lab.store, output)
    text = output.read_text()
    assert "(Dunnett): K=1 costs 1.50 ± 0.29 (0.26 to 2.74); " in text
    assert "](page/details_result.png)" in text
    assert "K=1 (samples 1)" in text
    assert "Bars: simultaneous 95% intervals" in text
    assert len(written.paths) == 3
    assert written.sentences == ()


def test_a_study_along_an_axis_gets_its_answer_and_no_figure_published_for_any_setting(lab):
    plan = lab.plan("depths", datasets=["mushrooms", "nips"], **DEPTHS)
    for trial in plan.trials:
        if trial.config.dataset == "mushrooms":
            lab.write(trial.config, *map(gmm, (-9.2, -9.1, -9.0)))
    output = lab.folder / "page.md"
    written = write_reproduction([plan], lab.store, output)
    text = output.read_text()
    assert written.compared.empty
    assert "](page/depths_result.png)" in text
    assert "Not shown, as no cell is complete: nips." in text
    assert "### Trials behind" in text


def test_what_a_person_wrote_about_shipped_records_stands_below_the_results(lab, uci, monkeypatch):
    monkeypatch.setattr("analysis.causes.FILE", lab.folder / "causes.yaml")
    (lab.folder / "causes.yaml").write_text("uci: [mushrooms needs more epochs.]\n")
    output = lab.folder / "page.md"
    write_reproduction([uci], lab.store, output)
    text = output.read_text()
    assert "### What to keep in mind" in text
    assert "\n- mushrooms needs more epochs.\n" in text


def test_what_a_person_wrote_is_a_list_of_sentences_for_studies_on_the_page():
    written = yaml.safe_load(FILE.read_text())
    assert set(written) <= set(STUDIES)
    for sentences in written.values():
        assert isinstance(sentences, list)
        assert all(isinstance(each, str) and each.endswith(".") for each in sentences)


def test_costs_are_drawn_once_the_reference_has_ended(lab):
    plan = lab.plan("details", variations={"authors": {}, "K=1": {"samples": 1}})
    lab.write(plan.trials[1].config, *map(gmm, (-20.0, -21.0, -22.0)))
    write_reproduction([plan], lab.store, lab.folder / "page.md")
    assert "](" not in (lab.folder / "page.md").read_text()


def test_without_any_record_the_page_is_all_gaps(lab):
    plan = lab.plan("empty", datasets=["mushrooms"])
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    text = output.read_text()
    assert "none of the 1 planned trials has ended" in text
    assert "2 published figures, none compared." in text
    assert "Ours missing for 2, no complete trial yet: mushrooms 2." in text
    assert "No replicate has ended yet." in text
    assert "hours" not in text
    assert "### Trials behind" not in text
    variations = lab.plan("details", variations={"authors": {}, "K=1": {"samples": 1}})
    assert len(write_reproduction([variations], lab.store, output).paths) == 1
    nothing = lab.plan("nothing", datasets=["adult"], without=["adult"])
    write_reproduction([nothing], lab.store, output)
    assert "The data sets of this study are not available: adult." in output.read_text()


def test_a_plan_needs_no_data_where_a_checksum_is_known_or_recorded(lab):
    settings = lab.plan().trials[0].config.hyperparameters
    lab.write(TrialConfig(settings, "web", "f" * 64), gmm(-20.0))
    study = lab.plan("all", datasets=["dna", "web", "adult"]).study
    plan = plan_from_records(study, lab.store)
    assert [(t.config.dataset, t.config.dataset_sha256) for t in plan.trials] == [
        ("dna", REGISTRY["dna"].sha256),
        ("web", "f" * 64),
    ]
    assert plan.without_data == ("adult",)


@pytest.mark.parametrize("order", ["sha256", "canonical_sha256"])
def test_records_of_either_order_of_the_test_rows_are_planned_and_never_of_both(lab, order):
    settings = lab.plan().trials[0].config.hyperparameters
    checksum = getattr(REGISTRY["dna"], order)
    lab.write(TrialConfig(settings, "dna", checksum), gmm(-20.0))
    plan = plan_from_records(lab.plan("all", datasets=["dna"]).study, lab.store)
    assert {trial.config.dataset_sha256 for trial in plan.trials} == {checksum}


def test_a_study_is_planned_for_the_contents_that_it_has_records_of(lab):
    settings = lab.plan().trials[0].config.hyperparameters
    lab.write(TrialConfig(settings, "adult", "f" * 64), gmm(-20.0))
    for seed in (5, 6):  # of another study, and more
        lab.write(TrialConfig(replace(settings, seed=seed), "adult", "e" * 64), gmm(-20.0))
    plan = plan_from_records(lab.plan("all", datasets=["adult"]).study, lab.store)
    assert {each.config.dataset_sha256 for each in plan.trials} == {"f" * 64}


def test_the_layers_of_a_curve_stand_under_their_name(lab):
    plan = lab.plan("c", replicates=1, **DEPTHS)
    lab.write_curve(plan.trials[0].config, [-9.0, -8.0])
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    assert re.search(r"\| dataset +\| method +\| layers +\| state", output.read_text())


def test_the_page_says_how_was_searched_and_what_was_left_alone(lab):
    point = {"learning_rate": 0.005}
    search = {**SEARCH, "search": {**SEARCH["search"], "points": [point]}}
    plan = lab.plan("s", methods=["gmm", "vae"], fixed={"patience": 7}, **search)
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    text = output.read_text()
    assert (
        "- search: random, 2 trials in every cell of the grid, seed 0; given in the study's file "
        "and tried first: (learning_rate 0.005)\n" in text
    )
    assert "- learning rate: log_uniform from 0.001 to 0.01\n" in text
    (defaults,) = re.findall("- at their defaults: (.*)", text)
    for words in ("optimizer adam", "batch_size 100", "for vae:", "samples 1, bound elbo"):
        assert words in defaults
    for name in ("patience", "learning_rate", "method"):
        assert name not in defaults
    plan = lab.plan("grid", **DEPTHS)
    write_reproduction([plan], lab.store, output)
    assert "- layers: 8; 8,4\n" in output.read_text()
    assert "- search: grid, every combination once\n" in output.read_text()


def test_the_page_says_which_settings_come_from_a_preset_or_are_those_of_one_method(lab):
    plan = lab.plan(
        "p",
        methods=["gmm", "rws"],
        preset="authors",
        fixed={"patience": 7},
        per_method={"gmm": {"l2": 0.1}},
        evaluation={"z_samples": 500},
    )
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    text = output.read_text()
    assert "- for gmm: l2 0.1\n" in text
    assert "- samples for 2 log Z: 500\n" in text
    (preset,) = re.findall("- from the preset authors: (.*)", text)
    (defaults,) = re.findall("- at their defaults: (.*)", text)
    for words in ("learning_rate 0.001", "for gmm: q_baseline uniform", "for rws: q_baseline none"):
        assert words in preset
    for name in ("patience", "z_samples"):
        assert name not in preset + defaults
    assert "l2 0.1" not in preset + defaults
    assert "learning_rate" not in defaults
    assert "seed 0" in defaults


def test_the_page_says_on_which_data_sets_a_setting_has_which_value(lab):
    plan = lab.plan(
        "p", datasets=["dna", "nips", "web"], methods=["gmm"], per_dataset={"nips": {"samples": 25}}
    )
    output = lab.folder / "page.md"
    write_reproduction([plan], lab.store, output)
    text = output.read_text()
    assert "- on nips: samples 25\n" in text
    (defaults,) = re.findall("- at their defaults: (.*)", text)
    assert "samples 10 on dna, web" in defaults


def test_figures_come_with_the_errors_that_a_reader_needs(lab):
    plan = lab.plan("e", datasets=["mushrooms"], replicates=2)
    first, second = ({**gmm(-9.0, ess=0.0004), "test/log_p_se": se} for se in (0.2, 0.4))
    lab.write(plan.trials[0].config, first, {**second, "test/log_z2": -0.3})
    frame = compared(plan, lab)
    row = one(frame, metric="test/log_p")
    assert row["error_over_data"] == pytest.approx(0.3)
    star = one(frame, metric="test/log_p_star")
    # -0.5 and -0.3: standard deviation 0.1414, over sqrt(2)
    assert (star["log_z2"], star["log_z2_error"]) == pytest.approx((-0.4, 0.1))
    text = markdown(lay_out_comparison(plan, frame))
    for words in ("0.000400", "-0.40 ± 0.10", "M = 10 inner", "10,000 samples of p"):
        assert words in text


def test_one_replicate_is_judged_by_the_plain_figures_and_the_page_says_so(lab):
    plan = lab.plan("o", datasets=["mushrooms"], replicates=1)
    lab.write(plan.trials[0].config, gmm(-9.41))
    frame = compared(plan, lab)
    assert one(frame, metric="test/log_p")["reached"] is False
    text = markdown(lay_out_comparison(plan, frame))
    assert "at most the published figure itself, as no standard error over seeds is known" in text
    headline, judged, *_ = at_a_glance(frame)
    assert "standard error over replicates" not in headline
    assert judged == "Compared without a standard error, as there is one replicate: 2."


def test_the_page_has_what_is_published_of_other_models(page):
    _, text = page
    table = text.partition("## Other models")[2]
    assert re.search(r"\| mushrooms +\| +9\.81ᵃ +\| +9\.68ᵇ +\| +15\.15ᵃ +\|", table)
    assert "not checked against the publication" in table
    assert "bmnist" not in table


def test_remarks_follow_from_the_numbers(lab):
    plan = lab.plan(
        "r", methods=["gmm", "rws"], replicates=1, fixed={"max_epochs": 57, "patience": 20}
    )
    of_gmm, of_rws = (trial.config for trial in plan.trials)
    lab.write(of_gmm, gmm(-20.0))
    lab.write(of_rws, rws(-20.0))
    # the records say 57 epochs, the best of them the 47th
    assert remarks(find(plan, lab.store)) == [
        "log p with the K of training and with that of the evaluation: "
        "digits rws -21.00 (K = 10), -20.00 (K = 1,000).",
        "Ended by max_epochs instead of by patience: digits gmm (1 of 1 replicates, at 57); "
        "digits rws (1 of 1 replicates, at 57).",
    ]
