"""A study whose trials cannot begin from the models that they name is refused before it trains."""

import pytest

import gmm_study
from gmm_study.api.planned_study import PlannedStudy
from gmm_study.api.warm_starts import check_warm_starts
from gmm_study.errors import InputError
from gmm_study.study import load_study
from tests.cli.planned import train_all

STUDY = """
question: Does a warm start help?
datasets: [{data}]
methods: [gmm]
fixed: {{layers: [3], max_epochs: 1, batch_size: 10}}
variations: {{cold: {{}}, warm: {{warm_start: '{warm_start}'{more}}}}}
evaluation: {{samples: 4, selection_samples: 4, z_samples: 10}}
"""


@pytest.fixture
def planned(bench):
    """Plans a study with a warm start, with the records of the study `tiny` in the storage."""
    data = load_study("tiny").datasets[0]

    def plan(warm_start, more=""):
        text = STUDY.format(data=data, warm_start=warm_start, more=more)
        path = bench.folder / "studies" / "warm.yaml"
        path.write_text(text)
        return PlannedStudy("warm")

    return plan


@pytest.fixture
def trained(bench):
    train_all(bench.folder, "layers=[3]", "method=gmm")
    return min(bench.results())


def test_a_path_without_a_checkpoint_is_refused_by_plan_and_run_alike(planned, bench):
    study = planned("nosuch")
    for start in (gmm_study.plan, gmm_study.run):
        with pytest.raises(InputError, match=r"^warm_start: '.*nosuch' has no checkpoint.*warm\)$"):
            start(study)
    assert bench.results() == {}


def test_a_model_of_another_shape_is_refused_with_the_trial_that_names_it(planned, trained):
    study = planned(trained, ", layers: [2]")
    shapes = rf"^warm_start: '{trained}' has .*\[3.*this trial has .*\[2.*variation=warm\)$"
    with pytest.raises(InputError, match=shapes):
        check_warm_starts(study)


def test_a_model_that_fits_is_accepted_and_read_once(planned, trained, monkeypatch):
    from gmm_study.trials import warm_start

    reads = []
    real = warm_start.read_origin
    monkeypatch.setattr(
        warm_start, "read_origin", lambda *given: reads.append(given) or real(*given)
    )
    study = planned(trained, "}, other: {warm_start: " + trained + ", seed: 3")
    check_warm_starts(study)
    assert len(study.plan.trials) == 3
    assert len(reads) == 1


def test_a_trial_that_the_study_trains_itself_need_not_be_trained_yet(planned):
    cold = planned("nosuch").plan.trials[0].config.trial_id
    check_warm_starts(planned(cold))
    with pytest.raises(InputError, match="has no checkpoint"):
        check_warm_starts(planned("0" * 16))


def test_a_trial_that_has_failed_and_is_not_retried_keeps_no_other_from_being_trained(planned):
    study = planned("nosuch")
    cold, warm = (trial.config.trial_id for trial in study.plan.trials)
    study.store.record(warm).write_status("failed", error="it failed before")
    assert [trial.config.trial_id for trial in gmm_study.plan(study).missing()] == [cold]
    with pytest.raises(InputError, match=r"^warm_start: '.*nosuch' has no checkpoint"):
        check_warm_starts(study, retry_failed=True)


def test_a_failed_trial_that_goes_on_from_its_checkpoint_needs_no_model_to_begin_from(planned):
    study = planned("nosuch")
    record = study.store.record(study.plan.trials[1].config.trial_id)
    record.write_status("failed", error="it took longer than resources.time_limit_seconds")
    record.write_file("checkpoint/training.safetensors", b"")
    check_warm_starts(study, retry_failed=True)


def test_a_trial_of_the_study_that_failed_must_be_retried_for_another_to_begin_from_it(planned):
    cold = planned("nosuch").plan.trials[0].config.trial_id
    study = planned(cold)
    study.store.record(cold).write_status("failed", error="it failed before")
    with pytest.raises(InputError, match=rf"^warm_start: '{cold}' is .* has failed; .*warm\)$"):
        check_warm_starts(study)
    check_warm_starts(study, retry_failed=True)


def test_the_data_are_not_read_for_a_check_where_their_dimensions_are_declared(
    planned, trained, bench, monkeypatch
):
    study = planned(trained)
    path = bench.folder / "studies" / "warm.yaml"
    path.write_text(path.read_text().replace(study.study.datasets[0], "digits"))
    monkeypatch.setattr("gmm_study.api.datasets.read_dataset", None)
    with pytest.raises(InputError, match=r"has .*\[3, 12\], this trial has .*\[3, 64\]"):
        check_warm_starts(PlannedStudy("warm"))
