"""Small extracts for the tests of the contract: rows as dictionaries, written in any form that the contract allows."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts import contract
from data_contracts.gate import ContractReport, check
from transforms.ingest.native import Extract, stage

AS_OF = date(2026, 3, 1)
Rows = Sequence[Mapping[str, Any]]

GOOD: dict[str, dict[str, Any]] = {
    "patients": {"patient_id": "p1", "sex": "female", "birth_date": "1990-05-01"},
    "diagnoses": {
        "diagnosis_id": "d1",
        "patient_id": "p1",
        "code_system": "ICD10CM",
        "code": "M32.10",
        "recorded_date": "2025-01-01",
    },
    "medications": {
        "medication_id": "m1",
        "patient_id": "p1",
        "code_system": "ATC",
        "code": "H02AB06",
        "start_date": "2025-01-01",
    },
    "labs": {
        "lab_id": "l1",
        "patient_id": "p1",
        "code_system": "LOINC",
        "code": "718-7",
        "collected_at": "2026-02-01T08:30:00",
        "value": "120",
    },
    "procedures": {
        "procedure_id": "c1",
        "patient_id": "p1",
        "code_system": "CPT",
        "code": "36514",
        "performed_date": "2026-01-01",
    },
    "observations": {
        "observation_id": "o1",
        "patient_id": "p1",
        "code_system": "LOINC",
        "code": "29463-7",
        "observed_at": "2026-02-01",
        "value": "60",
    },
    "immunizations": {
        "immunization_id": "i1",
        "patient_id": "p1",
        "code_system": "CVX",
        "code": "141",
        "given_date": "2025-10-01",
    },
    "chart_reviews": {
        "review_id": "r1",
        "patient_id": "p1",
        "item_id": "I01",
        "answer": "yes",
        "reviewed_date": "2026-02-01",
    },
    "dispositions": {
        "disposition_id": "s1",
        "patient_id": "p1",
        "status": "contacted",
        "recorded_date": "2026-02-01",
    },
}


def good(table: str, number: int, **changes: Any) -> dict[str, Any]:
    """A row that keeps the contract, with an id of its own, but for the changes."""
    key = contract.load()[table].key
    row = GOOD[table] | {key: f"{GOOD[table][key][0]}{number}"}
    return row | changes


def csv_text(rows: Rows, columns: Iterable[str] | None = None) -> str:
    """Rows as CSV with a header."""
    names = list(columns) if columns else list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write(
    folder: Path, tables: Mapping[str, Rows | bytes | str | None] | None = None, manifest: object = None, **more: Rows | bytes | str
) -> Path:
    """An extract with one good row in each required table, but for the tables given (rows, a CSV file, None for none)."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, Any] = {name: [GOOD[name]] for name in ("patients", "diagnoses", "medications", "labs")}
    for name, content in (wanted | dict(tables or {}) | more).items():
        if content is None:
            continue
        text = content if isinstance(content, str | bytes) else csv_text(content)
        (folder / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    if manifest is not None:
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        (folder / "extract.json").write_text(text, encoding="utf-8")
    return folder


def gzipped(text: str) -> bytes:
    """A text as gzip."""
    return gzip.compress(text.encode())


def write_parquet(path: Path, rows: Rows, types: Mapping[str, pa.DataType] | None = None) -> None:
    """Rows as a Parquet file, text but for the types given."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    kinds = {name: (types or {}).get(name, pa.string()) for name in names}
    arrays = [pa.array([row.get(name) for row in rows], kinds[name]) for name in names]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_arrays(arrays, names=names), path)


class Judged:
    """An extract that kept the contract, open in a connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, extract: Extract, report: ContractReport) -> None:
        self.con, self.extract, self.report = con, extract, report

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Rows of raw.<table>, by its key."""
        return self.con.execute(f"select {columns} from raw.{table} order by {contract.load()[table].key}").fetchall()

    def rejected(self, table: str) -> dict[str, int]:
        """Quarantined rows of a table, by column:cause."""
        return {f"{name}:{cause}": rows for (name, cause), rows in self.report.tables[table].rejected.items()}


def judge(
    folder: Path,
    as_of: date | None = AS_OF,
    max_rejected_share: float = 0.05,
    min_rejected_rows: int = 20,
    known_items: Sequence[str] | None = None,
) -> Judged:
    """Stages and checks an extract; its work folder lies beside it."""
    extract = stage(folder, folder.parent / f"{folder.name}-work")
    con = duckdb.connect()
    report = check(
        con,
        extract,
        as_of=as_of,
        max_rejected_share=max_rejected_share,
        min_rejected_rows=min_rejected_rows,
        known_items=known_items,
    )
    return Judged(con, extract, report)
