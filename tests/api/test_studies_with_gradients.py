"""A study with the section `gradients`: its run assesses them, and its report shows them."""

import pandas as pd
import pytest
import yaml

import gmm_study
from gmm_study.api.feedback import RunObserver
from gmm_study.api.gradients import assess_study
from gmm_study.errors import InputError
from tests.cli.planned import train_all
from tests.workbench import Workbench

STUDY = {
    "question": "Whose gradient has more signal?",
    "datasets": ["bars"],
    "methods": ["rws", "vae"],
    "replicates": 2,
    "fixed": {"layers": [4, 2], "learning_rate": 0.01},
    "space": {"max_epochs": {"grid": [1, 2]}},
    "gradients": {"methods": ["gmm", "vimco"], "samples": [1, 4], "draws": 40},
    "evaluation": {"samples": 10, "selection_samples": 10, "z_samples": 20},
}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bench = Workbench(tmp_path)
    bench.write_study(yaml.safe_dump(STUDY, sort_keys=False))
    return bench


def assessed(study="tiny"):
    """The report of a study after its gradients were assessed, and the lines about those not."""
    planned = gmm_study.plan(study)
    lines = assess_study(planned, RunObserver())
    return gmm_study.report(planned), lines


@pytest.mark.process
def test_a_run_assesses_the_gradients_of_every_network_and_reports_them(bench):
    train_all(bench.folder)
    report = gmm_study.run("tiny").report
    frame = report.found.gradients
    assert set(frame["trained_by"]) == {"rws"}  # a vae is no belief network
    assert set(frame["x"]) == {1, 2}
    assert set(zip(frame["method"], frame["samples"], strict=True)) == {
        ("gmm", 1),
        ("gmm", 4),
        ("vimco", 4),
    }
    assert set(frame["n"]) == {2}
    assert report.paths["gradients.csv"].exists()
    assert report.paths["figures/gradients.svg"].exists()
    assert report.paths["figures/gradients-along.svg"].exists()
    titles = [table.title for table in report.found.tables]
    assert titles[0] == "Signal to noise: bars, trained by rws, max epochs 2"
    cells = [line.split("|") for line in report.paths["table.md"].read_text().splitlines()]
    (row,) = [own for own in cells if own[1:2] == [" gradient of q, gmm   "]][:1]
    assert row[2].strip() == "none"  # with one sample, gmm's q gets no gradient


def test_other_gradients_train_nothing_and_replace_those_before(bench):
    train_all(bench.folder)
    assessed()
    study = gmm_study.load_study("tiny", ["gradients.samples=[2]", "gradients.draws=60"])
    assert gmm_study.plan(study).missing() == []
    report, _ = assessed(study)
    assert set(report.found.gradients["samples"]) == {2}
    assert assessed()[0].found.gradients["samples"].tolist() != [2]


def test_a_report_shows_only_what_its_study_asked_for(bench):
    train_all(bench.folder)
    assessed()
    other = STUDY | {"gradients": STUDY["gradients"] | {"samples": [3]}}
    bench.write_study(yaml.safe_dump(other, sort_keys=False), "other")
    found = gmm_study.report("other").found
    assert found.gradients.empty
    assert [line for line in found.records.warnings if "not assessed as the study asks" in line]
    assert set(assessed("other")[0].found.gradients["samples"]) == {3}
    assert set(gmm_study.report("tiny").found.gradients["samples"]) == {1, 4}


@pytest.mark.process
def test_a_model_that_is_gone_costs_a_line_and_nothing_else(bench):
    train_all(bench.folder)
    trial = next(
        each
        for each in gmm_study.plan("tiny").plan.trials
        if each.config.hyperparameters.method == "rws"
    )
    folder = bench.folder / "results" / trial.config.trial_id / "checkpoint"
    for file in folder.iterdir():
        file.unlink()
    ended = gmm_study.run("tiny")
    report, (line,) = ended.report, ended.not_assessed
    assert ended.has_failures
    assert line.startswith(f"{trial.config.trial_id}: checkpoint:")
    assert len(set(report.found.gradients["trial_id"])) == 1


def test_the_figure_of_a_trial_is_the_mean_of_its_seeds_with_their_error(bench):
    train_all(bench.folder)
    frame = assessed()[0].found.gradients
    row = frame[(frame["part"] == "q") & (frame["samples"] == 4)].iloc[0]
    planned = gmm_study.plan("tiny")
    asked = planned.study.gradients.wanted.to_json(replicates=2)
    own = planned.store.record(row["trial_id"]).gradients(asked)
    values = pd.Series(
        [
            each["cosine"]
            for each in own
            if (each["method"], each["part"], each["samples"]) == (row["method"], "q", 4)
        ]
    )
    assert row["cosine"] == pytest.approx(values.mean())
    assert row["cosine_se"] == pytest.approx(values.sem())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("gradients.methods=[gm]", "gradients.methods: 'gm'"),
        ("gradients.draws=10", "gradients.draws: 10"),
        ("gradients.samples=[0]", "gradients.samples"),
        ("gradients.kind=all", "gradients.kind"),
        ("gradients.methods=[vae]", "gradients.methods: 'vae' cannot be assessed"),
        ("gradients.methods=[nvil]", "gradients.methods: 'nvil' cannot be assessed"),
        ("gradients.samples=[1]", "gradients.samples: vimco needs a K of at least 2"),
    ],
)
def test_what_cannot_be_assessed_is_refused_in_a_line(bench, change, words):
    with pytest.raises(InputError) as refused:
        gmm_study.load_study("tiny", [change])
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
