"""worklist.xlsx: the list as a workbook, and a sheet of questions whose answers `zm001 reviews` takes back.

openpyxl makes the workbook without its rows (styles, widths, drop-downs, print set-up); the rows are put in as text made by
Polars, a tenth of what writing cell by cell costs. Every time stamp is fixed, so the same rows give the same bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from copy import copy
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

ANSWERS = ("yes", "no", "unknown")
TO_FILL = {"answer": pl.String, "reviewed_date": pl.Date, "valid_until": pl.Date, "note": pl.String}
LINE_CODE = "line_code"  # tells on the way back whether patient and item still belong together
NUMBERS = {"rank": "0", "expected_pass": "0.000000", "sledai_recorded": "0", "sledai_low": "0", "sledai_high": "0"}
DAY = "yyyy-mm-dd"
WRAPPED = {  # columns of texts, and their width in characters
    "immunosuppressants": 24, "biologics": 18, "failing": 20, "to_review": 20, "unknown": 26, "to_do": 60, "question": 80, "evidence": 32,
    "note": 40,
}  # fmt: skip
LINE_HEIGHT = 15  # in points
COLOURS = {  # of the cells of tiers and verdicts, by their word
    "ready": "C6E7C8", "check": "FFEBB0", "watch": "CFE2F3", "pass": "E6F4E7", "fail": "F6CFCB", "review": "FFEBB0", "unknown": "E3E3E3",
}  # fmt: skip
COLOURED = re.compile(r"tier|verdict|[IE]\d\d")  # columns
HEADER_COLOUR, FILL_COLOUR = "D9D9D9", "FFFDE7"
MOST_ROWS = 1_048_575  # of a sheet, below its header
LAST_DAY = "2958465"  # 9999-12-31 as a workbook counts; 20260301 typed as a number lies beyond
EPOCH = date(1899, 12, 30)  # day 0 of a workbook's dates
MADE = datetime(2000, 1, 1)
ZIPPED = (1980, 1, 1, 0, 0, 0)
MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\ufffe": "_xFFFE_", "\uffff": "_xFFFF_"} | {
    chr(code): f"_x{code:04X}_" for code in range(32) if chr(code) not in "\t\n\r"
}


def questions(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """One row per undecided item of each listed patient in rank order, with empty cells for the answer."""
    frame = con.sql(f"select * exclude (position) from pub.questions order by rank, position limit {MOST_ROWS}").pl()
    empty = [pl.lit(None, kind).alias(name) for name, kind in TO_FILL.items()]
    return frame.select("patient_id", "rank", "item_id", "question", "evidence", *empty, "verdict", LINE_CODE)


def write_worklist(candidates: pl.DataFrame, asked: pl.DataFrame, words: Mapping[str, str], path: Path) -> None:
    """Write the workbook: sheet ``candidates`` with the rows of candidates.csv, sheet ``reviews`` with those of ``asked``.

    ``words``: key -> text of run.messages, for what the cells to fill say of themselves.
    """
    from openpyxl import Workbook
    from openpyxl.writer.excel import ExcelWriter

    book = Workbook()
    book.properties.created = book.properties.modified = MADE
    book.properties.creator = "zm001"
    candidates = candidates.head(MOST_ROWS)
    rows = []
    for sheet, title, frame in ((book.active, "candidates", candidates), (book.create_sheet(), "reviews", asked)):
        sheet.title = title
        rows.append(_rows(frame, _dress(sheet, frame)))
    book["candidates"].print_area = f"A1:{_letter(candidates.columns.index('to_do'))}{len(candidates) + 1}"
    _add_checks(book["reviews"], asked, words)
    skeleton = io.BytesIO()
    with zipfile.ZipFile(skeleton, "w") as archive:
        ExcelWriter(book, archive).write_data()
    _write_zip(skeleton, {f"xl/worksheets/sheet{place}.xml": text for place, text in enumerate(rows, 1)}, path)


def _dress(sheet: Any, frame: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Give a sheet its header, widths, filter and print set-up; column -> word -> number of the cell's style, "" for other words."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

    def solid(colour: str) -> Any:
        return PatternFill("solid", fgColor=colour)

    line = Border(bottom=Side("thin", "D9D9D9"))
    styles: dict[str, dict[str, int]] = {}
    sheet.append(frame.columns)
    for head, (name, kind) in zip(sheet[1], frame.schema.items(), strict=True):
        head.font, head.fill, head.alignment = Font(bold=True), solid(HEADER_COLOUR), Alignment(vertical="center")
        column = sheet.column_dimensions[head.column_letter]
        column.width, column.hidden = WRAPPED.get(name, max(len(name) + 4, 8) if name != "patient_id" else 21), name == LINE_CODE
        column.number_format = NUMBERS.get(name) or (DAY if kind == pl.Date else "General" if name in WRAPPED else "@")
        column.alignment = Alignment(wrap_text=name in WRAPPED, vertical="top", horizontal="left")
        column.border = line
        if name in TO_FILL:
            column.fill = solid(FILL_COLOUR)
        elif name not in NUMBERS and kind != pl.Date:
            column.quotePrefix = True
        styles[name] = {"": column.style_id}
        if COLOURED.fullmatch(name):
            for word, colour in COLOURS.items():
                cell = WriteOnlyCell(sheet)
                cell._style = copy(column._style)
                cell.fill = solid(colour)
                styles[name][word] = cell.style_id
    sheet.freeze_panes = "D2"
    sheet.auto_filter.ref = f"A1:{_letter(frame.width - 1)}{len(frame) + 1}"
    sheet.print_title_rows = "1:1"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = sheet.ORIENTATION_LANDSCAPE, sheet.PAPERSIZE_A4
    sheet.page_margins.left = sheet.page_margins.right = 0.4  # inches
    sheet.page_setup.fitToHeight, sheet.sheet_properties.pageSetUpPr.fitToPage = 0, True
    sheet.oddFooter.center.text = "&P / &N"
    return styles


def _add_checks(sheet: Any, asked: pl.DataFrame, words: Mapping[str, str]) -> None:
    """Drop-downs and limits of the cells to fill, with what Excel says of them."""
    from openpyxl.worksheet.datavalidation import DataValidation

    a_day = {"type": "date", "operator": "between", "formula1": "1", "formula2": LAST_DAY}
    allowed = {
        "answer": ({"type": "list", "formula1": f'"{",".join(ANSWERS)}"'}, "answer", "answer"),
        "reviewed_date": (a_day, "date", "reviewed"),
        "valid_until": (a_day, "date", "until"),
    }
    for name, (rule, kind, prompt) in allowed.items():
        check = DataValidation(
            **rule,
            allow_blank=True,
            promptTitle=name,
            prompt=words[f"sheet.{prompt}_prompt"],
            errorTitle=name,
            error=words[f"sheet.{kind}_error"],
        )
        check.showInputMessage = check.showErrorMessage = True
        letter = _letter(asked.columns.index(name))
        check.add(f"{letter}2:{letter}{max(len(asked), 1) + 1}")
        sheet.add_data_validation(check)


def _rows(frame: pl.DataFrame, styles: Mapping[str, Mapping[str, int]]) -> str:
    """The rows below the header as the workbook spells them, each as high as its longest text needs."""
    cells = []
    wide = [  # Chinese: 3 bytes, 2 wide; a line of narrow letters holds more, a narrow column loses to whole words
        (pl.col(name).str.len_bytes() + pl.col(name).str.len_chars()) / 2 / (1.2 * width - 8)
        for name, width in WRAPPED.items()
        if name in frame.columns
    ]
    lines = pl.max_horizontal(pl.lit(1), *(lines.ceil() for lines in wide)).fill_null(1).cast(pl.Int64)
    for place, (name, kind) in enumerate(frame.schema.items()):
        value = pl.col(name)
        style = pl.lit(styles[name][""])
        if COLOURED.fullmatch(name):
            style = value.replace_strict(styles[name], default=styles[name][""], return_dtype=pl.Int32)
        opened = pl.format('<c r="{}{}" s="{}"', pl.lit(_letter(place)), "row", style)
        if kind == pl.Date:
            cell = pl.format("{}><v>{}</v></c>", opened, (value - EPOCH).dt.total_days())
        elif name in NUMBERS:
            cell = pl.format("{}><v>{}</v></c>", opened, value)
        else:
            safe = value.cast(pl.String).str.replace_all(r"_(x[0-9A-Fa-f]{4}_)", "_x005F_${1}").str.replace_many(MARKUP)
            cell = pl.format('{} t="inlineStr"><is><t xml:space="preserve">{}</t></is></c>', opened, safe)
        cells.append(pl.when(value.is_not_null()).then(cell).otherwise(pl.format("{}/>", opened)))
    row = pl.concat_str([pl.format('<row r="{}" ht="{}">', "row", lines * LINE_HEIGHT), *cells, pl.lit("</row>")])
    return frame.with_row_index("row", offset=2).select(row.str.join("")).item() or ""


def _write_zip(skeleton: io.BytesIO, rows: Mapping[str, str], path: Path) -> None:
    """Write the workbook's parts, with the rows in their sheets, each under the same time stamp."""
    with zipfile.ZipFile(skeleton) as made, zipfile.ZipFile(path, "w") as file:
        for part in made.infolist():
            text = made.read(part)
            if part.filename in rows:
                text = re.sub(rb'<dimension ref="[^"]*" ?/>', b"", text)  # of the header alone; readers may trust it
                text = text.replace(b"</sheetData>", rows[part.filename].encode() + b"</sheetData>", 1)
            entry = zipfile.ZipInfo(part.filename, ZIPPED)
            file.writestr(entry, text, zipfile.ZIP_DEFLATED, compresslevel=3)


def _letter(place: int) -> str:
    from openpyxl.utils import get_column_letter

    return get_column_letter(place + 1)
