"""Training steps as CUDA graphs: captured once for each number of datapoints, then replayed.

A step is about 300 small kernels, which a GPU computes faster than Python launches them. A graph
launches all of them at once. The first three steps of each batch size run without a graph; they are
ordinary training steps and warm up what PyTorch makes at first use. The host waits for the GPU only
once for an epoch and its validation.

This has never been run on a GPU. `python -m bench.gpu` checks and measures it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

WARM_UP_STEPS = 3
"""Steps of a shape that run as they are before it is captured, as PyTorch's notes advise: what is
made at first use, such as cuBLAS's workspace, is there by then."""

Step = Callable[[Tensor], None]
"""Trains on the datapoints at indices `[R, B]`. It reads and writes the same memory at every call,
the host reads none of it, and what it launches depends on the shape of the indices alone."""


class Graphs(Protocol):
    """What captures and replays; a test puts its own in the place of `CudaGraphs`."""

    def stream(self) -> AbstractContextManager[None]:
        """Inside, work is queued where it can be captured, after what was queued before."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what `work` launches, without running it; gives what runs it."""


class CudaGraphs:
    """CUDA graphs that share one memory pool, and the generators from which they draw.

    A replay draws what the same step would have drawn uncaptured, and moves the generator as far,
    so its state can be read between replays and replays go on from a state that was set. So it is
    in PyTorch's own code: a captured kernel gets its Philox offset as that of the generator plus
    one inside the graph; `replay` writes the generator's seed and offset to where the kernels read
    them, and adds the whole graph's increment to the offset, which lives on the host (Note [CUDA
    Graph-safe RNG states] in ATen/cuda/CUDAGeneratorImpl.h, `replay_prologue` in the .cpp beside
    it). It costs two launches a generator and replay.

    The pool may be shared, as graphs leave nothing in it that is read after them. The stream may
    not be that of graphs that live longer: with a graph, PyTorch may free the cuBLAS workspace of
    its stream (pytorch/pytorch issue 193402).
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self._generators = list(generators)
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """All work on one side stream, where capturing is allowed; others wait for it."""
        outer = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outer)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            outer.wait_stream(self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what `work` launches on the side stream; gives the graph's `replay`."""
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            work()
        return graph.replay


def cuda_graphs(device: torch.device, generators: Sequence[torch.Generator]) -> Graphs | None:
    """CUDA graphs on a GPU, and none elsewhere."""
    return CudaGraphs(device, generators) if device.type == "cuda" else None


class StepRunner:
    """Runs steps, through graphs if there are any; always the same step on the same memory.

    Every call is one training step, whether it runs as it is, to warm up, or as a replay.
    """

    def __init__(self, graphs: Graphs | None) -> None:
        self._graphs = graphs
        self._indices: dict[int, Tensor] = {}
        self._warm_ups: Counter[int] = Counter()
        self._replays: dict[int, Callable[[], None]] = {}

    def run(self, step: Step, batches: Iterable[Tensor]) -> None:
        """Train on every batch in turn, each given by its indices `[R, B]`."""
        if self._graphs is None:
            for indices in batches:
                step(indices)
            return
        with self._graphs.stream():
            for indices in batches:
                self._run(self._graphs, step, indices)

    def _run(self, graphs: Graphs, step: Step, indices: Tensor) -> None:
        length = indices.shape[1]
        if length not in self._indices:
            self._indices[length] = indices.new_empty(indices.shape)
        static = self._indices[length].copy_(indices)
        if self._warm_ups[length] < WARM_UP_STEPS:
            self._warm_ups[length] += 1
            step(static)
            return
        if length not in self._replays:
            self._replays[length] = graphs.capture(partial(step, static))
        self._replays[length]()
