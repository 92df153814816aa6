"""The published tables with our figures beside them, written from the records of their studies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.files import replace_file
from analysis.findings import Findings
from analysis.pages.rendering import render_page
from analysis.tables.comparison import lay_out_paper
from analysis.tables.formats import csv, latex, markdown
from analysis.tables.html import html
from analysis.tables.layout import Table

PUBLISHED = {
    "uci_table": ("table1", "Table 1: the eight UCI data sets"),
    "mnist_table": ("table2", "Table 2: binarized MNIST"),
    "silhouettes_table": ("silhouettes", "Caltech 101 silhouettes"),
}
"""The file name and the title of the published table that each study is compared with."""
HEAD = (
    "The tables of Bornschein, Shabanian, Fischer and Bengio, Bidirectional Helmholtz Machines "
    "(ICML 2016; arXiv 1506.03877), and one of silhouettes, with our figures beside the published "
    f"ones. Ours come only from the records of the studies {', '.join(PUBLISHED)}; each is of the "
    "trial with the best validation log p, or bound where a record lacks that. Footnotes mark the "
    "published figures that were not checked."
)


@dataclass(frozen=True)
class PaperTable:
    """One published table with our figures: its file name, its data and its layout."""

    name: str
    frame: pd.DataFrame
    table: Table


def paper_table(found: Findings) -> PaperTable:
    """The published table that a study of `PUBLISHED` is compared with."""
    name, title = PUBLISHED[found.plan.study.name]
    table = lay_out_paper(found.plan, found.compared, name, title)
    return PaperTable(name, found.compared, table.with_sentence(found.budget_sentence))


def write_paper(tables: Sequence[PaperTable], folder: Path | str) -> Mapping[str, Path]:
    """Write each table as `.md`, `.csv` and `.tex`, and all of them as one page, `index.html`."""
    contents: dict[str, bytes] = {}
    for own in tables:
        contents[f"{own.name}.md"] = markdown(own.table).encode()
        contents[f"{own.name}.csv"] = csv(own.frame).encode()
        contents[f"{own.name}.tex"] = latex([own.table]).encode()
    shown = [html(own.table) for own in tables]
    page = {"title": "The published tables", "text": HEAD, "tables": shown}
    contents["index.html"] = render_page("tables.html", page)
    paths = {name: Path(folder) / name for name in contents}
    for name, path in paths.items():
        replace_file(path, contents[name])
    return paths
