"""The example, installed: its method and its data work wherever the built-in ones do."""

import json
import os
import subprocess
import sys

import pytest

from analysis import find, write_report
from gmm_study.data import load_dataset
from gmm_study.study import load_study, make_plan
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.once import run_once
from gmm_study.trials.record_store import RecordStore
from tests.workbench import call

pytestmark = pytest.mark.process

TINY = ("--layers", "5,3", "--max-epochs", "3", "--evaluation-samples", "20")
RLOO = ("train", "--method", "rloo", "--dataset", "squares", *TINY)
STUDY = """
question: Is the score function as good as matching?
datasets: [squares]
methods: [gmm, rloo]
fixed: {layers: [5], max_epochs: 2, samples: 3}
evaluation: {samples: 10}
"""


@pytest.fixture(scope="module")
def record(example_folder, tmp_path_factory):
    """The record of a trial of the example's method on its data."""
    folder = tmp_path_factory.mktemp("rloo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(example_folder)
        call(folder.parent, *RLOO, "--output", "out")
    return folder


def test_the_lists_name_the_method_and_the_data_with_their_package(example, bench):
    for command, name in ((["methods"], "rloo"), (["data", "list"], "squares")):
        said = bench.call(*command)
        (line,) = [line for line in said.stdout.splitlines() if line.startswith(name)]
        assert "gmm-study-rloo" in line
        assert said.stderr == ""


def test_a_trial_of_the_method_on_the_data_is_trained_and_recorded(record):
    result, config = (json.loads((record / f"{n}.json").read_text()) for n in ("result", "config"))
    assert config["hyperparameters"]["method"] == "rloo"
    assert "q_baseline" not in config["hyperparameters"]
    assert result["state"] == "complete"
    assert result["versions"]["gmm-study-rloo"] == "0.1.0"
    metrics = result["replicates"]["0"]["metrics"]
    assert metrics["test/bound"] < 0
    assert "test/log_z2" not in metrics
    pictures = {path.name for path in (record / "pictures").iterdir()}
    assert pictures == {"samples.png"}


def test_its_checkpoint_is_evaluated_sampled_and_inpainted(example, record, bench):
    asked = ("--samples", "1,500", "--exact", "--json")
    out = json.loads(bench.call("evaluate", record, *asked).stdout)
    few, many, exact = (row["log_p"] for row in out["figures"])
    assert few < many
    assert many == pytest.approx(exact, abs=0.1)
    assert "log_p_star" not in out["figures"][0]
    assert "samples of p," in bench.call("sample", record, "--output", "s.png").stdout
    bench.call("inpaint", record, "--sweeps", "2", "--output", "i.png")
    assert (bench.folder / "i.png").read_bytes().startswith(b"\x89PNG")


def test_a_checkpoint_without_its_package_costs_a_line_that_names_it(record, bench):
    said = bench.call("evaluate", record, status=2).stderr
    assert "'rloo'" in said
    assert "gmm-study-rloo, which is not installed" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--samples", "1"], ["samples: 1", "at least 2", "rloo"]),
        (["--q-baseline", "none"], ["q_baseline", "gmm or rws or wake_wake", "not rloo"]),
        (["--method", "rlo"], ["'rlo'", "did you mean 'rloo'?"]),
        (["--dataset", "sqares"], ["'sqares'", "did you mean 'squares'?"]),
    ],
)
def test_what_it_cannot_do_is_said_in_a_line(example, bench, options, words):
    said = bench.call(*RLOO, *options, status=2).stderr
    assert len(said.splitlines()) == 1
    assert all(word in said for word in words), said


def test_a_study_of_it_is_planned_trained_and_reported(example, bench):
    bench.write_study(STUDY)
    data = load_dataset("squares")
    plan = make_plan(
        load_study(str(bench.folder / "studies" / "tiny.yaml")), {"squares": data.sha256}
    )
    store = RecordStore(str(bench.folder / "results"))
    for trial in plan.trials:
        run_once(trial.config, data, 1, bench.folder / "results" / trial.config.trial_id)
    assert "rloo" in bench.call("plan", "tiny").stdout
    assert "2 complete" in bench.call("status", "tiny").stdout
    report = write_report(find(plan, store), bench.folder / "report")
    page = report.paths["table.md"].read_text()
    assert "rloo: ELBO, K = 3" in page
    assert b"rloo" in report.paths["figures/result.svg"].read_bytes()


def test_planning_a_study_of_it_loads_no_torch(example, bench):
    bench.write_study(STUDY)
    code = (
        "import sys; from gmm_study.cli import main; sys.argv = ['gmm-study', 'plan', 'tiny']\n"
        "from gmm_study.study import load_study, make_plan\n"
        "from gmm_study.data import load_dataset\n"
        "from gmm_study.estimates.cost import Workload, epoch_work, memory\n"
        "data = load_dataset('squares')\n"
        "plan = make_plan(load_study('tiny'), {'squares': 'x'})\n"
        "for trial in plan.trials:\n"
        "    load = Workload.of(trial.config.hyperparameters, data)\n"
        "    assert epoch_work(load) > 0 and memory(load, 1, 4000, on_gpu=False) > 0\n"
        "print(len(plan.trials), *sys.modules)"
    )
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run(
        command, cwd=bench.folder, env=environment, check=True, capture_output=True, text=True
    )
    count, *loaded = said.stdout.split()
    assert count == "2"
    assert "gmm_study_rloo" in loaded
    assert not {"torch", "ray", "gmm_study_rloo.objective"} & set(loaded)


def test_an_id_is_the_same_whether_it_is_installed_or_not(example_folder, monkeypatch):
    def ids():
        methods = ("gmm", "rws", "vae")
        settings = [Hyperparameters.from_mapping({"method": method}) for method in methods]
        return [TrialConfig(each, "digits", "x").trial_id for each in settings]

    before = ids()
    monkeypatch.syspath_prepend(example_folder)
    of_rloo = Hyperparameters.from_mapping({"method": "rloo"})
    assert ids() == before
    assert TrialConfig(of_rloo, "digits", "x").trial_id not in before
