"""The study file as a JSON schema, with which editors complete and check it.

The schema is derived from what the program itself uses (the types of the sections, the metadata of
the hyperparameters, the lists of methods and data sets) and is never stored in the project. Every
study that the program accepts is valid under it, with one exception: a path to data must contain
`/` or `.`, so that a misspelt data set is reported. Rules about more than one field are left to the
program. Numbers may be strings, because YAML 1.1 reads `1e-3` as a string.
"""

from collections.abc import Collection
from dataclasses import MISSING, Field
from inspect import signature
from typing import Any, get_args, get_origin

from pydantic.json_schema import GenerateJsonSchema

from gmm_study.data import list_datasets
from gmm_study.study.axis import Axis
from gmm_study.study.configurations import OWN_SETTINGS
from gmm_study.study.fields import VARIATION
from gmm_study.study.schema import StudyFile
from gmm_study.study.settings import SPELT_ELSEWHERE
from gmm_study.training.hyperparameters import declared_settings, methods_that_read
from gmm_study.training.methods import METHODS, OPTIONAL_SETTINGS, added_settings
from gmm_study.training.presets import PRESETS
from gmm_study.training.values import geometric_sizes

Schema = dict[str, Any]
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
PATH = r"^(?!debd/[^/.]*$).*[/.~]"
"""Matches a path, as opposed to a misspelt name of a data set."""
LISTS = ("grid", "choice")
RANGES = {float: ("uniform", "log_uniform", "integer"), int: ("integer",)}
"""The ranges from which a setting can be drawn, by the setting's type."""


def study_schema() -> Schema:
    """The schema (draft 7) with all known methods, settings and data sets."""
    schema = StudyFile.model_json_schema(
        ref_template="#/definitions/{model}", schema_generator=_Generator
    )
    definitions, parts = schema.pop("$defs"), schema["properties"]
    settings = {name: s for name, s in declared_settings().items() if name not in SPELT_ELSEWHERE}
    settings |= {spec.name: spec for spec in added_settings()}
    of_evaluation = definitions["Evaluation"]["properties"]
    of_evaluation["samples"] = _setting(_field("evaluation_samples"))
    for name in ("selection_samples", "z_samples"):
        of_evaluation[name] = _setting(_field(name))
    definitions["Settings"] = _object({name: _setting(s, True) for name, s in settings.items()})
    values = {name: (_type(s), _setting(s)) for name, s in settings.items()}
    for part in signature(geometric_sizes).parameters:
        values[f"layers.{part}"] = (int, _size(f"The {part} of a geometric rule of layers."))
    definitions["Space"] = _object({name: _axis(*value) for name, value in values.items()})
    for name, inner in (("fixed", _ref("Settings")), ("space", _ref("Space"))):
        parts[name] = {"allOf": [inner], "description": parts[name]["description"]}
    for name in OWN_SETTINGS.values():
        parts[name]["additionalProperties"] = _ref("Settings")
    parts["per_method"]["propertyNames"] = {"enum": list(METHODS)}
    parts["per_dataset"]["propertyNames"] = _datasets()
    parts["preset"] |= {"anyOf": [{"enum": list(PRESETS)}, {"type": "null"}]}
    parts["methods"] |= {"items": _setting(_field("method")), "uniqueItems": True}
    parts["datasets"] |= {"items": _datasets(), "uniqueItems": True}
    definitions["Point"] = _object({name: value for name, (_, value) in values.items()})
    for definition in definitions.values():
        if "points" in definition["properties"]:
            definition["properties"]["points"]["items"] = _ref("Point")
    definitions["Report"]["properties"]["x"]["anyOf"][0] = {"enum": [VARIATION, *values]}
    loose = {name: _strategies(parts, name, definitions) for name in ("search", "scheduler")}
    partly = definitions["Gradients"] | {"required": []}
    loose["gradients"] = {**parts["gradients"], "anyOf": [partly, {"type": "null"}]}
    definitions["Small"] = _object({**parts, **loose})
    del definitions["Small"]["properties"]["small"]
    parts["small"]["anyOf"][0] = _ref("Small")
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A study of gmm-study"}
    return {**schema, **head, "definitions": definitions}


class _Generator(GenerateJsonSchema):
    """Without titles, which only repeat the names; numbers may be strings."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def float_schema(self, schema: Any) -> Schema:
        return {**super().float_schema(schema), "type": ["number", "string"], "pattern": NUMBER}


def _field(name: str) -> Field[Any]:
    return declared_settings()[name]


def _type(spec: Field[Any]) -> type:
    """`int`, `float`, `str` or `tuple`, without None."""
    if get_origin(spec.type) is tuple:
        return tuple
    named = (spec.type, *get_args(spec.type))
    return next(kind for kind in (int, float, str) if kind in named)


def _setting(spec: Field[Any], partly: bool = False) -> Schema:
    """The values of a hyperparameter.

    With `partly`, the layer rule may be incomplete (axes give the rest) and null is the default.
    """
    facts, kind = spec.metadata, _type(spec)
    schema: Schema = {"description": _described(spec)}
    if spec.default not in (None, MISSING):
        schema["default"] = list(spec.default) if kind is tuple else spec.default
    if facts["choices"]:
        return {**schema, "enum": list(facts["choices"])}
    if spec.name == "stages":
        return {**schema, "anyOf": [_stages(), {"type": "string", "pattern": r"^\s*\["}]}
    if kind is tuple:
        return {**schema, "anyOf": _layers(partly)}
    if kind is str:
        return {**schema, "type": "string"}
    types = ["integer" if kind is int else "number", "string"]
    schema |= {"type": [*types, "null"] if partly and spec.default is None else types}
    schema["pattern"] = NUMBER
    words = {"at_least": "minimum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"}
    return schema | {word: facts[n] for n, word in words.items() if facts[n] is not None}


def _described(spec: Field[Any]) -> str:
    read_by: dict[str, Collection[str]] = dict(spec.metadata["read_by"])
    if spec.name in OPTIONAL_SETTINGS:
        read_by["method"] = methods_that_read(spec.name)
    readers = [f"Read with {name} {' or '.join(values)}." for name, values in read_by.items()]
    return " ".join([spec.metadata["help"], *readers])


def _size(description: str) -> Schema:
    whole = {"type": ["integer", "string"], "minimum": 1, "pattern": NUMBER}
    return {"description": description, **whole}


def _layers(partly: bool) -> list[Schema]:
    """One size, a list of sizes, a string of either, or a geometric rule."""
    size = _size("Units of a layer.")
    parts = signature(geometric_sizes).parameters
    rule = _object({part: _size(f"The rule's {part}.") for part in parts})
    if not partly:
        rule["required"] = list(parts)
    sizes = {"type": "array", "items": size, "minItems": 1}
    text = {"type": "string", "pattern": r"^[\[{]?\s*(\w+\s*=)?\s*\d"}
    return [{"type": "integer", "minimum": 1}, sizes, text, rule]


def _stages() -> Schema:
    """A list of mappings with the settings that a stage may change."""
    changed = {s.name: _setting(s) for s in declared_settings().values() if s.metadata["by_stage"]}
    return {"type": "array", "items": _object(changed)}


def _axis(kind: type, value: Schema) -> Schema:
    """An axis of a setting: a list of its values, or a range if they are numbers."""
    inner = {name: fact for name, fact in value.items() if name not in ("description", "default")}
    kinds: Schema = {}
    for name in (*LISTS, *RANGES.get(kind, ())):
        length = {"minItems": 1, "uniqueItems": True}
        if name not in LISTS:
            length = {"minItems": 2, "maxItems": 2}
        items = inner | ({"exclusiveMinimum": 0} if name == "log_uniform" else {})
        items |= {"type": "integer"} if name == "integer" else {}
        described = {"description": Axis.model_fields[name].description}
        kinds[name] = {**described, "type": "array", "items": items, **length}
    one = {"minProperties": 1, "maxProperties": 1}
    return {**_object(kinds), **one, "description": value["description"]}


def _datasets() -> Schema:
    path = {"type": "string", "pattern": PATH, "description": "A path, such as ./data.npz."}
    return {"anyOf": [{"enum": [info.name for info in list_datasets()]}, path]}


def _strategies(parts: Schema, name: str, definitions: Schema) -> Schema:
    """Allow a kind that needs no other field as a plain string.

    Returns the schema of this section in the small variant, where all fields are optional.
    """
    whole = parts[name]
    del whole["discriminator"]
    among = [definitions[one["$ref"].rpartition("/")[2]] for one in whole["oneOf"]]
    kinds = {one["properties"]["kind"]["const"]: one for one in among}
    alone = [kind for kind, one in kinds.items() if one["required"] == ["kind"]]
    whole["oneOf"].append({"enum": alone})
    merged = {field: value for one in among for field, value in one["properties"].items()}
    inner = _object({**merged, "kind": {"enum": list(kinds)}})
    return {"description": whole["description"], "anyOf": [{"enum": alone}, inner]}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}
