"""The schema of a study file: its fields, and the rules between them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from gmm_study.errors import InputError, did_you_mean
from gmm_study.study.configurations import (
    OWN_SETTINGS,
    check_settings,
    own_settings,
    refuse_unread,
)
from gmm_study.study.dotted import leaves, overlap
from gmm_study.study.fields import StudyFields
from gmm_study.study.settings import PARTS, plain_value
from gmm_study.study.strategies import CmaEsSearch, DrawnSearch
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import method_named
from gmm_study.trials.asked_gradients import can_be_assessed


class StudyFile(StudyFields):
    """The content of a study file; a valid instance can be planned and run."""

    @model_validator(mode="after")
    def _check(self) -> "StudyFile":
        for section, parts in PARTS.items():
            names = getattr(self, parts)
            for name in getattr(self, section):
                if name not in names:
                    hint = f"add it to {parts} ({', '.join(names)}) or remove it here"
                    raise InputError(f"{section}.{name}: not among the study's {parts}; {hint}")
        self._refuse_overlaps()
        self._check_search()
        self._check_gradients()
        check_settings(self)
        self._make_paths_absolute()
        for name in self.space:
            refuse_unread(self, "space.", name)
        for owner, section in OWN_SETTINGS.items():
            for label, settings in getattr(self, section).items():
                for name in settings:
                    refuse_unread(self, f"{section}.{label}.", name, **{owner: label})
        axes = [*self.grids, *self.space]
        if self.report.x is not None and self.report.x not in axes:
            hint = did_you_mean(self.report.x, axes) if axes else "the study has no axes"
            raise InputError(f"report.x: '{self.report.x}' is not an axis of space; {hint}")
        return self

    def _check_gradients(self) -> None:
        """Refuse a method whose gradients could be assessed on none of the trained models."""
        if self.gradients is None:
            return
        for name in self.gradients.methods:
            least = method_named(name).least_samples
            if max(self.gradients.samples) < least:
                raise InputError(f"gradients.samples: {name} needs a K of at least {least}")
            if not any(can_be_assessed(name, trained_by) for trained_by in self.methods):
                raise InputError(
                    f"gradients.methods: '{name}' cannot be assessed on the models of the study's "
                    f"methods ({', '.join(self.methods)}), which lack what it needs"
                )

    def _check_search(self) -> None:
        if isinstance(self.search, DrawnSearch):
            for number, point in enumerate(self.search.points):
                self.search.points[number] = self._plain_point(f"search.points.{number}", point)
        else:
            for name, axis in self.drawn.items():
                raise InputError(
                    f"space.{name}: {axis.kind} requires a search such as "
                    "{kind: random, trials: N}; a search of kind grid needs a grid here"
                )
        if self.screening and self.first_replicates >= self.replicates:
            raise InputError(
                f"search.screen.replicates: {self.first_replicates} must be less than replicates, "
                f"{self.replicates}; raise that, or set search.screen to null"
            )
        if self.screening and not self.drawn:
            raise InputError(
                "search.screen: there is nothing to screen without an axis to draw from; "
                "add one to space, such as learning_rate: {log_uniform: [1e-4, 1e-2]}"
            )
        if self.is_adaptive and not self.drawn:
            raise InputError(
                f"search.kind: '{self.search.kind}' has no axis to draw from; "
                "add one to space, such as learning_rate: {log_uniform: [1e-4, 1e-2]}"
            )
        ranges = [name for name, axis in self.drawn.items() if not axis.values]
        if isinstance(self.search, CmaEsSearch) and len(ranges) < 2:
            raise InputError(
                f"search.kind: 'cmaes' needs at least two ranges of numbers in space, not "
                f"{len(ranges)}; use tpe instead"
            )

    def _plain_point(self, section: str, point: Mapping[str, Any]) -> dict[str, Any]:
        drawn = self.drawn
        for name in point:
            if name not in drawn:
                hint = did_you_mean(name, drawn) if drawn else "the study has no such axis"
                raise InputError(f"{section}.{name}: not an axis that is drawn from; {hint}")
        plain = {}
        for name, axis in drawn.items():
            if name not in point:
                raise InputError(f"{section}.{name}: missing; a point needs a value for every axis")
            plain[name] = plain_value(section, name, point[name])
            if plain[name] not in axis:
                among = axis.values or getattr(axis, axis.kind)
                raise InputError(f"{section}.{name}: {plain[name]} must be in {list(among)}")
        return plain

    def _make_paths_absolute(self) -> None:
        """Let relative paths start from the folder that is the current one now, for good."""
        for settings in (self.fixed, *own_settings(self)):
            given = {name: value for name, value in settings.items() if name == "warm_start"}
            plain = Hyperparameters.from_mapping(given)
            settings.update({name: getattr(plain, name) for name in given})

    def _refuse_overlaps(self) -> None:
        names = [("fixed", name) for name in leaves(self.fixed)]
        for section in PARTS:
            for part, settings in getattr(self, section).items():
                names += [(f"{section}.{part}", name) for name in leaves(settings)]
        for name in self.space:
            for section, other in names:
                if overlap(name, other):
                    raise InputError(f"space.{name}: must not be set in {section} too ('{other}')")
            names.append(("space", name))
            for label, settings in self.variations.items():
                if any(overlap(name, other) for other in leaves(settings)):
                    raise InputError(
                        f"variations.{label}.{name}: must not be an axis of space as well"
                    )


class Study(StudyFile):
    """A loaded study: the content of its file, its name and its variant."""

    name: str
    """The name of the file, without its ending."""
    variant: str = ""
    """A label of the changes to the file, usable as a folder's name; empty if there are none."""
    arguments: tuple[str, ...] = ()
    """The command line's arguments that load the same study: name or path, then options."""
    folder: str = ""
    """The folder that was the current one when it was loaded; relative paths start there."""
    file: str = ""
    """The path of its file."""
    notes: tuple[str, ...] = ()
    """One line for each thing that is probably not meant, such as a schedule that never acts."""

    @property
    def was_loaded_here(self) -> bool:
        """Whether the current folder is still the one in which it was loaded."""
        return not self.folder or Path.cwd() == Path(self.folder)

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments that load the same study from what is now the current folder."""
        moved = bool(self.arguments) and not self.was_loaded_here
        return (self.file, *self.arguments[1:]) if moved else self.arguments

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy. A changed one has no notes and, as no command line loads it, no `arguments`."""
        changed = {"arguments": (), "notes": (), **update} if update else None
        return super().model_copy(update=changed, deep=deep)
