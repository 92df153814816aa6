"""The memory that a trial is said to need is what a fresh process takes for it."""

import json
import subprocess
import sys

import pytest

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.memory import memory_on_cpu, memory_on_gpu
from gmm_study.trials.work import DataSize

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
# The peak of this program alone: what getrusage tells begins with that of the process it came from.
lines = open("/proc/self/status").read().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024)
"""
SMALL = {"method": "gmm", "layers": [8]}
MANY_PARAMETERS = {"method": "gmm", "layers": [1500, 1000]}
MANY_ROWS = {"method": "rws", "layers": [200, 200], "samples": 50, "batch_size": 400}
VAE = {"method": "vae", "layers": [300, 200], "samples": 50, "batch_size": 400}


def estimated(function, settings, dims, rows, replicates=1, chunk_rows=4000):
    hyperparameters = Hyperparameters.from_mapping(settings)
    return function(hyperparameters, DataSize(dims, rows, 40, 40), replicates, chunk_rows)


@pytest.mark.process
@pytest.mark.parametrize(
    ("settings", "dims", "rows", "replicates"),
    [
        (SMALL, 16, 100, 1),
        (MANY_PARAMETERS, 1000, 100, 2),
        (MANY_ROWS, 784, 400, 1),
        (VAE, 784, 400, 1),
    ],
)
def test_a_fresh_process_takes_what_was_estimated_within_a_factor(settings, dims, rows, replicates):
    settings = settings | {"max_epochs": 1, "evaluation_samples": 100}
    told = json.dumps([settings, dims, rows, replicates])
    output = subprocess.check_output([sys.executable, "-c", TRAIN, told], text=True)
    measured = int(output.splitlines()[-1])
    expected = estimated(memory_on_cpu, settings, dims, rows, replicates)
    assert measured / FACTOR < expected < measured * FACTOR


@pytest.mark.parametrize("memory", [memory_on_cpu, memory_on_gpu])
def test_more_of_anything_needs_more(memory):
    least = estimated(memory, SMALL, 16, 1000)
    assert estimated(memory, SMALL | {"layers": [800]}, 16, 1000) > least
    assert estimated(memory, SMALL, 16, 100_000) > least
    assert estimated(memory, SMALL, 16, 1000, replicates=30) > least
    assert estimated(memory, SMALL, 16, 1000, chunk_rows=400_000) > least
    assert estimated(memory, SMALL | {"samples": 10_000}, 16, 1000) > least
