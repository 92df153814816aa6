"""`--json`: one line of JSON on the standard output, and nothing else there.

Messages and progress go to the standard error. A number that is not finite becomes null. The help
of each command describes the shape.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.estimates import RemainingCost
    from gmm_study.study import PlannedTrial


def json_option(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option `--json`; `what` describes its output."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as one JSON line.")


def print_json(document: Any) -> None:
    """Print the document as one line; numbers that are not finite, which JSON lacks, are null."""
    print(json.dumps(_finite(document), allow_nan=False))


def of_study(planned: "PlannedStudy") -> dict[str, Any]:
    """The fields of a study in every command's output: its name, variant and trial counts."""
    study = planned.study
    return {
        "study": study.name,
        "variant": study.variant,
        "replicates": study.replicates,
        "states": dict(planned.state_counts()),
        "to_be_proposed": planned.unproposed,
        "to_be_confirmed": planned.unconfirmed,
        "without_data": list(planned.plan.without_data),
    }


def of_trial(planned: "PlannedStudy", trial: "PlannedTrial") -> dict[str, Any]:
    """The fields of a trial in every command's output: its identity, state and progress."""
    trial_id = trial.config.trial_id
    standing = planned.standings[trial_id]
    return {
        "trial_id": trial_id,
        "state": standing.state,
        "dataset": trial.config.dataset,
        "method": trial.config.hyperparameters.method,
        "axes": trial.axes,
        "replicates": trial.replicates,
        "epoch": standing.epoch,
        "replicates_ended": trial.replicates - standing.unended(trial.replicates),
    }


def of_estimate(found: "RemainingCost | None") -> dict[str, Any] | None:
    """The estimate for the missing trials; None if no trial is missing."""
    if found is None:
        return None
    document = asdict(found) | {"on_gpu": found.on_gpu}
    del document["gpu_share"]
    return document


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
