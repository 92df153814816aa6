"""`gmm-study run`: train what is missing of a study, then report."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console

from gmm_study.api.feedback import RunObserver
from gmm_study.cli.as_json import json_option, of_study, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.on_study import on_a_study
from gmm_study.cli.report import print_report
from gmm_study.phrases import plural
from gmm_study.training.state import TrialState

if TYPE_CHECKING:
    from analysis import WrittenReport
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.orchestration.driver import Outcome
    from gmm_study.study import PlannedTrial

INTERRUPTED = 130


@click.command()
@on_a_study
@click.option("--retry-failed", is_flag=True, help="Train failed trials again.")
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Run on the Ray cluster with this head; `auto` finds one on this machine. "
    "[default: RAY_ADDRESS, else a local Ray]",
)
@json_option("the outcome of the run (all other output goes to standard error)")
def run(planned: "PlannedStudy", retry_failed: bool, address: str | None, as_json: bool) -> None:
    """Train the missing trials of a study, then write its report.

    Ctrl-C stops it cleanly; the same command continues. The exit status is 1 if a trial has failed
    or the gradients of one could not be assessed, and 130 after Ctrl-C.

    --json: {study, variant, replicates, states: {STATE: count}, to_be_proposed, to_be_confirmed,
    without_data: [dataset], trained: {STATE: count}, confirmed: {STATE: count}, interrupted,
    not_assessed: [line], mlflow}, where `trained` counts the trials that ended in this run,
    `confirmed` those that got all seeds after a screening, and `mlflow` is null or the problem with
    MLflow.
    """
    from gmm_study.api import studies

    console = output_console(stderr=as_json)
    printer = Printer(console, retry_failed)
    ended = studies.run(planned, retry_failed=retry_failed, address=address, observer=printer)
    if ended.interrupted:
        console.print("interrupted; progress is saved, and the same command continues")
    if as_json:
        how = {
            "trained": ended.trained,
            "confirmed": ended.confirmed,
            "interrupted": ended.interrupted,
            "not_assessed": list(ended.not_assessed),
        }
        print_json({**of_study(planned), **how, "mlflow": ended.mlflow_problem})
    if ended.interrupted or ended.has_failures:
        sys.exit(INTERRUPTED if ended.interrupted else 1)


class Printer(RunObserver):
    """Prints each step of a run."""

    def __init__(self, console: Console, retry_failed: bool) -> None:
        super().__init__(console, working)
        self.retry_failed = retry_failed
        self._problem: str | None = None

    def begins(self, planned: "PlannedStudy", missing: Sequence["PlannedTrial"]) -> None:
        """Print the question, the number of trials in each state, and what is not retried."""
        self.console.print(planned.study.question)
        self.console.print(planned.counts(), highlight=False)
        if not (missing or planned.unproposed or planned.unconfirmed):
            self.console.print("nothing to train")
        if TrialState.FAILED in planned.states.values() and not self.retry_failed:
            self.console.print("failed trials are not retried; --retry-failed trains them again")

    def trained(self, outcome: "Outcome") -> None:
        """Print how the trials ended."""
        if outcome.wanted or not outcome.to_confirm:
            self.console.print(_ended("trained", outcome.states, outcome.wanted, outcome.elsewhere))
        if outcome.to_confirm:
            counts = outcome.confirmed, outcome.to_confirm, outcome.confirmed_elsewhere
            self.console.print(_ended("confirmed", *counts))
        if outcome.over:
            cells = plural(outcome.over, "cell")
            self.console.print(f"search.hours over in {cells}; a larger value continues the search")

    def not_assessed(self, line: str) -> None:
        """Print the line."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def reported(self, report: "WrittenReport") -> None:
        """Print the tables and the answer."""
        print_report(report, self.console)

    def mlflow_failed(self, problem: str) -> None:
        """Print the problem once."""
        if problem != self._problem:
            self._problem = problem
            line = f"{problem}; `gmm-study sync` adds what is missing"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _ended(verb: str, states: Counter[str], wanted: int, elsewhere: int) -> str:
    """`trained 4 of 4 trials (2 by another process): 3 complete, 1 failed`."""
    others = f" ({elsewhere} by another process)" if elsewhere else ""
    listed = ", ".join(f"{count} {state}" for state, count in states.items())
    text = f"{verb} {states.total()} of {plural(wanted, 'trial')}{others}"
    return f"{text}: {listed}" if listed else text
