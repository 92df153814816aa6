"""What MLflow shows of a study itself: its question, what varies, and which trials compete."""

import json
from typing import TYPE_CHECKING

from gmm_study.study import Plan, PlannedTrial
from gmm_study.study.configurations import own_settings

if TYPE_CHECKING:
    from gmm_study.tracking.notes import Facts, ReportCell


def facts_of(plan: Plan, command: str = "") -> "Facts":
    """The facts about the study itself that MLflow shows."""
    from gmm_study.tracking.notes import Facts

    study = plan.study
    varied = [name for settings in own_settings(study) for name in settings]
    return Facts(
        study.name,
        study.question,
        study.variant,
        command,
        plan.x,
        tuple(dict.fromkeys(map(_param, [*study.space, *varied]))),
        study.replicates,
    )


def cells_of(plan: Plan) -> "list[tuple[ReportCell, str]]":
    """For each place with all seeds of the study, in order: its cell, and its id."""
    from gmm_study.tracking.notes import ReportCell

    every = plan.study.replicates
    places = [place for place in plan.competing if place.replicates == every]
    configs = [(place.config, _value(place, plan.x)) for place in places]
    return [
        (ReportCell(config.dataset, config.hyperparameters.method, x), config.trial_id)
        for config, x in configs
    ]


def _value(place: PlannedTrial, x: str | None) -> str:
    """The value on the report's x-axis at a place of the study, empty if there is none."""
    value = place.at(x) if x else None
    return "" if value is None else json.dumps(value)


def _param(axis: str) -> str:
    """The name of an axis of a study's space in the flat configuration."""
    return "depth" if axis == "layers.depth" else axis.partition(".")[0]
