"""The doors: every format becomes a native extract whose files have been checked; what a door could not map is listed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from transforms.errors import ExtractChanged, Refusal
from transforms.ingest import detect, native


@dataclass
class Opened:
    """An extract behind its door: the native form, the files as the hospital delivered them, and what the door could not map."""

    format: str
    folder: Path
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

    def prove_unchanged(self) -> None:
        """Hash every file once more. ExtractChanged: one is not as it was when the run began, or another has come."""
        known = {file.path: file for file in self.files}
        try:
            names = {native.relative(path, self.folder) for path in files_of(self.format, self.folder)}
            with ThreadPoolExecutor(2) as pool:
                now = dict(zip(known, pool.map(lambda name: hashed(self.folder, name), known), strict=True))
        except (Refusal, OSError) as error:
            gone = next((name for name in sorted(known) if not (self.folder / name).is_file()), None)
            raise ExtractChanged.by(f"{native.shown(gone)} has gone" if gone else str(error)) from error
        for name in sorted(set(known) | names):
            if name not in known or name not in names or now[name] != known[name]:
                raise ExtractChanged.by(f"{native.shown(name)} has {'changed' if name in known else 'come'}")


def hashed(folder: Path, name: str) -> native.FileRecord:
    """The record of one file of an extract."""
    return native.hash_file(folder / name, name, lambda _: None)


def files_of(form: str, folder: Path) -> list[Path]:
    """The files that a door reads, whatever its format; ContractBroken where they are no extract."""
    if form == "native":
        manifest = folder / "extract.json"
        tables = native.find(folder)[0].values()
        return [file for table in tables for file in table.files] + [manifest] * manifest.is_file()
    return sorted(path for path in folder.iterdir() if path.is_file())


def open_extract(folder: Path, work: Path, forced: str | None = None) -> Opened:
    """Recognise the format (or take the ``forced`` one), open its door, check every file.

    Errors: UsageError where the format is not recognised or cannot be read yet; ContractBroken where a file is not whole.
    """
    form = detect.detect(folder, forced)
    folder = folder.resolve()
    if form == "native":
        manifest = native.inside(folder / "extract.json", folder)
        records = [hashed(folder, manifest.name)] if manifest.is_file() else []
        extract = native.stage(folder, work)
        return Opened(form, folder, extract, [*extract.files, *records])
    from transforms.ingest import mimiciv

    converted = work / "native"
    converted.mkdir()
    hosp = mimiciv.hosp_of(folder)
    files = [hashed(hosp, path.name) for path in files_of(form, hosp)]
    counts = mimiciv.convert(folder, converted)
    return Opened(form, hosp, native.stage(converted, work), files, counts, converted)
