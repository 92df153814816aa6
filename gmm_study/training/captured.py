"""Training steps that are captured once for each number of datapoints, then replayed.

On a GPU they are CUDA graphs. A step is about 300 small kernels, which a GPU computes faster than
Python launches them. A graph launches all of them at once. The first three steps of each batch size
run without a graph; they are ordinary training steps and warm up what PyTorch makes at first use.
The host waits for the GPU only once for an epoch and its validation. On a CPU, steps of small
models are recorded (`recorded.py`).

`python -m bench.gpu` checks and measures it: replays give what steps without a graph give, to the
last bit.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.passes import are_steps_recorded
from gmm_study.training.recorded import RecordedSteps

WARM_UP_STEPS = 3
"""Steps of a batch size that run without a graph before it is captured, as PyTorch's notes advise.
By then, what PyTorch creates at first use, such as cuBLAS's workspace, exists."""

Step = Callable[[Tensor], None]
"""Trains on the datapoints at indices `[R, B]`. Every call reads and writes the same memory, the
host reads none of it, and the launched kernels depend only on the shape of the indices."""


class Graphs(Protocol):
    """Captures and replays steps; a test uses its own in place of `CudaGraphs`."""

    def stream(self) -> AbstractContextManager[None]:
        """Inside, work is queued where it can be captured, after all earlier work."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what `work` launches, and run it once; returns a function that runs it again."""


class CudaGraphs:
    """CUDA graphs that share one memory pool, and the random generators from which they draw.

    A replay draws the same random numbers as an uncaptured step and advances the generator as far.
    Its state can therefore be read between replays, and replays continue from a state that was set.
    This follows from PyTorch's code: a captured kernel gets its Philox offset as the offset of the
    generator plus one inside the graph; `replay` writes the generator's seed and offset to where
    the kernels read them, and adds the whole graph's increment to the offset, which is on the host
    (Note [CUDA Graph-safe RNG states] in ATen/cuda/CUDAGeneratorImpl.h, `replay_prologue` in the
    .cpp beside it). This costs two launches per generator and replay.

    The graphs may share a pool, because they leave nothing in it that is read later. They must not
    use the stream of graphs that live longer: together with a graph, PyTorch may free the cuBLAS
    workspace of its stream (pytorch/pytorch issue 193402).
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self._generators = list(generators)
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Run all work on one side stream, where capturing is allowed; other streams wait."""
        outer = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outer)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            outer.wait_stream(self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what `work` launches on the side stream, and replay it."""
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            work()
        graph.replay()
        return graph.replay


def build_graphs(
    settings: Hyperparameters, device: torch.device, generators: Sequence[torch.Generator]
) -> Graphs | None:
    """CUDA graphs on a GPU, recordings of small models on a CPU, otherwise None."""
    if device.type == "cuda":
        return CudaGraphs(device, generators)
    sample_rows = settings.batch_size * settings.training_samples
    recorded = are_steps_recorded(settings.declaration, sample_rows, settings.layers)
    return RecordedSteps() if recorded else None


class StepRunner:
    """Runs steps, through graphs if there are any. The step and its memory must always be the same.

    Every call is one training step, whether it runs without a graph, as a warm-up, or as a replay.
    """

    def __init__(self, graphs: Graphs | None) -> None:
        self._graphs = graphs
        self._indices: dict[int, Tensor] = {}
        self._warm_ups: Counter[int] = Counter()
        self._replays: dict[int, Callable[[], None]] = {}

    def run(self, step: Step, batches: Iterable[Tensor]) -> None:
        """Train on each batch in turn, given by its indices `[R, B]`."""
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
        if length in self._replays:
            self._replays[length]()
        elif self._warm_ups[length] < WARM_UP_STEPS:
            self._warm_ups[length] += 1
            step(static)
        else:
            self._replays[length] = graphs.capture(partial(step, static))
