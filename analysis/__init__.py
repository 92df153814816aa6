"""From records to frames, tables and figures: reads what trials left, trains and runs nothing."""

from analysis.cells import mean_and_standard_error, summarise
from analysis.costs import costs_of_variations, lay_out_costs
from analysis.figures import draw
from analysis.formats import csv, latex, markdown
from analysis.frames import Records, join, load, x_values
from analysis.published import PublishedFigure, load_published, published
from analysis.report import Report, write_report
from analysis.reproduction import plan_from_records, write_reproduction
from analysis.selection import best_mean_validation_bound
from analysis.style import render
from analysis.tables import Entry, Table, lay_out
from analysis.verdict import verdict

__all__ = [
    "Entry",
    "PublishedFigure",
    "Records",
    "Report",
    "Table",
    "best_mean_validation_bound",
    "costs_of_variations",
    "csv",
    "draw",
    "join",
    "latex",
    "lay_out",
    "lay_out_costs",
    "load",
    "load_published",
    "markdown",
    "mean_and_standard_error",
    "plan_from_records",
    "published",
    "render",
    "summarise",
    "verdict",
    "write_report",
    "write_reproduction",
    "x_values",
]
