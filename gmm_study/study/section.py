"""A section of a study file: a mapping whose fields are known."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gmm_study.errors import did_you_mean

UNKNOWN_FIELD = "unknown_field"


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} must be a number")
    return value


AtLeastOne = Annotated[StrictInt, Field(ge=1)]
NoTruth = BeforeValidator(_refuse_truth)
"""Refuses true and false for a number; it stands after the limits, which the JSON schema shows."""
Number = Annotated[FiniteFloat, NoTruth]
"""A finite number, which may be written as text; true and false are refused."""


class Section(BaseModel):
    """A section of a study file with known fields.

    Validators raise `ValueError` if the error is in the field that they validate, and `InputError`
    with a line that names the field if it is in another one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, values: Any) -> Any:
        for name in values if isinstance(values, Mapping) else ():
            if name not in cls.model_fields:
                hint = did_you_mean(name, cls.model_fields)
                raise PydanticCustomError(UNKNOWN_FIELD, "{name}", {"name": name, "hint": hint})
        return values
