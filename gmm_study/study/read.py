"""Strict YAML: plain data only, no repeated keys, and one-line errors."""

from pathlib import Path
from typing import Any

import yaml

from gmm_study.errors import InputError


def read_document(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be text in UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: must contain a mapping with the fields of a study")
    return document


def parse_yaml(text: str) -> Any:
    """The value of a YAML text. Raises `InputError` that names the line of the error."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputError(f"{line}invalid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise InputError("invalid YAML: it contains a character that is not allowed") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"invalid YAML: {' '.join(str(error).split())}") from error


_TEXT = "tag:yaml.org,2002:str"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, with keys that are unique strings.

    2:30 is text; YAML 1.1 would read it as 150.
    """

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        return _TEXT if tag in _NUMBERS and ":" in value else tag

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="aliases are not allowed; write the value out", problem_mark=mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            problem = "" if isinstance(key, str) else f"the key {key!r} must be text"
            problem = f"the key '{key}' appears twice" if not problem and key in seen else problem
            if problem:
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
