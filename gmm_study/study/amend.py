"""Changes to a study file: its small variant, and overrides from the command line.

A later change overrides an earlier one. Fixing a setting removes its axis from the space, and
adding an axis removes the fixed setting.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from hashlib import sha256
from typing import Any, get_args

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.axis import Axis
from gmm_study.study.dotted import assign, leaves, overlap, remove
from gmm_study.study.fields import VARIATION
from gmm_study.study.read import parse_yaml
from gmm_study.study.schema import StudyFile
from gmm_study.study.settings import PARTS, known_settings, refuse_part_of_stages
from gmm_study.study.strategies import SchedulerChoice, Search
from gmm_study.training.hyperparameters import declared_settings

SHORT_FOR = {"dataset": "datasets", "method": "methods"}
"""Keys that replace a whole list by one value."""
FIELDS = set(StudyFile.model_fields) - {"small"}
SECTIONS_OF_KINDS = {"search": Search, "scheduler": SchedulerChoice}
"""Sections whose fields depend on their kind."""
LABEL_LENGTH = 100


def with_small(document: Mapping[str, Any], small: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its small variant merged into it.

    Axes, variations and lists are replaced as a whole.
    """
    if "small" in small:
        raise InputError("small: a small variant must not have a small variant of its own")
    merged = deepcopy({name: value for name, value in document.items() if name != "small"})
    changes = deepcopy(dict(small))
    of_parts = {section: changes.pop(section) for section in PARTS if section in changes}
    for section, value in changes.items():
        if section == "fixed" and isinstance(value, dict):
            for name, setting in value.items():
                _fix(merged, name, setting, _joined(_mapping(merged, "fixed").get(name), setting))
        elif section == "space" and isinstance(value, dict):
            for name, axis in value.items():
                _sweep(merged, name, axis)
        elif section == "variations":
            merged[section] = value
        else:
            merged[section] = _joined(merged.get(section), value)
    for section, own in of_parts.items():  # on top of the fixed settings, in any order
        if isinstance(own, dict):
            of_all = _mapping(merged, section)
            for part, settings in own.items():
                of_all[part] = _joined(of_all.get(part), settings)
        else:
            merged[section] = own
    return _without_dangling(merged, document)


def with_overrides(
    document: Mapping[str, Any], overrides: Iterable[tuple[str, Any]]
) -> dict[str, Any]:
    """The document after setting the value of each key, in the given order."""
    amended = deepcopy(dict(document))
    for key, value in overrides:
        try:
            _override(amended, key, deepcopy(value))
        except InputError as error:
            raise InputError(f"{key}={value}: {error}") from error
    return _without_dangling(amended, document)


def parse_override(text: str) -> tuple[str, Any]:
    """The key and the value of KEY=VALUE, with the value parsed as YAML."""
    key, separator, value = (part.strip() for part in text.partition("="))
    if not (key and separator and value):
        raise InputError(f"'{text}': must be KEY=VALUE, as in max_epochs=5")
    try:
        return key, parse_yaml(value)
    except InputError as error:
        raise InputError(f"'{text}': {error}") from error


def overridden_setting(key: str) -> str | None:
    """The hyperparameter that a key fixes; None if the key sets another field of the study."""
    head, _, rest = key.partition(".")
    if head == "fixed":
        return rest or None
    return None if head in FIELDS or head in SHORT_FOR else key


def label(small: bool, overrides: Sequence[str]) -> str:
    """A short name of a variant, usable as a folder's name; empty if the file is unchanged."""
    text = ",".join([*(["small"] if small else []), *("".join(o.split()) for o in overrides)])
    safe = re.sub(r"[^\w=.,+\[\]{}-]", "_", text, flags=re.ASCII)
    if safe == text and len(text) <= LABEL_LENGTH:
        return text
    digest = sha256(text.encode()).hexdigest()[:8]
    return f"{safe[: LABEL_LENGTH - len(digest) - 1]}-{digest}"


def _override(document: dict[str, Any], key: str, value: Any) -> None:
    refuse_part_of_stages(key)
    head, _, rest = key.partition(".")
    setting = overridden_setting(key)
    if setting is not None:
        if head != "fixed":
            _refuse_unknown(head)
        _fix(document, setting, value, value)
    elif head == "space" and rest:
        name, _, kind = rest.rpartition(".")
        if name and kind in Axis.model_fields:
            _sweep(document, name, {kind: value})
        else:
            _sweep(document, rest, value)
    elif key in SHORT_FOR:
        document[SHORT_FOR[key]] = [value]
    elif key in ("fixed", "space") and isinstance(value, dict):
        document[key] = {}
        for name, setting in value.items():
            _override(document, f"{key}.{name}", setting)
    elif head in SECTIONS_OF_KINDS and rest == "kind":
        known = _fields_of_kind(head, value)
        kept = {name: old for name, old in _mapping(document, head).items() if name in known}
        document[head] = {**kept, "kind": value}
    elif head == "per_dataset" and (dataset := _dataset_at_start(document, rest)):
        own, name = _mapping(document, head), rest.removeprefix(dataset).lstrip(".")
        if name:
            assign(_mapping(own, dataset), name, value)
        else:
            own[dataset] = value
    else:
        assign(document, key, value)


def _dataset_at_start(document: Mapping[str, Any], key: str) -> str:
    """The data set with which a dotted key begins, whose name may have dots; empty if none."""
    names = [name for name in document.get("datasets", ()) if f"{key}.".startswith(f"{name}.")]
    return max(names, key=len, default="")


def _fields_of_kind(section: str, kind: Any) -> set[str]:
    union, _ = get_args(SECTIONS_OF_KINDS[section])
    for model in get_args(union):
        if kind in get_args(model.model_fields["kind"].annotation):
            return set(model.model_fields)
    return set()


def _refuse_unknown(name: str) -> None:
    if name not in declared_settings() and name not in (known := known_settings(installed=True)):
        known |= FIELDS | set(SHORT_FOR)
        raise InputError(f"no such setting; {did_you_mean(name, known)}")


def _fix(document: dict[str, Any], name: str, setting: Any, value: Any) -> None:
    """Set `fixed.NAME` to `value`.

    Remove the axes that `setting` gives a value for, and the values of single parts of the study.
    """
    assign(document, f"fixed.{name}", value)
    space = _mapping(document, "space")
    for leaf in leaves({name: setting}):
        for axis in [axis for axis in space if overlap(leaf, axis)]:
            del space[axis]
        _remove_own(document, leaf)


def _sweep(document: dict[str, Any], name: str, axis: Any) -> None:
    """Set an axis, and remove the settings and other axes that it overlaps."""
    space = _mapping(document, "space")
    for other in [other for other in space if other != name and overlap(other, name)]:
        del space[other]
    space[name] = axis
    remove(_mapping(document, "fixed"), name)
    _remove_own(document, name)


def _remove_own(document: dict[str, Any], name: str) -> None:
    """Remove what single data sets or methods set of a setting or its parts."""
    sections = [document.get(section) for section in PARTS]
    for own in (
        own for section in sections if isinstance(section, dict) for own in section.values()
    ):
        if isinstance(own, dict):
            remove(own, name)
            for empty in [key for key, value in own.items() if value == {}]:
                del own[empty]


def _mapping(document: dict[str, Any], section: str) -> dict[str, Any]:
    values = document.setdefault(section, {})
    if not isinstance(values, dict):
        raise InputError(f"{section}: {values!r} must be a mapping")
    return values


def _joined(old: Any, new: Any) -> Any:
    """Two mappings merged; the new value if one is no mapping or their kinds differ."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    if new.get("kind", old.get("kind")) != old.get("kind"):
        return new
    return {**old, **new}


def _without_dangling(amended: dict[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without references to axes, data sets or methods that the change removed."""
    _remove_dangling_parts(amended, document)
    space, report, search = (amended.get(name, {}) for name in ("space", "report", "search"))
    if not isinstance(space, dict):
        return amended
    if isinstance(report, dict):
        before, now = _axes(document), _axes(amended)
        if report.get("x") in before and report["x"] not in now:
            del report["x"]
    points = search.get("points") if isinstance(search, dict) else None
    if isinstance(points, list) and all(isinstance(point, dict) for point in points):
        search["points"] = _remaining_points(points, _drawn(document), _drawn(amended))
    return amended


def _remove_dangling_parts(amended: dict[str, Any], document: Mapping[str, Any]) -> None:
    for section, parts in PARTS.items():
        before, now, own = document.get(parts), amended.get(parts), amended.get(section)
        if isinstance(before, list) and isinstance(now, list) and isinstance(own, dict):
            for part in [name for name in own if name in before and name not in now]:
                del own[part]


def _remaining_points(
    points: Sequence[dict[str, Any]], before: set[str], now: set[str]
) -> list[dict[str, Any]]:
    """The distinct points without the removed axes; points that lack a new axis are dropped."""
    gone, new = before - now, now - before
    remaining: list[dict[str, Any]] = []
    for point in points:
        rest = {name: value for name, value in point.items() if name not in gone}
        if rest and rest not in remaining and new <= set(rest):
            remaining.append(rest)
    return remaining


def _axes(document: Mapping[str, Any]) -> list[str]:
    return [*document.get("space", {}), *([VARIATION] if document.get("variations") else [])]


def _drawn(document: Mapping[str, Any]) -> set[str]:
    space = document.get("space", {})
    axes = space.items() if isinstance(space, Mapping) else ()
    return {name for name, axis in axes if not (isinstance(axis, Mapping) and "grid" in axis)}
