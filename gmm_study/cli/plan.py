"""`gmm-study plan`: the trials of a study, and the time, cost and memory of the missing ones."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console
from rich.table import Table

from gmm_study.cli.as_json import json_option, of_estimate, of_study, of_trial, print_json
from gmm_study.cli.console import output_console
from gmm_study.cli.estimate import line_of_missing_gpu, lines_of
from gmm_study.cli.on_study import on_a_study

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.study import PlannedTrial

MOST_ROWS = 300
"""The most trials that are listed one by one if not all are asked for."""
FIRST_ROWS = 20
"""How many trials of a larger study are listed."""


@click.command()
@on_a_study
@click.option("--all", "list_all", is_flag=True, help="List every trial of a large study.")
@json_option("the plan")
def plan(planned: "PlannedStudy", list_all: bool, as_json: bool) -> None:
    """Show the trials of a study, and estimate the time and memory of the missing ones.

    Of more than 300 trials, the counts and the first 20 are shown.

    If no finished trial allows an estimate, a few batches are timed; nothing of them is kept.

    --json: {study, variant, question, replicates, states: {STATE: count}, to_be_proposed,
    to_be_confirmed, without_data: [dataset], trials: [{trial_id, state, dataset, method, axes,
    replicates, epoch, replicates_ended}], remaining: {seconds, at_most, worker_seconds, workers,
    memory_bytes, on_gpu, source}}. `remaining` is null if no trial is missing, and `seconds` is
    null if the speed of the trials is unknown.
    """
    from gmm_study.api.warm_starts import check_warm_starts

    check_warm_starts(planned)
    if as_json:
        rows = [of_trial(planned, trial) for trial in planned.plan.trials]
        document = {**of_study(planned), "question": planned.study.question, "trials": rows}
        print_json({**document, "remaining": of_estimate(planned.estimate())})
        return
    console = output_console()
    console.print(planned.study.question)
    trials = planned.plan.trials
    if len(trials) > MOST_ROWS and not list_all:
        console.print(_summary(planned))
        trials = trials[:FIRST_ROWS]
    show = _print_table if console.is_terminal and not list_all else _print_lines
    show(console, _rows(planned, trials))
    if left := len(planned.plan.trials) - len(trials):
        console.print(f"and {left:,} more; --all lists them", highlight=False)
    console.print(planned.counts(), highlight=False)
    found = planned.estimate()
    resources = planned.study.resources
    lines = [*lines_of(found, resources.cpus), line_of_missing_gpu(resources)] if found else []
    for line in filter(None, lines):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


Row = tuple[str, str, str]


def _rows(planned: "PlannedStudy", trials: "Iterable[PlannedTrial]") -> Iterator[Row]:
    """State, id and label of the trials, then the data sets that are not available."""
    shared = planned.plan.shared()
    for trial in trials:
        trial_id = trial.config.trial_id
        also = ", ".join(place.place for place in shared.get(trial_id, ())[1:])
        reached = planned.standings[trial_id].reached(trial.replicates)
        notes = [f"also {also}" if also else "", reached]
        if planned.states[trial_id].has_result:
            notes.pop()
        notes = [note for note in notes if note]
        label = f"{trial.label} ({'; '.join(notes)})" if notes else trial.label
        yield planned.states[trial_id], trial_id, label
    for dataset in planned.plan.without_data:
        yield "no data", "", dataset


def _print_table(console: Console, rows: Iterable[Row]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("state", "id", "trial"):
        table.add_column(heading, no_wrap=heading != "trial", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_lines(console: Console, rows: Iterable[Row]) -> None:
    """One line per trial, of any length; a hundred times faster than a table."""
    print(f"{'state':8}  {'id':16}  trial", file=console.file)
    for state, trial_id, label in rows:
        print(f"{state:8}  {trial_id:16}  {label}", file=console.file)


def _summary(planned: "PlannedStudy") -> Table:
    """Counts by data set, method and state."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("dataset", "method", "trials"):
        table.add_column(heading)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for trial in planned.plan.trials:
        place = (trial.config.dataset, trial.config.hyperparameters.method)
        counts.setdefault(place, Counter())[planned.states[trial.config.trial_id]] += 1
    for (dataset, method), states in counts.items():
        parts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        table.add_row(dataset, method, parts)
    return table
