"""Interleaved rounds: contenders take turns, and only ratios within a round count.

The speed of a shared machine drifts by tens of percent over minutes, which a round of a second
does not see. What is told is the median over the rounds and the quartiles around it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

import torch

Contender = Callable[[int], object]
"""Does its work so many times."""

ROUNDS, SMOKE_ROUNDS = 9, 2
SECONDS = 0.1
"""What one measurement should take, about."""
MOST_REPETITIONS = 200


@dataclass(frozen=True)
class Spread:
    """The median of some values and the quartiles around it."""

    lower: float
    median: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value or more."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        return cls(*quantiles(values, n=4, method="inclusive"))

    def times(self, factor: float) -> "Spread":
        """The same of the values times a positive number."""
        return Spread(self.lower * factor, self.median * factor, self.upper * factor)

    def cells(self, column: str) -> dict[str, float]:
        """As cells of a table, to three figures."""
        values = {column: self.median, "quartile 1": self.lower, "quartile 3": self.upper}
        return {name: significant(value) for name, value in values.items()}


@dataclass(frozen=True)
class Rounds:
    """Seconds a repetition of every contender, round by round."""

    seconds: Mapping[str, Sequence[float]]

    def milliseconds(self, name: str) -> float:
        """The median, to three figures."""
        return significant(1e3 * median(self.seconds[name]))

    def ratio(self, numerator: str, denominator: str) -> Spread:
        """Of the seconds of two contenders in the same round."""
        pairs = zip(self.seconds[numerator], self.seconds[denominator], strict=True)
        return Spread.of([above / below for above, below in pairs])


def interleaved(contenders: Mapping[str, Contender], rounds: int) -> Rounds:
    """Measure the contenders in turn, every second round in reverse.

    Each repeats its work until a measurement takes about `SECONDS`. What it does only once, such
    as compiling or allocating, it does before.
    """
    repetitions = {name: _repetitions(work) for name, work in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            seconds[name].append(_seconds(contenders[name], repetitions[name]))
    return Rounds(seconds)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def significant(value: float) -> float:
    """A number to three figures."""
    return float(f"{value:.3g}")


def _repetitions(work: Contender) -> int:
    work(1)
    once = _seconds(work, 1)
    if once < SECONDS / 10:
        once = _seconds(work, 10)
    return max(1, min(MOST_REPETITIONS, round(SECONDS / once)))


def _seconds(work: Contender, repetitions: int) -> float:
    started = perf_counter()
    work(repetitions)
    return (perf_counter() - started) / repetitions
