"""The commands that change what there is of a study: run, sync."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console

from gmm_study.cli.as_json import json_option, of_study, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.opened import Opened, on_a_study, plural
from gmm_study.cli.report import print_report, write_one

if TYPE_CHECKING:
    from gmm_study.data import Dataset
    from gmm_study.orchestration.driver import Outcome
    from gmm_study.orchestration.mirror import Mirror
    from gmm_study.study import PlannedTrial

INTERRUPTED = 130


@click.command()
@on_a_study
@click.option("--retry-failed", is_flag=True, help="Train failed trials again.")
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Run on the Ray cluster with this head, or `auto`, found on this machine. "
    "[default: RAY_ADDRESS, else a Ray of its own]",
)
@json_option("how the run ended, with all else on the error stream,")
def run(opened: Opened, retry_failed: bool, address: str | None, as_json: bool) -> None:
    """Train what is missing of a study, then write its report.

    Ctrl-C ends cleanly; the same command goes on. The exit status is 1 if a trial has failed, and
    130 after Ctrl-C.

    --json: {study, variant, replicates, states: {STATE: count}, to_be_proposed, without_data:
    [dataset], trained: {STATE: count}, interrupted, mlflow}, where `trained` counts what this run
    ended and `mlflow` is null or what went wrong with MLflow.
    """
    with opened.store.the_only_driver(opened.plan.study.name):
        _run(opened, retry_failed, address, as_json)


def _run(opened: Opened, retry_failed: bool, address: str | None, as_json: bool) -> None:
    console = output_console(stderr=as_json)
    opened.look_again()  # another driver may have been at work until now
    opened.mend()
    missing = opened.missing(retry_failed)
    console.print(opened.plan.study.question)
    console.print(opened.counts(), highlight=False)
    something = bool(missing) or any(opened.plan.unproposed.values())
    if not something:
        console.print("nothing to train")
    if "failed" in opened.states.values() and not retry_failed:
        console.print("failed trials stay as they are; --retry-failed trains them again")
    from gmm_study.orchestration.mirror import CLOSING_WAIT, Mirror

    datasets = opened.datasets(missing)
    with Mirror(opened.plan, opened.store, opened.command) as mirror:
        outcome = _train(opened, missing, datasets, mirror, console, address) if something else None
        interrupted = outcome is not None and outcome.interrupted
        known = set(opened.states)
        opened.look_again()
        for trial in opened.plan.trials:
            if trial.config.trial_id not in known:  # a proposal that may have been trained before
                mirror.expect(trial)
        mirror.finish()
        try:
            if not interrupted:
                print_report(write_one(opened), stderr=as_json)
        finally:
            with console.status("bringing MLflow up to date"):
                mirror.close(CLOSING_WAIT)
    if mirror.problem:
        line = f"{mirror.problem}; `gmm-study sync` adds what is missing"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if interrupted:
        console.print("interrupted; what was reached is kept, the same command goes on")
    if as_json:
        trained = dict(outcome.states) if outcome else {}
        ended = {"trained": trained, "interrupted": interrupted, "mlflow": mirror.problem}
        print_json({**of_study(opened), **ended})
    if interrupted:
        sys.exit(INTERRUPTED)
    # A disk may be so full that no record can say that its trial failed.
    if "failed" in opened.states.values() or (outcome and outcome.states["failed"]):
        sys.exit(1)


def _train(
    opened: Opened,
    missing: Sequence["PlannedTrial"],
    datasets: Mapping[str, "Dataset"],
    mirror: "Mirror",
    console: Console,
    address: str | None,
) -> "Outcome":
    """Train the missing trials and say how they ended."""
    from gmm_study.orchestration.driver import run_trials

    outcome = run_trials(opened.plan, missing, datasets, opened.store, mirror, console, address)
    states = ", ".join(f"{count} {state}" for state, count in outcome.states.items())
    ended = f"{outcome.states.total()} of {plural(outcome.wanted, 'trial')}"
    console.print(f"trained {ended}" + (f": {states}" if states else ""))
    return outcome


@click.command()
@on_a_study
@json_option("how it ended")
def sync(opened: Opened, as_json: bool) -> None:
    """Add to MLflow what it lacks of a study's records.

    The exit status is 1 if something is still lacking.

    --json: {study, variant, replicates, states: {STATE: count}, to_be_proposed, without_data:
    [dataset], mlflow}, where `mlflow` is null or what went wrong.
    """
    from gmm_study.orchestration.mirror import Mirror

    only_driver = opened.store.the_only_driver(opened.plan.study.name)
    with only_driver, working("bringing MLflow up to date"):
        opened.look_again()
        with Mirror(opened.plan, opened.store, opened.command) as mirror:
            mirror.close()
    if as_json:
        print_json({**of_study(opened), "mlflow": mirror.problem})
    elif mirror.problem:
        output_console().print(mirror.problem, markup=False)
    else:
        output_console().print(f"MLflow is up to date; {opened.counts()}", highlight=False)
    if mirror.problem:
        sys.exit(1)
