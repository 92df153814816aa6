"""Words for readers: how tables and figures name metrics, axes, values, bounds and errors."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.selection import VALID_BOUND, VALID_LOG_P

LOG_P = "test/log_p"
LOG_P_STAR, LOG_P_TILDE = "test/log_p_star", "test/log_p_tilde"
BOUND = "test/bound"
ESS, ESS_STAR, LOG_Z2 = "test/ess", "test/ess_star", "test/log_z2"
ESS_OF = {LOG_P: ESS, LOG_P_STAR: ESS_STAR}
"""The effective sample size of the estimate of each likelihood."""
ERROR_OF = {LOG_P: f"{LOG_P}_se", LOG_P_STAR: f"{LOG_P_STAR}_se"}
"""The standard error of each likelihood over the test datapoints."""
METRICS = {LOG_P: "test log p", BOUND: "test bound"}
"""The metrics of a report's tables, in nats."""
ALL_METRICS = METRICS | {
    LOG_P_TILDE: "test log p̃",
    LOG_P_STAR: "test log p*",
    ESS: "ess",
    ESS_STAR: "ess for p*",
    LOG_Z2: "2 log Z",
    **dict.fromkeys(ERROR_OF.values(), "standard error over test datapoints"),
}
"""All metrics that are shown: nats, and effective sample sizes as fractions of K."""

SELECTED_BY = {VALID_LOG_P: "validation log p", VALID_BOUND: "validation bound"}
"""The figures by which trials are selected, in nats."""

MOST_DECIMALS = 4
HUGE = 1e6
"""Numbers of nats from this size on, as of a model that blew up, are printed with an exponent."""
ROUNDING = 1e-9
"""Errors and differences up to this many nats are rounding errors and count as zero."""

_AXES = {
    "layers.depth": "depth",
    "layers.first": "units of the first layer",
    "layers.last": "units of the last layer",
    "samples": "training samples K",
    "evaluation_samples": "evaluation samples K",
    "l1": "L1 factor",
    "l2": "L2 factor",
}


def axis_label(axis: str) -> str:
    """`layers.depth` is `depth`, `learning_rate` is `learning rate`."""
    return _AXES.get(axis, axis.replace("_", " ").replace(".", " "))


def value_label(value: Any) -> str:
    """A value of an axis; `not read` for a method that does not read the axis."""
    if value is None:
        return "not read"
    if is_number(value):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return str(value)


def short_label(axis: str | None, value: Any) -> str:
    """A value for a figure, where lists of four layers and more are shortened: `300,…,10 (12)`."""
    sizes = str(value).split(",")
    if axis == "layers" and len(sizes) > 3:
        return f"{sizes[0]},…,{sizes[-1]} ({len(sizes)})"
    return value_label(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def plain(value: Any) -> Any:
    """A value of an axis as a number or text that can be compared, sorted and stored."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ",".join(
            f"{{{plain(part)}}}" if isinstance(part, Mapping) else str(plain(part))
            for part in value
        )
    return value if value is None or is_number(value) else str(value)


def bound_label(settings: Hyperparameters) -> str:
    """What the bound of a configuration estimates, as its method declares it."""
    label = settings.declaration.bound_label
    return label if isinstance(label, str) else label(settings)


def value_range(values: Iterable[int]) -> str:
    """`10`, or `1 to 1,000` for several values."""
    low, high = min(distinct := set(values)), max(distinct)
    return value_label(low) if low == high else f"{value_label(low)} to {value_label(high)}"


def decimals(errors: Iterable[float]) -> int:
    """The number of decimals of a table, from its standard errors.

    It shows about two digits of the median error, and the smallest error as other than zero.
    """
    known = sorted(error for error in errors if error > ROUNDING)
    median = known[len(known) // 2] if known else 0.1
    places = 1 if median >= 1 else 2 if median >= 0.02 else 3
    while known and places < MOST_DECIMALS and round(known[0], places) == 0:
        places += 1
    return places


def nats(value: float, places: int, signed: bool = False) -> str:
    """`-20.10`, with the plus of a positive value if `signed`; `1.0e+07` from a million on.

    What rounds to zero has no minus.
    """
    kind = f"z.{places}f" if abs(value) < HUGE else ".1e"
    return f"{value:{'+' if signed else ''}{kind}}"


def error_label(error: float, places: int) -> str:
    """A standard error for after the ±: n/a for one replicate, 0 only if it is zero."""
    if not isfinite(error):
        return "n/a"
    text = nats(error, places)
    return f"<{10**-places:.{places}f}" if error > ROUNDING and not float(text) else text
