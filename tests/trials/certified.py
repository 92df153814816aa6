"""Intervals of small models beside their exact values.

The table of docs/explanation/certified.md is made by

    .venv/bin/python -m tests.trials.certified
"""

from dataclasses import dataclass
from statistics import mean

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
CERTIFIED = ("log_p_lower", "log_p_tilde_lower", "log_z2_lower", "log_p_star_lower_certified")
UPPER = [
    f"{name}_upper_by_{way}"
    for name in ("log_p", "log_p_tilde")
    for way in ("reverse_runs", "samples")
]


@dataclass
class Held:
    """A model as a checkpoint has it."""

    network: object
    has_p_star: bool = True

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


def misses(row, exact):
    """By name, how many nats each limit of a row and each interval is on the wrong side, or 0."""
    found = {name: row[name] - exact[name.partition("_lower")[0]] for name in CERTIFIED}
    found |= {name: exact[name.partition("_upper")[0]] - row[name] for name in UPPER}
    for name in NAMES:
        beyond = (row[f"{name}_lower"] - exact[name], exact[name] - row[f"{name}_upper"])
        found[name] = max(beyond)
    found["samples"] = row["samples_lower"] - row["samples_upper"]
    return {name: max(0.0, miss) for name, miss in found.items()}


def print_table(count=20):
    """How many intervals cover, their mean width, and all limits on the wrong side, in nats."""
    for most_steps in (4, 64):
        for case in (random_case, trained_case):
            found = []
            for number in range(count):
                model, data = case(number)
                row = limits(model, data, most_steps=most_steps)
                found.append((row, misses(row, exact_values(model, data))))
            covered = [sum(not missed[name] for _, missed in found) for name in NAMES]
            widths = [
                mean(row[f"{n}_upper"] - row[f"{n}_lower"] for row, _ in found) for n in NAMES
            ]
            print(case.__name__, most_steps, covered, [round(width, 2) for width in widths])
            for number, (row, missed) in enumerate(found):
                wrong = {name: round(miss, 2) for name, miss in missed.items() if miss}
                if wrong:
                    width = row["log_p_upper"] - row["log_p_lower"]
                    print(f"  model {number}, {width:.2f} wide: {wrong}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print_table()
