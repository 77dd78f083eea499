"""Reads the filled lines of a worklist's sheet `reviews`, whatever Excel or LibreOffice made of their cells."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import normalize

from data_contracts import contract
from transforms.errors import UsageError
from transforms.publish.worklist import LINE_CODE, TO_FILL

SHEET = "reviews"
REQUIRED = ("patient_id", "item_id", "answer", "reviewed_date")
WORDS = {
    "yes": ("yes", "y", "是"),
    "no": ("no", "n", "否"),
    "unknown": ("unknown", "未知", "不详"),
}
ANSWERS = {spelling: word for word, spellings in WORDS.items() for spelling in spellings}
A_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|(\d{2})(\d{2})|年(\d{1,2})月(\d{1,2})日)")
A_TIME = re.compile(r"[T ]\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
SERIALS = range(20_000, 150_000)  # numbers that can only be a workbook's days, 1954 to 2310; eight digits are 20260301
ESCAPED = re.compile(r"_x((?![dD][89A-Fa-f])[0-9A-Fa-f]{4})_")
FIRST_DAY = date.fromisoformat(contract.FIRST_DAY)


@dataclass(frozen=True)
class Answer:
    """One filled line: its row in the sheet and what a row of chart_reviews says, but for its id."""

    line: int
    patient_id: str
    item_id: str
    answer: str
    reviewed_date: date
    valid_until: date | None
    note: str | None


@dataclass
class Answers:
    """What a worklist holds: its answers, why other filled lines are refused, and the rows with a date or note but no answer."""

    taken: list[Answer] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    without_answer: list[int] = field(default_factory=list)


class UnreadableError(Exception):
    """A cell that cannot be read: its column, what was found (no value of a patient), what is allowed."""

    def __init__(self, column: str, found: str, allowed: str) -> None:
        super().__init__(f"{column}: {found}; allowed: {allowed}")


def refusal(line: int, what: object) -> str:
    """Why the line in a row of the sheet is refused."""
    return f"sheet {SHEET}, row {line}, {what}"


def line_code(patient_id: str, item_id: str) -> str:
    """The code of a line, as worklist.sql makes it."""
    return sha256(f"{patient_id}\n{item_id}".encode()).hexdigest()[:12]


def read_answers(path: Path) -> Answers:
    """The answers in a worklist, in the order of its lines. UsageError: no workbook, no sheet, or no header to read it by."""
    answers = Answers()
    for line, cells, epoch in _lines(path):
        if _text(cells["answer"]) is None:
            if any(_text(cells.get(name)) is not None for name in TO_FILL):
                answers.without_answer.append(line)
            continue
        try:
            answers.taken.append(_answer(line, cells, epoch))
        except UnreadableError as error:
            answers.refused.append(refusal(line, error))
    return answers


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any], datetime]]:
    """The rows below the header as column -> cell, with their place and the day 0 of the workbook."""
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about drawings and rules that are not read here
        try:
            book = load_workbook(path, read_only=True, data_only=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror or 'no workbook'})") from None
        except Exception:  # whatever a file that is no workbook makes of the library
            raise UsageError(f"{path}: is no workbook; allowed: a worklist.xlsx, saved as .xlsx") from None
        try:
            names = {contract.fold(name): name for name in book.sheetnames}
            if SHEET not in names:
                raise UsageError(f"{path}: has no sheet {SHEET}; allowed: a worklist.xlsx with its sheets")
            sheet = book[names[SHEET]]
            sheet.reset_dimensions()
            rows = sheet.iter_rows(values_only=True)
            header = _header(path, next(rows, ()))
            for line, row in enumerate(rows, 2):
                yield line, {name: row[place] if place < len(row) else None for name, place in header.items()}, book.epoch
        finally:
            book.close()


def _header(path: Path, row: Sequence[Any]) -> dict[str, int]:
    """Column -> its place in the first row."""
    names = [contract.fold(str(cell)) if cell is not None else "" for cell in row]
    known = (*REQUIRED, *TO_FILL, LINE_CODE)
    for name in dict.fromkeys(known):
        if name in REQUIRED and name not in names:
            raise UsageError(f"{path}, sheet {SHEET}: row 1 does not name the column {name}; required: {', '.join(REQUIRED)}")
        if names.count(name) > 1:
            raise UsageError(f"{path}, sheet {SHEET}: row 1 names the column {name} twice; allowed: once")
    return {name: names.index(name) for name in known if name in names}


def _answer(line: int, cells: Mapping[str, Any], epoch: datetime) -> Answer:
    items = next(column.words for column in contract.load()["chart_reviews"].columns if column.name == "item_id")
    item_id = items.get(contract.fold(_text(cells["item_id"]) or ""))
    if item_id is None:
        raise UnreadableError("item_id", _kind(cells["item_id"]), "an item of the protocol, such as E13a")
    patient_id = _patient(cells, item_id)
    word = cells["answer"]
    answer = ANSWERS.get(normalize("NFKC", word).strip().casefold()) if isinstance(word, str) else None
    if answer is None:
        raise UnreadableError("answer", _kind(word), "yes, no, unknown (是, 否, 未知)")
    reviewed = _day("reviewed_date", cells["reviewed_date"], epoch)
    if reviewed is None:
        raise UnreadableError("reviewed_date", "nothing beside an answer", "the day of the review, such as 2026-03-01")
    until = _day("valid_until", cells.get("valid_until"), epoch)
    if until is not None and until < reviewed:
        raise UnreadableError("valid_until", "a day before reviewed_date", "that day or a later one")
    return Answer(line, patient_id, item_id, answer, reviewed, until, _text(cells.get("note")))


def _patient(cells: Mapping[str, Any], item_id: str) -> str:
    """The patient of a line, whose id must be what the worklist wrote beside the item where the line still has its code."""
    value, code = cells["patient_id"], _text(cells.get(LINE_CODE))
    if value is None or not str(value).strip():
        raise UnreadableError("patient_id", "nothing", "the id as the worklist has it")
    is_text = isinstance(value, str)
    forms = [_unescaped(value), value] if is_text else [str(_whole(value))]  # LibreOffice takes escapes for text and writes text as it is
    patient_id = next((form for form in forms if code == line_code(form, item_id)), forms[0])
    if code is not None and code != line_code(patient_id, item_id):
        raise UnreadableError(
            LINE_CODE,
            "patient and item are not those of this line",
            "lines as the worklist has them, sorted as a whole, ids as text",
        )
    if code is None and not is_text:
        raise UnreadableError("patient_id", _kind(value), "text, with every zero that belongs to it")
    return patient_id


def _day(column: str, value: Any, epoch: datetime) -> date | None:
    """A cell as a day: a date, a workbook's number of a day, or text as the contract reads it; None where it is empty."""
    from openpyxl.utils.datetime import from_excel

    if _text(value) is None:
        return None
    number = _whole(value)
    found = from_excel(number, epoch) if number is not None and number in SERIALS else value
    if isinstance(found, datetime):
        found = found.date()
    elif not isinstance(found, date):
        parts = A_DAY.fullmatch(A_TIME.sub("", normalize("NFKC", str(number or value)).strip(contract.BLANKS)))
        try:
            found = date(*(int(part) for part in parts.groups() if part)) if parts else None
        except ValueError:
            found = None
    if found is None or found < FIRST_DAY:
        raise UnreadableError(column, _kind(value), f"a date from {FIRST_DAY} on, such as 2026-03-01, 2026/3/1 or 2026年3月1日")
    return found


def _whole(value: Any) -> int | None:
    """A cell as a whole number, None where it is none."""
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    return int(value) if is_whole else None


def _text(value: Any) -> str | None:
    """A cell as text on one line, None where it is empty or blank."""
    text = " ".join((_unescaped(value) if isinstance(value, str) else "" if value is None else str(value)).split())
    return text or None


def _unescaped(text: str) -> str:
    """A text without the escapes by which a workbook writes signs that XML does not hold."""
    return ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), text)


def _kind(value: Any) -> str:
    """What a cell holds, without its value."""
    if value is None:
        return "nothing"
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "other text"}
    return kinds.get(type(value), "something else")
