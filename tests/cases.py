"""Reads *.cases.md: small tables that say what an item must find; runs each section of them through the pipeline.

A section is a second-level heading, optional settings lines, given tables (a line with the table's name, then a pipe
table) and one table named ``expect``. Dates may be written D, D-90, D+1 (days from day D = 2026-03-01). What a row
leaves out is filled from case_defaults.csv; ids are made; every patient named anywhere exists, as a woman born
1985-06-15, unless ``patients`` says otherwise.

Settings lines: ``absent: procedures, observations`` (tables that the extract does not have; all others are there,
empty), ``parameter: blood_days = 30``, ``phase: collection D+5``, ``lang: zh``.

A given table ``outcomes`` (patient_id, item_id, verdict, …) stands in for what the rules would find: for cases of what
is made of verdicts. Its column ``says`` holds the sentences of the reason, keys of messages.csv with their arguments:
``result.stale_data(@analyte.inr, D-100) + result.missing_data(@analyte.aptt)``.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import polars as pl

from data_contracts import contract, gate
from flows.settings import Settings
from flows.steps import choose
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
    lang: Literal["en", "zh"] = "en"

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
            elif match := re.match(r"(absent|parameter|phase|lang):\s*(.+)", line):
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
    elif name == "lang":
        section.lang = "zh" if text == "zh" else "en"
    else:
        parameter, _, value = (part.strip() for part in text.partition("="))
        section.parameters[parameter] = int(value) if value.isdigit() else value


def a_day(cell: str) -> str:
    """``D-90`` as a date; a time may follow (``D-3 08:30``); a cell in backticks is taken literally."""
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
    folder.mkdir(parents=True)
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


def run(section: Section, folder: Path, *, only: str | None = None, cohort_is: str = "all") -> duckdb.DuckDBPyConnection:
    """A store in which the section's extract has been assessed; ``only``: evaluate one item and leave criteria out."""
    write_extract(section, folder / "extract")
    con = store.connect()
    extract = native.stage(folder / "extract", folder)
    values = parameters({"cohort": cohort_is, **section.parameters})
    phase: Literal["prescreen", "collection"] = "collection" if section.collection_date else "prescreen"
    settings = Settings(folder, folder, phase=phase, collection_date=section.collection_date, lang=section.lang)
    gate.check(con, extract, as_of=DAY, max_rejected_share=1, min_rejected_rows=10**6, choose=lambda con: choose(con, values, settings))
    cohort.pull(con)
    normalise(con)
    engine.load_table_macros(con)
    derive(con)
    if "outcomes" in section.given:
        give_outcomes(con, section.given["outcomes"])
    else:
        engine.evaluate(con, only and [only])
    if only is None:
        engine.combine(con)
    return con


OUTCOME_COLUMNS = (
    "patient_id", "item_id", "verdict", "basis", "reason_code", "evidence_date", "known_date", "next_date", "fail_kind",
)  # fmt: skip


def give_outcomes(con: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    """Fill rule.outcomes with given outcomes in place of those of the rules.

    What is not given: an absence that passes; of a judgement item undecided. Evidence is a row named given:ITEM.
    """
    cells = [{name: row.get(name) for name in OUTCOME_COLUMNS} | {"says": json.dumps(sentences(row.get("says", "")))} for row in rows]
    store.load(con, "run.given", pl.DataFrame(cells, dict.fromkeys([*OUTCOME_COLUMNS, "says"], pl.String)))
    con.execute(
        """
        create or replace table rule.outcomes as
        select
            i.item_id,
            p.patient_id,
            unnest(case
                when g.patient_id is not null then outcome(
                    g.verdict, coalesce(g.basis, case g.verdict when 'unknown' then 'none' else 'data' end),
                    g.reason_code, from_json(g.says, '[{"key": "VARCHAR", "args": ["VARCHAR"]}]'),
                    [cite('given', i.item_id, g.evidence_date, coalesce(g.known_date, g.evidence_date))],
                    g.evidence_date, coalesce(g.known_date, g.evidence_date), g.next_date, g.fail_kind
                )
                when i.is_judgement then undecided('judgement', [])
                else absent([])
            end)
        from norm.patients as p
        cross join run.items as i
        left join run.given as g on p.patient_id = g.patient_id and i.item_id = g.item_id
        """
    )


def sentences(says: str) -> list[dict[str, Any]]:
    """The sentences that a cell ``says`` names: each a key with its arguments."""
    said = []
    for sentence in filter(None, says.split(" + ")):
        key, _, arguments = sentence.removesuffix(")").partition("(")
        said.append({"key": key, "args": [a_day(argument) for argument in arguments.split(", ") if argument]})
    return said


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
        row["patient_id"]: {name: "" if value is None else str(value) for name, value in row.items()} for row in rows.iter_rows(named=True)
    }


def unanswered(con: duckdb.DuckDBPyConnection, item_id: str) -> list[str]:
    """The patients whose verdict on an item asks for an act of the nurse, and acts.csv has none of its own."""
    rows = con.execute(
        """
        select s.patient_id
        from (
            select
                patient_id,
                case verdict when 'fail' then 'fail ' || fail_kind else verdict end as state,
                reason_code,
                unnest(case when len(reason) > 0 then reason else [null] end) as said
            from rule.outcomes
            where item_id = $item and verdict <> 'pass' and fail_kind is distinct from 'lasting'
        ) as s
        left join run.acts as a
            on a.turn < 9
            and coalesce(a.item_id = $item, true)
            and a.state = s.state
            and coalesce(a.reason_code = s.reason_code, true)
            and (
                a.says is null
                or a.says in (s.said."key", s.said."key" || ' ' || s.said.args[1])
                or (
                    starts_with(s.said."key", 'result.')
                    and s.said."key" not in ('result.is', 'result.met', 'result.not_met')
                    and a.says = 'lacks ' || s.said.args[1][10:]
                )
            )
        group by s.patient_id
        having count(a.act) = 0
        order by s.patient_id
        """,
        {"item": item_id},
    ).fetchall()
    return [patient_id for (patient_id,) in rows]


def published(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Row]:
    """What pub.verdicts says of each patient and item or criterion, chart reviews included, as text."""
    rows = con.sql("select patient_id, item_id, verdict, basis, reason_code, evidence_date, next_date, fail_kind from pub.verdicts").pl()
    return {(row["patient_id"], row["item_id"]): as_text(row) for row in rows.iter_rows(named=True)}


def ranked(con: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """What pub.candidates says of each patient, as text; lists of items are joined with blanks."""
    rows = con.sql(
        """
        select
            patient_id, tier, next_date, expected_pass, case when is_listed then 'yes' else 'no' end as listed, rank,
            array_to_string(failing, ' ') as failing, array_to_string(to_review, ' ') as to_review,
            array_to_string(unknown, ' ') as unknown
        from pub.candidates
        """
    ).pl()
    return {row["patient_id"]: as_text(row) for row in rows.iter_rows(named=True)}


def steps(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Row]:
    """What pub.steps says of each candidate and step, as text; ``of`` is how many steps the candidate has."""
    rows = con.sql(
        """
        select patient_id, step_no, count(*) over (partition by patient_id) as "of", "text", array_to_string(item_ids, ' ') as items, gain
        from pub.steps
        """
    ).pl()
    return {(row["patient_id"], str(row["step_no"])): as_text(row) for row in rows.iter_rows(named=True)}


def as_text(row: dict[str, object]) -> Row:
    """A row's cells as a case writes them: ``-`` for none."""
    return {name: "-" if value is None or value == "" else str(value) for name, value in row.items()}


def differing(section: Section, found_rows: Mapping[Any, Row], *key: str) -> dict[Any, tuple[Row, Row]]:
    """What was expected and what was found, of the expected rows that differ, by their key (one column, or several)."""
    differ = {}
    for row in section.expected:
        at = row[key[0]] if len(key) == 1 else tuple(row[name] for name in key)
        wanted = {name: cell for name, cell in row.items() if name != "why" and name not in key}
        shown = {name: found_rows.get(at, {}).get(name, "no such row") for name in wanted}
        if shown != wanted:
            differ[at] = wanted, shown
    return differ
