"""What is probably not meant in a study, though it can be run: one line for each fact.

A setting may be overridden where the stages of a method set it anyway, and a training may be too
short for its schedule or for the study's scheduler. The small variant is not checked for the
second: it is short on purpose.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from gmm_study.study.configurations import hyperparameters, probes
from gmm_study.study.schema import StudyFile
from gmm_study.study.strategies import Scheduler
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.inert import inert_settings

Place = tuple[str, str, str | None]
"""A data set, a method and a variation."""


def notes_on(study: StudyFile, overridden: Sequence[str], small: bool) -> tuple[str, ...]:
    """The lines for a study, given the names of the settings that were overridden."""
    configurations: dict[Place, list[Hyperparameters]] = {}
    for probe in probes(study):
        place = (probe.dataset, probe.method, probe.variation)
        configurations.setdefault(place, []).append(hyperparameters(study, probe))
    lines = []
    for name in dict.fromkeys(each.partition(".")[0] for each in overridden):
        places = [place for place, found in configurations.items() if _by_stages(name, found)]
        if places:
            whom = _named(places, configurations)
            lines.append(f"{name}: has no effect on {whom}, whose stages all set it")
    if not small:
        lines += _of_settings(configurations)
        every = [each for found in configurations.values() for each in found]
        lines += _of_the_scheduler(study, max(each.total_epochs for each in every))
    return tuple(lines)


def _of_settings(configurations: Mapping[Place, Sequence[Hyperparameters]]) -> Iterator[str]:
    """A line for each setting that never acts, with its places unless it is so in all of them."""
    places: dict[str, list[Place]] = {}
    for place, found in configurations.items():
        for line in dict.fromkeys(line for each in found for line in inert_settings(each)):
            places.setdefault(line, []).append(place)
    for line, its in places.items():
        whole = len(its) == len(configurations)
        yield line if whole else f"{line} ({_named(its, configurations)})"


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


def _named(places: Collection[Place], of: Collection[Place]) -> str:
    """The places among others: by method, and by variation and data set where these matter."""
    names = []
    for dataset, method, variation in places:
        name = method
        if any((d, m) == (dataset, method) and (d, m, v) not in places for d, m, v in of):
            name += f" with '{variation}'"
        if any((m, v) == (method, variation) and (d, m, v) not in places for d, m, v in of):
            name += f" on {dataset}"
        names.append(name)
    return ", ".join(dict.fromkeys(names))
