"""Estimates of all datapoints, computed for a few of them at a time."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def in_chunks(
    data: Tensor, datapoints: int, estimate: Callable[[Tensor], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """What `estimate` gives for data `[N, D]` (N > 0), each `[R, N]` in float64.

    It is called with `[B, D]`, where B is `datapoints` or fewer, and gives `[R, B]` under the same
    names each time. They are copied at once: thousands of small tensors, each allocated between
    large ones that are freed, would keep the allocator from using that memory again.
    """
    found: dict[str, Tensor] = {}
    for start in range(0, len(data), datapoints):
        chunk = data[start : start + datapoints]
        for name, values in estimate(chunk).items():
            if name not in found:
                found[name] = values.new_empty(len(values), len(data), dtype=torch.float64)
            found[name][:, start : start + len(chunk)] = values
    return found
