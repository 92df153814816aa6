"""p* of a model small enough to list every x and h, exact draws of it, and tests of frequencies."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gmm_study.models import SigmoidBeliefNetwork
from tests.estimators.enumeration import a_network, all_states, enumerate_states

DIMS = 4


def far_network(sizes, replicates=1, **options) -> SigmoidBeliefNetwork:
    """A network whose p, ptilde and p* are far from each other."""
    return a_network(replicates, spread=1.5, seed=5, dtype=torch.float32, sizes=sizes, **options)


def numbers_of(states: Tensor) -> Tensor:
    """The row of each state `[..., n]` in `all_states`."""
    return (states.long() << torch.arange(states.shape[-1])).sum(-1)


@dataclass
class Exact:
    """Tables over every x and every h."""

    sizes: tuple[int, ...]
    p: Tensor
    """p(x), `[X]`."""
    p_star: Tensor
    """p*(x), `[X]`: the square of sum_h sqrt(p q), normalised."""
    s: Tensor
    """sqrt(p(x, h) q(h | x)), `[X, H]`."""

    @classmethod
    def of(cls, model: SigmoidBeliefNetwork) -> "Exact":
        listed = enumerate_states(model)
        sizes = tuple(conditional.sizes[-1] for conditional in model.inference)
        s = (0.5 * (listed.log_joint + listed.log_q)).exp()
        return cls(sizes, listed.log_p.exp(), listed.log_p_star.exp(), s)

    @property
    def joint(self) -> Tensor:
        """p*(x, h), `[X, H]`: sqrt(p(x, h) q(h | x) p*(x)), normalised."""
        joint = self.s * self.p_star.sqrt().unsqueeze(1)
        return joint / joint.sum()

    def draw(self, chains: int, seed: int = 0) -> list[Tensor]:
        """States (x, h, h') of exact draws, as a chain of two stacks keeps them."""
        generator = torch.Generator().manual_seed(seed)
        x = self.p_star.multinomial(chains, True, generator=generator)
        stacks = self.s[x.repeat(2)].multinomial(1, generator=generator).squeeze(1)
        layers = all_states(sum(self.sizes))[stacks].split(list(self.sizes), dim=1)
        return [state.float()[None, :, None, :] for state in (all_states(DIMS)[x], *layers)]


def z_scores(numbers: Tensor, probabilities: Tensor) -> Tensor:
    """How many standard errors the frequency of each number is from its probability."""
    found = torch.bincount(numbers.flatten(), minlength=len(probabilities)) / numbers.numel()
    error = (probabilities * (1.0 - probabilities) / numbers.numel()).sqrt()
    return (found - probabilities) / error


def chi_square_score(numbers: Tensor, probabilities: Tensor) -> float:
    """The chi-square statistic as a normal score; states that are hardly expected are pooled."""
    expected = probabilities * numbers.numel()
    found = torch.bincount(numbers.flatten(), minlength=len(probabilities)).double()
    often = expected >= 10.0
    expected = torch.cat([expected[often], expected[~often].sum()[None].clamp(min=1e-9)])
    found = torch.cat([found[often], found[~often].sum()[None]])
    statistic = ((found - expected).square() / expected).sum().item()
    freedom = len(expected) - 1
    return (statistic - freedom) / (2.0 * freedom) ** 0.5
