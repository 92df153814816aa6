"""What a CUDA graph does to a step, on a CPU: its operations are recorded and run again.

A recording runs the operations of one call on the memory of that call, and none of its Python. So a
step that looks at a value, makes a tensor from a number of the host, or changes what it launches,
goes wrong here as it would on a GPU.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.utils._pytree import tree_leaves

from gmm_study.training import recorded

WAITS_FOR_THE_HOST = {
    "aten::_local_scalar_dense",
    "aten::equal",
    "aten::is_nonzero",
    "aten::item",
    "aten::lift_fresh",
    "aten::masked_select",
    "aten::nonzero",
    "aten::unique2",
}


class Recording(recorded.Recording):
    """Refuses what a GPU would wait for."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation._schema.name
        chosen = name == "aten::index" and any(
            isinstance(leaf, torch.Tensor) and leaf.dtype == torch.bool
            for leaf in tree_leaves(args[1])
        )
        assert not chosen, "a choice by truth values inside a step that is captured"
        assert name not in WAITS_FOR_THE_HOST, f"{name} inside a step that is captured"
        return super().__torch_dispatch__(operation, types, args, kwargs)


class RecordedGraphs:
    """Stands in for `CudaGraphs`; `log` has what happened, in turn."""

    def __init__(self, log):
        self.log = log

    @contextmanager
    def stream(self):
        self.log.append("epoch")
        yield

    def capture(self, work):
        recording = Recording()
        with recording:
            work()
        self.log.append("capture")

        def replay():
            self.log.append("replay")
            recording.replay()

        return replay


class CountedGraphs:
    """Stands in for `CudaGraphs` where the work may be any function: a replay calls it again."""

    def __init__(self, log):
        self.log = log

    def stream(self):
        return nullcontext()

    def capture(self, work):
        self.log.append("capture")
        work()

        def replay():
            self.log.append("replay")
            work()

        return replay
