"""Runs a trial's rule files: one SELECT per item, each checked for the shape of an outcome, then reviews, criteria and ranks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

import duckdb
import polars as pl

from transforms.store import csv_frame, load, resource, run_sql

PACKAGE = "rules.zm001"
SCALAR_MACROS = ("windows.sql", "outcomes.sql")  # used by every layer
TABLE_MACROS = ("results.sql", "records.sql")  # read norm.*, so they are defined once it is there
OUTCOME = {
    "verdict": "VARCHAR",
    "basis": "VARCHAR",
    "reason_code": "VARCHAR",
    "reason": 'STRUCT("key" VARCHAR, args VARCHAR[])[]',
    "evidence": 'STRUCT("ref" VARCHAR, on_date DATE, known_date DATE)[]',
    "evidence_date": "DATE",
    "known_date": "DATE",
    "next_date": "DATE",
    "fail_kind": "VARCHAR",
    "is_final": "BOOLEAN",
}
FIELDS = ", ".join(f"{name} {kind}" for name, kind in OUTCOME.items())
SHAPE = {"patient_id": "VARCHAR", "outcome": f"STRUCT({FIELDS})"}  # what a rule file's SELECT gives
REQUIRED = ("title", "title_zh", "kind", "reading", "reading_zh", "caveats", "caveats_zh", "sources", "on_fail")
HEADER = re.compile(r"^-- (\w+):\s*(.*)$")


class RuleError(Exception):
    """A rule file that is not one SELECT, lacks a header, or does not give one outcome per assessed patient."""


@dataclass(frozen=True)
class Item:
    """One item of the protocol: its place, its header and its SELECT."""

    item_id: str
    criterion_id: str
    file: str
    position: int
    header: dict[str, str]
    sql: str

    @property
    def is_judgement(self) -> bool:
        """Decided by an investigator: while undecided it moves no tier and no rank."""
        return self.header.get("judgement") == "yes"


@cache
def items() -> tuple[Item, ...]:
    """The items that have a rule file, in protocol order: inclusion before exclusion, then by number and letter."""
    folder = resource(PACKAGE, "criteria")
    found = sorted(
        (_item(file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith(".sql")),
        key=_order,
    )
    return tuple(Item(i.item_id, i.criterion_id, i.file, position, i.header, i.sql) for position, i in enumerate(found))


@cache
def trial() -> dict[str, object]:
    """trial.toml: the trial's names and version."""
    return tomllib.loads(resource(PACKAGE, "trial.toml").read_text(encoding="utf-8"))


@cache
def protocol_items() -> dict[str, str]:
    """Every leaf item of the protocol and its criterion, in protocol order, whether it has a rule file or not."""
    return dict(csv_frame(PACKAGE, "items.csv").select("item_id", "criterion_id").iter_rows())


def load_trial(con: duckdb.DuckDBPyConnection, lang: str) -> None:
    """Define the shared scalar macros; fill run.items, run.messages, run.acts and map.review_validity.

    Needs run.parameters and run.tables.
    """
    load_scalar_macros(con)
    rows = [
        (
            i.item_id,
            i.criterion_id,
            i.position,
            i.header["kind"],
            i.header["title"],
            i.header["title_zh"],
            i.header["on_fail"] or None,
            i.is_judgement,
        )
        for i in items()
    ]
    schema = ["item_id", "criterion_id", "position", "kind", "title", "title_zh", "on_fail", "is_judgement"]
    load(con, "run.items", pl.DataFrame(rows, schema=schema, orient="row"))
    load(con, "run.messages", messages(con, lang))
    load(con, "run.acts", csv_frame(PACKAGE, "acts.csv").with_row_index("place").cast({"turn": pl.Int64}))
    known = csv_frame("data_contracts", "review_items.csv")["item_id"].to_list()
    for_ever = set(trial()["reviews_hold_for_ever"])  # type: ignore[call-overload]
    holds = [
        "for ever" if item in for_ever or item.startswith("C-") else "descriptor window" if re.fullmatch(r"S\d\d", item) else "review days"
        for item in known
    ]
    load(con, "map.review_validity", pl.DataFrame({"item_id": known, "holds": holds}))


def load_scalar_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Define the macros that read no layer."""
    run_sql(con, "transforms.normalise", "rows.sql", "intervals.sql")
    run_sql(con, "transforms.features", "points.sql")
    run_sql(con, "rules.shared", *SCALAR_MACROS)


def messages(con: duckdb.DuckDBPyConnection, lang: str) -> pl.DataFrame:
    """One row per message key with its text in the language: messages.csv, titles of items, criteria, analytes, concepts, scored items."""
    text = "title_zh" if lang == "zh" else "title_en"
    titles = con.sql(f"""
        select 'analyte.' || analyte as key, {text} as text from map.analytes
        union all select 'concept.' || concept, {text} from map.concepts
        union all select 'item.' || item_id, {text} from map.scored_items
    """).pl()
    chosen = "title_zh" if lang == "zh" else "title"
    criteria = csv_frame(PACKAGE, "criteria.csv").select(
        pl.concat_str(pl.lit("criterion."), "criterion_id").alias("key"), pl.col(chosen).alias("text")
    )
    catalogue = csv_frame(PACKAGE, "messages.csv").select("key", pl.col(lang).alias("text"))
    own = pl.DataFrame([(f"title.{item.item_id}", item.header[chosen]) for item in items()], schema=["key", "text"], orient="row")
    return pl.concat([catalogue, criteria, own, titles.select("key", "text")])


def evaluate(con: duckdb.DuckDBPyConnection, only: Collection[str] | None = None, *, is_checked: bool = False) -> None:
    """Fill rule.outcomes: one row per assessed patient and evaluated item (or those of ``only`` some items).

    ``is_checked``: the shape of these rule files was seen to be right before. RuleError: a rule file breaks the shape.
    """
    con.execute(f"create or replace table rule.outcomes (item_id varchar, patient_id varchar, {FIELDS})")
    evaluated = [item for item in items() if only is None or item.item_id in only]
    for item in evaluated:
        if not is_checked:
            _check_shape(con, item)
        con.execute(f"insert into rule.outcomes select '{item.item_id}', patient_id, unnest(outcome) from ({item.sql})")
    _check_complete(con, [item.item_id for item in evaluated])


def load_table_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Define the macros that read norm.*."""
    run_sql(con, "rules.shared", *TABLE_MACROS)


def combine(con: duckdb.DuckDBPyConnection) -> None:
    """Fill pub.answers, pub.items, pub.verdicts, pub.candidates and pub.steps: chart reviews, criteria, tiers, ranks, what to do."""
    missing = sorted({protocol_items()[item] for item in not_evaluated()})
    load(con, "run.not_evaluated", pl.DataFrame({"criterion_id": missing}, schema={"criterion_id": pl.String}))
    run_sql(con, "rules.shared", "chart_reviews.sql")
    run_sql(con, PACKAGE, "combine.sql", "ranking.sql", "to_do.sql")


def not_evaluated() -> list[str]:
    """Items of the protocol that have no rule file yet, in protocol order."""
    known = {item.item_id for item in items()}
    return [item_id for item_id in protocol_items() if item_id not in known]


def _item(name: str, text: str) -> Item:
    header = dict(_header_lines(name, text))
    for key in REQUIRED:
        if key not in header:
            raise RuleError(f"{name}: header lacks {key}")
    stem = name.split("_")[0]
    match = re.fullmatch(r"([ie])(\d\d)([a-z]?)", stem)
    if not match:
        raise RuleError(f"{name}: the file name does not begin with an item id such as i08a_ or e12_")
    criterion = match[1].upper() + match[2]
    return Item(criterion + match[3], criterion, name, 0, header, text)


def _header_lines(name: str, text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if not line.startswith("--"):
            return
        if match := HEADER.match(line):
            yield match[1], match[2].strip()
        else:
            raise RuleError(f"{name}: a header line is not '-- key: text'")


def _order(item: Item) -> tuple[bool, str]:
    return item.item_id.startswith("E"), item.item_id


def _check_shape(con: duckdb.DuckDBPyConnection, item: Item) -> None:
    statements = con.extract_statements(item.sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RuleError(f"{item.file}: holds {len(statements)} statements; allowed: one SELECT")
    shape = dict(con.execute(f"select column_name, column_type from (describe {item.sql})").fetchall())
    for name, kind in SHAPE.items():
        if shape.get(name, "absent").lower() != kind.lower():
            raise RuleError(f"{item.file}: column {name} is {shape.get(name, 'absent')}; expected {kind}")


def _check_complete(con: duckdb.DuckDBPyConnection, item_ids: list[str]) -> None:
    expected = con.sql("select count(*) from norm.patients").fetchall()[0][0]
    counts = {
        item_id: (rows, patients)
        for item_id, rows, patients in con.sql(
            "select item_id, count(*), count(distinct patient_id) from rule.outcomes group by item_id"
        ).fetchall()
    }
    for item_id in item_ids:
        rows, patients = counts.get(item_id, (0, 0))
        if (rows, patients) != (expected, expected):
            raise RuleError(f"item {item_id}: {rows} rows for {patients} patients; expected one for each of {expected}")
