"""What the records say: the report of a study, those of all studies, the published tables."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.opened import Opened, on_a_study, storage_option
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from analysis import Report
    from gmm_study.trials.record import RecordStore

REPORTS = Path("reports")
"""Where the reports go."""
PAPER = REPORTS / "paper"
"""Where the published tables go."""


@click.command()
@on_a_study
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@json_option("what the report says")
def report(opened: Opened, show: bool, as_json: bool) -> None:
    """Write a study's report from its records: page, tables, figures. Print the tables.

    --json: {study, variant, title, question, sentences: [text], summary, trials: {STATE: count},
    failures: [{label, trial_id, state, reason}], warnings: [text], command, written, files: [name],
    page}, where `files` lie in the folder of `page`.
    """
    written = write_one(opened)
    if as_json:
        print_json({**written.summary, "page": str(written.page)})
    else:
        print_report(written)
    if show:
        click.launch(str(written.page.resolve()))


@click.command()
@storage_option
@json_option("what was written")
def tables(storage: str, as_json: bool) -> None:
    """Write the reports of all studies, as their files declare them, and the published tables.

    Reads records alone, and no data. A study without records has no report; the exit status is 1 if
    one cannot be written.

    --json: {reports: [as `gmm-study report --json`], without: {study: why}, paper: [path], index}
    """
    from analysis import write_index
    from gmm_study.trials.record import RecordStore

    store, console = RecordStore(storage), output_console(stderr=as_json)
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    reports: list[Report] = []
    without: dict[str, str] = {}
    for name in sorted(path.stem for path in Path("studies").glob("*.yaml")):
        try:
            with working(f"writing {name}"):
                reports.append(_from_records(name, store))
        except InputError as error:
            without[name] = str(error)
            say(f"{name}: no report: {error}")
            continue
        for line in (reports[-1].summary["title"], *reports[-1].summary["sentences"]):
            say(line)
        say(f"wrote {reports[-1].page}")
    paper = _published_tables(store)
    index = write_index(REPORTS)
    for path in (*paper, index):
        say(f"wrote {path}")
    if as_json:
        told = [{**own.summary, "page": str(own.page)} for own in reports]
        shown: dict[str, Any] = {"reports": told, "without": without}
        print_json({**shown, "paper": [str(path) for path in paper], "index": str(index)})
    if any("cannot be written" in why for why in without.values()):
        sys.exit(1)


def write_one(opened: Opened) -> "Report":
    """The report of an opened study, and the list of all reports with it."""
    from analysis import write_index, write_report

    study = opened.plan.study
    if not opened.plan.trials:
        raise InputError(f"{study.name}: its search has proposed no trial yet; run it first")
    folder = REPORTS / study.name / study.variant
    try:
        with working("writing the report"):
            written = write_report(opened.plan, opened.store, folder, opened.command)
            write_index(REPORTS)
    except OSError as error:
        raise InputError(f"the report cannot be written: {error}") from None
    return written


def print_report(written: "Report", stderr: bool = False) -> None:
    """The tables, the answer, and where the page is."""
    console = output_console(stderr=stderr)
    console.print(written)
    page = f"\nreport: {written.page}"
    console.print(page, markup=False, highlight=False, soft_wrap=True)


def _from_records(name: str, store: "RecordStore") -> "Report":
    from analysis import plan_from_records, write_report

    plan = plan_from_records(name, store)
    recorded = set(store.trial_ids())
    if recorded.isdisjoint(trial.config.trial_id for trial in plan.trials):
        raise InputError("no records of it as its file declares it")
    command = f"gmm-study run {name}"
    try:
        return write_report(plan, store, REPORTS / name, command)
    except OSError as error:
        raise InputError(f"the report cannot be written: {error}") from None


def _published_tables(store: "RecordStore") -> list[Path]:
    """Those of the published tables whose studies are here."""
    from analysis import PUBLISHED, paper_table, plan_from_records, write_paper

    plans = [
        plan_from_records(name, store)
        for name in PUBLISHED
        if (Path("studies") / f"{name}.yaml").exists()
    ]
    found = [paper_table(plan, store) for plan in plans if plan.trials]
    return list(write_paper(found, PAPER).values()) if found else []
