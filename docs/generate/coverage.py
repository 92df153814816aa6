"""The coverage of the intervals of a report, measured by simulation with the report's own code.

`python -m docs.generate.coverage` prints the table of docs/explanation/statistics.md, and a test
compares that page with a shorter simulation. Values are v[r, i] = seed r + datapoint i + residual
for R seeds and N datapoints, all normal unless a case says otherwise.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np
from numpy.typing import NDArray

from analysis.decisions import differs, is_equivalent
from analysis.pooling import pool_of
from analysis.simultaneous import Family
from analysis.statistics import Estimate, mean_of, paired_difference, unpaired_difference
from docs.generate.markdown import table

Array = NDArray[np.float64]
REPETITIONS = 10_000
SEEDS = (3, 5)
MARGIN = 0.2
NOMINAL = "at least 95"
"""Percent of intervals that contain the true value."""
AT_MOST = "at most 5"
"""Percent of tests that are wrong."""


@dataclass(frozen=True)
class Case:
    """What is simulated: `draw` makes one report with R seeds and says whether it is counted.

    `nominal` is what the method promises; empty where its assumptions do not hold.
    """

    kind: str
    setting: str
    nominal: str
    draw: Callable[[np.random.Generator, int], bool]

    def simulated(self, seeds: int, repetitions: int = REPETITIONS) -> float:
        """The percentage of simulated reports that are counted."""
        random = np.random.default_rng([seeds, *f"{self.kind}, {self.setting}".encode()])
        return 100 * sum(self.draw(random, seeds) for _ in range(repetitions)) / repetitions


def cases() -> Iterator[Case]:
    """All rows of the table."""
    yield Case("mean over seeds alone", "normal", NOMINAL, _mean_over_seeds)
    draw = partial(_mean_over_seeds, skewed=True)
    yield Case("mean over seeds alone", "exponential, which is skewed", "", draw)
    for ratio, datapoints in ((0, 100), (0.5, 100), (1, 100), (2, 100), (inf, 100), (1, 1000)):
        draw = partial(_mean_over_both, datapoints=datapoints, ratio=ratio)
        setting = f"{_ratio(ratio)}; N = {datapoints:,}"
        yield Case("mean over seeds and data", setting, NOMINAL, draw)
    draw = partial(_mean_over_both, datapoints=100, ratio=0.5, skewed=True)
    setting = f"{_ratio(0.5)}, which are exponential; N = 100"
    yield Case("mean over seeds and data", setting, "", draw)
    for ratio in (0, 1, 5):
        yield Case("paired difference", _ratio(ratio), NOMINAL, partial(_paired, ratio=ratio))
    for ratio in (0, 1, 5):
        draw = partial(_unpaired, ratio=ratio)
        yield Case("difference, other seeds", _ratio(ratio), NOMINAL, draw)
    yield from _families("eight variations", "reference", 8)
    yield from _families("the best of three and the others", "pairs", 2)
    for ratio, error in ((0, 0.05), (1, 0.05), (1, 0.02), (5, 0.01)):
        setting = f"{_ratio(ratio)}, {error:g} nats"
        draw = partial(_falsely_equivalent, ratio=ratio, error=error)
        yield Case("equivalence at the margin", setting, AT_MOST, draw)
    draw = partial(_falsely_equivalent_among_eight, scale=0.1)
    yield Case("equivalence at the margin", "any of eight variations", AT_MOST, draw)


def _families(kind: str, family: str, others: int) -> Iterator[Case]:
    """The cases of several trials; a collapsed one has some 30 times the spread of the others."""
    equal = (1.0,) * others
    scales = {
        "equal spread over seeds": (1.0, *equal),
        "one with twice the spread": (*equal, 2.0),
        "one collapsed": (*equal, 30.0),
    }
    if family == "reference":
        scales["the reference with twice the spread"] = (2.0, *equal)
    for setting, own in scales.items():
        nominal = NOMINAL if set(own) == {1.0} else ""
        draw = partial(_all_covered, kind=family, scales=own)
        yield Case(kind, setting, nominal, draw)
    draw = partial(_all_covered, kind=family, scales=(1.0, *equal), ratio=1.0)
    yield Case(kind, f"equal spread; {_ratio(1)}", NOMINAL, draw)


def _ratio(ratio: float) -> str:
    return "no error over data" if ratio == inf else f"error over seeds {ratio:g} times over data"


def crossed(
    random: np.random.Generator,
    seeds: int,
    datapoints: int,
    ratio: float,
    scale: float = 1.0,
    skewed: bool = False,
) -> Array:
    """`[R, N]` values whose mean has a standard error over data of `scale`, over seeds `ratio` it.

    If the ratio is infinite, that over seeds is `scale` and that over data 0. There is a residual.
    The effects of datapoints are normal, or exponential if `skewed`.
    """
    over_seeds, over_data = (scale, 0.0) if ratio == inf else (ratio * scale, scale)
    rows = over_seeds * seeds**0.5 * random.standard_normal((seeds, 1))
    if skewed:
        effects = random.exponential(size=datapoints) - 1.0
    else:
        effects = random.standard_normal(datapoints)
    columns = over_data * datapoints**0.5 * effects
    residual = 0.5 * scale * datapoints**0.5 * random.standard_normal((seeds, datapoints))
    return np.asarray(rows + columns + residual)


def _covers(estimate: Estimate) -> bool:
    """Whether the 95% interval contains 0, the true value."""
    return not differs(estimate)


def _mean_over_seeds(random: np.random.Generator, seeds: int, skewed: bool = False) -> bool:
    means = random.exponential(size=seeds) - 1.0 if skewed else random.standard_normal(seeds)
    return _covers(mean_of(means, None))


def _mean_over_both(
    random: np.random.Generator,
    seeds: int,
    datapoints: int,
    ratio: float,
    skewed: bool = False,
) -> bool:
    values = crossed(random, seeds, datapoints, ratio, skewed=skewed)
    return _covers(mean_of(values.mean(1), values))


def _paired(random: np.random.Generator, seeds: int, ratio: float) -> bool:
    """Two trials that share large effects of seeds and datapoints."""
    shared = crossed(random, seeds, 100, 1.0, 5.0)
    first = shared + crossed(random, seeds, 100, ratio)
    return _covers(paired_difference(first.mean(1), shared.mean(1), (first, shared)))


def _unpaired(random: np.random.Generator, seeds: int, ratio: float) -> bool:
    """Two trials of other seeds that share large effects of datapoints."""
    shared = 50.0 * random.standard_normal(100)
    first = shared + crossed(random, seeds, 100, ratio)
    second = shared + crossed(random, seeds, 100, ratio)
    return _covers(unpaired_difference(first.mean(1), second.mean(1), (first, second)))


def _several(
    random: np.random.Generator, seeds: int, kind: str, scales: Sequence[float], ratio: float
) -> list[Estimate]:
    """The differences from the first trial, or from the best one (`pairs`), at equal true means.

    The spreads over seeds are `scales`. If `ratio` is finite, values of datapoints are known.
    """
    names, shared = list(map(str, range(len(scales)))), random.standard_normal(seeds)
    values: dict[str, Array] = {}
    if ratio == inf:
        spreads = dict(zip(names, scales, strict=True))
        means = {each: spreads[each] * random.standard_normal(seeds) + shared for each in names}
    else:
        values = {each: crossed(random, seeds, 100, ratio) for each in names}
        means = {each: own.mean(1) for each, own in values.items()}
    if kind == "pairs":
        names.sort(key=lambda each: -means[each].mean())
    first, *others = names
    family = Family("pairs", len(names)) if kind == "pairs" else Family("reference", len(others))
    pool = pool_of(means)
    return [
        pool.difference(
            (first, each), means, (values[first], values[each]) if values else None, family
        )
        for each in others
    ]


def _all_covered(
    random: np.random.Generator,
    seeds: int,
    kind: str,
    scales: Sequence[float],
    ratio: float = inf,
) -> bool:
    return all(map(_covers, _several(random, seeds, kind, scales, ratio)))


def _falsely_equivalent(
    random: np.random.Generator, seeds: int, ratio: float, error: float
) -> bool:
    """Whether a difference that is as large as the margin is called equivalent."""
    values = MARGIN + crossed(random, seeds, 100, ratio, error)
    found = paired_difference(values.mean(1), np.zeros(seeds), (values, np.zeros_like(values)))
    return is_equivalent(found, MARGIN)


def _falsely_equivalent_among_eight(random: np.random.Generator, seeds: int, scale: float) -> bool:
    """The same for any of eight variations, which all differ by the margin."""
    means = {str(i): scale * random.standard_normal(seeds) - MARGIN * (i > 0) for i in range(9)}
    pool, family = pool_of(means), Family("reference", 8)
    found = (pool.difference(("0", str(i)), means, None, family) for i in range(1, 9))
    return any(is_equivalent(each, MARGIN) for each in found)


def coverage_table(repetitions: int = REPETITIONS) -> str:
    """The table in Markdown."""
    rows = [
        (
            case.kind,
            case.setting,
            case.nominal,
            *(f"{case.simulated(seeds, repetitions):.1f}" for seeds in SEEDS),
        )
        for case in cases()
    ]
    return table(("interval or test", "case", "nominal", *(f"n = {n}" for n in SEEDS)), rows)


if __name__ == "__main__":
    print(coverage_table())
