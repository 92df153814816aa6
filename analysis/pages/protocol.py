"""How a study was run: how many trials, with which settings, and how they were searched."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.cells import NO_DATA
from analysis.labels import plain
from analysis.pages.facts import how_stopped, summary, what_varies
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION
from gmm_study.study.strategies import DrawnSearch, Scheduler


def what_was_run(plan: Plan, rows: pd.DataFrame) -> str:
    """Lines on a study's trials, its settings, fixed, default and swept, and its search.

    `rows` are the planned replicates (`join`).
    """
    study = plan.study
    lines = [f"{summary(rows)} Replicates a trial: {study.replicates}."]
    if study.fixed:
        lines.append(f"Fixed: {_settings(study.fixed)}.")
    lines.append(f"At their defaults: {_defaults(plan)}.")
    for name, axis in study.space.items():
        values = axis.values or getattr(axis, axis.kind)
        listed = "; ".join(str(plain(value)) for value in values)
        head = "Axis" if axis.grid else "Searched"
        lines.append(f"{head}: {name} ({'' if axis.grid else f'{axis.kind} '}{listed}).")
    if isinstance(study.search, DrawnSearch):
        lines += _search(study.search)
    elif study.space:
        lines.append("Search: grid, every value of the axes once.")
    if isinstance(study.scheduler, Scheduler):
        lines.append(f"Scheduler: {how_stopped(study.scheduler)}.")
    if study.variations:
        lines.append(f"Variations of the fixed settings: {what_varies(study)}.")
    if plan.without_data:
        lines.append(f"Gaps ({NO_DATA}, no record): {', '.join(plan.without_data)}.")
    return "".join(f"- {line}\n" for line in lines)


def _search(search: DrawnSearch) -> list[str]:
    points = search.points[: search.trials]
    text = f"Search: {search.kind}, {search.trials} trials a cell"
    if not points:
        return [f"{text}, all drawn (seed {search.seed})."]
    count = f"{len(points)} point{'s' if len(points) > 1 else ''}"
    listed = "".join(f"\n  - {_settings(point)}" for point in points)
    return [
        f"{text}: {count}, given in the study's file, tried before any draw, and "
        f"{search.trials - len(points)} drawn (seed {search.seed}). The points:{listed}"
    ]


def _defaults(plan: Plan) -> str:
    """The settings that the study leaves alone, by who reads them; of variations, the first's."""
    study = plan.study
    first = next(iter(study.variations), None)
    told = {name.partition(".")[0] for name in (*study.fixed, *study.space)}
    told |= {"method", "evaluation_samples", *study.variations.get(first or "", {})}
    readers: dict[tuple[str, Any], dict[str, None]] = {}
    for settings in (
        t.config.hyperparameters for t in plan.trials if t.axes.get(VARIATION) == first
    ):
        for name, value in settings.canonical().items():
            if name not in told:
                readers.setdefault((name, plain(value)), {})[settings.method] = None
    by_readers: dict[tuple[str, ...], dict[str, Any]] = {}
    for (name, value), methods in readers.items():
        by_readers.setdefault(tuple(methods), {})[name] = value
    return "; ".join(
        ("" if len(methods) == len(study.methods) else f"for {' and '.join(methods)}: ")
        + _settings(settings)
        for methods, settings in sorted(by_readers.items(), key=lambda item: -len(item[0]))
    )


def _settings(settings: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {plain(value)}" for name, value in settings.items())
