"""The settings of a study's trials, and probes of them before anything is planned.

The settings of a trial are laid over each other in this order: those of the preset, the fixed ones,
those of its data set, of its method and of its variation, and its values on the axes of the space.
"""

from collections.abc import Iterator
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

from gmm_study.errors import InputError
from gmm_study.study.dotted import laid_over
from gmm_study.study.fields import VARIATION, StudyFields
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.presets import preset_named

OWN_SETTINGS = {"dataset": "per_dataset", "method": "per_method", VARIATION: "variations"}
"""The sections that lie over the fixed settings, the lowest first, by what has settings there."""


class Probe(NamedTuple):
    """One configuration of a study, by what decides on its settings."""

    dataset: str
    method: str
    axes: dict[str, Any]

    @property
    def variation(self) -> str | None:
        """The label of its variation."""
        return self.axes.get(VARIATION)


def own_settings(study: StudyFields) -> list[dict[str, Any]]:
    """The settings of every data set, method and variation that has some of its own."""
    sections = (getattr(study, section) for section in OWN_SETTINGS.values())
    return [settings for section in sections for settings in section.values()]


def laid(study: StudyFields, probe: Probe) -> dict[str, Any]:
    """The settings of a probe without those that are swept."""
    preset = preset_named(study.preset).of_method(probe.method) if study.preset else {}
    own = [
        getattr(study, section).get(getattr(probe, owner), {})
        for owner, section in OWN_SETTINGS.items()
    ]
    return reduce(laid_over, own, laid_over(preset, study.fixed))


def hyperparameters(study: StudyFields, probe: Probe) -> Hyperparameters:
    """The configuration of a probe."""
    settings = {
        **laid(study, probe),
        "method": probe.method,
        "evaluation_samples": study.evaluation.samples,
        "selection_samples": study.evaluation.selection_samples,
        "z_samples": study.evaluation.z_samples,
    }
    for name, value in probe.axes.items():
        if name == VARIATION:
            continue
        head, _, part = name.partition(".")
        settings[head] = {**settings.get(head, {}), part: value} if part else value
    return Hyperparameters.from_mapping(settings).prolonged(study.longer)


def probes(study: StudyFields, dataset: str | None = None) -> Iterator[Probe]:
    """Every method and variation at every value of each axis, the others at their start.

    These are of one data set if it is given. Else all data sets are probed if one of them has
    its own settings, and the first of them if none has.
    """
    first = {name: axis.at(0) for name, axis in study.space.items()}
    labels = [{VARIATION: label} for label in study.variations] or [{}]
    every = study.datasets if study.per_dataset else study.datasets[:1]
    for name, method, label in product([dataset] if dataset else every, study.methods, labels):
        start = {**label, **first}
        yield Probe(name, method, start)
        for swept, axis in study.space.items():
            for value in axis.probes():
                yield Probe(name, method, start | {swept: value})


def refuse_unread(study: StudyFields, section: str, name: str, **only: str) -> None:
    """Raise `InputError` for a setting that no trial uses.

    `only` names one `dataset`, `method` or `variation`: the others do not count.
    """
    head = name.partition(".")[0]
    for probe in probes(study, only.get("dataset")):
        if any(getattr(probe, owner) != wanted for owner, wanted in only.items()):
            continue
        configuration = hyperparameters(study, probe)
        try:
            configuration.refuse_unread({head: configuration.value_of(head)})
            return
        except InputError as error:
            reason = error
    raise InputError(f"{section}{reason}")


def check_settings(study: StudyFields) -> None:
    """Raise `InputError` for a setting of some configuration that is not allowed."""
    probe: Probe | None = None
    try:
        swept = {name.partition(".")[0] for name in study.space}
        for changed in own_settings(study):
            swept |= changed.keys()
        for name, value in study.fixed.items():
            if name not in swept:  # alone: rules between settings are for whole configurations
                Hyperparameters.from_mapping({name: value})
        for probe in probes(study):
            hyperparameters(study, probe)
    except InputError as error:
        name = str(error).partition(":")[0]
        raise InputError(f"{_section_of(study, name, probe)}.{error}") from error


def _section_of(study: StudyFields, name: str, probe: Probe | None) -> str:
    """The section that sets the setting of a probe, or a part of it."""
    head = name.partition(".")[0]
    for owner, section in reversed(OWN_SETTINGS.items()) if probe else ():
        label = getattr(probe, owner)
        if head in getattr(study, section).get(label, {}):
            return f"{section}.{label}"
    return "space" if name in study.space or head in study.space else "fixed"
