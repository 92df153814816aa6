"""Validation noise: a trial is compared with the best other one, seed by seed and row by row."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import gmm_study
from gmm_study.api.diagnoses import diagnose
from gmm_study.diagnosis.figures import VALIDATION_NOISE, Lead, half_width, validation_noise
from gmm_study.diagnosis.rivals import lead_over_rivals
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from tests.trials.results import result_of

ROWS = 200


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trials of three seeds: with nearly the same batches, and with a far smaller rate."""
    folder = tmp_path_factory.mktemp("trained")
    ours = {"method": "rws", "layers": [8], "max_epochs": 10, "learning_rate": 0.03}
    others = {"ours": {}, "near": {"batch_size": 99}, "far": {"learning_rate": 0.001}}
    for name, settings in others.items():
        place, machine = folder / name, {"device": "cpu", "threads": 1}
        gmm_study.train(output=place, replicates=3, **machine, **ours | settings)
    return folder


@pytest.mark.parametrize(("other", "said"), [("near", True), ("far", False)])
def test_trained_runs_are_told_apart_only_if_they_differ(trained, tmp_path, other, said):
    for name in ("ours", other):
        shutil.copytree(trained / name, tmp_path / name)
    for replicate in diagnose(tmp_path / "ours", record_only=True).replicates:
        (verdict,) = [each for each in replicate.verdicts if each.rule == VALIDATION_NOISE]
        assert verdict.found == said


@pytest.fixture
def store(tmp_path):
    return RecordStore(str(tmp_path))


def write(store, values, rate=1e-3, datapoints=None, sha256="0" * 64, **settings):
    """A record with log p of the validation data of each replicate, and of test datapoints."""
    settings = {"learning_rate": rate, **settings}
    config = TrialConfig(Hyperparameters.from_mapping(settings), "digits", sha256)
    errors = {"valid/log_p_se": 0.3, "test/log_p_se": 0.2}
    figures = [{"valid/log_p": value, "test/log_p": value, **errors} for value in values]
    record, result = store.record(config.trial_id), result_of(config.trial_id, *figures)
    record.write_config(config)
    record.write_result(result)
    if datapoints is not None:
        record.write_datapoints({n: row.astype(np.float32) for n, row in enumerate(datapoints)})
    return config, result, record


def test_a_difference_within_the_spread_over_seeds_is_noise_and_a_clear_one_is_not(store):
    ours = write(store, [-20.0, -20.3, -19.9])
    write(store, [-20.1, -20.1, -20.2], rate=2e-3)
    near = lead_over_rivals(store, *ours)
    assert near.difference == pytest.approx(0.2 / 3)
    assert near.settings == ("learning_rate",)
    assert validation_noise(near).found
    assert "learning_rate" in validation_noise(near).what
    write(store, [-25.1, -25.3, -25.0], rate=3e-3)
    assert lead_over_rivals(store, *ours) == near  # a worse one is not the rival
    write(store, [-15.0, -15.4, -14.8], rate=4e-3)
    far = lead_over_rivals(store, *ours)
    assert far.difference < 0
    assert far.at_once == 3
    assert not validation_noise(far).found
    assert "all 3 other trials at once" in validation_noise(far).threshold
    assert "behind trial" in validation_noise(far).figure


def test_the_half_width_of_one_seed_is_that_over_data_scaled_to_validation(store):
    rng = np.random.default_rng(0)
    hard = rng.normal(-20.0, 4.0, ROWS)
    apart = rng.normal(0.5, 1.0, ROWS)
    ours = write(store, [-20.0], datapoints=[hard + apart])
    write(store, [-20.5], rate=2e-3, datapoints=[hard])
    lead = lead_over_rivals(store, *ours)
    differences = (hard + apart).astype(np.float32) - hard.astype(np.float32)
    error = differences.std(ddof=1) / ROWS**0.5 * 0.3 / 0.2
    assert lead.noise == pytest.approx(1.959964 * error, rel=1e-4)
    assert "95% interval over data alone, as there is one seed" in validation_noise(lead).figure
    assert not validation_noise(lead).found


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("rivals", [1, 10, 200])
def test_the_best_of_equal_trials_is_as_seldom_a_real_difference_as_is_said(rivals, seeds):
    rng, repeats, wrong = np.random.default_rng(0), 1000, 0
    for _ in range(repeats):
        ours, *theirs = rng.normal(size=(rivals + 1, seeds))
        best = max(theirs, key=np.mean)
        apart = best - ours
        over_seeds = apart.std(ddof=1) / seeds**0.5 if seeds > 1 else np.nan
        over_data = np.nan if seeds > 1 else 2**0.5
        wrong += apart.mean() > half_width(over_seeds, seeds, over_data, rivals)
    assert wrong / repeats < 0.05 + 4 * (0.05 * 0.95 / repeats) ** 0.5


def test_without_an_error_it_says_so(store):
    ours = write(store, [-20.0])
    write(store, [-20.5], rate=2e-3)
    assert "test datapoints, which a record lacks" in lead_over_rivals(store, *ours)


def test_only_trials_of_the_same_data_method_and_validation_are_rivals(store):
    ours = write(store, [-20.0, -20.3])
    write(store, [-10.0, -10.1], method="rws")
    write(store, [-10.0, -10.1], sha256="1" * 64)
    write(store, [-10.0, -10.1], selection_samples=7)
    write(store, [-10.0, -10.1], seed=3)
    write(store, [-10.0], rate=5e-3)  # lacks a replicate
    write(store, [-10.0, -10.1], evaluation_samples=7)  # trained alike
    assert "no other trial" in lead_over_rivals(store, *ours)


def test_a_trial_without_log_p_of_its_own_says_so(store):
    ours = write(store, [np.nan])
    write(store, [-20.5], rate=2e-3)
    assert lead_over_rivals(store, *ours) == "it has no log p on validation data"


def test_an_unreadable_rival_costs_nothing(store):
    ours = write(store, [-20.0, -20.3])
    config, _, record = write(store, [-20.1, -20.2], rate=2e-3)
    record.write_file("result.json", b"{")
    assert "no other trial" in lead_over_rivals(store, *ours)
    assert config.trial_id in store.trial_ids()


def test_the_rule_names_the_other_trial_and_its_interval():
    lead = Lead(0.1, 0.3, ("layers", "l1"), "trial abc")
    found = validation_noise(lead)
    assert "0.10 ± 0.30 nats (95% interval) ahead of trial abc" in found.what
    assert "layers and l1" in found.what
    assert not validation_noise(replace(lead, noise=0.09)).found
