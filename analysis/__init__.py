"""From records to frames, tables, figures and pages. It only reads; nothing is trained or run."""

from analysis.cells import summarise
from analysis.findings import Findings, find
from analysis.frames import Records, load, load_from_mlflow
from analysis.pages.index import write_index
from analysis.pages.paper import PUBLISHED, PaperTable, paper_table, write_paper
from analysis.pages.reproduction import write_reproduction
from analysis.planned import join
from analysis.plans import plan_from_records
from analysis.report import ReportFiles, WrittenReport, write_report
from analysis.selection import best_on_validation
from analysis.shipped import with_shipped
from analysis.verdict import verdict

__all__ = [
    "PUBLISHED",
    "Findings",
    "PaperTable",
    "Records",
    "ReportFiles",
    "WrittenReport",
    "best_on_validation",
    "find",
    "join",
    "load",
    "load_from_mlflow",
    "paper_table",
    "plan_from_records",
    "summarise",
    "verdict",
    "with_shipped",
    "write_index",
    "write_paper",
    "write_report",
    "write_reproduction",
]
