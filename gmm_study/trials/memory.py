"""The memory that a trial needs, from its configuration and the size of its data; without torch.

A count of the largest tensors that are there at a time, for one process that trains one trial.
"""

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.work import DataSize, Network

FLOAT = 4
PROCESS = 420e6
"""Bytes of Python with torch, numba and what a trial imports, on a CPU."""
CUDA_CONTEXT = 600e6
"""Bytes of a GPU that a process takes before its first tensor: context, kernels, workspaces."""
BUFFERS = 5
"""Parameters, gradient, two moments, and the best epoch's or one being written, each as large."""
ROUNDING = 1.2
"""What torch's allocator keeps beyond what is used."""


def memory_on_cpu(
    hyperparameters: Hyperparameters, size: DataSize, replicates: int, chunk_rows: int
) -> float:
    """Bytes of main memory of one trial's process; replicates step one at a time."""
    rows = _most_rows(hyperparameters, chunk_rows, 1)
    parameters = _parameters(hyperparameters, size.dims, replicates)
    return PROCESS + ROUNDING * (
        parameters + _states(hyperparameters, size.dims, rows) + _data(size)
    )


def memory_on_gpu(
    hyperparameters: Hyperparameters, size: DataSize, replicates: int, chunk_rows: int
) -> float:
    """Bytes of a GPU of one trial's process; all replicates step together.

    Counted, and not held against a GPU's own figures yet.
    """
    rows = _most_rows(hyperparameters, chunk_rows, replicates)
    parameters = _parameters(hyperparameters, size.dims, replicates)
    return CUDA_CONTEXT + ROUNDING * (
        parameters + _states(hyperparameters, size.dims, rows) + _data(size)
    )


def _parameters(hyperparameters: Hyperparameters, dims: int, replicates: int) -> float:
    return BUFFERS * FLOAT * replicates * Network.of(hyperparameters, dims).parameters


def _states(hyperparameters: Hyperparameters, dims: int, rows: int) -> float:
    """States and residuals of every unit, or what autograd keeps of them."""
    network = Network.of(hyperparameters, dims)
    return 2.0 * FLOAT * rows * (network.up.units + network.down.units)


def _most_rows(hyperparameters: Hyperparameters, chunk_rows: int, together: int) -> int:
    """Sample rows of the largest pass: a training step's, or an evaluation's chunk.

    A chunk holds one datapoint at least, and a training step all the samples of its batch.
    """
    samples = hyperparameters.training_samples
    step = together * hyperparameters.batch_size * samples
    chunk = together * max(4000, samples)  # validation's, which the study does not set
    return max(step, chunk, max(chunk_rows, samples))


def _data(size: DataSize) -> float:
    return float(size.dims * (2 * size.train + 2 * size.valid + size.test))
