"""From records to frames, tables and figures: reads what trials left, trains and runs nothing."""

from analysis.cells import summarise
from analysis.costs import costs_of_variations
from analysis.figures.along_axis import draw
from analysis.figures.style import render
from analysis.findings import Findings, find
from analysis.frames import Records, load, load_from_mlflow
from analysis.gallery import Picture, pictures_of
from analysis.pages.index import PAPER, write_index
from analysis.pages.paper import PUBLISHED, paper_table, write_paper
from analysis.pages.reproduction import write_reproduction
from analysis.planned import join, x_values
from analysis.plans import plan_from_records
from analysis.published import PublishedFigure, load_published, published
from analysis.report import Report, write_report
from analysis.selection import best_mean_validation_bound
from analysis.statistics import mean_and_standard_error
from analysis.tables.costs import lay_out_costs
from analysis.tables.formats import csv, latex, markdown
from analysis.tables.html import html
from analysis.tables.layout import Entry, Table, lay_out
from analysis.verdict import verdict

__all__ = [
    "PAPER",
    "PUBLISHED",
    "Entry",
    "Findings",
    "Picture",
    "PublishedFigure",
    "Records",
    "Report",
    "Table",
    "best_mean_validation_bound",
    "costs_of_variations",
    "csv",
    "draw",
    "find",
    "html",
    "join",
    "latex",
    "lay_out",
    "lay_out_costs",
    "load",
    "load_from_mlflow",
    "load_published",
    "markdown",
    "mean_and_standard_error",
    "paper_table",
    "pictures_of",
    "plan_from_records",
    "published",
    "render",
    "summarise",
    "verdict",
    "write_index",
    "write_paper",
    "write_report",
    "write_reproduction",
    "x_values",
]
