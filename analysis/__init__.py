"""From records to frames, tables and figures: reads what trials left, trains and runs nothing."""

from analysis.figures import draw, render
from analysis.formats import csv, latex, markdown
from analysis.frames import Records, join, load, x_values
from analysis.report import Report, write_report
from analysis.selection import best_mean_validation_bound
from analysis.tables import Entry, Table, lay_out, mean_and_standard_error, summarise
from analysis.verdict import verdict

__all__ = [
    "Entry",
    "Records",
    "Report",
    "Table",
    "best_mean_validation_bound",
    "csv",
    "draw",
    "join",
    "latex",
    "lay_out",
    "load",
    "markdown",
    "mean_and_standard_error",
    "render",
    "summarise",
    "verdict",
    "write_report",
    "x_values",
]
