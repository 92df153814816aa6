"""How a study was run: how many trials, with which settings, and how they were searched."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.cells import NO_DATA
from analysis.labels import plain
from analysis.pages.facts import defaults, how_stopped, summary, what_varies
from gmm_study.study.plan import Plan
from gmm_study.study.strategies import DrawnSearch, Scheduler


def what_was_run(plan: Plan, rows: pd.DataFrame) -> str:
    """Lines on a study's trials, its settings, fixed, default and swept, and its search.

    `rows` are the planned replicates (`join`).
    """
    study = plan.study
    lines = [f"{summary(rows)} Replicates a trial: {study.replicates}."]
    if study.fixed:
        lines.append(f"Fixed: {_settings(study.fixed)}.")
    lines.append(f"At their defaults: {defaults(plan)}.")
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


def _settings(settings: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {plain(value)}" for name, value in settings.items())
