"""What is probably not meant in a study, though it can be run: one line for each fact.

A setting may be overridden where the stages of a method set it anyway, and a training may be too
short for its schedule or for the study's scheduler. The small variant is not checked for the
second: it is short on purpose.
"""

from collections.abc import Iterator, Mapping, Sequence

from gmm_study.study.schema import VARIATION, StudyFile
from gmm_study.study.strategies import Scheduler
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.inert import inert_settings


def notes_on(study: StudyFile, overridden: Sequence[str], small: bool) -> tuple[str, ...]:
    """The lines for a study, given the names of the settings that were overridden."""
    configurations: dict[tuple[str, str], list[Hyperparameters]] = {}
    for method, axes in study.probes():
        place = (method, axes.get(VARIATION, ""))
        configurations.setdefault(place, []).append(study.hyperparameters(method, axes))
    lines = []
    for name in dict.fromkeys(each.partition(".")[0] for each in overridden):
        places = [place for place, found in configurations.items() if _by_stages(name, found)]
        if places:
            whom = _named(study, places)
            lines.append(f"{name}: has no effect on {whom}, whose stages all set it")
    if not small:
        lines += _of_settings(study, configurations)
        every = [each for found in configurations.values() for each in found]
        lines += _of_the_scheduler(study, max(each.total_epochs for each in every))
    return tuple(lines)


def _of_settings(
    study: StudyFile, configurations: Mapping[tuple[str, str], Sequence[Hyperparameters]]
) -> Iterator[str]:
    """A line for each setting that never acts, with its places unless it is so in all of them."""
    places: dict[str, list[tuple[str, str]]] = {}
    for place, found in configurations.items():
        for line in dict.fromkeys(line for each in found for line in inert_settings(each)):
            places.setdefault(line, []).append(place)
    for line, its in places.items():
        whom = _named(study, its)
        yield line if len(its) == len(configurations) else f"{line} ({whom})"


def _of_the_scheduler(study: StudyFile, longest: int) -> Iterator[str]:
    """The line for a scheduler that stops no trial, given the limit of epochs of the longest."""
    scheduler = study.prolonged_scheduler
    if isinstance(scheduler, Scheduler) and not scheduler.milestones(longest):
        grace = f"scheduler.grace_epochs: {scheduler.grace_epochs}"
        yield f"{grace} leaves no epoch of {longest} at which a trial may be stopped"


def _by_stages(name: str, configurations: Sequence[Hyperparameters]) -> bool:
    """Whether every stage of each of the configurations sets a setting itself."""
    staged = (each.stages for each in configurations)
    return all(stages and all(name in dict(stage) for stage in stages) for stages in staged)


def _named(study: StudyFile, places: Sequence[tuple[str, str]]) -> str:
    """The places by method, and by variation where not all variations of a method are there."""
    names = []
    for method, label in places:
        count = sum(other == method for other, _ in places)
        whole = count == max(1, len(study.variations))
        names.append(method if whole else f"{method} with '{label}'")
    return ", ".join(dict.fromkeys(names))
