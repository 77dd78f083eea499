"""Native extracts: finds the files of each table, proves that they are whole, and brings CSV into Parquet.

Every file is read once as bytes (hash, NUL bytes, encoding); a CSV file is then parsed once, by DuckDB, into a Parquet file
of text in the work folder. Parquet files are used where they lie.
"""

import codecs
import csv
import hashlib
import json
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import unquote

import duckdb
import polars as pl

from data_contracts import contract
from data_contracts.readers import prepare
from transforms.errors import ContractBroken

ENDINGS = ".csv, .csv.gz, .parquet"
CHUNK = 4 << 20  # bytes read at a time
LONGEST_HEADER = 1 << 20  # characters
LONGEST_RECORD = 64 << 20  # bytes
MOST_COLUMNS = 4096
MOST_UNPACKING = 250  # times the size of a gzip file that it may unpack to,
UNPACKED_FREELY = 256 << 20  # beyond this many bytes
UTF8 = "utf-8"
WIDER = {"gb2312": "gb18030", "gbk": "gb18030"}  # names that hospitals give to what only the successor decodes whole
FOREIGN_SIGNS = 64  # bytes beyond ASCII that, decoding as UTF-8, prove that a file is not in another declared encoding
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
NO_CELL = "\x01\x02"  # the CSV reader's null: nothing that is ever there, so that it takes no empty cell for one too many

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
    """The parts of one table; `is_staged` where they were CSV, and are now text in Parquet, the rows in any order."""

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
    root: Path  # the table's file or folder
    kind: Literal["csv", "parquet"]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Decoded:
    """A CSV file that decodes: the file to parse (the extract's own, or a copy in UTF-8) and its record."""

    file: Path
    is_copy: bool
    record: FileRecord


# --- names ----------------------------------------------------------------------------------------------------------


def table_of(name: str) -> str | None:
    """The table that a file's name speaks of (`labs.csv.gz` -> `labs`), None where it is no table's file."""
    match = re.fullmatch(r"(.+?)\.(csv|csv\.gz|parquet)", name, re.IGNORECASE)
    return match[1].lower() if match else None


def kind_of(name: str) -> Literal["csv", "parquet"]:
    """Whether a table's file is CSV or Parquet."""
    return "parquet" if name.lower().endswith(".parquet") else "csv"


def relative(path: Path, folder: Path) -> str:
    """The path of a file as messages and records name it."""
    return path.relative_to(folder).as_posix()


def shown(name: str) -> str:
    """A name or id from the extract as a message may show it: short, on one line."""
    flat = "".join(letter if letter.isprintable() else "?" for letter in name)
    return flat if len(flat) <= 60 else flat[:57] + "..."


def quoted(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def column(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def paths_sql(paths: Iterable[Path]) -> str:
    """A SQL list of paths as DuckDB's readers take them, who would read `[1]` and `*` as patterns."""
    return "[" + ", ".join(quoted(re.sub(r"([*?\[])", r"[\1]", str(path))) for path in paths) + "]"


# --- finding the files ----------------------------------------------------------------------------------------------


def inside(path: Path, folder: Path) -> Path:
    """`path`, which must not lead outside the extract's folder."""
    try:
        is_inside = path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):
        raise ContractBroken(f"{shown(relative(path, folder))}: a link that leads nowhere") from None
    if not is_inside:
        raise ContractBroken(f"{shown(relative(path, folder))}: leads outside the extract's folder; files and links must stay inside it")
    return path


def parts_under(folder: Path, extract: Path) -> Iterator[Path]:
    """The CSV and Parquet files of a table's folder, however deep, in the order of their paths."""
    for entry in sorted(folder.iterdir()):
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
        name = table_of(entry.name) or (entry.name.lower() if entry.is_dir() else "")
        if name in tables:
            forms.setdefault(name, []).append(entry)
        elif entry.name != "extract.json":
            ignored.append(entry.name)
    return {table: found_table(table, forms[table], folder) for table in tables if table in forms}, ignored


def found_table(table: str, entries: Sequence[Path], folder: Path) -> Found:
    """The files of one table. Errors: ContractBroken where it is there in two forms, or mixed, or not at all."""
    names = [entry.name + ("/" if entry.is_dir() else "") for entry in entries]
    if len(entries) > 1:
        raise ContractBroken(f"{table}: is there in two forms, {' and '.join(names)}; allowed is one")
    root = entries[0]
    files = tuple(parts_under(root, folder)) if root.is_dir() else (root,)
    if not files:
        raise ContractBroken(f"{table}: {names[0]} holds no part; allowed are parts in {ENDINGS}")
    kinds = {kind_of(file.name) for file in files}
    if len(kinds) > 1:
        raise ContractBroken(f"{table}: CSV and Parquet parts are mixed in {names[0]}; allowed is one kind")
    for file in files:
        if not file.exists() or not stat.S_ISREG(file.stat().st_mode):
            raise ContractBroken(f"{shown(relative(file, folder))}: is no regular file; allowed is {ENDINGS}")
    return Found(table, root, kinds.pop(), files)


# --- extract.json ---------------------------------------------------------------------------------------------------


def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, whose keys must differ."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ContractBroken(f"extract.json: the key {shown(key)} is there twice; allowed is once")
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
            raise ContractBroken(f"extract.json: {shown(key)} is not {allowed}")

    expect(isinstance(manifest, dict), "the whole", "an object")
    as_of, encoding, named = manifest.get("as_of"), manifest.get("encoding"), manifest.get("tables")
    expect(as_of is None or is_day(as_of), "as_of", "a date like 2026-03-01")
    expect(encoding is None or is_encoding(encoding), "encoding", "the name of a text encoding like gb18030")
    expect(isinstance(manifest.get("source", ""), str | None), "source", "text")
    expect(named is None or isinstance(named, dict), "tables", "an object")
    for table, facts in (named or {}).items():
        if table not in tables:
            raise ContractBroken(f"extract.json: names the table {shown(table)}, which is not in the extract")
        expect(isinstance(facts, dict), f"tables.{table}", "an object")
        rows, hashes = facts.get("rows"), facts.get("sha256")
        is_count = isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0
        expect(rows is None or is_count, f"tables.{table}.rows", "a number of rows")
        expect(hashes is None or isinstance(hashes, dict), f"tables.{table}.sha256", "an object: file name to hash")
        for file, value in (hashes or {}).items():
            is_hash = isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{64}", value) is not None
            expect(is_hash, f"tables.{table}.sha256 of {file}", "a SHA-256 of 64 hexadecimal digits")
    return manifest


def is_day(text: object) -> bool:
    """Whether a value is a date written 2026-03-01."""
    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_encoding(name: object) -> bool:
    """Whether a value names an encoding of text that can be read piece by piece."""
    try:
        found = codecs.lookup(name) if isinstance(name, str) else None
    except (LookupError, ValueError):
        return False
    return found is not None and found.incrementaldecoder is not None and bool(getattr(found, "_is_text_encoding", True))


def hold_to_manifest(extract: Extract) -> None:
    """Refuses an extract whose row counts or hashes are not those of its extract.json."""
    hashes = {record.path: record.sha256 for record in extract.files}
    for table, facts in (extract.manifest.get("tables") or {}).items():
        for file, value in (facts.get("sha256") or {}).items():
            found = hashes.get(file) or hashes.get(f"{table}/{file}")
            if found is None:
                raise ContractBroken(f"{table}: extract.json names the file {shown(file)}, which is not in the extract")
            if found != value.lower():
                raise ContractBroken(f"{table}: {shown(file)} has the SHA-256 {found}; extract.json says {value.lower()}")
        rows = facts.get("rows")
        if rows is not None and rows != extract.tables[table].rows:
            raise ContractBroken(f"{table}: has {extract.tables[table].rows} rows; extract.json says {rows}")


# --- bytes ----------------------------------------------------------------------------------------------------------


def bytes_of(path: Path, name: str, digest: Any, report: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of a file as they lie on disk, chunk by chunk, put into `digest` too."""
    try:
        with path.open("rb") as file:
            while chunk := read(file):
                digest.update(chunk)
                report(len(chunk))
                yield chunk
    except OSError as error:
        raise ContractBroken(f"{shown(name)}: cannot be read ({error.strerror})") from None


def read(file: BinaryIO) -> bytes:
    """The next chunk of a file."""
    return file.read(CHUNK)


def unpacked(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """What gzip chunks unpack to. Errors: ContractBroken where they are damaged, cut off, or unpack beyond reason."""
    unpack = None
    packed = done = 0
    try:
        for chunk in chunks:
            packed += len(chunk)
            while chunk:
                if unpack is None:
                    if done and not chunk.strip(b"\0"):  # zeros may fill up the last block of a tape or disk
                        break
                    unpack = zlib.decompressobj(wbits=31)
                if out := unpack.decompress(chunk, CHUNK):
                    done += len(out)
                    if done > MOST_UNPACKING * packed + UNPACKED_FREELY:
                        raise ContractBroken(f"{shown(name)}: unpacks to more than {MOST_UNPACKING} times its size")
                    yield out
                chunk = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
                unpack = None if unpack.eof else unpack
        while unpack is not None and (out := unpack.decompress(b"", CHUNK)):
            yield out
            unpack = None if unpack.eof else unpack
    except zlib.error:
        raise ContractBroken(f"{shown(name)}: is no whole gzip file (damaged)") from None
    if unpack is not None:
        raise ContractBroken(f"{shown(name)}: is no whole gzip file (cut off)")


def hash_file(path: Path, name: str, report: Callable[[int], None]) -> FileRecord:
    """The record of a file."""
    digest = hashlib.sha256()
    size = sum(len(chunk) for chunk in bytes_of(path, name, digest, report))
    return FileRecord(name, size, digest.hexdigest())


def in_utf8(chunks: Iterable[bytes], name: str, codec: str) -> Iterator[bytes]:
    """Chunks of a file in UTF-8, proved to decode. Errors: ContractBroken where they do not."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    done, rest = 0, b""
    try:
        for chunk in chunks:
            if codec != UTF8:
                yield decoder.decode(chunk).encode()
            elif chunk.isascii() and not rest:
                yield chunk
            else:
                block = rest + chunk
                end = last_character(block)
                prove_utf8(block[:end])
                yield block[:end]
                rest = block[end:]
            done += len(chunk)
        if codec != UTF8:
            yield decoder.decode(b"", final=True).encode()
        else:
            rest.decode()
    except UnicodeDecodeError as error:
        raise ContractBroken(
            f"{shown(name)}: does not decode as {codec} near byte {done + error.start}; allowed is UTF-8, or "
            'the encoding that extract.json declares as "encoding" (gb18030 is common)'
        ) from None


def last_character(block: bytes) -> int:
    """Where the last character of UTF-8 begins that may go on behind a block; its end where none does."""
    for back in range(1, min(4, len(block)) + 1):
        if block[-back] & 0xC0 != 0x80:  # no byte inside a character
            return len(block) - back if block[-back] >= 0xC0 else len(block)
    return len(block)


def prove_utf8(block: bytes) -> None:
    """Ten times faster than decoding it here: Polars proves it; Python then says where the mistake is."""
    try:
        pl.Series([block]).cast(pl.String)
    except pl.exceptions.PolarsError:
        block.decode()


def decode_csv(path: Path, name: str, encoding: str, copy: Path, report: Callable[[int], None]) -> Decoded:
    """One pass over the bytes of a CSV file: hash, NUL bytes, decoding; a copy in UTF-8 unless it is plain UTF-8 itself.

    Errors: ContractBroken where the file is empty, holds NUL bytes, does not decode, or is a damaged gzip.
    """
    digest = hashlib.sha256()
    chunks = bytes_of(path, name, digest, report)
    is_packed = name.lower().endswith(".gz")
    if is_packed:
        chunks = unpacked(chunks, name)
    first = next(chunks, b"")
    if not first.removeprefix(codecs.BOM_UTF8).strip():
        raise ContractBroken(f"{shown(name)}: is empty, without even a header")
    declared = codecs.lookup(encoding).name
    is_utf8 = first.startswith(codecs.BOM_UTF8) or declared in (UTF8, "utf-8-sig")
    codec = UTF8 if is_utf8 else WIDER.get(declared, declared)
    doubt = Doubt()
    done = 0
    is_copy = is_packed or not is_utf8
    with copy.open("wb") if is_copy else nullcontext() as out:
        for block in in_utf8(chain([first], chunks) if is_utf8 else doubt.looking_at(chain([first], chunks)), name, codec):
            if b"\0" in block:
                raise ContractBroken(f"{shown(name)}: holds NUL bytes near byte {done + block.index(0)}")
            done += len(block)
            if out is not None:
                out.write(block)
    if not is_utf8 and doubt.is_utf8:
        raise ContractBroken(f"{shown(name)}: is UTF-8 throughout; extract.json declares {encoding}")
    return Decoded(copy if is_copy else path, is_copy, FileRecord(name, path.stat().st_size, digest.hexdigest()))


class Doubt:
    """Whether what is declared to be in another encoding is UTF-8: all of it decodes, with enough beyond ASCII."""

    def __init__(self) -> None:
        self.decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder(UTF8)("strict")
        self.foreign = 0

    def looking_at(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks themselves."""
        for chunk in chunks:
            try:
                self.foreign += len(chunk) - len(self.decoder.decode(chunk)) if self.decoder else 0
            except UnicodeDecodeError:
                self.decoder = None
            yield chunk

    @property
    def is_utf8(self) -> bool:
        """The answer, when all chunks were looked at."""
        return self.decoder is not None and self.foreign >= FOREIGN_SIGNS


# --- columns --------------------------------------------------------------------------------------------------------


def match_columns(table: str, file: str, header: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The contract's columns among a file's (name -> the file's spelling), and the others.

    Names are compared trimmed and in any case. Errors: ContractBroken where two columns have the same name.
    """
    folded = [contract.fold(name.removeprefix("\ufeff")) for name in header]
    for name in folded:
        if name and folded.count(name) > 1:
            raise ContractBroken(f"{shown(file)}: the column {shown(name)} is there twice in the header; allowed is once")
    known = {each.name for each in contract.load()[table].columns}
    columns = {name: spelling for name, spelling in zip(folded, header, strict=True) if name in known}
    return columns, tuple(spelling for name, spelling in zip(folded, header, strict=True) if name not in known)


def partition_of(table: str, path: Path, root: Path) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The contract's columns that a hive path names, with their values, and the other names in it."""
    known = {each.name for each in contract.load()[table].columns}
    folders = path.relative_to(root).parts[:-1] if path != root else ()
    pairs = [piece.split("=", 1) for piece in folders if "=" in piece]
    values = {contract.fold(unquote(key)): None if value == HIVE_NULL else unquote(value) for key, value in pairs}
    return {key: value for key, value in values.items() if key in known}, tuple(values.keys() - known)


def header_of(path: Path, name: str) -> list[str]:
    """The names in the first record of a CSV file in UTF-8."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        pieces = iter(lambda: file.readline(LONGEST_HEADER), "")
        try:
            header = next(csv.reader((piece for piece in pieces if len(piece) < LONGEST_HEADER), strict=True))
        except (csv.Error, StopIteration):
            header = []
    if not header:
        raise ContractBroken(f"{shown(name)}: the first line is no header; allowed are names separated by commas")
    if len(header) > MOST_COLUMNS:
        raise ContractBroken(f"{shown(name)}: has {len(header)} columns; allowed are {MOST_COLUMNS}")
    return header


# --- CSV ------------------------------------------------------------------------------------------------------------


def csv_refusal(name: str, error: duckdb.Error, width: int) -> ContractBroken:
    """What DuckDB said about a CSV file, without the line that it quotes."""
    text = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    where = f"{shown(name)}, line {line[1]}" if line else shown(name)
    if cells := re.search(r"Expected Number of Columns: \d+ Found: (\d+)", text):
        return ContractBroken(f"{where}: a record of {cells[1]} cells; the header has {width}")
    if "unterminated quote" in text:
        return ContractBroken(f"{where}: a quoted cell that does not end; allowed is CSV by RFC 4180")
    if "Maximum line size" in text:
        return ContractBroken(f"{where}: a record longer than {LONGEST_RECORD >> 20} MB")
    if "invalid state" in text:
        return ContractBroken(f"{where}: has line ends of more than one kind; allowed is CRLF or LF throughout")
    return ContractBroken(f"{where}: cannot be parsed as CSV; allowed is RFC 4180 with a comma between cells")


def stage_csv(con: duckdb.DuckDBPyConnection, table: str, source: Path, name: str, into: Path) -> Part:
    """Parses one CSV file into a Parquet file of the contract's columns, all text, empty cells null, rows in any order."""
    header = header_of(source, name)
    columns, others = match_columns(table, name, header)
    if not columns and len(header) == 1 and re.search("[;\t|]", header[0]):
        raise ContractBroken(f"{shown(name)}: the header is one column; allowed is a comma between cells")
    places = {spelling: f"c{place}" for place, spelling in enumerate(header)}
    kept = ", ".join(f"nullif({places[spelling]}, '') as {key}" for key, spelling in columns.items()) or "1 as nothing"
    names = ", ".join(f"'c{place}': 'varchar'" for place in range(len(header)))
    query = (
        f"copy (select {kept} from read_csv({paths_sql([source])}, auto_detect = false, header = true, delim = ',', "
        f"quote = '\"', escape = '\"', columns = {{{names}}}, nullstr = {quoted(NO_CELL)}, strict_mode = true, "
        f"null_padding = false, ignore_errors = false, compression = 'none', max_line_size = {LONGEST_RECORD})) "
        f"to {quoted(str(into))} (format parquet, compression snappy)"
    )
    try:
        rows = con.execute(query).fetchall()[0][0]
    except duckdb.InvalidInputException as error:
        raise csv_refusal(name, error, len(header)) from None
    return Part(into, name, {key: key for key in columns}, dict.fromkeys(columns, "VARCHAR"), {}, others, rows)


# --- Parquet --------------------------------------------------------------------------------------------------------


def parquet_parts(con: duckdb.DuckDBPyConnection, table: str, files: Sequence[Path], folder: Path) -> list[Part]:
    """What the footers of a table's Parquet files tell of their columns and rows."""
    for file in files:
        if file.stat().st_size == 0:
            raise ContractBroken(f"{shown(relative(file, folder))}: is empty, without even a header")
    try:
        return read_footers(con, table, files, folder)
    except duckdb.Error:
        for file in files:
            try:
                read_footers(con, table, [file], folder)
            except duckdb.Error:
                raise ContractBroken(f"{shown(relative(file, folder))}: cannot be read as Parquet") from None
        raise


def read_footers(con: duckdb.DuckDBPyConnection, table: str, files: Sequence[Path], folder: Path) -> list[Part]:
    """As `parquet_parts`, without saying which file is at fault."""
    rows = dict(con.execute(f"select file_name, num_rows from parquet_file_metadata({paths_sql(files)})").fetchall())
    schemas: dict[str, list[tuple[str, int | None, str]]] = {}
    for file_name, name, children, kind in con.execute(
        "select file_name, name, num_children, concat_ws(' ', type, type_length, converted_type, logical_type, scale, "
        f"precision) from parquet_schema({paths_sql(files)})"
    ).fetchall():
        schemas.setdefault(file_name, []).append((name, children, kind))
    types: dict[tuple[object, ...], dict[str, str]] = {}
    parts = []
    for file in files:
        schema, name = schemas[str(file)], relative(file, folder)
        columns, others = match_columns(table, name, top_level(schema))
        if tuple(schema) not in types:
            described = con.execute(
                f"describe select * from read_parquet({paths_sql([file])}, binary_as_string = true, hive_partitioning = false)"
            ).fetchall()
            types[tuple(schema)] = {row[0]: row[1] for row in described}
        found = types[tuple(schema)]
        kinds = {key: found[spelling] for key, spelling in columns.items()}
        parts.append(Part(file, name, columns, kinds, {}, others, rows[str(file)]))
    return parts


def top_level(schema: Sequence[tuple[str, int | None, str]]) -> list[str]:
    """The names of a Parquet file's own columns, those inside nested ones left out."""
    names = []
    place = 1

    def skip(place: int) -> int:
        children = schema[place][1] or 0
        place += 1
        for _ in range(children):
            place = skip(place)
        return place

    while place < len(schema):
        names.append(schema[place][0])
        place = skip(place)
    return names


# --- the whole ------------------------------------------------------------------------------------------------------


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
    for table in contract.load().values():
        if table.is_required and table.name not in found:
            raise ContractBroken(f"{table.name}: the table is missing; required as {ENDINGS} or a folder of them")
    work.mkdir(parents=True, exist_ok=True)
    total = sum(file.stat().st_size for each in found.values() for file in each.files)
    read_bytes = 0

    def reporter(name: str) -> Callable[[int], None]:
        def report(count: int) -> None:
            nonlocal read_bytes
            read_bytes += count
            if progress is not None:
                progress(name, read_bytes, total)

        return report

    settings: dict[str, Any] = {"memory_limit": memory_limit, "temp_directory": str(work / "spill")}
    settings["preserve_insertion_order"] = False  # keeping it costs a third more
    if threads:
        settings["threads"] = threads
    encoding = manifest.get("encoding") or UTF8
    records: list[FileRecord] = []
    tables = {}
    with duckdb.connect(config=settings) as con, ThreadPoolExecutor(1) as reader:
        prepare(con)
        for table_name, each in found.items():
            names = [relative(file, folder) for file in each.files]
            if each.kind == "parquet":
                records += [hash_file(file, name, reporter(name)) for file, name in zip(each.files, names, strict=True)]
                parts = parquet_parts(con, table_name, each.files, folder)
            else:
                copies = [work / f"{table_name}-{number}.csv" for number in range(len(names))]
                jobs = [(file, name, encoding, copy, reporter(name)) for file, name, copy in zip(each.files, names, copies, strict=True)]
                parts = []
                for number, decoded in enumerate(ahead(reader, jobs)):
                    records.append(decoded.record)
                    into = work / f"{table_name}-{number}.parquet"
                    parts.append(stage_csv(con, table_name, decoded.file, names[number], into))
                    if decoded.is_copy:
                        decoded.file.unlink()
            tables[table_name] = TableFiles(table_name, tuple(placed(each, parts)), each.kind == "csv")
    extract = Extract(folder, tables, manifest, records, [f"not read: {shown(name)}" for name in ignored])
    hold_to_manifest(extract)
    return extract


def in_order(extract: Extract, part: Part) -> Part:
    """A staged part once more, its rows in the order of its CSV file; for messages that count rows."""
    copy, into = part.file.with_suffix(".again.csv"), part.file.with_suffix(".again.parquet")
    source = extract.folder / part.name
    with duckdb.connect() as con:
        decoded = decode_csv(source, part.name, extract.manifest.get("encoding") or UTF8, copy, lambda _: None)
        table = table_of(part.name.split("/")[0]) or part.name.split("/")[0].lower()
        return replace(stage_csv(con, table, decoded.file, part.name, into), partition=part.partition)


def ahead(reader: ThreadPoolExecutor, jobs: Sequence[tuple[Any, ...]]) -> Iterator[Decoded]:
    """CSV files, decoded; the next one is read while the one before is parsed."""
    coming: Future[Decoded] | None = None
    for number in range(len(jobs)):
        present = coming or reader.submit(decode_csv, *jobs[number])
        decoded = present.result()
        coming = reader.submit(decode_csv, *jobs[number + 1]) if number + 1 < len(jobs) else None
        yield decoded


def placed(found: Found, parts: Sequence[Part]) -> Iterator[Part]:
    """Parts with the columns that stand in their paths; a column that is in the file too is read from the file."""
    for file, part in zip(found.files, parts, strict=True):
        partition, keys = partition_of(found.table, file, found.root)
        own = {key: value for key, value in partition.items() if key not in part.columns}
        yield replace(part, partition=own, others=part.others + keys)
