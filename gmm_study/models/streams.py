"""One random stream per replicate and purpose, independent of which other replicates are present.

A stream is seeded by a hash of the trial's seed, the replicate's number and the purpose
(initialisation, order, noise, validation, evaluation). Replicate 2 of 3 therefore draws the same
numbers as it would alone, and restoring the generators resumes a trial exactly.

On a CPU, uniform numbers are counter-based: Philox, keyed by a word that the replicate's torch
generator gives for each call. The compiled loops and torch thus see the same numbers with any
number of threads, and a checkpoint only has to store the generators. Without numba the torch
generators draw the numbers themselves; such a trial is statistically equivalent but not identical,
and its record names the versions. On a GPU, torch's own Philox draws all numbers of a pass with one
launch per replicate (`RandomStreams.reserve`).
"""

import hashlib
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from gmm_study.models import fused


class RandomStreams:
    """Seeded generators of R replicates for one purpose."""

    def __init__(
        self,
        seed: int,
        replicates: Sequence[int],
        purpose: str,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self.generators = [
            torch.Generator(self.device).manual_seed(_stream_seed(seed, replicate, purpose))
            for replicate in replicates
        ]
        self._counts = fused.draws(self.device, dtype)
        self._reserved = self._draw(0)

    def __len__(self) -> int:
        return len(self.generators)

    def restore(self, states: Sequence[Tensor]) -> None:
        """Go on from the states of each replicate's generator.

        The generators of a CPU and of a GPU have states of different sizes. One of the other kind
        cannot go on here, so it seeds the generator; the same state always gives the same numbers.
        """
        for generator, state in zip(self.generators, states, strict=True):
            if state.shape == generator.get_state().shape:
                generator.set_state(state)
            else:
                generator.manual_seed(_seed_of(state.numpy().tobytes()))

    def keys(self) -> Tensor:
        """A fresh key of 63 bits for each replicate, `[R]`, for counter-based numbers."""
        keys = torch.empty(len(self), dtype=torch.int64)
        for key, generator in zip(keys, self.generators, strict=True):
            key.random_(generator=generator)
        return keys

    def reserve(self, numbers: int) -> None:
        """Draw this many uniform numbers per replicate at once, for the next calls of `uniform`.

        On a GPU one launch per replicate then serves all layers. Counter-based numbers need no
        reserve.
        """
        if not self._counts:
            self._reserved = self._draw(0)  # frees the memory of the last ones first
            self._reserved = self._draw(numbers)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform draws in [0, 1), `[R, *shape]`."""
        if self._counts:
            draws = torch.empty(len(self), *shape, dtype=self.dtype)
            fused.fill_uniform(draws, self.keys())
            return draws
        numbers = prod(shape)
        if self._reserved.shape[1] < numbers:
            self.reserve(numbers)
        draws, left = self._reserved.tensor_split([numbers], dim=1)
        self._reserved = left if left.shape[1] else self._draw(0)
        return draws.view(len(self), *shape)

    def _draw(self, numbers: int) -> Tensor:
        draws = torch.empty(len(self), numbers, dtype=self.dtype, device=self.device)
        for row, generator in zip(draws, self.generators, strict=True):
            row.uniform_(generator=generator)
        return draws

    def normal(self, *shape: int) -> Tensor:
        """Standard normal draws, `[R, *shape]`."""
        draws = torch.empty(len(self), *shape, dtype=self.dtype, device=self.device)
        for row, generator in zip(draws, self.generators, strict=True):
            row.normal_(generator=generator)
        return draws

    def permutations(self, length: int) -> Tensor:
        """A permutation of 0 .. length - 1 for each replicate, `[R, length]`."""
        return torch.stack(
            [
                torch.randperm(length, generator=generator, device=self.device)
                for generator in self.generators
            ]
        )


def _stream_seed(seed: int, replicate: int, purpose: str) -> int:
    return _seed_of(f"{seed}/{replicate}/{purpose}".encode())


def _seed_of(content: bytes) -> int:
    digest = hashlib.sha256(content).digest()
    return int.from_bytes(digest[:8], "little", signed=False) >> 1
