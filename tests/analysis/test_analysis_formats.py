"""One layout in five formats: a reader finds the same in each."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from math import isnan

import pandas as pd
import pytest
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker
from rich.console import Console

from analysis.labels import nats
from analysis.tables.formats import csv, latex, markdown
from analysis.tables.html import html
from analysis.tables.layout import lay_out

NUMBER = re.compile(r"(-?\d+\.\d+) (?:±|\\pm) (\d+\.\d+)")


@pytest.fixture
def tables(study, summary):
    return lay_out(study, summary(study)[1])


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


def test_latex_is_escaped(tables):
    text = latex(tables)
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    assert r"ocr\_letters" in text
    outside_labels = re.sub(r"\\label\{[^}]*\}", "", text)
    assert not re.search(r"(?<!\\)[_#&](?=\w)", outside_labels)


def test_html_is_well_formed_and_has_a_cell_for_each_entry(tables):
    for table in tables:
        cells = Cells(str(html(table)))
        assert cells.open == []
        head, *body = cells.rows
        assert head[1:] == list(table.columns)
        assert [row[0] for row in body] == [name for name, _ in table.rows]
        assert all(len(row) == 1 + len(table.columns) for row in body)


@pytest.mark.figure
def test_every_format_of_a_report_has_the_same_numbers_in_the_same_order(study, report_of):
    report = report_of(study)
    cells = pd.read_csv(report.paths["table.csv"]).to_dict("records")
    expected = [
        (f"{cell['mean']:.2f}", f"{cell['standard_error']:.2f}")
        for metric in ("test/log_p", "test/bound")
        for cell in cells
        if cell["metric"] == metric and not isnan(cell["mean"])
    ]
    assert expected[0] == ("-19.00", "0.58")
    assert len(expected) == 2 * 4
    page = report.page.read_text()
    in_html = "".join(re.findall("<tbody>.*?</tbody>", page, flags=re.DOTALL))
    in_markdown = "\n".join(re.findall(r"^\|.*", report.paths["table.md"].read_text(), flags=re.M))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(report)
    in_terminal = console.export_text().partition("mean ± standard error")[2]
    in_latex = report.paths["table.tex"].read_text()
    for text in (in_html, in_markdown, in_latex, in_terminal):
        shown = [pair for pair in NUMBER.findall(text) if not pair[0].startswith("+")]
        assert shown[: len(expected)] == expected


def test_bold_entries_and_footnotes_are_in_every_format(tables):
    log_p = tables[0]
    bold = sum(entry.best for _, entries in log_p.rows for entry in entries)
    assert bold == 1  # at depths 2 and 5 gmm has no rival
    assert markdown(log_p).count("**") - 2 == 2 * bold
    assert latex([log_p]).count(r"\mathbf") == bold
    assert str(html(log_p)).count('class="best"') == bold
    assert list(log_p.letters.items()) == [("diverged 1 of 3 replicates", "a"), ("pending", "b")]
    assert "—ᵃ" in markdown(log_p)
    assert "ᵃ diverged 1 of 3 replicates" in markdown(log_p)
    assert "ᵇ pending" in markdown(log_p)
    assert r"\textsuperscript{a}~diverged 1 of 3 replicates" in latex([log_p])
    assert "<sup>a</sup> diverged 1 of 3 replicates" in html(log_p)


def test_csv_is_long_and_exact(study, summary):
    _, cells = summary(study)
    read = pd.read_csv(io.StringIO(csv(cells)))
    assert len(read) == 2 * 3 * 2
    for name in ("mean", "standard_error", "validation"):
        pd.testing.assert_series_equal(read[name], cells[name], check_exact=True)
    assert list(read["x"]) == list(cells["x"])
    assert list(read["mark"].fillna("")) == list(cells["mark"])


def test_bars_in_column_heads_do_not_break_a_table(lab, figures, summary):
    plan = lab.plan(variations={"a|b": {}, "c": {"samples": 5}})
    table = lay_out(plan, summary(plan)[1])[0]
    head = replace(table, columns=("x|y",))
    assert r"x\|y" in markdown(head)
    assert r"a\|b" in markdown(table)


def test_texts_are_escaped_in_html(lab, figures, summary):
    plan = lab.plan(variations={"<b>a & b": {}, "c": {"samples": 1}}, methods=["gmm"])
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0)] * 3)
    table = lay_out(plan, summary(plan)[1])[0]
    assert "&lt;b&gt;a &amp; b" in html(table)
    assert "<b>" not in html(table)


def test_nats_have_no_minus_zero_and_an_exponent_from_a_million_on():
    assert [nats(value, 2) for value in (-0.001, -20.1, 1e6, -2.04e7)] == [
        "0.00",
        "-20.10",
        "1.0e+06",
        "-2.0e+07",
    ]
    assert [nats(value, 1, signed=True) for value in (-0.04, 0.3, 3e7)] == [
        "+0.0",
        "+0.3",
        "+3.0e+07",
    ]
