"""A process may use the GPUs that are there and that CUDA_VISIBLE_DEVICES does not hide."""

from unittest.mock import patch

import pytest

from gmm_study import machine


@pytest.fixture
def _two_gpus(tmp_path):
    """The devices of two GPUs, and a torch that is built for CUDA."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    with patch.object(machine, "DEVICES", tmp_path), patch.object(machine, "version", str):
        yield


@pytest.mark.usefixtures("_two_gpus")
@pytest.mark.parametrize(
    ("visible", "count"),
    [
        (None, 2),
        ("0", 1),
        ("1, 0", 2),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", 1),
        ("", 0),
        ("-1", 0),
        ("0,-1", 1),
        ("-1,0", 0),
        ("0,7,1", 1),
        ("NoDevFiles", 0),
    ],
)
def test_cuda_stops_at_the_first_name_that_is_no_gpu(visible, count, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.usable_gpus() == count


@pytest.mark.parametrize(
    ("gpus", "share", "trials"),
    [(2, 0.4, 4), (7, 0.7, 7), (1, 0.125, 8), (2, 0.1, 20), (4, 2, 2), (3, 2, 1), (0, 0.5, 0)],
)
def test_no_trial_gets_parts_of_two_gpus(gpus, share, trials):
    assert machine.trials_on(gpus, share) == trials


def test_a_torch_for_cpus_alone_can_use_none(tmp_path):
    (tmp_path / "nvidia0").touch()
    with patch.object(machine, "DEVICES", tmp_path), patch.object(machine, "version") as version:
        version.return_value = "2.9.0+cpu"
        assert machine.usable_gpus() == 0
