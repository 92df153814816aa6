"""Intervals of small models beside their exact values."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import torch

from gmm_study.data import load_dataset
from gmm_study.exact import exact_log_likelihoods
from gmm_study.models import RandomStreams
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.trainer import Trainer
from gmm_study.trials.certification import Certification
from tests.networks import a_network

SIZES = ((6, 4), (8,), (5, 4, 3), (7, 5))
SPREADS = (0.5, 1.0, 1.5, 2.5, 4.0)
"""Standard deviations of the parameters: with 4, laws have modes that chains hardly leave."""
NAMES = ("log_p", "log_p_tilde", "log_z2", "log_p_star")


@dataclass
class Held:
    """A model as a checkpoint has it."""

    network: object
    replicates: tuple[int, ...] = (0,)
    method: str = "gmm"
    hyperparameters: object = field(
        default_factory=lambda: SimpleNamespace(declaration=SimpleNamespace(has_p_star=True))
    )

    def model(self, replicates, device):
        return self.network


def random_case(number, rows=100):
    """A random model and samples of another one, which it has not learned."""
    sizes, spread = SIZES[number % len(SIZES)], SPREADS[number % len(SPREADS)]
    options = {"spread": spread, "dtype": torch.float32, "dims": 6 + number % 8, "sizes": sizes}
    model, other = (a_network(1, seed=seed + number, **options) for seed in (100, 900))
    streams = RandomStreams(number, [0], "data")
    return model, other.generate(rows, streams).states[0][0, :, 0]


def trained_case(number, rows=100):
    """A model that was trained for a few epochs, and test data."""
    data = load_dataset("bars")
    settings = {"layers": SIZES[number % len(SIZES)], "learning_rate": 0.01, "seed": number}
    settings["max_epochs"] = 1 + 3 * (number % 5)
    trainer = Trainer(Hyperparameters.from_mapping(settings), data, [0])
    while not trainer.finished:
        trainer.train_epoch()
    return trainer.best_model(), torch.from_numpy(data.test[:rows]).float()


def exact_values(model, data):
    """The exact means over data by name, 2 log Z among them."""
    exact = exact_log_likelihoods(model, data)
    return {name: exact[name].mean().item() for name in NAMES}


def limits(model, data, chains=16, most_steps=64, tolerance=0.2, seed=0):
    """The row of a certification."""
    asked = Certification(Held(model), data, [0], chains, most_steps, tolerance, seed)
    (row,) = asked.rows()
    return row
