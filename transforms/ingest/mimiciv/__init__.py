"""The hosp module of MIMIC-IV, as its users have it on disk, turned into a native extract.

Everything clinical is in the SQL files beside this one (one per table of the contract, the readings in their first
lines) and in maps/mimiciv_*.csv. The LOINC of lab items come from mimic-iv/mapping/d_labitems_to_loinc.csv of
MIT-LCP/mimic-code (MIT licence, Copyright (c) 2019 MIT Laboratory for Computational Physiology); rows that were
corrected or retired say so.

Big tables go through DuckDB from file to file; nothing of them is held in Python.
"""

import csv
import gzip
import json
import re
import shutil
import tempfile
import zlib
from pathlib import Path

import duckdb

from transforms.errors import ContractBroken

HERE = Path(__file__).parent
MAPS = HERE.parent / "maps"
ENDINGS = (".csv.gz", ".csv", ".parquet")
REQUIRED = ("patients", "admissions", "diagnoses_icd", "labevents", "d_labitems")
TELLING = ("admissions", "diagnoses_icd", "labevents", "d_labitems", "prescriptions", "emar")  # no other format
NEEDS = {"procedures": ("procedures_icd",), "observations": ("omr",)}  # native tables that are absent with their source
NUMBERS = ("low_per_day", "high_per_day", "factor")
BOOLEANS = ("is_as_needed", "is_once", "is_required")
STEPS = ("pieces", "orders", "administrations")  # what the medications are made of
# patients last: day D is read from the other tables
TABLES = ("labs", "medications", "diagnoses", "procedures", "observations", "patients")


def recognises(folder: Path) -> bool:
    """Whether a folder holds the hosp module of MIMIC-IV: at least two of its tables by their names."""
    hosp = hosp_of(folder)
    return sum(any((hosp / (table + ending)).exists() for ending in ENDINGS) for table in TELLING) >= 2


def convert(folder: Path, into: Path, *, memory_limit: str = "2GB", threads: int | None = None) -> dict[str, dict[str, int]]:
    """Rows that could not be used fully, by table of the contract and reason; the native extract is written to `into`.

    Beside the tables (Parquet; the extra column `unmapped` says of each row what was lost, as `reason=word;reason`)
    and extract.json it holds unmapped_rows.parquet, the rows that cannot be a native row at all (table, row_id,
    reason), and unmapped_terms.parquet, the item, unit, frequency, route or event behind each reason with its rows.

    Errors: ContractBroken where a required table or column is missing, or a file cannot be read.
    """
    hosp = hosp_of(folder)
    into.mkdir(parents=True, exist_ok=True)
    spill = Path(tempfile.mkdtemp(prefix=".spill-", dir=into))
    con = duckdb.connect()
    try:
        con.execute("set memory_limit = $limit", {"limit": memory_limit})
        con.execute("set temp_directory = $spill", {"spill": str(spill)})
        if threads is not None:
            con.execute("set threads = $threads", {"threads": threads})
        read_maps(con)
        present = read_sources(con, hosp)
        for step in STEPS:  # apart, so that no two big joins need memory at once
            copy_to(con, sql(step), spill / f"{step}.parquet")
            con.execute(f"create view door.{step} as from read_parquet({literal(str(spill / f'{step}.parquet'))})")
        rows = {}
        for table in TABLES:
            if all(source in present for source in NEEDS.get(table, ())):
                rows[table] = write_table(con, table, into)
            else:
                con.execute(f"create view native.{table} as select * exclude (unmapped) from ({sql(table)}) limit 0")
        counts = write_unmapped(con, into)
    except duckdb.Error as error:
        raise refusal(error, hosp) from None
    finally:
        con.close()
        shutil.rmtree(spill, ignore_errors=True)
    manifest = {"source": "MIMIC-IV hosp module", "tables": {table: {"rows": rows[table]} for table in sorted(rows)}}
    (into / "extract.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return counts


def hosp_of(folder: Path) -> Path:
    """The folder with the tables: `hosp` inside the given one, or the given one itself."""
    return folder / "hosp" if (folder / "hosp").is_dir() else folder


def sql(name: str) -> str:
    """The text of one SQL file of this package."""
    return (HERE / f"{name}.sql").read_text(encoding="utf-8")


def read_maps(con: duckdb.DuckDBPyConnection) -> None:
    """Loads maps/mimiciv_*.csv as tables of the schema maps, and the macros."""
    for schema in ("src", "maps", "door", "native"):
        con.execute(f"create schema {schema}")
    con.execute('create table door.lost ("table" varchar, row_id varchar, reason varchar)')
    con.execute('create table door.terms ("table" varchar, reason varchar, term varchar, rows bigint)')
    con.execute(sql("macros"))
    for path in sorted(MAPS.glob("mimiciv_*.csv")):
        header = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
        types = {name: "DOUBLE" if name in NUMBERS else "BOOLEAN" if name in BOOLEANS else "VARCHAR" for name in header}
        con.execute(
            f"create table maps.{path.stem.removeprefix('mimiciv_')} as select * from read_csv($path, header = true, "
            "auto_detect = false, delim = ',', quote = '\"', escape = '\"', columns = $types)",
            {"path": str(path), "types": types},
        )


def read_sources(con: duckdb.DuckDBPyConnection, hosp: Path) -> set[str]:
    """Names of the MIMIC tables that are there; each, absent or not, becomes a view src.NAME of text, blanks null."""
    present = set()
    wanted = con.execute('select "table", list("column"), list(is_required) from maps.columns group by all').fetchall()
    for table, columns, required in wanted:
        path = file_of(hosp, table)
        found = {} if path is None else columns_of(con, path)
        for column, is_required in zip(columns, required, strict=True):
            if path is not None and is_required and column not in found:
                raise ContractBroken(f"{path.name}: the column {column} of MIMIC-IV is missing")
        cells = ", ".join(f"{cell(found.get(name))} as {name}" for name in columns)
        source = "(select 1) where false" if path is None else scan(path, found)
        con.execute(f"create view src.{table} as select {cells} from {source}")
        if path is not None:
            present.add(table)
    return present


def file_of(hosp: Path, table: str) -> Path | None:
    """The one file of a MIMIC table, None where an optional one is absent."""
    files = [path for ending in ENDINGS if (path := hosp / (table + ending)).exists()]
    if len(files) > 1:
        raise ContractBroken(f"{table}: is there in two forms, {files[0].name} and {files[1].name}; allowed is one")
    if not files:
        if table in REQUIRED:
            wanted = ", ".join(table + ending for ending in ENDINGS)
            raise ContractBroken(f"{table}: is missing from the MIMIC-IV folder; required as one of {wanted}")
        return None
    if not files[0].resolve().is_relative_to(hosp.resolve()):
        raise ContractBroken(f"{files[0].name}: leads outside the extract's folder; links must stay inside it")
    if not files[0].is_file():
        raise ContractBroken(f"{files[0].name}: is no regular file")
    return files[0]


def columns_of(con: duckdb.DuckDBPyConnection, path: Path) -> dict[str, tuple[str, str]]:
    """The columns of a file: lower-case name -> name as written and DuckDB type."""
    if path.suffix == ".parquet":
        described = con.execute("describe select * from read_parquet($path)", {"path": str(path)}).fetchall()
        return {name.lower(): (name, kind) for name, kind, *_ in described}
    csv.field_size_limit(1 << 20)
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), None)
    except (UnicodeDecodeError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile):
        raise ContractBroken(f"{path.name}: cannot be read as CSV in UTF-8") from None
    if not header:
        raise ContractBroken(f"{path.name}: is empty, without even a header")
    columns = {name.strip().lower(): (name, "VARCHAR") for name in header}
    if len(columns) < len(header):
        raise ContractBroken(f"{path.name}: a column is there twice in the header")
    return columns


def scan(path: Path, columns: dict[str, tuple[str, str]]) -> str:
    """The SQL that reads a file; CSV with everything said, so that nothing is sniffed."""
    if path.suffix == ".parquet":
        return f"read_parquet({literal(str(path))})"
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name, _ in columns.values())
    return (
        f"read_csv({literal(str(path))}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{types}}})"
    )


def cell(column: tuple[str, str] | None) -> str:
    """The SQL of a column as trimmed text, null where blank or absent; a whole number kept as float loses its '.0'."""
    if column is None:
        return "null::varchar"
    name, kind = column
    text = f"cast({identifier(name)} as varchar)"
    if kind in ("DOUBLE", "FLOAT"):
        text = f"regexp_replace({text}, '\\.0$', '')"
    return f"nullif(trim({text}), '')"


def write_table(con: duckdb.DuckDBPyConnection, table: str, into: Path) -> int:
    """The number of rows of one native table, written as Parquet; rows that cannot be native rows go to door.lost."""
    path = into / f"{table}.parquet"
    copy_to(con, sql(table), path)
    con.execute(f"create view door.{table}_all as from read_parquet({literal(str(path))})")
    if count(con, f"door.{table}_all where starts_with(unmapped, 'lost:')"):
        whole = path.rename(path.with_name(f".whole-{table}.parquet"))
        con.execute(f"create or replace view door.{table}_all as from read_parquet({literal(str(whole))})")
        con.execute(
            f"insert into door.lost select '{table}', #1, regexp_extract(unmapped, '^lost:([a-z_]+)', 1) "
            f"from door.{table}_all where starts_with(unmapped, 'lost:')"
        )
        copy_to(con, f"from door.{table}_all where not starts_with(coalesce(unmapped, ''), 'lost:')", path)
        con.execute(f"create or replace view door.{table}_all as from read_parquet({literal(str(path))})")
        whole.unlink()
    con.execute(f"create view native.{table} as select * exclude (unmapped) from door.{table}_all")
    con.execute(
        f"insert into door.terms select '{table}', split_part(word, '=', 1), nullif(split_part(word, '=', 2), ''), "
        f"count(*) from (select unnest(string_split(unmapped, ';')) as word from door.{table}_all) group by all"
    )
    return count(con, f"native.{table}")


def write_unmapped(con: duckdb.DuckDBPyConnection, into: Path) -> dict[str, dict[str, int]]:
    """Rows by table and reason; the rows that were lost, and the words behind each reason, are written to `into`."""
    con.execute('insert into door.terms select "table", reason, null, count(*) from door.lost group by all')
    copy_to(con, "from door.lost order by all", into / "unmapped_rows.parquet")
    copy_to(con, 'from door.terms order by "table", reason, rows desc, term', into / "unmapped_terms.parquet")
    counts: dict[str, dict[str, int]] = {}
    totals = 'select "table", reason, sum(rows)::bigint from door.terms group by all order by all'
    for table, reason, rows in con.execute(totals).fetchall():
        counts.setdefault(table, {})[reason] = rows
    return counts


def copy_to(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Streams the rows of a query into a Parquet file."""
    con.execute(f"copy ({query}) to {literal(str(path))} (format parquet, compression zstd)")


def count(con: duckdb.DuckDBPyConnection, source: str) -> int:
    """The number of rows of a table, view or `table where condition`."""
    return int(con.execute(f"select count(*) from {source}").fetchall()[0][0])


def refusal(error: duckdb.Error, hosp: Path) -> Exception:
    """ContractBroken with file and line where a file of the extract could not be read, else the error; no cell."""
    text = str(error)
    for path in sorted(hosp.iterdir()):
        if path.name in text:
            line = re.search(r"Line: (\d+)", text)
            return ContractBroken(f"{path.name}: cannot be read{f' at line {line[1]}' if line else ''}")
    return error


def literal(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
