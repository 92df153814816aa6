"""Running out of memory: which errors indicate it, and what would help.

A trial that runs out of memory is tried once more from its checkpoint, with an eighth of the
evaluation's chunk. The error must be dropped first, because its stack frames hold the tensors.
"""

LESS = 8
"""The evaluation's chunk is divided by this when a trial is tried again."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of a GPU or of the machine was too small."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch has no class of its own for a CPU: "DefaultCPUAllocator: can't allocate memory".
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def what_would_help(error: BaseException, device: str, chunk_rows: int) -> str:
    """One line: which memory ran out, that a smaller chunk did not help, and what to change."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    place = "on a GPU (larger resources.gpus)" if device == "cuda" else "(resources.concurrent)"
    return (
        f"out of memory, again with chunk_rows={chunk_rows}: fewer trials at a time {place}, or a "
        f"smaller batch_size, samples or evaluation.chunk_rows would help; {first}"
    )
