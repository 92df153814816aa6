"""How many sample rows a model takes at a time, and which steps are recorded; without torch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gmm_study.training.method import Method

CPU_ROWS = 4000
"""Sample rows (datapoints times K) of a replicate; a CPU's cache holds what a layer computes."""
GPU_ROWS = 100_000
"""Sample rows of all replicates; the time of smaller passes on a GPU is mostly that of launches."""
MOST_RECORDED_STATES = 1 << 18
"""A step that draws more states is not recorded on a CPU: Python takes little of its time, and
without a recording it uses memory again that is still in the cache."""


def rows_of_a_pass(on_gpu: bool, replicates: int) -> int:
    """The sample rows of each replicate, of so many that are validated together."""
    return max(CPU_ROWS, GPU_ROWS // replicates) if on_gpu else CPU_ROWS


def are_steps_recorded(method: "Method", sample_rows: int, layers: Iterable[int]) -> bool:
    """Whether steps with so many sample rows are recorded on a CPU."""
    return method.recorded_on_cpu and sample_rows * sum(layers) <= MOST_RECORDED_STATES
