"""All parameters of R replicates in one flat buffer, with a named view for each tensor."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from gmm_study.machine import keep_freed_memory


class Parameters:
    """Named tensors `[R, *shape]` as views of one buffer `flat` `[R, P]`; likewise their gradients.

    An optimiser thus makes one pass over one tensor, and a replicate is one row.
    """

    def __init__(
        self,
        shapes: Mapping[str, Sequence[int]],
        replicates: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        keep_freed_memory()  # a model's passes allocate the same tensors again and again
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        size = sum(prod(shape) for shape in self.shapes.values())
        self.flat = torch.zeros(replicates, size, device=device, dtype=dtype)
        self.grad = torch.zeros_like(self.flat)
        self._values = self.views_of(self.flat)
        self._grads = self.views_of(self.grad)

    def __getitem__(self, name: str) -> Tensor:
        return self._values[name]

    def gradient(self, name: str) -> Tensor:
        """The gradient of a named tensor, `[R, *shape]`, to be added to in place."""
        return self._grads[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    @property
    def replicates(self) -> int:
        """R."""
        return self.flat.shape[0]

    def entries(self, prefix: str) -> Tensor:
        """The numbers in `flat` of the entries of the tensors whose names begin so."""
        numbers = torch.arange(self.flat.shape[1]).unsqueeze(0)
        own = [view for name, view in self.views_of(numbers).items() if name.startswith(prefix)]
        return torch.cat([view.flatten() for view in own])

    def views_of(self, flat: Tensor) -> dict[str, Tensor]:
        """The named tensors `[R, *shape]` inside any buffer `[R, P]` of the same layout."""
        views, start = {}, 0
        for name, shape in self.shapes.items():
            size = prod(shape)
            views[name] = flat[:, start : start + size].unflatten(1, shape)
            start += size
        return views
