"""The tables of the page: every cell is a text, with the full number behind it where it shows one."""

from lastlayer.report.tables.classes import class_table, confusion_table, pairs_table
from lastlayer.report.tables.columns import column_table
from lastlayer.report.tables.comparisons import comparison_tables
from lastlayer.report.tables.fits import fit_table, valid_table
from lastlayer.report.tables.metrics import main_table, ranking_table
from lastlayer.report.tables.table import Cell, Head, Table

__all__ = [
    "Cell",
    "Head",
    "Table",
    "class_table",
    "column_table",
    "comparison_tables",
    "confusion_table",
    "fit_table",
    "main_table",
    "pairs_table",
    "ranking_table",
    "valid_table",
]
