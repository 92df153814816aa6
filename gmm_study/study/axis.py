"""An axis of a study file: the values of one swept setting."""

from collections.abc import Sequence
from functools import cached_property
from math import exp, log
from typing import Annotated, Any

from pydantic import Field, StrictInt, model_validator

from gmm_study.study.section import Number, Section


class Axis(Section):
    """The values of one swept setting: a grid, or a distribution that a search draws from."""

    grid: Annotated[list[Any], Field(min_length=1)] | None = None
    """All of these values."""
    choice: Annotated[list[Any], Field(min_length=1)] | None = None
    """The search draws one of these values."""
    uniform: tuple[Number, Number] | None = None
    """The search draws a number from this range."""
    log_uniform: tuple[Number, Number] | None = None
    """The search draws a number from this range, uniformly in its logarithm."""
    integer: tuple[StrictInt, StrictInt] | None = None
    """The search draws an integer from this range, ends included."""

    @model_validator(mode="after")
    def _check(self) -> "Axis":
        if len(self.model_fields_set) != 1 or getattr(self, self.kind) is None:
            raise ValueError(
                f"needs exactly one of {', '.join(Axis.model_fields)}, as in {{grid: [1, 2]}}"
            )
        if not self.values:
            low, high = getattr(self, self.kind)
            if low >= high:
                raise ValueError(
                    f"{self.kind} [{low}, {high}] must be [low, high] with low below high"
                )
            if self.log_uniform and low <= 0:
                raise ValueError(
                    f"log_uniform [{low}, {high}] must be [low, high] with low above 0"
                )
        return self

    @cached_property
    def kind(self) -> str:
        """The name of the field that is set, such as `grid`."""
        return next(iter(self.model_fields_set), "grid")

    @property
    def values(self) -> Sequence[Any]:
        """The values of a grid or a choice; empty for a range."""
        return self.grid or self.choice or ()

    def __contains__(self, value: Any) -> bool:
        """Whether a plain value lies on the axis."""
        if self.values:
            return value in self.values
        low, high = getattr(self, self.kind)
        return bool(low <= value <= high)

    def at(self, fraction: float) -> Any:
        """The value at a fraction in [0, 1) of the axis, as its inverse distribution function.

        Numbers of a range are rounded, so that a draw, and thereby a trial's id, does not depend on
        the machine's implementation of the logarithm.
        """
        values = self.values
        if values:
            return values[min(int(fraction * len(values)), len(values) - 1)]
        low, high = getattr(self, self.kind)
        if self.integer:
            return min(low + int(fraction * (high - low + 1)), high)
        if self.log_uniform:
            value = exp(log(low) + fraction * (log(high) - log(low)))
        else:
            value = low + fraction * (high - low)
        return self.rounded(value)

    def rounded(self, value: Any) -> Any:
        """A value of the axis, rounded to six significant digits if it is from a range of reals."""
        if self.values or self.integer:
            return value
        low, high = getattr(self, self.kind)
        return min(max(float(f"{value:.6g}"), low), high)

    def probes(self) -> Sequence[Any]:
        """Values to test: if all of them are valid, every value of the axis is."""
        if self.values:
            return self.values
        low, high = getattr(self, self.kind)
        between = [] if self.integer else [low + min(0.5, (high - low) / 2)]
        return [low, high, *between]
