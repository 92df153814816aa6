"""Pydantic's errors as one line that names the field, the value and what is allowed."""

from pydantic import ValidationError

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.section import UNKNOWN_FIELD

PLAIN_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_attributes_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_type": "must be text",
    "tuple_type": "must be a list of two numbers",
}
LONGEST_VALUE = 80


def explain(error: ValidationError) -> str:
    """The line for the first error that pydantic collected."""
    fault = error.errors(include_url=False)[0]
    kind, context, location = fault["type"], fault.get("ctx", {}), [*fault["loc"]]
    if location[:1] in (["search"], ["scheduler"]):
        del location[1:2]  # a discriminated union puts the kind into the location
    field = ".".join(map(str, location))
    value = repr(fault["input"])
    if len(value) > LONGEST_VALUE:
        value = f"{value[:LONGEST_VALUE]}..."
    cause = context.get("error")
    if isinstance(cause, InputError):
        line = str(cause)
    elif kind == "value_error":
        line = f"{field}: {cause}"
    elif kind == UNKNOWN_FIELD:
        line = f"{'.'.join([*field.split(), context['name']])}: no such field; {context['hint']}"
    elif kind == "missing":
        line = f"{field}: is missing"
    elif kind == "union_tag_not_found":
        line = f"{field}.kind: is missing in {value}"
    elif kind == "union_tag_invalid":
        known = context["expected_tags"].replace("'", "").split(", ")
        line = f"{field}.kind: '{context['tag']}' is unknown; {did_you_mean(context['tag'], known)}"
    else:
        line = f"{field}: {value} {PLAIN_WORDS.get(kind) or _plain(fault['msg'])}"
    return line


def _plain(message: str) -> str:
    """Pydantic's message in the words of our own errors: `must be` for `Input should be`."""
    rest = message.partition(" should ")[2].replace(" after validation", "")
    return f"must {rest}" if rest else message
