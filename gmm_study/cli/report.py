"""What the records say: the report of a study, those of all studies, the published tables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.opened import Opened, on_a_study, storage_option
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from analysis import WrittenReport
    from gmm_study.study import Plan
    from gmm_study.trials.record import RecordStore

REPORTS = Path("reports")
"""Where the reports go."""
NO_RECORDS = "no records of it as its file declares it"


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
    a study cannot be used or its report not be written.

    --json: {reports: [as `gmm-study report --json`], without: {study: why}, paper: [path], index}
    """
    from analysis import PUBLISHED, plan_from_records, write_index
    from gmm_study.trials.record import RecordStore

    store, console = RecordStore(storage), output_console(stderr=as_json)
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    reports: list[WrittenReport] = []
    recorded = set(store.trial_ids())
    without: dict[str, str] = {}
    plans: dict[str, Plan] = {}
    for name in sorted(path.stem for path in Path("studies").glob("*.yaml")):
        try:
            with working(f"writing {name}"):
                plans[name] = plan_from_records(name, store)
                reports.append(_from_records(plans[name], store, recorded))
        except (InputError, OSError) as error:
            without[name] = str(error)
            say(f"{name}: no report: {error}")
            continue
        for line in (reports[-1].summary["title"], *reports[-1].summary["sentences"]):
            say(line)
        say(f"wrote {reports[-1].page}")
    published = [plans[name] for name in PUBLISHED if name in plans and plans[name].trials]
    with _told_if_unwritable():
        paper = _published_tables(published, store)
        index = write_index(REPORTS)
    for path in (*paper, index):
        say(f"wrote {path}")
    if as_json:
        told = [{**own.summary, "page": str(own.page)} for own in reports]
        shown: dict[str, Any] = {"reports": told, "without": without}
        print_json({**shown, "paper": [str(path) for path in paper], "index": str(index)})
    if any(why != NO_RECORDS for why in without.values()):
        sys.exit(1)


def write_one(opened: Opened) -> "WrittenReport":
    """The report of an opened study, and the list of all reports with it."""
    from analysis import write_index, write_report

    study = opened.plan.study
    if not opened.plan.trials:
        raise InputError(f"{study.name}: its search has proposed no trial yet; run it first")
    folder = _folder(study.name) / study.variant
    with _told_if_unwritable(), working("writing the report"):
        written = write_report(opened.plan, opened.store, folder, opened.command)
        write_index(REPORTS)
    return written


def print_report(written: "WrittenReport", stderr: bool = False) -> None:
    """The tables, the answer, and where the page is."""
    console = output_console(stderr=stderr)
    console.print(written)
    page = f"\nreport: {written.page}"
    console.print(page, markup=False, highlight=False, soft_wrap=True)


def _from_records(plan: "Plan", store: "RecordStore", recorded: set[str]) -> "WrittenReport":
    from analysis import write_report

    name = plan.study.name
    if recorded.isdisjoint(trial.config.trial_id for trial in plan.trials):
        raise InputError(NO_RECORDS)
    return write_report(plan, store, _folder(name), f"gmm-study run {name}")


def _published_tables(plans: "list[Plan]", store: "RecordStore") -> list[Path]:
    from analysis import PAPER, paper_table, write_paper

    found = [paper_table(plan, store) for plan in plans]
    return list(write_paper(found, REPORTS / PAPER).values()) if found else []


def _folder(name: str) -> Path:
    """Where a study's reports go. Raises `InputError` for the name of the published tables."""
    from analysis import PAPER

    if name == PAPER:
        taken = f"{REPORTS / PAPER} has the published tables"
        raise InputError(f"{name}: {taken}; give the study another name")
    return REPORTS / name


@contextmanager
def _told_if_unwritable() -> Iterator[None]:
    """One line where the folder of reports cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"the report cannot be written: {error}") from None
