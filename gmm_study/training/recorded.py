"""Training steps on a CPU, recorded once and then run again without their Python.

In a step of a small model, Python and the making of tensors take about as long as the arithmetic. A
recording keeps the tensors of one step, and runs the same operations on them for every later one.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gmm_study.models import fused

OF_NEW_TENSORS = ("dtype", "layout", "device", "pin_memory")
"""Arguments that an operation lacks if it writes to a given tensor."""


class RecordedSteps:
    """Recordings in the place of CUDA graphs; see `captured.Graphs`."""

    def stream(self) -> AbstractContextManager[None]:
        """Work on a CPU has no queue."""
        return nullcontext()

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Run `work`, and return a function that runs its operations again."""
        recording = Recording()
        with recording, fused.launches_told(recording.add):
            work()
        return recording.replay


class Recording(TorchDispatchMode):
    """The operations of a step on the memory of that step.

    An operation that returns a new tensor writes to that tensor when it is run again. One that
    returns a view of a tensor need not run again, nor one that allocates memory.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._calls: list[Callable[[], object]] = []

    def add(self, call: Callable[[], object]) -> None:
        """Add something to be run again."""
        self._calls.append(call)

    def replay(self) -> None:
        """Run all operations again, in order."""
        with torch._C._AutoDispatchBelowAutograd():
            for call in self._calls:
                call()

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and keep it with its tensors, so that their memory stays theirs."""
        kwargs = kwargs or {}
        result = operation(*args, **kwargs)
        results = _tensors(result)
        if operation._schema.is_mutable:
            self.add(partial(operation._op, *args, **kwargs))
        elif not ("empty" in operation._schema.name or _are_views(results, (args, kwargs))):
            self.add(_writes_to(results, operation, args, kwargs))
        return result


def _writes_to(
    results: list[Tensor], operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Callable[[], object]:
    """Call `operation`, which returned new tensors `results`, so that it writes to them again."""
    for overload in operation.overloadpacket.overloads():
        variant = getattr(operation.overloadpacket, overload)
        outs = [argument.name for argument in variant._schema.arguments if argument.is_out]
        if len(outs) == len(results) and _inputs(variant) == _inputs(operation):
            inputs = {name: value for name, value in kwargs.items() if name not in OF_NEW_TENSORS}
            return partial(variant._op, *args, **inputs, **dict(zip(outs, results, strict=True)))
    return partial(_copy_results, results, partial(operation._op, *args, **kwargs))


def _copy_results(results: list[Tensor], call: Callable[[], object]) -> None:
    for old, new in zip(results, _tensors(call()), strict=True):
        old.copy_(new)


def _inputs(operation: Any) -> list[tuple[str, str]]:
    """The names and types of its arguments, but for those of new tensors and those it writes to."""
    return [
        (argument.name, str(argument.type))
        for argument in operation._schema.arguments
        if not argument.is_out and argument.name not in OF_NEW_TENSORS
    ]


def _are_views(results: list[Tensor], arguments: object) -> bool:
    """Whether the results lie in memory of the arguments."""
    given = {tensor.untyped_storage().data_ptr() for tensor in _tensors(arguments)}
    return all(tensor.untyped_storage().data_ptr() in given for tensor in results)


def _tensors(values: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
