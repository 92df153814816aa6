"""The studies that come with the project."""

from pathlib import Path

import pytest

from gmm_study.study import load_study, make_plan

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def plan_of(name, *overrides, small=False):
    study = load_study(name, overrides, small)
    return make_plan(study, {dataset: dataset for dataset in study.datasets})


def size(plan):
    """Its trials, with those that a search is yet to propose."""
    return len(plan.trials) + sum(plan.unproposed.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_study_loads_and_plans_by_its_name(name):
    plan = plan_of(name)
    assert plan.study.name == name
    assert plan.study.question
    assert size(plan)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_study_has_a_smaller_variant(name):
    full, small = plan_of(name), plan_of(name, small=True)
    assert size(small) < size(full)
    assert small.study.replicates <= full.study.replicates


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_study_runs_on_other_data_with_other_settings(name):
    plan = plan_of(name, "dataset=mushrooms", "max_epochs=5")
    trials = [*plan.trials, *plan.stand_ins()]
    assert {trial.config.dataset for trial in trials} == {"mushrooms"}
    assert {trial.config.hyperparameters.max_epochs for trial in trials} == {5}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_study_says_in_its_head_how_it_is_run(name):
    head = (ROOT / "studies" / f"{name}.yaml").read_text().partition("\nquestion:")[0]
    assert f"make study NAME={name}" in head
    assert "cost:" in head
    assert "ARGS=--small" in head


def test_the_depth_sweep_compares_all_methods_at_four_depths_or_more():
    plan = plan_of("depth_sweep")
    depths: dict[str, set[int]] = {}
    for trial in plan.trials:
        settings = trial.config.hyperparameters
        depths.setdefault(settings.method, set()).add(len(settings.layers))
    assert set(depths) == {"gmm", "rws", "vae"}
    assert all(len(values) >= 4 for values in depths.values())


def test_the_samples_sweep_ascends_the_importance_weighted_bound_where_it_is_read():
    plan = plan_of("samples_sweep")
    of_vae = [
        t.config.hyperparameters for t in plan.trials if t.config.hyperparameters.method == "vae"
    ]
    assert {settings.bound for settings in of_vae} == {"iwae"}
    assert len({settings.training_samples for settings in of_vae}) == len(of_vae)


FIRST_TRIALS = {
    "depth_sweep": "5bb1d3699cb7df8a",
    "depth_claim": "3b4c9dbd956bfa5e",
    "dna_l1": "ef2bc6bd6a3045b2",
    "gradient_quality": "618b80182c1be5e6",
    "learning_rate_sweep": "2fb4d8ed16119213",
    "mnist_table": "a00145c1597b794a",
    "reproduction_details": "1fbaa877984fd29f",
    "samples_sweep": "6c570d56572bdf07",
    "silhouettes_table": "a7706e35c44b2714",
    "tuned_depth": "45b76ab612db6f31",
    "uci_table": "7f96b73b95916084",
}
"""By study, the id of its first trial, or of one in the middle of what is searched; data sets
stand in for their checksums."""


@pytest.mark.parametrize(("name", "trial_id"), FIRST_TRIALS.items())
def test_the_ids_of_shipped_studies_stay_what_they_are(name, trial_id):
    """A change here makes every record of the study worthless; `SCHEMA` counts those meant."""
    plan = plan_of(name)
    first, *_ = [*plan.trials, *plan.stand_ins()]
    assert first.config.trial_id == trial_id
