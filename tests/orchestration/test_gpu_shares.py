"""How many trials share a GPU, and what limits them; a machine without a GPU can tell."""

from unittest.mock import patch

import pytest

from gmm_study.orchestration.gpus import share_of_a_gpu, share_that_fits
from gmm_study.orchestration.trainable import TrialTrainable
from gmm_study.study import load_study, make_plan
from tests.training.small import a_dataset
from tests.workbench import Workbench

GB = 1e9


@pytest.mark.parametrize(
    ("need", "memory", "trials"), [(1, 80, 72), (10, 80, 7), (30, 80, 2), (79, 80, 1), (200, 80, 1)]
)
def test_as_many_trials_share_a_gpu_as_fit_with_some_room_and_never_less_than_one(
    need, memory, trials
):
    share = share_that_fits(need * GB, memory * GB)
    assert share * trials <= 1.0 < share * (trials + 1)


def a_plan(folder, monkeypatch, gpus):
    Workbench(folder)
    monkeypatch.chdir(folder)
    study = load_study("tiny", (f"resources.gpus={gpus}",), False)
    data = a_dataset()
    return make_plan(study, {"data.npz": data.sha256}), {data.sha256: data}


def test_a_share_that_is_set_is_taken_as_it_is(tmp_path, monkeypatch):
    plan, datasets = a_plan(tmp_path, monkeypatch, 0.25)
    assert share_of_a_gpu(plan.study, plan.trials, datasets) == (0.25, "")


def test_auto_goes_by_the_smallest_gpu_of_the_cluster(tmp_path, monkeypatch):
    plan, datasets = a_plan(tmp_path, monkeypatch, "auto")
    with patch("gmm_study.orchestration.gpus.gpu_memories", lambda: [80_000_000_000, int(3 * GB)]):
        share, _ = share_of_a_gpu(plan.study, plan.trials, datasets)
    assert 1 / 8 < share < 1


@pytest.mark.parametrize(
    ("memories", "why"), [([], "Ray sees no GPU"), ([8 * GB, 0], "torch cannot use the GPU")]
)
def test_auto_takes_cpus_where_there_is_no_gpu_that_torch_can_use_and_says_why(
    tmp_path, monkeypatch, memories, why
):
    plan, datasets = a_plan(tmp_path, monkeypatch, "auto")
    with patch("gmm_study.orchestration.gpus.gpu_memories", lambda: memories):
        share, without = share_of_a_gpu(plan.study, plan.trials, datasets)
    assert share == 0
    assert why in without


@pytest.mark.parametrize(("share", "limits"), [(0.25, [0.25]), (1.0, []), (0.0, [])])
def test_a_worker_limits_itself_to_its_share_of_the_memory(tmp_path, monkeypatch, share, limits):
    plan, datasets = a_plan(tmp_path, monkeypatch, "auto")
    worker, set_to = TrialTrainable.__new__(TrialTrainable), []
    with patch("torch.cuda.set_per_process_memory_fraction", set_to.append):
        worker.setup(
            {"job": {"trial": plan.trials[0].config.to_json(), "replicates": 1, "milestones": []}},
            datasets,
            storage=str(tmp_path / "results"),
            threads=1,
            gpu_share=share,
            admission_file=None,
            chunk_rows=100,
            checkpoint_seconds=10.0,
            heartbeat_seconds=3600.0,
            time_limit_seconds=None,
        )
    assert set_to == limits


@pytest.mark.process
def test_a_trial_that_asks_for_a_gpu_where_there_is_none_is_refused_in_one_line(tmp_path):
    """Ray's nodes are stand-ins; a real cluster refuses more than it has in `tests/cluster`."""
    bench = Workbench(tmp_path)
    before = bench.files()
    nodes = [{"Alive": True, "Resources": {"CPU": 2.0}}]
    with patch("ray.init"), patch("ray.shutdown"), patch("ray.nodes", lambda: nodes):
        ended = bench.call("run", "tiny", "--set", "resources.gpus=0.5", status=2)
    assert len(ended.stderr.splitlines()) == 1
    assert "resources.gpus: a trial needs 0.5" in ended.stderr
    assert ended.stderr.endswith("; set 0 to train on CPUs\n")
    assert bench.files() == before
