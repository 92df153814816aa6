"""`gmm-study report` and `gmm-study tables`: reports of studies, and the published tables."""

import sys
from functools import partial
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console

from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.on_study import on_a_study, storage_option

if TYPE_CHECKING:
    from analysis import ReportFiles, WrittenReport
    from gmm_study.api.planned_study import PlannedStudy


@click.command()
@on_a_study
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@json_option("a summary of the report")
def report(planned: "PlannedStudy", show: bool, as_json: bool) -> None:
    """Write a study's report from its records (page, tables, figures), and print the tables.

    If none of its trials has ended in the storage, it is the report of the records that come with
    gmm-study, and says so.

    --json: {study, variant, title, question, sentences: [text], conditions: [text], diagnosis:
    [{rule, where, figure, to_do}], summary, trials: {STATE: count}, failures: [{label, trial_id,
    state, reason}], warnings: [text], command, written, files: [name], page}, where `files`
    are in the folder of `page`.
    """
    from gmm_study.api import studies

    with working("writing the report"):
        written = studies.report(planned)
    if as_json:
        print_json({**written.summary, "page": str(written.page)})
    else:
        print_report(written, output_console())
    if show:
        click.launch(str(written.page.resolve()))


@click.command()
@storage_option
@json_option("a list of the files")
def tables(storage: str, as_json: bool) -> None:
    """Write the reports of all studies, as their files declare them, and the published tables.

    It only reads records, no data: yours, and where you have no result those that come with
    gmm-study. A cell that shows a trial of
    yours is then marked. A study without records gets no report.
    The exit status is 1 if a study is invalid or a report cannot be written.

    --json: {reports: [as `gmm-study report --json`], without: {study: why}, paper: [path], index}
    """
    from gmm_study.api.reports import NO_RECORDS, write_all_reports

    console = output_console(stderr=as_json)
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)

    def say_of(name: str, report: "ReportFiles | Exception") -> None:
        if isinstance(report, Exception):
            say(f"{name}: no report: {report}")
            return
        summary = report.summary
        notes = (f"Note: {text}" for text in summary["conditions"])
        for line in (summary["title"], *summary["sentences"], *notes, f"wrote {report.page}"):
            say(line)

    written = write_all_reports(storage, working, say_of)
    for path in (*written.published_tables, written.index):
        say(f"wrote {path}")
    if as_json:
        reports = [{**each.summary, "page": str(each.page)} for each in written.reports]
        paths = {
            "paper": [str(path) for path in written.published_tables],
            "index": str(written.index),
        }
        print_json({"reports": reports, "without": written.without, **paths})
    if any(why != NO_RECORDS for why in written.without.values()):
        sys.exit(1)


def print_report(written: "WrittenReport", console: Console) -> None:
    """Print the answer, what it depends on, the tables, and the path of the page."""
    console.print(written)
    page = f"\nreport: {written.page}"
    console.print(page, markup=False, highlight=False, soft_wrap=True)
