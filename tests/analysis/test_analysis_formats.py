"""One layout in four formats: what a reader of each finds is the same."""

import re
from html.parser import HTMLParser

import pytest
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker

from analysis import join, load, summarise
from analysis.tables.formats import latex, markdown
from analysis.tables.html import html
from analysis.tables.layout import lay_out

SPACE = {"layers.depth": {"grid": [1, 2]}}
SIZES = {"layers": {"first": 8, "last": 4}}
NUMBER = re.compile(r"[+-]?\d+\.\d+")


@pytest.fixture
def tables(lab, figures):
    """gmm and rws at two depths; of rws at depth 2 a replicate diverged."""
    plan = lab.plan(methods=["gmm", "rws"], space=SPACE, fixed=SIZES)
    for trial in plan.trials:
        depth, method = trial.axes["layers.depth"], trial.config.hyperparameters.method
        values = [figures(-21.0, -20.0 + depth + step) for step in (0.0, 0.3, 0.5)]
        if (method, depth) == ("rws", 2):
            values[1] = None
        lab.write(trial.config, *values)
    return lay_out(plan, summarise(plan, join(plan, load(lab.store))))


def numbers_of(text):
    return NUMBER.findall(text)


class Cells(HTMLParser):
    """The texts of a table's cells."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def environments(nodes):
    for node in nodes:
        if isinstance(node, LatexEnvironmentNode):
            yield node
        yield from environments(getattr(node, "nodelist", None) or [])


def test_latex_is_well_formed_and_every_row_has_as_many_cells_as_columns(tables):
    text = latex(tables)
    nodes, _, length = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    assert length == len(text)
    found = list(environments(nodes))
    assert [node.environmentname for node in found] == ["table", "tabular"] * len(tables)
    for table, node in zip(tables, found[1::2], strict=True):
        body = node.latex_verbatim()
        rows = [line for line in body.splitlines() if line.rstrip().endswith(r"\\")]
        rows = [row for row in rows if "multicolumn" not in row]
        assert len(rows) == 1 + len(table.rows)
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(table.columns)


def test_html_is_well_formed_and_has_a_cell_for_each_entry(tables):
    for table in tables:
        cells = Cells(str(html(table)))
        assert cells.open == []
        head, *body = cells.rows
        assert head[1:] == list(table.columns)
        assert [row[0] for row in body] == [name for name, _ in table.rows]
        assert all(len(row) == 1 + len(table.columns) for row in body)


def test_every_format_has_the_same_numbers_in_the_same_order(tables):
    for table in tables:
        grid = markdown(table).split("\n\n")[1]
        in_latex = latex([table]).split(r"\midrule")[1].split(r"\bottomrule")[0]
        in_html = str(html(table)).split("<tbody>")[1].split("</tbody>")[0]
        rows = "\n".join(grid.splitlines()[2:])
        assert numbers_of(rows)
        assert numbers_of(rows) == numbers_of(in_latex) == numbers_of(in_html)


def test_best_entries_and_footnotes_are_in_every_format(tables):
    log_p = tables[0]
    bold = sum(entry.best for _, entries in log_p.rows for entry in entries)
    assert bold == 2  # at depth 1 both, which are equal; at depth 2 gmm has no rival
    assert markdown(log_p).count("**") - 2 == 2 * bold
    assert latex([log_p]).count(r"\mathbf") == bold
    assert str(html(log_p)).count('class="best"') == bold
    for text in (markdown(log_p), latex([log_p]), str(html(log_p))):
        assert "diverged 1 of 3 replicates" in text


def test_texts_are_escaped_in_html(lab, figures):
    plan = lab.plan(variations={"<b>a & b": {}, "c": {"samples": 1}}, methods=["gmm"])
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    table = lay_out(plan, summarise(plan, join(plan, load(lab.store))))[0]
    assert "&lt;b&gt;a &amp; b" in html(table)
    assert "<b>" not in html(table)
