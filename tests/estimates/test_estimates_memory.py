"""The estimated memory of a trial is what a fresh process takes, within a factor."""

import json
import subprocess
import sys

import numpy as np
import pytest

from gmm_study.data import Dataset
from gmm_study.estimates.cost import Workload, memory
from gmm_study.training.hyperparameters import Hyperparameters

FACTOR = 1.5
TRAIN = """
import json, sys
import numpy as np
from gmm_study.data import Dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.once import run_once

settings, dims, rows, replicates = json.loads(sys.argv[1])
bits = np.random.default_rng(0).integers(0, 2, (rows, dims), dtype=np.uint8)
dataset = Dataset.from_splits("bits", {"train": bits, "valid": bits[:40], "test": bits[:40]})
configuration = TrialConfig(Hyperparameters.from_mapping(settings), "bits", dataset.sha256)
run_once(configuration, dataset, replicates, device="cpu", threads=1)
# The peak of this program alone: getrusage begins with that of the process it was forked from.
lines = open("/proc/self/status").read().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024)
"""
SMALL = {"method": "gmm", "layers": [8]}
MANY_PARAMETERS = {"method": "gmm", "layers": [1500, 1000]}
MANY_ROWS = {"method": "rws", "layers": [200, 200], "samples": 50, "batch_size": 400}
RECORDED = {"method": "gmm", "layers": [300, 200, 100], "samples": 4, "max_epochs": 5}
VAE = {"method": "vae", "layers": [300, 200], "samples": 50, "batch_size": 400}


def estimated(settings, dims, rows, replicates=1, chunk_rows=4000, on_gpu=False):
    blank = np.zeros((rows, dims), dtype=np.uint8)
    splits = {"train": blank, "valid": blank[:40], "test": blank[:40]}
    data = Dataset.from_splits("blank", splits)
    load = Workload.of(Hyperparameters.from_mapping(settings), data)
    return memory(load, replicates, chunk_rows, on_gpu)


@pytest.mark.process
@pytest.mark.parametrize(
    ("settings", "dims", "rows", "replicates"),
    [
        (SMALL, 16, 100, 1),
        pytest.param(MANY_PARAMETERS, 1000, 100, 2, marks=pytest.mark.slow),
        (MANY_ROWS, 784, 400, 1),
        pytest.param(RECORDED, 784, 450, 5, marks=pytest.mark.slow),
        pytest.param(VAE, 784, 400, 1, marks=pytest.mark.slow),
    ],
)
def test_a_fresh_process_takes_what_was_estimated_within_a_factor(settings, dims, rows, replicates):
    settings = {"max_epochs": 1, "evaluation_samples": 100} | settings
    arguments = json.dumps([settings, dims, rows, replicates])
    output = subprocess.check_output([sys.executable, "-c", TRAIN, arguments], text=True)
    measured = int(output.splitlines()[-1])
    expected = estimated(settings, dims, rows, replicates)
    assert measured / FACTOR < expected < measured * FACTOR


@pytest.mark.parametrize("on_gpu", [False, True])
def test_more_of_anything_needs_more_memory(on_gpu):
    least = estimated(SMALL, 16, 1000, on_gpu=on_gpu)
    assert estimated(SMALL | {"layers": [800]}, 16, 1000, on_gpu=on_gpu) > least
    assert estimated(SMALL, 16, 100_000, on_gpu=on_gpu) > least
    assert estimated(SMALL, 16, 1000, replicates=30, on_gpu=on_gpu) > least
    assert estimated(SMALL, 16, 1000, chunk_rows=400_000, on_gpu=on_gpu) > least
    assert estimated(SMALL | {"samples": 10_000}, 16, 1000, on_gpu=on_gpu) > least
    assert estimated(SMALL | {"parameter_average": "uniform"}, 16, 1000, on_gpu=on_gpu) > least
