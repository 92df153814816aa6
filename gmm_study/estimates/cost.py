"""The work and memory of a trial, counted from its configuration and its data; without torch.

Work is in nominal seconds, which only serve to compare configurations; `estimates/pace.py` measures
how long a nominal second takes on a machine. Memory is in bytes, for the process that trains the
trial.
"""

from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from gmm_study.data import Dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import method_named
from gmm_study.training.passes import CPU_ROWS, are_steps_recorded, rows_of_a_pass

PRODUCT = 0.03e-9
UNIT = 2.5e-9
CALL = 60e-6
"""Seconds for a multiply-add, for drawing a unit and its log-probability, and for starting the
operations of a layer, fitted on one core. Only their ratios matter."""
Z_ROWS = 1 + 10
"""Sample rows for each sample of p from which 2 log Z is estimated: itself, and the inner samples
of `estimators`."""

PROCESS = 420e6
"""Bytes used on a CPU by Python with torch, numba and the other imports of a trial."""
CUDA_CONTEXT = 600e6
"""Bytes of a GPU that a process uses before its first tensor: context, kernels, workspaces."""
FLOAT = 4
BUFFERS = 5
"""Buffers as large as the parameters: parameters, gradient, two moments, and those of the best
epoch."""
CHECKPOINT_BUFFERS = 10
"""As many more in main memory while a checkpoint is written: the best model with its gradient and
its file, and the parameters and moments as copies and, with those of the best epoch, in a file."""
AVERAGE_BUFFERS = 2
"""As many more with an average: the average, and the raw parameters while it is validated, or a
copy for a checkpoint."""
ALLOCATOR = 1.2
"""The memory that torch's allocator reserves, as a multiple of the memory used."""


class Workload(NamedTuple):
    """The quantities that determine a trial's work and memory; many trials share one workload."""

    method: str
    layers: tuple[int, ...]
    deterministic_layers: int
    training_samples: int
    batch_size: int
    evaluation_samples: int
    selection_samples: int
    z_samples: int
    decoder_order: str
    validate_every: int
    criterion_samples: int
    """0 if the criterion has no K of its own."""
    averages: bool
    dims: int
    train: int
    valid: int
    test: int

    @classmethod
    def of(cls, settings: Hyperparameters, data: Dataset) -> "Workload":
        """The workload of a configuration on a data set."""
        return cls(
            settings.method,
            settings.layers,
            settings.deterministic_layers,
            settings.training_samples,
            settings.batch_size,
            settings.evaluation_samples,
            settings.selection_samples,
            settings.z_samples,
            settings.decoder_order,
            settings.validate_every,
            settings.criterion_samples or 0,
            settings.parameter_average != "none",
            data.dims,
            *(len(split) for split in (data.train, data.valid, data.test)),
        )


@lru_cache(10_000)
def epoch_work(load: Workload) -> float:
    """Nominal seconds of one epoch of one replicate, including its validation."""
    method, network = method_named(load.method), _network(load)
    steps = ceil(load.train / load.batch_size)
    forward = _forward(network, load.train, load.training_samples, steps)
    if method.dreams:
        forward += _forward(network, load.train, 1, steps)
    # Forward, and back to the weights; autograd goes back to the states too.
    passes = 3 if method.by_autograd else 2
    validation = _forward(network, load.valid, load.training_samples)
    if load.criterion_samples:
        validation += _forward(network, load.valid, load.criterion_samples)
    return passes * forward + (2 if load.averages else 1) * validation / load.validate_every


@lru_cache(10_000)
def evaluation_work(load: Workload) -> float:
    """Nominal seconds of the final evaluation of one replicate."""
    network = _network(load)
    work = _forward(network, load.test, load.evaluation_samples + load.training_samples)
    work += _forward(network, load.valid, load.selection_samples)
    of_p_star = method_named(load.method).has_p_star
    return work + (_forward(network, load.z_samples * Z_ROWS, 1) if of_p_star else 0.0)


@lru_cache(10_000)
def memory(load: Workload, replicates: int, chunk_rows: int, on_gpu: bool) -> float:
    """Bytes of GPU memory, or else of main memory, that the process of a trial uses.

    On a GPU the replicates step together, on a CPU one at a time. A pass holds all samples of a
    batch, or the rows of a validation or an evaluation. For the twelve-layer model with four
    replicates, a GPU allocated 2.2 GiB, of which the count with its context makes 3.0.
    """
    network = _network(load)
    together = replicates if on_gpu else 1
    of_one = max(load.batch_size * load.training_samples, rows_of_a_pass(on_gpu, together))
    rows = max(together * of_one, chunk_rows)
    units = network.units_once + network.units_each
    parameters = network.weights_once + network.weights_each + units
    # Of every unit its state and its residual, or what autograd keeps.
    buffers = BUFFERS + (0 if on_gpu else CHECKPOINT_BUFFERS)
    buffers += AVERAGE_BUFFERS if load.averages else 0
    floats = buffers * replicates * parameters + 2 * rows * units
    step_rows = load.batch_size * load.training_samples
    if not on_gpu and are_steps_recorded(method_named(load.method), step_rows, load.layers):
        # Every replicate keeps its recorded steps, of full batches and of the last of an epoch.
        floats += 2 * replicates * 2 * step_rows * units
    data = load.dims * (2 * load.train + 2 * load.valid + load.test)
    return (CUDA_CONTEXT if on_gpu else PROCESS) + ALLOCATOR * (FLOAT * floats + data)


class _Network(NamedTuple):
    """Weights and units computed once per datapoint, and those computed once per sample."""

    weights_once: int
    weights_each: int
    units_once: int
    units_each: int
    layers: int


def _network(load: Workload) -> _Network:
    inside = load.deterministic_layers
    if method_named(load.method).model.belief_network:
        pairs = pairwise([load.dims, *load.layers])
        chains = [(low, *[(low + high) // 2] * inside, high) for low, high in pairs]
        up = [fan for chain in chains for fan in pairwise(chain)]
        once, each = up[:1], up[1:] + [(high, low) for low, high in up]
        units_once = 0  # the first layer's logits are computed once, but it is drawn each time
    else:
        *hidden, z = load.layers
        decoder = reversed(hidden) if load.decoder_order == "mirrored" else hidden
        once = list(pairwise([load.dims, *hidden, 2 * z]))
        each = list(pairwise([z, *decoder, load.dims]))
        units_once = sum(fan_out for _, fan_out in once)
    return _Network(
        weights_once=sum(fan_in * fan_out for fan_in, fan_out in once),
        weights_each=sum(fan_in * fan_out for fan_in, fan_out in each),
        units_once=units_once,
        units_each=sum(fan_out for _, fan_out in once + each) - units_once,
        layers=len(once + each),
    )


def _forward(network: _Network, rows: int, samples: int, calls: int | None = None) -> float:
    """Nominal seconds for the log-weights of `rows` datapoints.

    `calls` is the number of passes; None if the rows are processed in chunks.
    """
    products = rows * (network.weights_once + samples * network.weights_each)
    units = rows * (network.units_once + samples * network.units_each)
    calls = ceil(rows * samples / CPU_ROWS) if calls is None else calls
    return products * PRODUCT + units * UNIT + calls * network.layers * CALL
