"""All figures of a study, in the order of its report."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from analysis.figures.costs import can_draw_costs
from analysis.findings import Findings
from analysis.pictures.picture import Picture
from analysis.pictures.results import ess, gradients, likelihoods, over_datasets, result
from analysis.pictures.training import budget, curves, quality, searches
from analysis.reading import line

KINDS = (gradients, result, over_datasets, likelihoods, ess, curves, quality, budget, searches)


def pictures_of(found: Findings, problems: list[str] | None = None) -> list[Picture]:
    """The figures that suit the study: its result first, then how the result came about.

    Apart from the result, figures without any complete cell are left out. With `problems`, an error
    in one kind of figure becomes a line in that list and the other kinds are still there.
    """
    pictures: list[Picture] = []
    for kind in KINDS:
        with noted(f"figures: {kind.__name__}", problems):
            pictures += kind(found)
    names = _file_names(pictures)
    return [replace(picture, name=name) for picture, name in zip(pictures, names, strict=True)]


def result_of(found: Findings) -> Picture | None:
    """The figure of the study's result; None while there is nothing to show."""
    shown = can_draw_costs(found.costs) if len(found.costs) else found.cells["complete"].any()
    return next(result(found)) if shown else None


@contextmanager
def noted(what: str, problems: list[str] | None) -> Iterator[None]:
    """Turn an error inside into a line in `problems`; raise it if there is no such list."""
    try:
        yield
    except Exception as error:  # one broken figure must not cost the rest of the report
        if problems is None:
            raise
        problems.append(f"{what} cannot be drawn: {line(error)}")


def _file_names(pictures: Sequence[Picture]) -> Iterator[str]:
    """A unique name for each, of letters, digits and hyphens."""
    taken: Counter[str] = Counter()
    for picture in pictures:
        name = re.sub("[^a-z0-9]+", "-", picture.name.lower()).strip("-") or "figure"
        taken[name] += 1
        yield name if taken[name] == 1 else f"{name}-{taken[name]}"
