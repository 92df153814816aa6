"""`gmm-study reproduction`: one page that compares our figures with the published ones."""

from pathlib import Path

import rich_click as click

from gmm_study.cli.as_json import json_option, print_json
from gmm_study.cli.console import output_console, working
from gmm_study.cli.on_study import storage_option
from gmm_study.errors import InputError

STUDIES = (
    "uci_table",
    "mnist_table",
    "silhouettes_table",
    "depth_claim",
    "dna_l1",
    "reproduction_details",
)


@click.command()
@storage_option
@click.option(
    "--output",
    default=Path("docs/reproduction.md"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The page, a .md file; its plots go into a folder of the same name beside it.",
)
@json_option("a list of the files")
def reproduction(storage: str, output: Path, as_json: bool) -> None:
    """Write the page that compares our test figures with the published ones.

    It only reads the records of the studies uci_table, mnist_table, silhouettes_table, depth_claim,
    dna_l1 and reproduction_details: yours, and where you have no result those that come with
    gmm-study. It needs no data and trains nothing.

    --json: {sentences: [text], written: [path]}.
    """
    from analysis import plan_from_records, with_shipped, write_reproduction
    from gmm_study.api.planned_study import check_storage
    from gmm_study.study import load_study
    from gmm_study.trials.record_store import RecordStore

    if output.suffix != ".md":
        raise InputError(f"output: '{output}' must end in .md, such as docs/reproduction.md")
    studies = [load_study(name) for name in STUDIES]
    own = RecordStore(storage)
    check_storage(own)
    store = with_shipped(own)
    with working("reading the records"):
        plans = [plan_from_records(study, store) for study in studies]
    planned = {trial.config.trial_id for plan in plans for trial in plan.trials}
    if planned.isdisjoint(store.trial_ids()):
        raise InputError(
            f"storage: '{storage}' has no record of a trial of {', '.join(STUDIES)}; "
            f"name the right storage, or train first: gmm-study run {STUDIES[0]}"
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
