"""Counts, lists and durations as text."""

from collections.abc import Sequence


def plural(count: int, noun: str) -> str:
    """`1 trial`, `2 trials`, `2,000 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def in_a_list(words: Sequence[str]) -> str:
    """`adult`, `adult and dna`, `adult, dna and nips`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def clock(seconds: float) -> str:
    """`2:40` in minutes and seconds, `1:02:40` with hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def at_a_time(trials: int, cpus: int, gpu_share: float = 0.0) -> str:
    """`2 trials at a time on 1 core each`, `8 trials at a time on 0.125 of a GPU each`."""
    if gpu_share:
        where = "a GPU" if gpu_share == 1 else f"{gpu_share:g} of a GPU"
    else:
        where = plural(cpus, "core")
    return f"{plural(trials, 'trial')} at a time on {where} each"
