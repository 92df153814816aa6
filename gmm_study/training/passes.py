"""How many sample rows go through a model at a time in a validation; without torch."""

CPU_ROWS = 4000
"""Sample rows (datapoints times K) of a replicate; a CPU's cache holds what a layer computes."""
GPU_ROWS = 100_000
"""Sample rows of all replicates; the time of smaller passes on a GPU is mostly that of launches."""


def rows_of_a_pass(on_gpu: bool, replicates: int) -> int:
    """The sample rows of each replicate, of so many that are validated together."""
    return max(CPU_ROWS, GPU_ROWS // replicates) if on_gpu else CPU_ROWS
