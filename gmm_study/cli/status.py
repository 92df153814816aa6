"""`gmm-study status`: the progress of a study during a run, after it, or after a crash."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from gmm_study.cli.as_json import json_option, of_estimate, of_study, of_trial, print_json
from gmm_study.cli.console import output_console
from gmm_study.cli.estimate import time_of
from gmm_study.cli.on_study import on_a_study
from gmm_study.phrases import clock
from gmm_study.training.state import TrialState
from gmm_study.trials.status import Phase

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.estimates import RemainingCost
    from gmm_study.storage.ownership import Owner
    from gmm_study.study import PlannedTrial
    from gmm_study.trials.standing import Standing

REFRESH_SECONDS = 2.0


@click.command()
@on_a_study
@click.option("--watch", is_flag=True, help="On a terminal, refresh until no trial is running.")
@json_option("the status")
def status(planned: "PlannedStudy", watch: bool, as_json: bool) -> None:
    """Count a study's trials by state, and estimate the time left.

    Running and failed trials are listed.

    --json: {study, variant, replicates, states: {STATE: count}, to_be_proposed, to_be_confirmed,
    without_data: [dataset], running: [{trial_id, state, dataset, method, axes, replicates, epoch,
    replicates_ended, max_epochs, phase, bound, seconds_left, host}], failed: [{trial_id, state,
    dataset, method, axes, replicates, epoch, replicates_ended, error, log}], remaining: as in
    `plan`}.
    """
    from gmm_study.api.planned_study import check_storage

    check_storage(planned.store)
    console = output_console(stderr=as_json)
    if watch and console.is_terminal:
        with Live(_shown(planned), console=console, auto_refresh=False, transient=True) as live:
            while TrialState.RUNNING in planned.states.values():
                time.sleep(REFRESH_SECONDS)
                planned.refresh()
                live.update(_shown(planned), refresh=True)
    if as_json:
        print_json(_document(planned))
        return
    for line in _lines(planned):
        console.print(Text(line), soft_wrap=True)


def _document(planned: "PlannedStudy") -> dict[str, Any]:
    running, failed = [], []
    for trial in planned.plan.trials:
        standing = planned.standings[trial.config.trial_id]
        if standing.state is TrialState.RUNNING:
            names = ("max_epochs", "phase", "bound", "seconds_left", "host")
            progress = {name: getattr(standing.status, name) for name in names}
            running.append({**of_trial(planned, trial), **progress})
        elif standing.state is TrialState.FAILED:
            error, log = _reason(planned, trial, standing)
            failed.append({**of_trial(planned, trial), "error": error, "log": log})
    found = planned.estimate(may_calibrate=False)
    lists = {"running": running, "failed": failed}
    return {**of_study(planned), **lists, "remaining": of_estimate(found)}


def _shown(planned: "PlannedStudy") -> Group:
    return Group(*(Text(line, overflow="fold") for line in _lines(planned)))


def _lines(planned: "PlannedStudy") -> Iterator[str]:
    yield planned.counts()
    for trial in planned.plan.trials:
        standing = planned.standings[trial.config.trial_id]
        if standing.state is TrialState.RUNNING:
            yield f"running: {trial.label}, {_progress(standing)}"
        elif standing.state is TrialState.FAILED:
            error, log = _reason(planned, trial, standing)
            yield f"failed: {trial.label}: {error}" + (f" (log: {log})" if log else "")
    found = planned.estimate(may_calibrate=False)
    if found:
        yield _time_left(planned, found)


def _progress(standing: "Standing") -> str:
    status = standing.status
    most = "?" if status.max_epochs is None else status.max_epochs
    parts = [f"epoch {status.epoch or 0} of at most {most}"]
    if status.bound is not None:
        parts.append(f"bound {status.bound:.3f}")
    if status.phase == Phase.EVALUATING:
        parts.append("evaluating")
    elif status.seconds_left:
        parts.append(f"at most {clock(status.seconds_left)} left")
    return ", ".join([*parts, f"on {status.host or 'an unknown host'}"])


def _reason(
    planned: "PlannedStudy", trial: "PlannedTrial", standing: "Standing"
) -> tuple[str, str | None]:
    """The last line of the reason why a trial failed, and the path of its log."""
    from gmm_study.trials.survey import log_of

    text = standing.problem or standing.status.error or "no reason was recorded"
    log = log_of(planned.store.record(trial.config.trial_id))
    return text.strip().splitlines()[-1], log


def _driver(planned: "PlannedStudy") -> "Owner | None":
    with suppress(OSError):
        return planned.store.driver(planned.study.name)
    return None


def _time_left(planned: "PlannedStudy", found: "RemainingCost") -> str:
    when = "time left"
    if TrialState.RUNNING not in planned.states.values():
        driver = _driver(planned)
        what = (
            f"process {driver.pid} on {driver.host} is running it"
            if driver
            else "nothing is running"
        )
        when = f"{what}; estimated time"
    source = f", {found.source}" if found.seconds is None else f" ({found.source})"
    return f"{when}: {time_of(found)}{source}"
