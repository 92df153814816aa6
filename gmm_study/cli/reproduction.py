"""`gmm-study reproduction`: our figures beside the published ones, as one page."""

from pathlib import Path

import rich_click as click

from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.on_study import storage_option
from gmm_study.errors import InputError

STUDIES = ("uci_table", "mnist_table", "reproduction_details")


@click.command()
@storage_option
@click.option(
    "--output",
    default=Path("docs/reproduction.md"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The page, a .md; its figures go into a folder of its name beside it.",
)
@json_option("what was written")
def reproduction(storage: str, output: Path, as_json: bool) -> None:
    """Write the page of our test figures beside the published ones.

    Reads the records of the studies uci_table, mnist_table and reproduction_details, and no data;
    trains nothing.

    --json: {sentences: [text], written: [path]}.
    """
    from analysis import plan_from_records, write_reproduction
    from gmm_study.study import load_study
    from gmm_study.trials.record import RecordStore

    if output.suffix != ".md":
        raise InputError(f"output: '{output}' must end in .md, as docs/reproduction.md does")
    studies = [load_study(name) for name in STUDIES]
    store = RecordStore(storage)
    with working("reading the records"):
        plans = [plan_from_records(study, store) for study in studies]
    planned = {trial.config.trial_id for plan in plans for trial in plan.trials}
    if planned.isdisjoint(store.trial_ids()):
        raise InputError(
            f"storage: '{storage}' holds no record of a trial of {', '.join(STUDIES)}; "
            f"name the one that does, or train first: gmm-study run {STUDIES[0]}"
        )
    with working("writing the page"):
        written = write_reproduction(plans, store, output)
    if as_json:
        paths = [str(path) for path in written.paths]
        print_json({"sentences": written.sentences, "written": paths})
        return
    console = output_console()
    for sentence in written.sentences:
        console.print(sentence, markup=False, highlight=False)
    for path in written.paths:
        console.print(f"wrote {path}", markup=False, highlight=False)
