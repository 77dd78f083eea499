"""Puts answers into the chart_reviews of a native extract, or into a CSV of them: nothing lost, nothing twice.

The new file is written beside the old one and takes its place by a rename. Where extract.json declares the table, its counts and
hashes follow; a call that died between the two renames is finished by the next one.
"""

from __future__ import annotations

import codecs
import csv
import fcntl
import gzip
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from data_contracts import contract, identity
from data_contracts.readers import prepare
from data_contracts.reading import STAMPS, union_sql
from transforms.errors import ContractBroken, UsageError
from transforms.ingest import detect, native
from transforms.publish.folder import FILE_MODE
from transforms.reviews.answers import Answer, refusal

TABLE = "chart_reviews"
COLUMNS = [column.name for column in contract.load()[TABLE].columns]
DAYS = ("reviewed_date", "valid_until")
PENDING = ".extract.json.new"
Row = dict[str, str | None]  # column of chart_reviews -> its text


@dataclass
class Delivery:
    """What became of the answers: the file the new ones are in, how many are new, how many were there, why some are refused."""

    file: Path | None = None
    added: int = 0
    known: int = 0
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Place:
    """Where the rows go: the extract's folder, or that of a CSV by itself; the table's file or folder; its files as they are."""

    folder: Path
    root: Path
    files: native.TableFiles | None
    manifest: dict[str, Any]
    patients: native.TableFiles | None  # None for a CSV by itself


def deliver(answers: Sequence[Answer], into: Path) -> Delivery:
    """Add the answers that are not there yet to an extract or a CSV.

    A line is refused where its patient is not in the extract, its day lies more than a year after day D, it holds direct identity,
    or another line answers the same question on the same day otherwise; all others are added.
    Errors: UsageError where ``into`` is neither; ContractBroken where the table or extract.json is not whole as it is.
    """
    folder = _extract_of(into)
    delivery = Delivery()
    with _locked(folder or into.parent), TemporaryDirectory(prefix="zm001-") as work, duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        prepare(con)
        place = _open_extract(con, folder, Path(work)) if folder else _open_csv(con, into, Path(work))
        refused = _refused(con, place, answers, delivery)
        delivery.refused = [refusal(line, what) for line, what in sorted(refused.items())]
        rows = _fresh([answer for answer in answers if answer.line not in refused], _rows(con, place.files), delivery)
        if rows:
            delivery.file, delivery.added = _write(con, place, rows), len(rows)
    return delivery


# --- what is there --------------------------------------------------------------------------------------------------


def _extract_of(into: Path) -> Path | None:
    """The extract's folder that ``into`` names, by itself or by its file of chart reviews; None for a CSV by itself."""
    if into.is_dir():
        if detect.detect(into) != "native" or "patients" not in native.find(into.resolve())[0]:
            raise UsageError(f"--into {into}: is no native extract; allowed: a native extract, or a CSV of chart reviews")
        return into.resolve()
    if not into.parent.is_dir():
        raise UsageError(f"--into {into}: no such folder")
    if native.table_of(into.name) == TABLE and "patients" in native.find(into.parent.resolve())[0]:
        return into.parent.resolve()
    if native.table_of(into.name) is None or native.kind_of(into.name) != "csv":
        raise UsageError(f"--into {into}: no such folder, and no CSV by its name; allowed: a native extract, or a CSV of chart reviews")
    return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one call at a time change a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open_extract(con: duckdb.DuckDBPyConnection, folder: Path, work: Path) -> Place:
    """The extract's chart reviews and patients. ContractBroken: a file is not whole, or extract.json says otherwise of the reviews."""
    found, _ = native.find(folder)
    manifest = native.read_manifest(folder, found)
    encoding = manifest.get("encoding") or native.UTF8
    patients, _ = _staged(con, found["patients"], folder, encoding, work)
    if TABLE not in found:
        return Place(folder, folder / f"{TABLE}.csv", None, manifest, patients)
    files, records = _staged(con, found[TABLE], folder, encoding, work)

    def hold(manifest: dict[str, Any]) -> None:
        facts = {TABLE: of_table} if (of_table := (manifest.get("tables") or {}).get(TABLE)) else {}
        native.hold_to_manifest(native.Extract(folder, {TABLE: files}, {"tables": facts}, records))

    pending = folder / PENDING
    if pending.exists():
        try:
            hold(finished := json.loads(pending.read_text(encoding="utf-8")))
            pending.replace(folder / "extract.json")
            manifest = finished
        except (ContractBroken, ValueError):
            pending.unlink()
    hold(manifest)
    return Place(folder, found[TABLE].root, files, manifest, patients)


def _open_csv(con: duckdb.DuckDBPyConnection, path: Path, work: Path) -> Place:
    """A CSV of chart reviews that belongs to no extract, in UTF-8; it need not be there yet."""
    path = path.resolve()
    found = native.Found(TABLE, path, "csv", (path,))
    files = _staged(con, found, path.parent, native.UTF8, work)[0] if path.exists() else None
    return Place(path.parent, path, files, {}, None)


def _staged(
    con: duckdb.DuckDBPyConnection, found: native.Found, folder: Path, encoding: str, work: Path
) -> tuple[native.TableFiles, list[native.FileRecord]]:
    """The files of one table as Parquet that the contract's readers take, and their records."""
    names = [native.relative(file, folder) for file in found.files]
    if found.kind == "parquet":
        records = [native.hash_file(file, name, lambda _: None) for file, name in zip(found.files, names, strict=True)]
        parts = native.parquet_parts(con, found.table, found.files, folder)
    else:
        records, parts = [], []
        for number, (file, name) in enumerate(zip(found.files, names, strict=True)):
            decoded = native.decode_csv(file, name, encoding, work / f"{found.table}-{number}.csv", lambda _: None)
            records.append(decoded.record)
            parts.append(native.stage_csv(con, found.table, decoded.file, name, work / f"{found.table}-{number}.parquet"))
    return native.TableFiles(found.table, tuple(native.placed(found, parts)), found.kind == "csv"), records


def _typed(files: native.TableFiles | None) -> str:
    """SQL of the rows of a table as the contract reads them."""
    table = contract.load()[files.table if files else TABLE]
    return union_sql(table, files, lambda _: {})[0]


def _rows(con: duckdb.DuckDBPyConnection, files: native.TableFiles | None) -> list[Row]:
    """The chart reviews that are there, as text."""
    cells = ", ".join(f"cast({name} as varchar) as {name}" for name in COLUMNS)
    return con.sql(f"select {cells} from ({_typed(files)})").pl().to_dicts()


# --- what is new ----------------------------------------------------------------------------------------------------


def _refused(con: duckdb.DuckDBPyConnection, place: Place, answers: Sequence[Answer], delivery: Delivery) -> dict[int, str]:
    """Line -> why its answer is refused; notes how many answers lie after day D."""
    columns = {"line": pl.Int64, "patient_id": pl.String, "reviewed_date": pl.Date, "note": pl.String}
    given = pl.DataFrame([[getattr(answer, name) for name in columns] for answer in answers], schema=columns, orient="row")
    con.register("given", given)
    refused = dict(_contradictory(answers))
    for column in identity.searched(contract.load()[TABLE]):
        for kind in column.identity if column.name in columns else ():
            for (line,) in con.execute(f"select line from given where {identity.search(column, kind, column.name)}").fetchall():
                refused[line] = f"{column.name}: {identity.KINDS[kind]}; direct identity must not be in an extract"
    if place.patients is not None:
        as_of = place.manifest.get("as_of")
        judged = con.execute(
            "select line, p.patient_id is null, g.reviewed_date > cast(p.day + interval 1 year as date), g.reviewed_date > p.day "
            "from given as g left join ("
            f"select patient_id, max(coalesce(index_date, cast(? as date))) as day from ({_typed(place.patients)}) group by patient_id"
            ") as p on g.patient_id = p.patient_id",
            [as_of],
        ).fetchall()
        for line, is_unknown, is_too_late, _ in judged:
            if is_unknown:
                refused[line] = "patient_id: no patient of this extract; allowed: its patients"
            elif is_too_late:
                refused[line] = "reviewed_date: more than a year after day D; allowed: up to then"
        if after := sum(bool(is_after) and line not in refused for line, *_, is_after in judged):
            delivery.notes.append(f"dated after day D: {after}; they count from their day on")
    con.unregister("given")
    return refused


def _contradictory(answers: Sequence[Answer]) -> Iterator[tuple[int, str]]:
    """Lines that answer one question on one day in more than one way."""
    by_question: dict[tuple[str, str, date], list[Answer]] = {}
    for answer in answers:
        by_question.setdefault((answer.patient_id, answer.item_id, answer.reviewed_date), []).append(answer)
    for same in by_question.values():
        if len({(answer.answer, answer.valid_until) for answer in same}) > 1:
            rows = ", ".join(str(answer.line) for answer in same)
            yield from (
                (answer.line, f"answer: rows {rows} answer one question on one day differently; allowed: one answer") for answer in same
            )


def _content(row: Row) -> tuple[str | None, ...]:
    """All of a row but its id."""
    return tuple(" ".join((row[name] or "").split()) if name == "note" else row[name] for name in COLUMNS[1:])


def _fresh(answers: Sequence[Answer], there: Sequence[Row], delivery: Delivery) -> list[Row]:
    """The rows to add. Of two reviews of one day the greatest id holds, so a later answer gets an id that no earlier one exceeds."""
    contents = {_content(row) for row in there}
    latest: dict[tuple[str | None, ...], Row] = {}
    for old in there:
        key = (old["patient_id"], old["item_id"], old["reviewed_date"])
        latest[key] = max(latest.get(key, old), old, key=lambda each: each["review_id"] or "")
    rows: list[Row] = []
    overruling = overruled = 0
    for answer in answers:
        row: Row = {name: None if (value := getattr(answer, name)) is None else str(value) for name in COLUMNS[1:]}
        key, content = (row["patient_id"], row["item_id"], row["reviewed_date"]), _content(row)
        held = latest.get(key)
        differs = held is not None and held["answer"] != row["answer"]
        if content in contents:
            delivery.known += 1
            overruled += differs
            continue
        overruling += differs
        code = sha256("\n".join(cell or "" for cell in content).encode()).hexdigest()[:16]
        before = held["review_id"] or "" if held else ""
        row["review_id"] = f"W{code}" if f"W{code}" > before else f"{before}.{code}"
        rows.append(row)
        contents.add(content)
        latest[key] = row
    if overruling:
        delivery.notes.append(f"overrule another answer of the same day: {overruling}")
    if overruled:
        delivery.notes.append(
            f"were overruled by a later answer of the same day, which stands: {overruled}; to change it give a newer date"
        )
    return rows


# --- writing --------------------------------------------------------------------------------------------------------


def _write(con: duckdb.DuckDBPyConnection, place: Place, rows: Sequence[Row]) -> Path:
    """Write the rows in the table's form, and what extract.json says of it; returns the file that holds them."""
    path, is_new, declared = place.root, place.files is None or place.root.is_dir(), place.manifest.get("encoding") or native.UTF8
    if place.files is not None and not place.files.is_staged:
        data = _parquet(con, place.files.parts[0], rows, is_new=is_new)
    else:
        is_packed = path.name.lower().endswith(".gz")
        old = b"" if is_new else gzip.decompress(path.read_bytes()) if is_packed else path.read_bytes()
        data = _appended(old, declared, rows)
        data = gzip.compress(data, mtime=0) if is_packed else data
    if path.is_dir():
        path /= f"worklist-{sha256(data).hexdigest()[:12]}.{native.kind_of(place.files.parts[0].name) if place.files else 'csv'}"
    manifest = _manifest(place, path, len(rows), sha256(data).hexdigest())
    new = _beside(path.resolve(), data)
    pending = _beside(place.folder / "extract.json", manifest) if manifest else None
    new.replace(path.resolve())
    _flush(path.resolve().parent)
    if pending:
        pending.replace(place.folder / "extract.json")
        _flush(place.folder)
    return path


def _appended(old: bytes, encoding: str, rows: Sequence[Row]) -> bytes:
    """A CSV file with the rows at its end, in its own columns, line ends and encoding; a file of its own where ``old`` is empty."""
    declared = codecs.lookup(encoding).name
    codec = native.UTF8 if old.startswith(codecs.BOM_UTF8) else native.WIDER.get(declared, declared)
    text = old.decode(codec) or ",".join(COLUMNS) + "\r\n"
    end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    header = next(csv.reader(io.StringIO(text, newline="")))
    known = {spelling: name for name, spelling in native.match_columns(TABLE, TABLE, header)[0].items()}
    lacking = [name for name in COLUMNS if name not in known.values() and any(row[name] for row in rows)]
    if lacking:
        head, *body = csv.reader(io.StringIO(text, newline=""))
        text = _csv([[*head, *lacking], *([*record, *[""] * len(lacking)] for record in body)], end)
    names = [*(known.get(spelling, "") for spelling in header), *lacking]
    more = _csv([[row.get(name) or "" for name in names] for row in rows], end)
    try:
        return (text + ("" if text.endswith("\n") else end) + more).encode(codec)
    except UnicodeEncodeError:
        raise UsageError(f"{TABLE}: a note holds a sign that {encoding}, the encoding of the extract, does not; take it out") from None


def _csv(records: Iterable[Sequence[str]], end: str) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator=end).writerows(records)
    return out.getvalue()


def _parquet(con: duckdb.DuckDBPyConnection, part: native.Part, rows: Sequence[Row], *, is_new: bool) -> bytes:
    """A Parquet file with the rows at its end, its columns and their types kept; without its own rows where ``is_new``."""
    kinds = {name: kind if name in DAYS and kind in ("DATE", *STAMPS) else "VARCHAR" for name, kind in part.types.items()}
    names = [name for name in COLUMNS if name in kinds or is_new or any(row[name] for row in rows)]
    kept = ", ".join(
        f"cast({native.column(part.columns[name])} as {kind}) as {native.column(part.columns[name])}" for name, kind in kinds.items()
    )
    added = ", ".join(f"cast({name} as {kinds.get(name, 'VARCHAR')}) as {native.column(part.columns.get(name, name))}" for name in names)
    con.register("rows_to_add", pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String)))
    with TemporaryDirectory(prefix="zm001-") as work:
        into = Path(work) / "new.parquet"
        con.execute(
            f"copy (select * replace ({kept}) from read_parquet({native.paths_sql([part.file])}, binary_as_string = true, "
            f"hive_partitioning = false) where {not is_new} union all by name select {added} from rows_to_add) "
            f"to {native.quoted(str(into))} (format parquet)"
        )
        return into.read_bytes()


def _manifest(place: Place, path: Path, added: int, digest: str) -> bytes | None:
    """extract.json after the change, None where it does not speak of the table."""
    facts = (place.manifest.get("tables") or {}).get(TABLE)
    if not facts:
        return None
    if facts.get("rows") is not None:
        facts["rows"] += added
    if (hashes := facts.get("sha256")) is not None:
        inner, outer = path.name, native.relative(path, place.folder)
        if path != place.root:
            inner = native.relative(path, place.root)
        is_outer = outer in hashes or (inner not in hashes and any(key.startswith(f"{place.root.name}/") for key in hashes))
        hashes[outer if is_outer else inner] = digest
    return (json.dumps(place.manifest, ensure_ascii=False, indent=1) + "\n").encode()


def _beside(path: Path, data: bytes) -> Path:
    """The data in a flushed file beside the one whose place it is to take, with its mode."""
    new = path.with_name(f".{path.name}.new")
    mode = path.stat().st_mode if path.exists() else FILE_MODE
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(mode & 0o7777)
    return new


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
