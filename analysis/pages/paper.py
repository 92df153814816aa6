"""The published tables, written again from the records of the studies held against them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.files import replace_file
from analysis.frames import load
from analysis.pages.html import render_page
from analysis.planned import join
from analysis.tables.comparison import compare
from analysis.tables.formats import csv, latex, markdown
from analysis.tables.html import html
from analysis.tables.layout import Table
from analysis.tables.paper import lay_out_paper
from gmm_study.study.plan import Plan
from gmm_study.trials.record import RecordStore

PUBLISHED = {
    "uci_table": ("table1", "Table 1: the eight UCI data sets"),
    "mnist_table": ("table2", "Table 2: binarized MNIST"),
}
"""By the study that a published table is held against, the name of its files and its title."""
HEAD = (
    "The tables of Bornschein, Shabanian, Fischer and Bengio, Bidirectional Helmholtz Machines "
    "(ICML 2016; arXiv 1506.03877), with our figures beside the published ones. Ours come from the "
    "records of the studies uci_table and mnist_table alone, each the trial with the best "
    "validation bound; a footnote says which published figures were not checked.",
)


@dataclass(frozen=True)
class PaperTable:
    """One published table: the frame, as all formats have it, and its layout."""

    name: str
    frame: pd.DataFrame
    table: Table


def paper_table(plan: Plan, store: RecordStore | str) -> PaperTable:
    """The table that is held against a study of `PUBLISHED`, from the records there are."""
    name, title = PUBLISHED[plan.study.name]
    records = load(store, trial_ids=[trial.config.trial_id for trial in plan.trials])
    frame = compare(plan, join(plan, records))
    return PaperTable(name, frame, lay_out_paper(plan, frame, name, title))


def write_paper(tables: list[PaperTable], folder: Path | str) -> Mapping[str, Path]:
    """Write each table as `.md`, `.csv` and `.tex`, and all of them on a page, `index.html`."""
    folder = Path(folder)
    contents: dict[str, bytes] = {}
    for own in tables:
        contents[f"{own.name}.md"] = markdown(own.table).encode()
        contents[f"{own.name}.csv"] = csv(own.frame).encode()
        contents[f"{own.name}.tex"] = latex([own.table]).encode()
    page = {"title": "The published tables", "paragraphs": HEAD}
    contents["index.html"] = render_page(
        "tables", page | {"tables": [html(own.table) for own in tables]}
    )
    for name, content in contents.items():
        replace_file(folder / name, content)
    return {name: folder / name for name in contents}
