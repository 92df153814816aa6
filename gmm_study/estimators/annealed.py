"""Weights of annealed importance sampling for p(x), sqrt(ptilde(x)) and Z^2, in both directions.

A path of laws leads from one that can be sampled to the one whose sum is sought. For p(x) it is
p(x, h)^b q(h | x)^(1-b) with b from 0 to 1; its first half ends at sqrt(p(x, h) q(h | x)), whose
sum is sqrt(ptilde(x)). For Z^2 it leads from p(x, h) q(h' | x) to the law of the chain of p*. A
chain that follows the path forwards has a weight W with E[W] = the sum sought, for any number of
steps; with one step it is the weight of plain importance sampling (Neal, Statistics and Computing
2001). A chain that starts at an exact sample of the path's end and follows it backwards has
E[1/W] = 1 / the sum (Grosse, Ghahramani and Adams, arXiv 1511.02543). Both
hold for any sweeps that leave their law invariant: if h has the law f / Z_f, the weight g(h) / f(h)
turns each mean under it into Z_g / Z_f times that under g / Z_g, and a sweep of g keeps the latter.

The powers b are evenly spaced: on nips, spacing them by the spread of the slopes gained nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from gmm_study.estimators.importance import in_parts
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling import CANDIDATES, GibbsChain, LatentChain

HALF, WHOLE = 0.5, 1.0
"""The powers b at which the paths of sqrt(ptilde(x)) and Z^2, and of p(x), end."""
SETTLING = 4
"""A chain makes one sweep for so many steps at the end of the path before it goes back."""
Watch = Callable[[int], object]


@dataclass(frozen=True)
class Weights:
    """Logarithms of weights in nats, each `[R, N, C]` in float64."""

    forwards: Tensor
    """log W of chains that followed the path forwards."""
    backwards: Tensor
    """log (1/W) of chains that followed it backwards."""


class Annealable(Protocol):
    """A chain that can follow a path of laws: `LatentChain` and `GibbsChain`."""

    def sweep(self, power: float) -> object:
        """Update every layer; the law with this power stays invariant."""

    def log_ratio(self) -> Tensor:
        """The slope of the log law in the power, `[R, C]` in float64."""


def powers_between(start: float, end: float, steps: int) -> list[float]:
    """`steps` + 1 evenly spaced powers."""
    return [start + (end - start) * step / steps for step in range(steps + 1)]


@torch.no_grad()
def follow(chain: Annealable, powers: Sequence[float]) -> Tensor:
    """Lead a chain along the powers; the sum of their differences times the slopes, `[R, C]`.

    With rising powers that is log W of the way forwards, with falling ones log (1/W) of the way
    backwards. No sweep follows the last power.
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
    `watch` is called with the number of chains times steps of each finished part.
    """

    model: SigmoidBeliefNetwork
    chains: int
    steps: int
    streams: RandomStreams
    chunk_rows: int = 4000
    candidates: int = CANDIDATES
    watch: Watch = lambda done: None

    def of_data(self, data: Tensor, half: bool = False) -> dict[float, Weights]:
        """Weights of every datapoint of `data` `[N, D]` for p(x), by the path's end `WHOLE`.

        With `half` also those for sqrt(ptilde(x)), by `HALF`. The ways back start at ends of ways
        forwards, drawn by their weights, after sweeps of the law there. These are no exact samples:
        E[1/W] = 1 / the sum holds only as far as the ways forwards have found all of the law.
        """
        rows = data.to(self.model.parameters.flat.dtype).expand(len(self.streams), -1, -1)
        return self._in_parts([rows.unsqueeze(2)], (HALF, WHOLE) if half else (WHOLE,), False)

    def of_samples(self, states: Sequence[Tensor], end: float = WHOLE) -> Weights:
        """Weights of samples (x, h) of the law at an end, each `[R, N, 1, n]` from the data up.

        All ways back of one x start at its h, so they are dependent given x. With samples of p and
        `WHOLE` they are exact: E[1/W | x] = 1 / p(x).
        """
        return self._in_parts(states, (end,), True)[end]

    @torch.no_grad()
    def of_z2(self, draws: int) -> tuple[Weights, list[Tensor]]:
        """Weights for Z^2, `[R, 1, draws]`, and as many states (x, h) near p*.

        The ways forwards start at exact samples of p(x, h) q(h' | x). The ways back start at their
        ends, drawn by their weights, after sweeps of the chain of p*.
        """
        weights, ends = [], []
        powers = powers_between(0.0, HALF, self.steps)
        for count in in_parts(draws, max(1, self._most_rows // 2)):
            chain = GibbsChain.from_generated(self.model, count, self.streams, self.candidates)
            there = self._led(chain, powers)
            index = _drawn(there.unsqueeze(1), self.streams)
            data, *layers = chain.states
            both = torch.cat([index, index + count], dim=1)
            chain.states = [_rows(data, index), *(_rows(layer, both) for layer in layers)]
            self._settle(chain, HALF)
            ends.append([chain.states[0], *(layer[:, :count] for layer in chain.states[1:])])
            back = self._led(chain, powers[::-1])
            weights.append(Weights(there.unsqueeze(1), back.unsqueeze(1)))
        return _more_chains(weights), [torch.cat(layer, 1) for layer in zip(*ends, strict=True)]

    def work(self, datapoints: int, samples: int, draws: int) -> int:
        """What `watch` will be told in all, if steps is at least 2; without draws for Z^2 no half.

        By `of_data`, by `of_samples` of p, and with draws also by `of_z2` and `of_samples` of p*.
        """
        there_and_back, to_half = 2 * self.steps, len(self._powers(HALF)) - 1
        of_data, of_samples = there_and_back + self._settling, there_and_back
        if draws:
            of_data, of_samples = of_data + self._settling + to_half, of_samples + 2 * to_half
        of_chains = self.chains * (datapoints * of_data + samples * of_samples)
        return of_chains + draws * (there_and_back + self._settling)

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
                for end, weights in self._there_and_back(rows, chains, ends, exact).items():
                    of_chains[end].append(weights)
            for end, some in of_chains.items():
                found[end].append(_more_chains(some))
        return {end: _more_datapoints(some) for end, some in found.items()}

    def _there_and_back(
        self, rows: Sequence[Tensor], chains: int, ends: Sequence[float], exact: bool
    ) -> dict[float, Weights]:
        """`chains` chains for each of a few datapoints, which are in memory together."""
        found, datapoints = {}, rows[0].shape[1]
        start = [state.repeat_interleave(chains, dim=1) for state in rows]
        chain = self._chain(self.model.infer(start[0].squeeze(2), 1, self.streams).states)
        log_weights, reached = torch.zeros(()), 0.0
        for end in ends:
            if reached and self.steps > 1:
                chain.sweep(reached)
            powers = [reached, *(power for power in self._powers(end) if power > reached)]
            log_weights = log_weights + self._led(chain, powers)
            there, reached = log_weights.unflatten(1, (datapoints, chains)), end
            if not exact:
                index = _drawn(there, self.streams)
                start = [_rows(state, index) for state in chain.states]
            back = self._chain(start)
            if not exact:
                self._settle(back, end)
            log_back = self._led(back, self._powers(end)[::-1])
            found[end] = Weights(there, log_back.unflatten(1, (datapoints, chains)))
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

    def _led(self, chain: Annealable, powers: Sequence[float]) -> Tensor:
        total = follow(chain, powers)
        self.watch((len(powers) - 1) * total.shape[1])
        return total

    def _settle(self, chain: LatentChain | GibbsChain, end: float) -> None:
        for _ in range(self._settling):
            chain.sweep(end)
        self.watch(self._settling * chain.states[0].shape[1])

    @property
    def _settling(self) -> int:
        return self.steps // SETTLING

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
    """The rows `[R, B]` of `[R, C, 1, n]`, as `[R, B, 1, n]`."""
    return states.gather(1, index[..., None, None].expand(-1, -1, 1, states.shape[3]))


def _more_chains(weights: Sequence[Weights]) -> Weights:
    return _joined(weights, 2)


def _more_datapoints(weights: Sequence[Weights]) -> Weights:
    return _joined(weights, 1)


def _joined(weights: Sequence[Weights], dim: int) -> Weights:
    forwards = torch.cat([each.forwards for each in weights], dim)
    return Weights(forwards, torch.cat([each.backwards for each in weights], dim))
