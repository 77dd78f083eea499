"""Reads *.cases.md: small tables that say what an item must find, and runs each section of them through the pipeline.

A section is a second-level heading, optional settings lines, given tables (a line with the table's name, then a pipe table) and
one table named ``expect``. Dates may be written D, D-90, D+1 (days from day D = 2026-03-01). What a row leaves out is filled from
case_defaults.csv; ids are made; every patient named anywhere exists, as a woman born 1985-06-15, unless ``patients`` says otherwise.

Settings lines: ``absent: procedures, observations`` (tables that the extract does not have; all others are there, empty),
``parameter: blood_days = 30``, ``phase: collection D+5``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb

from data_contracts import contract, gate
from flows.settings import Settings
from flows.steps import prepare
from rules import engine
from rules.parameters import parameters
from transforms import cohort, store
from transforms.features.build import derive
from transforms.ingest import native
from transforms.normalise.build import normalise

DAY = date(2026, 3, 1)
Row = dict[str, str]


@dataclass
class Section:
    """One section of a case file."""

    file: Path
    title: str
    given: dict[str, list[Row]] = field(default_factory=dict)
    expected: list[Row] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    parameters: dict[str, object] = field(default_factory=dict)
    collection_date: date | None = None

    @property
    def item_id(self) -> str:
        """The item that the file speaks of, by its name."""
        return self.file.name.split("_")[0].upper()[:3] + self.file.name.split("_")[0][3:]


def sections(file: Path) -> Iterator[Section]:
    """The sections of a case file."""
    for block in re.split(r"^## ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, *lines = block.splitlines()
        section, table = Section(file, title.strip()), ""
        for line in lines:
            if line.startswith("|"):
                cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
                if not table:
                    raise ValueError(f"{file.name}, {title}: a pipe table without a name before it")
                _add(section, table, cells)
            elif match := re.match(r"(absent|parameter|phase):\s*(.+)", line):
                _set(section, match[1], match[2].strip())
            elif re.fullmatch(r"[a-z_]+", line.strip()):
                table = line.strip()
                section.given.setdefault(table, [])
                _headers.pop((id(section), table), None)
        section.expected = section.given.pop("expect", [])
        if not section.expected:
            raise ValueError(f"{file.name}, {title}: expects nothing")
        yield section


_headers: dict[tuple[int, str], list[str]] = {}


def _add(section: Section, table: str, cells: list[str]) -> None:
    key = (id(section), table)
    if key not in _headers:
        _headers[key] = cells
    elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
        row = {name: a_day(cell) for name, cell in zip(_headers[key], cells, strict=True) if cell != ""}
        section.given[table].append(row)


def _set(section: Section, name: str, text: str) -> None:
    if name == "absent":
        section.absent |= {table.strip() for table in text.split(",")}
    elif name == "phase":
        section.collection_date = date.fromisoformat(a_day(text.split()[1]))
    else:
        parameter, _, value = (part.strip() for part in text.partition("="))
        section.parameters[parameter] = int(value) if value.isdigit() else value


def a_day(cell: str) -> str:
    """``D-90`` as a date; a time may follow (``D-3 08:30``); other cells as they are; a cell in backticks is taken literally."""
    if re.fullmatch(r"`.*`", cell):
        return cell[1:-1]
    match = re.fullmatch(r"D([+-]\d+)?( \d\d:\d\d)?", cell)
    return str(DAY + timedelta(days=int(match[1] or 0))) + (match[2] or "") if match else cell


def defaults() -> dict[str, Row]:
    """What a row has where a case leaves it out: table -> column -> value."""
    found: dict[str, Row] = {}
    with (Path(__file__).parent / "case_defaults.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["table"], {})[row["column"]] = a_day(row["value"])
    return found


def write_extract(section: Section, folder: Path) -> None:
    """The given rows as a native extract of CSV files."""
    folder.mkdir()
    filled = defaults()
    named = {row["patient_id"] for rows in [*section.given.values(), section.expected] for row in rows}
    given = dict(section.given)
    own = {row["patient_id"] for row in given.get("patients", [])}
    given["patients"] = given.get("patients", []) + [{"patient_id": name} for name in sorted(named - own)]
    for table, described in contract.load().items():
        if table in section.absent:
            continue
        columns = [column.name for column in described.columns]
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            for number, row in enumerate(given.get(table, [])):
                full = {described.key: f"{table[:3]}-{number}", **filled.get(table, {}), **row}
                if table == "patients" and "birth_year" in row and "birth_date" not in row:
                    full["birth_date"] = ""
                writer.writerow({name: "" if value == "null" else value for name, value in full.items()})


def run(
    section: Section, folder: Path, *, only: str | None = None, cohort_is: str = "all"
) -> duckdb.DuckDBPyConnection:
    """A store in which the section's extract has been assessed; ``only``: evaluate one item and leave criteria out."""
    write_extract(section, folder / "extract")
    con = store.connect()
    extract = native.stage(folder / "extract", folder)
    gate.check(con, extract, as_of=DAY, max_rejected_share=1, min_rejected_rows=10**6)
    values = parameters({"cohort": cohort_is, **section.parameters})
    phase = "collection" if section.collection_date else "prescreen"
    prepare(con, values, Settings(folder, folder, phase=phase, collection_date=section.collection_date))
    cohort.pull(con)
    normalise(con)
    engine.load_table_macros(con)
    derive(con)
    engine.evaluate(con, only)
    if only is None:
        engine.combine(con)
    return con


def found(con: duckdb.DuckDBPyConnection, item_id: str) -> dict[str, Row]:
    """What an item says of each patient before chart reviews, as text; evidence newest first."""
    rows = con.sql(
        """
        select patient_id, verdict, basis, reason_code, evidence_date, next_date, fail_kind, known_date,
            array_to_string(list_transform(list_sort(list_distinct(list_transform(
                evidence, lambda e: {'age': coalesce(date '9999-12-31' - e.on_date, 9999999), 'ref': e.ref}
            ))), lambda e: e.ref), ', ') as evidence
        from rule.outcomes where item_id = $item
        """,
        params={"item": item_id},
    ).pl()
    return {
        row["patient_id"]: {name: "" if value is None else str(value) for name, value in row.items()}
        for row in rows.iter_rows(named=True)
    }
