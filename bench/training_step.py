"""Measure one training step of gmm against plain autograd, the two in turn in one run."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from tabulate import tabulate

from bench.plain_autograd import PlainGmm
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives import GeometricMeanMatching
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.optimizers import build_optimizer

MODELS = {
    "12 layers on 784": (784, [300, 200, 100, 75, 50, 35, 30, 25, 20, 15, 10, 10]),
    "200-200-200 on 112": (112, [200, 200, 200]),
    "50-20-10 on 64": (64, [50, 20, 10]),
}
BATCH, SAMPLES = 100, 10


def our_step(data_dims: int, sizes: list[int], batch: torch.Tensor) -> Callable[[], object]:
    """A training step by hand, gradient and optimiser."""
    model = SigmoidBeliefNetwork(data_dims, sizes, replicates=1)
    model.initialise(RandomStreams(0, [0], "initialisation"))
    optimizer = build_optimizer(Hyperparameters(), model.parameters)
    objective, streams = GeometricMeanMatching(SAMPLES), RandomStreams(0, [0], "noise")

    @torch.no_grad()
    def step() -> None:
        model.parameters.grad.zero_()
        objective.add_gradient(model, batch.unsqueeze(0), streams)
        optimizer.step()

    return step


def plain_step(data_dims: int, sizes: list[int], batch: torch.Tensor) -> Callable[[], object]:
    """The same by autograd and `torch.optim.Adam`."""
    model = PlainGmm(data_dims, sizes)
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        model.loss(batch, SAMPLES).backward()
        optimizer.step()

    return step


def seconds(step: Callable[[], object], steps: int) -> float:
    """Seconds a step, over some steps."""
    started = perf_counter()
    for _ in range(steps):
        step()
    return (perf_counter() - started) / steps


def compare(name: str, threads: int, rounds: int) -> dict[str, float | str | int]:
    """Median milliseconds of both and the median ratio, round by round."""
    torch.set_num_threads(threads)
    data_dims, sizes = MODELS[name]
    batch = (torch.rand(BATCH, data_dims) < 0.3).float()
    ours, plain = our_step(data_dims, sizes, batch), plain_step(data_dims, sizes, batch)
    steps = max(3, round(0.15 / max(seconds(plain, 3), seconds(ours, 3))))
    pairs = [(seconds(ours, steps), seconds(plain, steps)) for _ in range(rounds)]
    ratios = sorted(theirs / mine for mine, theirs in pairs)
    return {
        "model": name,
        "threads": threads,
        "by hand (ms)": round(1e3 * median(mine for mine, _ in pairs), 2),
        "plain autograd (ms)": round(1e3 * median(theirs for _, theirs in pairs), 2),
        "speed ratio": round(median(ratios), 2),
        "least": round(ratios[0], 2),
        "most": round(ratios[-1], 2),
    }


def main() -> None:
    """Print the table and write it to `reports/bench/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="pairs measured [15]")
    rounds = parser.parse_args().rounds
    rows = [compare(name, threads, rounds) for name in MODELS for threads in (1, 2)]
    table = tabulate(rows, headers="keys", tablefmt="github")
    print(f"gmm, batch {BATCH}, K {SAMPLES}: one training step\n\n{table}")
    folder = Path("reports/bench")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training_step.md").write_text(table + "\n")
    (folder / "training_step.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
