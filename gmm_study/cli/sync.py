"""`gmm-study sync`: bring MLflow up to date, once or while a run lasts."""

import sys
from functools import partial
from typing import TYPE_CHECKING

import rich_click as click

from gmm_study.cli.as_json import json_option, of_study, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.on_study import on_a_study

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy


@click.command()
@on_a_study
@click.option("--follow", is_flag=True, help="Continue until the current run has ended.")
@json_option("the outcome")
def sync(planned: "PlannedStudy", follow: bool, as_json: bool) -> None:
    """Add to MLflow what is missing of a study's records.

    With --follow, it keeps adding while the records grow; `gmm-study run` does this by itself. The
    exit status is 1 if something is still missing.

    --json: {study, variant, replicates, states: {STATE: count}, to_be_proposed, to_be_confirmed,
    without_data: [dataset], mlflow}, where `mlflow` is null or the problem.
    """
    from gmm_study.api import studies

    report = partial(print, file=sys.stderr, flush=True)
    with working("following the run" if follow else "bringing MLflow up to date"):
        problem = studies.sync(planned, follow=follow, on_problem=report, on_progress=report)
    if as_json:
        print_json({**of_study(planned), "mlflow": problem})
    elif problem:
        output_console().print(problem, markup=False, soft_wrap=True)
    else:
        output_console().print(f"MLflow is up to date; {planned.counts()}", highlight=False)
    if problem:
        sys.exit(1)
