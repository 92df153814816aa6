"""What a CUDA graph does to a step, on a CPU: its operations are recorded and run again.

A recording runs the operations of one call on the memory of that call, and none of its Python. So a
step that looks at a value, makes a tensor from a number of the host, or changes what it launches,
goes wrong here as it would on a GPU.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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


class Recording(TorchDispatchMode):
    """The operations of one call; what it changed that was there before, for undoing."""

    def __init__(self):
        super().__init__()
        self.operations = []
        self.before = []
        self._known = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = operation._schema.name
        chosen = name == "aten::index" and any(i.dtype == torch.bool for i in tensors_of(args[1]))
        assert not chosen, "a choice by truth values inside a step that is captured"
        assert name not in WAITS_FOR_THE_HOST, f"{name} inside a step that is captured"
        if operation._schema.is_mutable:
            self._remember((args, kwargs))
        generator = kwargs.get("generator")
        if generator is not None and id(generator) not in self._known:
            self._known[id(generator)] = generator
            self.before.append((generator.set_state, generator.get_state()))
        result = operation(*args, **kwargs)
        given = {place_of(tensor) for tensor in tensors_of((args, kwargs))}
        for tensor in tensors_of(result):
            if place_of(tensor) not in given:
                self._known[place_of(tensor)] = tensor
        self.operations.append((operation, args, kwargs, result))
        return result

    def replay(self):
        """Run all operations again, on the same memory and from the same generators."""
        for operation, args, kwargs, result in self.operations:
            again = operation(*args, **kwargs)
            for old, new in zip(tensors_of(result), tensors_of(again), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)

    def undo(self):
        """A capture runs nothing: put back all that was there before."""
        for put_back, value in reversed(self.before):
            put_back(value)

    def _remember(self, arguments):
        for tensor in tensors_of(arguments):
            if place_of(tensor) not in self._known:
                self._known[place_of(tensor)] = tensor
                whole = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
                self.before.append((whole.copy_, whole.clone()))


def tensors_of(values):
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def place_of(tensor):
    return tensor.untyped_storage().data_ptr()


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
        recording.undo()
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

        def replay():
            self.log.append("replay")
            work()

        return replay
