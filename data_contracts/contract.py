"""The data contract, read from the CSV files beside this module: what tables, columns and words an extract may hold."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

ColumnType = Literal["text", "word", "open word", "date", "time", "number", "integer", "boolean"]
BLANKS = " \t\n\r\v\f\u00a0\u3000"  # what counts as blank around a value, and what an empty cell may consist of
FIRST_DAY = "1900-01-01"
UNREADABLE = {
    "word": "not_allowed",
    "boolean": "not_allowed",
    "date": "not_a_date",
    "time": "not_a_date",
    "number": "not_a_number",
    "integer": "not_an_integer",
}
PATIENT_CAUSES = ("patient_unknown", "patient_rejected")  # of patient_id in every table but patients


@dataclass(frozen=True)
class Column:
    """One column of one table, as columns.csv describes it."""

    table: str
    name: str
    type: ColumnType
    is_nullable: bool
    words: Mapping[str, str]  # spelling (folded by `fold`) -> the contract's word; empty for types without words
    word_list: str  # name of the list that the words come from, "" where columns.csv holds them itself
    is_dated_up_to_limit: bool  # dates after D + 1 year are refused
    is_dated: bool
    is_positive: bool
    identity: tuple[str, ...]  # what kinds of direct identity its cells are searched for
    meaning: str

    @property
    def bad(self) -> str | None:
        """The cause of a cell that does not read, None where every cell does."""
        return "item_unknown" if self.word_list == "review_items" else UNREADABLE.get(self.type)

    @property
    def allowed(self) -> tuple[str, ...]:
        """The contract's words for the column, in the order of columns.csv."""
        return tuple(dict.fromkeys(self.words.values()))

    @property
    def causes(self) -> tuple[str, ...]:
        """Why a row can be quarantined for this column alone."""
        possible = {
            "null": not self.is_nullable,
            self.bad or "": self.bad is not None,
            "date_out_of_range": self.is_dated,
            "not_positive": self.is_positive,
        }
        return tuple(cause for cause, is_possible in possible.items() if is_possible)


@dataclass(frozen=True)
class CrossCheck:
    """A condition over several columns of a row; the row is quarantined under `column` where `broken_when` is true."""

    table: str
    column: str
    cause: str
    broken_when: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table of the contract; its first column is its key."""

    name: str
    is_required: bool
    row_is: str
    columns: tuple[Column, ...]
    cross_checks: tuple[CrossCheck, ...]

    @property
    def key(self) -> str:
        """The column whose values are unique in the table."""
        return self.columns[0].name

    @property
    def causes(self) -> tuple[tuple[str, str], ...]:
        """All (column, cause) under which a row of the table can be quarantined, in the order in which they are asked."""
        own = [
            (column.name, cause)
            for column in self.columns
            for cause in (*column.causes, *(check.cause for check in self.cross_checks if check.column == column.name))
        ]
        of_patients = [("patient_id", cause) for cause in PATIENT_CAUSES] if self.name != "patients" else []
        return (*own, *of_patients)


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of one of the contract's CSV files."""
    with files("data_contracts").joinpath(name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def fold(word: str, hyphens: bool = False) -> str:
    """The form in which words are compared: trimmed, lower case, and, for code systems, without hyphens and blanks."""
    folded = word.strip(BLANKS).lower()
    return "".join(folded.replace("-", "").split()) if hyphens else folded


def words_of(allowed: str, column: str) -> dict[str, str]:
    """Spellings and words of a cell like `female=F=女|male=M=男`: every spelling, folded, points to the first of its group."""
    groups = [group.split("=") for group in allowed.split("|") if group]
    return {fold(spelling, column == "code_system"): group[0] for group in groups for spelling in group}


def word_lists() -> dict[str, dict[str, str]]:
    """The word lists that columns.csv refers to with @name; spelling, folded -> word."""
    route_rows = list(csv.DictReader(files("transforms").joinpath("normalise/maps/routes.csv").read_text(encoding="utf-8").splitlines()))
    routes = {fold(row["word"]): row["route"] for row in route_rows}
    items = {fold(row["item_id"]): row["item_id"] for row in rows_of("review_items.csv")}
    return {"routes": {fold(route): route for route in routes.values()} | routes, "review_items": items}


def column_of(row: Mapping[str, str], lists: Mapping[str, Mapping[str, str]]) -> Column:
    """The column that one row of columns.csv describes."""
    allowed = row["allowed"]
    list_name = allowed[1:] if allowed.startswith("@") else ""
    return Column(
        table=row["table"],
        name=row["column"],
        type=row["type"],  # type: ignore[arg-type]
        is_nullable=row["nullable"] == "yes",
        words=lists[list_name] if list_name else words_of(allowed, row["column"]),
        word_list=list_name,
        is_dated=row["limits"].startswith(FIRST_DAY),
        is_dated_up_to_limit=row["limits"].endswith("D+1y"),
        is_positive=row["limits"] == "> 0",
        identity=tuple(row["identity"].split("|")) if row["identity"] else (),
        meaning=row["meaning"],
    )


@cache
def load() -> dict[str, Table]:
    """The contract's tables by name, in the order of tables.csv."""
    lists = word_lists()
    columns = [column_of(row, lists) for row in rows_of("columns.csv")]
    checks = [CrossCheck(**row) for row in rows_of("cross_checks.csv")]
    return {
        row["table"]: Table(
            name=row["table"],
            is_required=row["required"] == "yes",
            row_is=row["row_is"],
            columns=tuple(column for column in columns if column.table == row["table"]),
            cross_checks=tuple(check for check in checks if check.table == row["table"]),
        )
        for row in rows_of("tables.csv")
    }
