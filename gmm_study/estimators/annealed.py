"""Weights of annealed importance sampling for p(x), sqrt(ptilde(x)) and Z^2, in both directions.

A path of laws leads from one that can be sampled to the one whose sum is sought. For p(x) it is
p(x, h)^b q(h | x)^(1-b) with b from 0 to 1; its first half ends at sqrt(p(x, h) q(h | x)), whose
sum is sqrt(ptilde(x)). For Z^2 it leads from p(x, h) q(h' | x) to the law of the chain of p*. A
chain that follows the path, a forward run, has a weight W with E[W] = the sum sought, for any
number of steps; with one step it is the weight of plain importance sampling (Neal, Statistics and
Computing 2001). A reverse run starts at an exact sample of the path's end, follows the path back
and has E[1/W] = 1 / the sum (Grosse, Ghahramani and Adams, arXiv 1511.02543). Both hold for any
sweeps that leave their law invariant: if h has the law f / Z_f, the weight g(h) / f(h) turns each
mean under it into Z_g / Z_f times that under g / Z_g, and a sweep of g keeps the latter.

The powers b are evenly spaced: on nips, spacing them by the spread of the slopes gained nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gmm_study.estimators.importance import in_parts
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling import CANDIDATES, GibbsChain, LatentChain

HALF, WHOLE = 0.5, 1.0
"""The powers b at which the paths of sqrt(ptilde(x)) and Z^2, and of p(x), end."""
BURN_IN_SHARE = 0.25
"""A reverse run without an exact sample begins with a quarter as many sweeps as it has steps."""


@dataclass(frozen=True)
class Weights:
    """Logarithms of weights in nats, each `[R, N, C]` in float64."""

    forward: Tensor
    """log W of forward runs."""
    reverse: Tensor
    """log (1/W) of reverse runs."""


def powers_between(start: float, end: float, steps: int) -> list[float]:
    """`steps` + 1 evenly spaced powers."""
    return [start + (end - start) * step / steps for step in range(steps + 1)]


@torch.no_grad()
def follow(chain: LatentChain | GibbsChain, powers: Sequence[float]) -> Tensor:
    """Lead a chain along the powers; the sum of their differences times the slopes, `[R, C]`.

    With rising powers that is log W of a forward run, with falling ones log (1/W) of a reverse run.
    No sweep follows the last power.
    """
    total = torch.zeros((), dtype=torch.float64)
    for number, (before, after) in enumerate(pairwise(powers)):
        if number:
            chain.sweep(before)
        total = total + (after - before) * chain.log_ratio()
    return total


@dataclass(frozen=True)
class Annealer:
    """C chains for every datapoint of one model, each with T steps along its path.

    At most `chunk_rows` candidate states are in memory at a time, and 16 bytes for each chain.
    `watch` is called with T for each chain whose forward and reverse runs are finished.
    """

    model: SigmoidBeliefNetwork
    chains: int
    steps: int
    streams: RandomStreams
    chunk_rows: int = 4000
    candidates: int = CANDIDATES
    watch: Callable[[int], object] = lambda done: None

    def of_data(self, data: Tensor, half: bool = False) -> dict[float, Weights]:
        """Weights of every datapoint of `data` `[N, D]` for p(x), by the path's end `WHOLE`.

        With `half` also those for sqrt(ptilde(x)), by `HALF`. The reverse runs start at final
        states of the forward runs, drawn by their weights, after sweeps of the law there. These are
        no exact samples: E[1/W] = 1 / the sum holds only as far as the forward runs have found all
        of the law.
        """
        rows = data.to(self.model.parameters.flat.dtype).expand(len(self.streams), -1, -1)
        return self._in_parts([rows.unsqueeze(2)], (HALF, WHOLE) if half else (WHOLE,), False)

    def of_samples(self, states: Sequence[Tensor], end: float = WHOLE) -> Weights:
        """Weights of samples (x, h) of the law at an end, each `[R, N, 1, n]` from the data up.

        All reverse runs of one x start at its h, so they are dependent given x. With samples of p
        and `WHOLE` they are exact: E[1/W | x] = 1 / p(x).
        """
        return self._in_parts(states, (end,), True)[end]

    @torch.no_grad()
    def of_z2(self, draws: int, kept: int) -> tuple[Weights, list[Tensor]]:
        """Weights for Z^2, `[R, 1, draws]`, and `kept` states (x, h) near p*, `[R, kept, 1, n]`.

        The forward runs start at exact samples of p(x, h) q(h' | x). The reverse runs start at
        their final states, drawn by their weights, after sweeps of the chain of p*. The states kept
        are evenly spaced among these starts, so each forward run has its share of them.
        """
        weights, starts = [], []
        powers = powers_between(0.0, HALF, self.steps)
        for count in in_parts(draws, max(1, self._most_rows // 2)):
            chain = GibbsChain.from_generated(self.model, count, self.streams, self.candidates)
            log_forward = follow(chain, powers).unsqueeze(1)
            self._restart(chain, log_forward, HALF)
            starts.append([chain.states[0], *(layer[:, :count] for layer in chain.states[1:])])
            weights.append(Weights(log_forward, follow(chain, powers[::-1]).unsqueeze(1)))
            self.watch(count * self.steps)
        spaced = torch.arange(kept) * draws // kept
        states = [torch.cat(layer, 1)[:, spaced] for layer in zip(*starts, strict=True)]
        return _joined(weights, 2), states

    @torch.no_grad()
    def _in_parts(
        self, states: Sequence[Tensor], ends: Sequence[float], exact: bool
    ) -> dict[float, Weights]:
        """The weights of x, or of (x, h) if they are `exact` samples, some datapoints at a time."""
        found: dict[float, list[Weights]] = {end: [] for end in ends}
        most = max(1, self._most_rows // self.chains)
        for rows in zip(*(state.split(most, dim=1) for state in states), strict=True):
            of_chains: dict[float, list[Weights]] = {end: [] for end in ends}
            for chains in in_parts(self.chains, self._most_rows):
                for end, weights in self._both_ways(rows, chains, ends, exact).items():
                    of_chains[end].append(weights)
            for end, some in of_chains.items():
                found[end].append(_joined(some, 2))
        return {end: _joined(some, 1) for end, some in found.items()}

    def _both_ways(
        self, rows: Sequence[Tensor], chains: int, ends: Sequence[float], exact: bool
    ) -> dict[float, Weights]:
        """`chains` chains for each of a few datapoints, which are in memory together."""
        found, shape = {}, (rows[0].shape[1], chains)
        samples = [state.repeat_interleave(chains, dim=1) for state in rows]
        chain = self._chain(self.model.infer(samples[0].squeeze(2), 1, self.streams).states)
        log_forward, reached = torch.zeros(()), 0.0
        for end in ends:
            if reached and self.steps > 1:
                chain.sweep(reached)
            powers = [reached, *(power for power in self._powers(end) if power > reached)]
            log_forward, reached = log_forward + follow(chain, powers).unflatten(1, shape), end
            reverse = self._chain(samples if exact else chain.states)
            if not exact:
                self._restart(reverse, log_forward, end)
            log_reverse = follow(reverse, self._powers(end)[::-1])
            found[end] = Weights(log_forward, log_reverse.unflatten(1, shape))
        self.watch(samples[0].shape[1] * self.steps)
        return found

    def _powers(self, end: float) -> list[float]:
        """From 0 to an end; those to `HALF` are the first ones of those to `WHOLE`."""
        if self.steps == 1:
            return [0.0, end]
        to_half = powers_between(0.0, HALF, self.steps // 2)
        if end == HALF:
            return to_half
        return to_half + powers_between(HALF, end, self.steps - self.steps // 2)[1:]

    def _chain(self, states: list[Tensor]) -> LatentChain:
        return LatentChain(self.model, states, self.streams, self.candidates)

    def _restart(self, chain: LatentChain | GibbsChain, log_weights: Tensor, end: float) -> None:
        """Draw the chain's states by their weights, and sweep them towards the law at the end."""
        index = _drawn(log_weights, self.streams)
        chain.states = [_rows(states, index) for states in chain.states]
        for _ in range(int(BURN_IN_SHARE * self.steps)):
            chain.sweep(end)

    @property
    def _most_rows(self) -> int:
        return max(1, self.chunk_rows // self.candidates)


def _drawn(log_weights: Tensor, streams: RandomStreams) -> Tensor:
    """The rows `[R, N * C]` of C chains drawn for each datapoint by their weights `[R, N, C]`.

    One in each of C equal parts of the total weight, which draws fewer chains twice.
    """
    _, datapoints, chains = log_weights.shape
    cumulative = log_weights.softmax(2).cumsum(2)
    part = torch.arange(chains, device=log_weights.device) + streams.uniform(datapoints, chains)
    threshold = part.double() / chains * cumulative[..., -1:]
    index = torch.searchsorted(cumulative, threshold, right=True).clamp_(max=chains - 1)
    first = torch.arange(datapoints, device=index.device)[:, None] * chains
    return (index + first).flatten(1)


def _rows(states: Tensor, index: Tensor) -> Tensor:
    """The rows `[R, B]` of each of S stacks, from `[R, S B, 1, n]`, in its shape."""
    stacks = states.unflatten(1, (-1, index.shape[1]))
    chosen: Tensor = stacks.gather(2, index[:, None, :, None, None].expand_as(stacks))
    return chosen.flatten(1, 2)


def _joined(weights: Sequence[Weights], dim: int) -> Weights:
    forward = torch.cat([each.forward for each in weights], dim)
    return Weights(forward, torch.cat([each.reverse for each in weights], dim))
