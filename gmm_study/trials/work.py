"""The work of a trial, counted from its configuration and the size of its data; without torch.

Counts alone say how one configuration compares with another; how fast a machine is comes from
finished records or a calibration (`trials/pace.py`).
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gmm_study.data import Dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig

NANOSECONDS_A_PRODUCT = 0.04
NANOSECONDS_A_UNIT = 3.0
NANOSECONDS_A_VAE_UNIT = 9.0
NANOSECONDS_A_CALL = 50_000.0
NANOSECONDS_AN_UPDATE = 2.5
"""Of a multiply-add, of a unit's draw and log-probability (fused into one loop, but for the vae),
of starting a layer's operations, of the optimiser's pass over a parameter. They were measured on
one core, and only their ratios matter."""
Z_ROWS = 10_000 * (1 + 10)
"""Sample rows that estimate 2 log Z: `trials/evaluation.py` times `estimators`' inner samples."""


@dataclass(frozen=True)
class DataSize:
    """Dimensions of a data set, and datapoints of its splits."""

    dims: int
    train: int
    valid: int
    test: int

    @classmethod
    def of(cls, dataset: Dataset) -> "DataSize":
        """That of a loaded data set."""
        return cls(dataset.dims, len(dataset.train), len(dataset.valid), len(dataset.test))


@dataclass(frozen=True)
class Side:
    """One of a model's two halves: the recognition side goes up, the generative side down."""

    weights: int
    """Weights, which are multiply-adds a row."""
    first_weights: int
    """Those of the layer that reads the data."""
    units: int
    layers: int


@dataclass(frozen=True)
class Network:
    """What of a configuration's model costs time and memory; R = 1."""

    up: Side
    down: Side
    parameters: int

    @classmethod
    def of(cls, hyperparameters: Hyperparameters, dims: int) -> "Network":
        """The network on data of so many dimensions."""
        sizes = hyperparameters.layers
        if not hyperparameters.declaration.model.belief_network:
            up = _side([[dims, *sizes[:-1], 2 * sizes[-1]]])
            down = _side([[*reversed(sizes), dims]])
            return cls(up, down, up.weights + down.weights + up.units + down.units)
        inside = hyperparameters.deterministic_layers
        pairs = [
            [low, *[(low + high) // 2] * inside, high] for low, high in pairwise([dims, *sizes])
        ]
        up, down = _side(pairs), _side([pair[::-1] for pair in pairs])
        return cls(up, down, up.weights + down.weights + up.units + down.units + sizes[-1])


def geometry(config: TrialConfig) -> tuple[Hashable, ...]:
    """All of a configuration that its work and its memory hang on; many trials share one."""
    settings = config.hyperparameters
    return (
        config.dataset_sha256,
        settings.method,
        settings.layers,
        settings.deterministic_layers,
        settings.training_samples,
        settings.batch_size,
        settings.evaluation_samples,
    )


def epoch_work(hyperparameters: Hyperparameters, size: DataSize) -> float:
    """Nominal seconds of one epoch of one replicate, its validation included."""
    network = Network.of(hyperparameters, size.dims)
    return training_work(hyperparameters, network, size.train) + forward_work(
        hyperparameters, network, size.valid, hyperparameters.training_samples
    )


def training_work(hyperparameters: Hyperparameters, network: Network, rows: int) -> float:
    """Nominal seconds of training steps on so many datapoints."""
    samples = hyperparameters.training_samples
    steps = -(-rows // hyperparameters.batch_size)
    # Forward, and back to the weights; autograd goes back to the states too.
    passes = 3.0 if hyperparameters.declaration.by_autograd else 2.0
    work = passes * forward_work(
        hyperparameters, network, rows, samples, hyperparameters.batch_size * samples
    )
    if hyperparameters.declaration.dreams:  # the sleep phase: a pass with a row a datapoint
        work += passes * forward_work(hyperparameters, network, rows, 1, hyperparameters.batch_size)
    return work + steps * network.parameters * NANOSECONDS_AN_UPDATE * 1e-9


def forward_work(
    hyperparameters: Hyperparameters,
    network: Network,
    rows: int,
    samples: int,
    chunk_rows: int = 4000,
) -> float:
    """Nominal seconds of log-weights of so many datapoints with K samples each."""
    sampled = rows * samples
    up, down = network.up, network.down
    if not hyperparameters.declaration.model.belief_network:
        products = rows * up.weights + sampled * down.weights
        units = (rows * up.units + sampled * down.units) * NANOSECONDS_A_VAE_UNIT
    else:
        products = rows * up.first_weights
        products += sampled * (up.weights - up.first_weights + down.weights)
        units = sampled * (up.units + down.units) * NANOSECONDS_A_UNIT
    calls = max(1.0, sampled / chunk_rows) * (up.layers + down.layers)
    return (products * NANOSECONDS_A_PRODUCT + units + calls * NANOSECONDS_A_CALL) * 1e-9


def evaluation_work(hyperparameters: Hyperparameters, size: DataSize) -> float:
    """Nominal seconds of the final figures of one replicate."""
    network = Network.of(hyperparameters, size.dims)
    samples = hyperparameters.evaluation_samples + hyperparameters.training_samples
    work = forward_work(hyperparameters, network, size.test, samples)
    if hyperparameters.declaration.has_p_star:
        work += forward_work(hyperparameters, network, Z_ROWS, 1)
    return work


def _side(chains: Sequence[Sequence[int]]) -> Side:
    fans = list(_fans(chains))
    return Side(
        weights=sum(fan_in * fan_out for fan_in, fan_out in fans),
        first_weights=fans[0][0] * fans[0][1],
        units=sum(fan_out for _, fan_out in fans),
        layers=len(fans),
    )


def _fans(chains: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    for chain in chains:
        yield from pairwise(chain)
