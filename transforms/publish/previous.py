"""The run before, as far as it can be read: an older version's run, or a damaged one, stops nothing and is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from transforms.publish.folder import record_of
from transforms.publish.tables import quoted, read_candidates

FEATURES = "patient_id::varchar as patient_id, as_of::date as as_of, tier::varchar as tier, listed::boolean as listed"
VERDICTS = (
    "patient_id::varchar as patient_id, item_id::varchar as item_id, criterion_id::varchar as criterion_id, verdict::varchar as verdict,"
    " basis::varchar as basis, reason_code::varchar as reason_code, evidence::varchar[] as evidence, next_date::date as next_date,"
    " fail_kind::varchar as fail_kind"
)
EVENTS = (
    'patient_id::varchar as patient_id, "table"::varchar as "table", row_id::varchar as row_id, event_date::date as event_date,'
    " end_date::date as end_date, names::varchar[] as names, reported::varchar as reported, state::varchar as state,"
    " row_hash::ubigint as row_hash"
)


@dataclass
class Previous:
    """The run before: its record and list; ``problems`` say in a line each what of it could not be read."""

    folder: Path
    record: Mapping[str, Any]
    candidates: pl.DataFrame | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        """Its name."""
        return self.folder.name

    def open_table(self, con: duckdb.DuckDBPyConnection, table: str, file: str, columns: str, where: str = "true") -> bool:
        """Make ``table`` of a Parquet file of the run; empty, with a problem noted, where it cannot be read."""
        source = f"read_parquet('{quoted(self.folder / file)}')"
        try:
            con.execute(f"create or replace table {table} as select {columns} from {source} where {where}")
        except duckdb.Error:
            nothing = re.sub(r'("table"|\w+)::', "null::", columns)
            con.execute(f"create or replace table {table} as select {nothing} where false")
            self.problems.append(f"{file} cannot be read" if (self.folder / file).exists() else f"has no {file}")
            return False
        return True


def read_previous(folder: Path | None) -> Previous | None:
    """The run in ``folder``; None where there is none."""
    if folder is None:
        return None
    previous = Previous(folder, record_of(folder))
    if not previous.record:
        previous.problems.append("run.json cannot be read")
    try:
        previous.candidates = read_candidates(folder / "candidates.csv")
    except (OSError, pl.exceptions.PolarsError):
        previous.candidates = None
    if previous.candidates is None:
        previous.problems.append("candidates.csv cannot be read")
    return previous
