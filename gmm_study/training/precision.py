"""The precision of float32 matrix products in training steps.

It changes results, so it is part of a trial's identity. It applies to training steps only, never to
anything that is reported.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Use this precision inside the context: `highest`, `high` or `medium`, as in torch."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
