"""Native extracts: finds the files of each table, proves that they are whole, and brings CSV into Parquet.

Every file is read once as bytes (hash, NUL bytes, encoding); a CSV table is then parsed once, by DuckDB, into Parquet files
of text in the work folder. Parquet tables are used where they lie.
"""

import codecs
import csv
import hashlib
import json
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import duckdb

from data_contracts import contract
from data_contracts.readers import prepare
from transforms.errors import ContractBroken

ENDINGS = ".csv, .csv.gz, .parquet"
CHUNK = 4 << 20  # bytes read at a time
MOST_COLUMNS = 4096
LONGEST_RECORD = (2 << 20, 64 << 20)  # bytes; the second is tried where the first is too short
UTF8 = codecs.lookup("utf-8").name
WIDER_ENCODINGS = {"gb2312": "gb18030", "gbk": "gb18030"}  # labels in use for what their successor encodes
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FileRecord:
    """One file of the extract: its path relative to the extract, its size in bytes, its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table: `file` as DuckDB reads it, `name` as the extract calls it."""

    file: Path
    name: str
    columns: dict[str, str]  # the contract's column -> the file's column
    types: dict[str, str]  # the contract's column -> DuckDB's type of the file's column
    partition: dict[str, str | None]  # the contract's column -> value from the path
    others: tuple[str, ...]  # columns that the contract does not know
    rows: int


@dataclass(frozen=True)
class TableFiles:
    """The parts of one table; `is_staged` where they were CSV, and are now text without blank cells."""

    table: str
    parts: tuple[Part, ...]
    is_staged: bool

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(part.rows for part in self.parts)


@dataclass
class Extract:
    """An extract whose files are whole: the tables that are there, extract.json, and every file that was read."""

    folder: Path
    tables: dict[str, TableFiles]
    manifest: dict[str, Any]
    files: list[FileRecord]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """The files of one table as they lie in the extract, in the order of their paths."""

    table: str
    kind: Literal["csv", "parquet"]
    files: tuple[Path, ...]


def table_of(name: str) -> str | None:
    """The table that a file's name speaks of (`labs.csv.gz` -> `labs`), or None where it is no table's file."""
    match = re.fullmatch(r"(.+?)\.(csv|csv\.gz|parquet)", name, re.IGNORECASE)
    return match[1] if match else None


def kind_of(name: str) -> Literal["csv", "parquet"]:
    """Whether a table's file is CSV or Parquet."""
    return "parquet" if name.lower().endswith(".parquet") else "csv"


def quoted(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def column(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


# --- finding the files ----------------------------------------------------------------------------------------------


def inside(path: Path, folder: Path) -> Path:
    """`path`, which must not lead outside the extract's folder."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):
        raise ContractBroken(f"{relative(path, folder)}: a link that leads nowhere") from None
    if not resolved.is_relative_to(folder):
        raise ContractBroken(f"{relative(path, folder)}: leads outside the extract's folder; links must stay inside it")
    return path


def relative(path: Path, folder: Path) -> str:
    """The path of a file as messages and records name it."""
    return path.relative_to(folder).as_posix()


def parts_under(folder: Path, extract: Path) -> Iterator[Path]:
    """The CSV and Parquet files of a table's folder, however deep, in the order of their paths."""
    for entry in sorted(inside(folder, extract).iterdir()):
        inside(entry, extract)
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            yield from parts_under(entry, extract)
        elif table_of(entry.name) is not None:
            yield entry


def find(folder: Path) -> tuple[dict[str, Found], list[str]]:
    """The files of each table of the contract in the extract, and the names of the entries that are none of them."""
    forms: dict[str, list[Path]] = {}
    ignored = []
    tables = contract.load()
    for entry in sorted(folder.iterdir()):
        inside(entry, folder)
        name = (table_of(entry.name) or (entry.name if entry.is_dir() else "")).lower()
        if name in tables:
            forms.setdefault(name, []).append(entry)
        elif entry.name != "extract.json":
            ignored.append(entry.name)
    found = {}
    for table, entries in forms.items():
        if len(entries) > 1:
            names = " and ".join(entry.name for entry in entries)
            raise ContractBroken(f"{table}: is there in two forms, {names}; allowed is one")
        files = tuple(parts_under(entries[0], folder)) if entries[0].is_dir() else tuple(entries)
        if not files:
            raise ContractBroken(f"{table}: the folder {entries[0].name}/ holds no part; allowed: {ENDINGS}")
        kinds = {kind_of(file.name) for file in files}
        if len(kinds) > 1:
            raise ContractBroken(
                f"{table}: CSV and Parquet parts are mixed in {entries[0].name}/; allowed is one of them"
            )
        for file in files:
            if not stat.S_ISREG(file.stat().st_mode):
                raise ContractBroken(f"{relative(file, folder)}: is no regular file")
        found[table] = Found(table, kinds.pop(), files)
    return found, ignored


# --- extract.json ---------------------------------------------------------------------------------------------------


def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys must differ."""
    keys = [key for key, _ in pairs]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ContractBroken(f"extract.json: the key {min(twice)} is there twice")
    return dict(pairs)


def read_manifest(folder: Path, tables: Iterable[str]) -> dict[str, Any]:
    """extract.json with its types proved, {} where there is none.

    Errors: ContractBroken where it is no JSON, a value has another type, or it names a table that is not there.
    """
    path = folder / "extract.json"
    if not path.exists() and not path.is_symlink():
        return {}
    try:
        manifest = json.loads(inside(path, folder).read_bytes().decode("utf-8-sig"), object_pairs_hook=no_twins)
    except OSError as error:
        raise ContractBroken(f"extract.json: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ContractBroken("extract.json: is not JSON in UTF-8") from None

    def expect(is_right: bool, key: str, allowed: str) -> None:
        if not is_right:
            raise ContractBroken(f"extract.json: {key} is not {allowed}")

    expect(isinstance(manifest, dict), "the whole", "an object")
    as_of, encoding, named = manifest.get("as_of"), manifest.get("encoding"), manifest.get("tables")
    expect(as_of is None or is_day(as_of), "as_of", "a date like 2026-03-01")
    expect(encoding is None or is_encoding(encoding), "encoding", "the name of a text encoding like gb18030")
    expect(isinstance(manifest.get("source", ""), str | None), "source", "text")
    expect(named is None or isinstance(named, dict), "tables", "an object")
    for table, facts in (named or {}).items():
        if table not in tables:
            raise ContractBroken(f"extract.json: names the table {table}, which is not in the extract")
        expect(isinstance(facts, dict), f"tables.{table}", "an object")
        rows, hashes = facts.get("rows"), facts.get("sha256")
        is_count = isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0
        expect(rows is None or is_count, f"tables.{table}.rows", "a number of rows")
        expect(
            hashes is None or isinstance(hashes, dict), f"tables.{table}.sha256", "an object of file names and hashes"
        )
        for file, value in (hashes or {}).items():
            is_hash = isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{64}", value) is not None
            expect(is_hash, f"tables.{table}.sha256 of {file}", "a SHA-256 of 64 hexadecimal digits")
    return manifest


def is_day(text: object) -> bool:
    """Whether a value is a date written 2026-03-01."""
    from datetime import date

    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_encoding(name: object) -> bool:
    """Whether a value names a text encoding."""
    try:
        return isinstance(name, str) and bool(getattr(codecs.lookup(name), "_is_text_encoding", True))
    except (LookupError, ValueError):
        return False


def hold_to_manifest(extract: Extract) -> None:
    """Refuses an extract whose row counts or hashes are not those of its extract.json."""
    hashes = {record.path: record.sha256 for record in extract.files}
    for table, facts in (extract.manifest.get("tables") or {}).items():
        for file, value in (facts.get("sha256") or {}).items():
            found = hashes.get(file) or hashes.get(f"{table}/{file}")
            if found is None:
                raise ContractBroken(f"{table}: extract.json names the file {file}, which is not in the extract")
            if found != value.lower():
                raise ContractBroken(f"{table}: the SHA-256 of {file} is {found}; extract.json says {value.lower()}")
        rows = facts.get("rows")
        if rows is not None and rows != extract.tables[table].rows:
            raise ContractBroken(f"{table}: has {extract.tables[table].rows} rows; extract.json says {rows}")


# --- bytes ----------------------------------------------------------------------------------------------------------


def chunks_of(path: Path, digest: Any, name: str) -> Iterator[bytes]:
    """The bytes of a file, unpacked where it is gzip; what is on disk goes into `digest`."""
    with path.open("rb") as file:
        if not name.lower().endswith(".gz"):
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                yield chunk
            return
        unpack = zlib.decompressobj(wbits=31)
        begun = False
        try:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                while chunk:
                    if unpack.eof:  # a gzip file may hold several members
                        unpack = zlib.decompressobj(wbits=31)
                    begun = True
                    out = unpack.decompress(chunk, CHUNK)
                    chunk = unpack.unconsumed_tail or unpack.unused_data
                    if out:
                        yield out
                    if unpack.eof and not chunk.strip(b"\0"):
                        break
        except zlib.error:
            raise ContractBroken(f"{name}: is no whole gzip file (damaged)") from None
        while begun and not unpack.eof and (out := unpack.decompress(b"", CHUNK)):
            yield out
        if begun and not unpack.eof:
            raise ContractBroken(f"{name}: is no whole gzip file (cut off)")


@dataclass
class Decoding:
    """What a CSV file's bytes turned out to be."""

    file: Path  # the file to parse: the extract's own, or the recoded copy
    sha256: str
    size: int


def read_csv_bytes(path: Path, name: str, encoding: str, copy: Path, report: Callable[[int], None]) -> Decoding:
    """One pass over the bytes of a CSV file: hash, NUL bytes, decoding; a copy in UTF-8 where the file is not plain UTF-8.

    Errors: ContractBroken where the file is empty, holds NUL bytes, does not decode, or is a damaged gzip.
    """
    digest = hashlib.sha256()
    chunks = chunks_of(path, digest, name)
    first = next(chunks, b"")
    if not first.strip():
        for _ in chunks:
            raise ContractBroken(f"{name}: begins with {CHUNK} blank bytes; a CSV file begins with its header")
        raise ContractBroken(f"{name}: is empty, without even a header")
    is_utf8 = first.startswith(codecs.BOM_UTF8) or codecs.lookup(encoding).name in (UTF8, "utf-8-sig")
    codec = UTF8 if is_utf8 else WIDER_ENCODINGS.get(codecs.lookup(encoding).name, encoding)
    decoder = codecs.getincrementaldecoder(codec)("strict")
    doubt = None if is_utf8 else codecs.getincrementaldecoder(UTF8)("strict")
    foreign = 0
    needs_copy = not is_utf8 or name.lower().endswith(".gz")
    done = 0
    out = copy.open("wb") if needs_copy else None
    try:
        chunk: bytes | None = first
        while True:
            last = chunk is None
            try:
                text = decoder.decode(chunk or b"", final=last)
            except UnicodeDecodeError as error:
                raise ContractBroken(
                    f"{name}: does not decode as {codec} near byte {done + error.start}; allowed: UTF-8, or the "
                    'encoding that extract.json declares as "encoding"'
                ) from None
            if doubt is not None and chunk is not None:
                try:
                    foreign += len(chunk) - len(doubt.decode(chunk))
                except UnicodeDecodeError:
                    doubt = None
            if "\0" in text:
                raise ContractBroken(f"{name}: holds NUL bytes near byte {done}; allowed is text")
            if out is not None:
                out.write(chunk or b"" if is_utf8 else text.encode())
            if last:
                break
            done += len(chunk or b"")
            report(len(chunk or b""))
            chunk = next(chunks, None)
    finally:
        if out is not None:
            out.close()
    if doubt is not None and foreign >= 64:
        raise ContractBroken(f"{name}: is UTF-8; extract.json declares {encoding}")
    return Decoding(copy if needs_copy else path, digest.hexdigest(), path.stat().st_size)


def hash_of(path: Path, name: str, report: Callable[[int], None]) -> FileRecord:
    """The record of a file that is not decoded."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            report(len(chunk))
    return FileRecord(name, path.stat().st_size, digest.hexdigest())


# --- columns --------------------------------------------------------------------------------------------------------


def match_columns(table: str, file: str, header: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The contract's columns among a file's (name -> the file's spelling), and the others.

    Names are compared trimmed and in any case. Errors: ContractBroken where two columns have the same name.
    """
    folded = [contract.fold(name.removeprefix("\ufeff")) for name in header]
    twice = [name for name in dict.fromkeys(folded) if folded.count(name) > 1] if len(set(folded)) < len(folded) else []
    if twice:
        raise ContractBroken(f"{file}: the column {shown(twice[0])} is there twice in the header")
    known = {column.name for column in contract.load()[table].columns}
    columns = {name: spelling for name, spelling in zip(folded, header, strict=True) if name in known}
    return columns, tuple(name for name in folded if name not in known)


def shown(name: str) -> str:
    """A name from the extract as a message may show it: short, on one line."""
    flat = "".join(letter if letter.isprintable() else "?" for letter in name)
    return flat if len(flat) <= 60 else flat[:57] + "..."


def partition_of(table: str, path: Path, folder: Path) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The contract's columns that a hive path names, with their values, and the other names in it."""
    known = {column.name for column in contract.load()[table].columns}
    pairs = [piece.split("=", 1) for piece in path.relative_to(folder).parts[:-1] if "=" in piece]
    values = {contract.fold(unquote(key)): None if value == HIVE_NULL else unquote(value) for key, value in pairs}
    return {key: value for key, value in values.items() if key in known}, tuple(values.keys() - known)


def header_of(path: Path, name: str) -> list[str]:
    """The names in the first record of a CSV file in UTF-8."""
    csv.field_size_limit(1 << 20)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        try:
            header = next(csv.reader(iter(lambda: lines.readline(1 << 20), ""), strict=True))
        except (csv.Error, StopIteration):
            raise ContractBroken(f"{name}: the header is no record of CSV") from None
    if len(header) > MOST_COLUMNS:
        raise ContractBroken(f"{name}: has {len(header)} columns; allowed are {MOST_COLUMNS}")
    return header


# --- tables ---------------------------------------------------------------------------------------------------------


def csv_refusal(name: str, error: duckdb.Error, width: int) -> ContractBroken:
    """What DuckDB said about a CSV file, without the line that it quotes."""
    text = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    where = f"{name}, line {line[1]}" if line else name
    found = re.search(r"Expected Number of Columns: \d+ Found: (\d+)", text)
    if found:
        return ContractBroken(f"{where}: {found[1]} cells in a record; the header has {width}")
    if "unterminated quote" in text:
        return ContractBroken(f"{where}: a quoted cell that does not end as RFC 4180 asks")
    if "Maximum line size" in text:
        return ContractBroken(f"{where}: a record longer than {LONGEST_RECORD[-1] >> 20} MB")
    if "nvalid unicode" in text or "not utf-8" in text:
        return ContractBroken(f"{where}: does not decode as UTF-8")
    return ContractBroken(f"{where}: cannot be parsed as CSV (RFC 4180, comma between cells)")


def stage_csv(con: duckdb.DuckDBPyConnection, table: str, source: Path, name: str, into: Path) -> Part:
    """Parses one CSV file into a Parquet file of the contract's columns, all text, blank cells null."""
    header = header_of(source, name)
    columns, others = match_columns(table, name, header)
    if not columns and len(header) == 1 and re.search("[;\t|]", header[0]):
        raise ContractBroken(f"{name}: the header is a single column; cells are separated by a comma")
    places = {spelling: f"c{place}" for place, spelling in enumerate(header)}
    kept = (
        ", ".join(f"gate.cell({places[spelling]}) as {column(key)}" for key, spelling in columns.items())
        or "1 as nothing"
    )
    spec = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    rows = 0
    for longest in LONGEST_RECORD:
        query = (
            f"copy (select {kept} from read_csv({quoted(str(source))}, auto_detect = false, header = true, delim = ',', "
            f"quote = '\"', escape = '\"', columns = {{{spec}}}, nullstr = '', strict_mode = true, null_padding = false, "
            f"ignore_errors = false, compression = 'none', max_line_size = {longest})) "
            f"to {quoted(str(into))} (format parquet, compression snappy)"
        )
        try:
            rows = con.execute(query).fetchall()[0][0]
            break
        except duckdb.Error as error:
            if "Maximum line size" not in str(error) or longest == LONGEST_RECORD[-1]:
                raise csv_refusal(name, error, len(header)) from None
    return Part(into, name, {key: key for key in columns}, dict.fromkeys(columns, "VARCHAR"), {}, others, rows)


def parquet_part(con: duckdb.DuckDBPyConnection, table: str, path: Path, name: str) -> Part:
    """What a Parquet file's footer tells of its columns and rows."""
    if path.stat().st_size == 0:
        raise ContractBroken(f"{name}: is empty, without even a header")
    try:
        schema = con.execute(
            f"select name from parquet_schema({quoted(str(path))}) where num_children is null or num_children = 0"
        ).fetchall()
        described = con.execute(
            f"describe select * from read_parquet({quoted(str(path))}, binary_as_string = true, hive_partitioning = false)"
        ).fetchall()
        rows = con.execute(f"select num_rows from parquet_file_metadata({quoted(str(path))})").fetchall()[0][0]
    except duckdb.Error:
        raise ContractBroken(f"{name}: cannot be read as Parquet") from None
    names = [row[0] for row in described]
    match_columns(table, name, [row[0] for row in schema if row[0] in names] if len(schema) == len(names) else names)
    if len(schema) == len(names):
        match_columns(table, name, [row[0] for row in schema])
    columns, others = match_columns(table, name, names)
    types = {row[0]: row[1] for row in described}
    return Part(path, name, columns, {key: types[spelling] for key, spelling in columns.items()}, {}, others, rows)


def stage(
    folder: Path,
    work: Path,
    progress: Progress | None = None,
    *,
    memory_limit: str = "1GB",
    threads: int | None = None,
) -> Extract:
    """The extract in `folder`, each file read and proved whole; CSV tables as Parquet files in `work`.

    `progress` is called with a file's name, the bytes read so far and the bytes of the whole extract.
    Errors: ContractBroken for whatever makes an extract unreadable as a whole (docs/contract.md, Refused).
    """
    folder = folder.resolve()
    found, ignored = find(folder)
    manifest = read_manifest(folder, found)
    encoding = manifest.get("encoding") or UTF8
    missing = [table.name for table in contract.load().values() if table.is_required and table.name not in found]
    if missing:
        raise ContractBroken(f"{missing[0]}: the table is missing; an extract has {missing[0]} as {ENDINGS} or folder")
    work.mkdir(parents=True, exist_ok=True)
    total = sum(file.stat().st_size for each in found.values() for file in each.files)
    read = 0
    records = []
    tables = {}
    settings = {"memory_limit": memory_limit, "temp_directory": str(work / "spill")} | (
        {"threads": threads} if threads else {}
    )
    with duckdb.connect(config=settings) as con:
        prepare(con)
        for table, each in found.items():
            parts = []
            for number, file in enumerate(each.files):
                name = relative(file, folder)

                def report(count: int, name: str = name) -> None:
                    nonlocal read
                    read += count
                    if progress is not None:
                        progress(name, read, total)

                if each.kind == "parquet":
                    records.append(hash_of(file, name, report))
                    part = parquet_part(con, table, file, name)
                else:
                    copy = work / f"{table}-{number}.csv"
                    decoding = read_csv_bytes(file, name, encoding, copy, report)
                    records.append(FileRecord(name, decoding.size, decoding.sha256))
                    part = stage_csv(con, table, decoding.file, name, work / f"{table}-{number}.parquet")
                    copy.unlink(missing_ok=True)
                partition, keys = partition_of(table, file, folder)
                partition = {key: value for key, value in partition.items() if key not in part.columns}
                parts.append(Part(**{**vars(part), "partition": partition, "others": part.others + keys}))
            tables[table] = TableFiles(table, tuple(parts), each.kind == "csv")
    extract = Extract(folder, tables, manifest, records, [f"not read: {name}" for name in ignored])
    hold_to_manifest(extract)
    return extract
