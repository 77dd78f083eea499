"""The doors: every format becomes a native extract whose files have been checked; what a door could not map is listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from transforms.ingest import detect, native


@dataclass
class Opened:
    """An extract behind its door: the native form, the files as the hospital delivered them, and what the door could not map."""

    format: str
    extract: native.Extract
    files: list[native.FileRecord]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)  # table -> reason -> rows
    lists: Path | None = None  # folder with unmapped_terms.parquet and unmapped_rows.parquet

    def load_lists(self, con: duckdb.DuckDBPyConnection) -> None:
        """Fill run.door_terms (table, reason, term, rows) and run.door_rows (table, row_id, reason); empty for native extracts."""
        con.execute('create or replace table run.door_terms ("table" varchar, reason varchar, term varchar, "rows" bigint)')
        con.execute('create or replace table run.door_rows ("table" varchar, row_id varchar, reason varchar)')
        if self.lists:
            for name in ("terms", "rows"):
                con.execute(f"insert into run.door_{name} by name from read_parquet(?)", [str(self.lists / f"unmapped_{name}.parquet")])


def open_extract(folder: Path, work: Path, forced: str | None = None) -> Opened:
    """Recognise the format (or take the ``forced`` one), open its door, check every file.

    Errors: UsageError where the format is not recognised or cannot be read yet; ContractBroken where a file is not whole.
    """
    form = detect.detect(folder, forced)
    if form == "native":
        extract = native.stage(folder, work)
        return Opened(form, extract, extract.files)
    from transforms.ingest import mimiciv

    converted = work / "native"
    converted.mkdir()
    counts = mimiciv.convert(folder, converted)
    hosp = mimiciv.hosp_of(folder)
    files = [native.hash_file(path, path.name, lambda _: None) for path in sorted(hosp.iterdir()) if path.is_file()]
    return Opened(form, native.stage(converted, work), files, counts, converted)
