"""Native extracts: every form that the contract allows reads the same, and what is not whole is refused."""

import csv
import gzip
import json
import os
import random
from collections.abc import Callable
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract_extracts import GOOD, csv_text, good, gzipped, judge, write, write_parquet
from transforms.errors import ContractBroken, UsageError
from transforms.ingest import native
from transforms.ingest.detect import detect
from transforms.ingest.native import stage

LABS = [
    good("labs", 1, test_name="抗双链DNA", value="阴性", unit="", ref_low="", flag="↑", status="Final"),
    good("labs", 2, test_name='say "x", y', value="<0.5", unit="g/L", ref_low="0.5", flag="", status=""),
    good("labs", 3, test_name="two\nlines", value="1:320", unit="", ref_low="", flag="hh", status="corrected"),
]


def lab_rows(folder: Path) -> list[tuple[object, ...]]:
    """The labs of an extract as the contract reads them."""
    return [row[:-1] for row in judge(folder).rows("labs")]  # but for row_hash, which tells how the cells were written


@pytest.fixture
def expected(tmp_path: Path) -> list[tuple[object, ...]]:
    """LABS as read from plain CSV."""
    return lab_rows(write(tmp_path / "plain", labs=LABS))


def as_bom(folder: Path) -> None:
    write(folder, labs=b"\xef\xbb\xbf" + csv_text(LABS).encode())


def as_gzip(folder: Path) -> None:
    write(folder, {"labs": None})
    (folder / "labs.csv.gz").write_bytes(gzipped(csv_text(LABS)))


def as_members(folder: Path) -> None:
    """Two gzip files one behind the other, as `cat` makes them, and the zeros of a last block."""
    text = csv_text(LABS).encode()
    write(folder, {"labs": None})
    (folder / "labs.csv.gz").write_bytes(gzip.compress(text[:80]) + gzip.compress(text[80:]) + b"\0" * 512)


def as_gb18030(folder: Path) -> None:
    write(folder, labs=csv_text(LABS).encode("gb18030"), manifest={"encoding": "gb18030"})


def as_gbk_gzip(folder: Path) -> None:
    write(folder, {"labs": None}, manifest={"encoding": "GBK"})
    (folder / "labs.csv.gz").write_bytes(gzip.compress(csv_text(LABS).encode("gbk")))


def as_utf16(folder: Path) -> None:
    tables = {name: csv_text([GOOD[name]]).encode("utf-16") for name in ("patients", "diagnoses", "medications")}
    write(folder, tables, labs=csv_text(LABS).encode("utf-16"), manifest={"encoding": "utf-16"})


def as_bom_in_gb18030(folder: Path) -> None:
    """A file that says it is UTF-8 is, whatever extract.json declares for the others."""
    as_bom(folder)
    (folder / "extract.json").write_text('{"encoding": "gb18030"}')


def as_parts(folder: Path) -> None:
    write(folder, {"labs": None})
    (folder / "labs" / "deeper").mkdir(parents=True)
    (folder / "labs" / "_SUCCESS").write_text("")
    (folder / "labs" / ".part.crc").write_bytes(b"\0")
    (folder / "labs" / "SHA256SUMS").write_text("nothing")
    for number, row in enumerate(LABS[:2]):
        (folder / "labs" / f"part-{number}.csv").write_bytes(csv_text([row]).encode())
    (folder / "labs" / "deeper" / "part-2.csv.gz").write_bytes(gzipped(csv_text(LABS[2:])))


def as_parts_of_other_columns(folder: Path) -> None:
    """A nullable column missing in one part, another order of columns, names in capitals and padded."""
    write(folder, {"labs": None})
    (folder / "labs").mkdir()
    first = [{name: value for name, value in LABS[0].items() if name != "ref_low"}]
    (folder / "labs" / "a.csv").write_bytes(csv_text(first).encode())
    rest = [{f" {name.upper()} ": row[name] for name in reversed(LABS[0])} for row in LABS[1:]]
    (folder / "labs" / "b.csv").write_bytes(csv_text(rest).encode())


def as_text_parquet(folder: Path) -> None:
    write(folder, {"labs": None})
    write_parquet(folder / "labs.parquet", LABS)


def typed(row: dict[str, str]) -> dict[str, object]:
    """A row of labs with natural values."""
    low = float(row["ref_low"]) if row["ref_low"] else None
    return row | {"collected_at": datetime.fromisoformat(row["collected_at"]), "ref_low": low}


def as_natural_parquet(folder: Path) -> None:
    write(folder, {"labs": None})
    kinds = {
        "collected_at": pa.timestamp("ms"),
        "ref_low": pa.float64(),
        "status": pa.dictionary(pa.int32(), pa.string()),
        "value": pa.large_string(),
    }
    write_parquet(folder / "labs.parquet", [typed(row) for row in LABS], kinds)


def as_mixed_parquet(folder: Path) -> None:
    """Parts of the same table with other types and other columns."""
    write(folder, {"labs": None})
    kinds = {"collected_at": pa.timestamp("us"), "ref_low": pa.float64()}
    write_parquet(folder / "labs" / "0.parquet", [typed(row) for row in LABS[:1]], kinds)
    write_parquet(folder / "labs" / "1.parquet", LABS[1:2])
    plain = [{name: value for name, value in LABS[2].items() if value} for _ in range(1)]
    write_parquet(folder / "labs" / "2.parquet", plain, {"value": pa.binary()})


def as_hive(folder: Path) -> None:
    """Columns of the contract, and one of the site's own, that stand in the path alone."""
    write(folder, {"labs": None})
    for row in LABS:
        rest = [{name: value for name, value in row.items() if name not in ("code_system", "status", "test_name")}]
        status = row["status"] or "__HIVE_DEFAULT_PARTITION__"
        name = row["test_name"].replace("\n", "%0A").replace('"', "%22").replace("/", "%2F")
        path = folder / "labs" / "site=north" / f"code_system={row['code_system']}" / f"status={status}" / f"test_name={name}"
        write_parquet(path / "part.parquet", rest)


def as_hive_csv(folder: Path) -> None:
    write(folder, {"labs": None})
    for row in LABS:
        path = folder / "labs" / f"code_system={row['code_system']}" / f"lab={row['lab_id']}"
        path.mkdir(parents=True)
        rest = [{name: value for name, value in row.items() if name != "code_system"}]
        (path / "part.csv").write_bytes(csv_text(rest).encode())


def as_spark_folder(folder: Path) -> None:
    """Spark and Dask call a folder of parts `labs.parquet`."""
    write(folder, {"labs": None})
    write_parquet(folder / "labs.parquet" / "part-00000.snappy.parquet", LABS)


def as_odd_names(folder: Path) -> None:
    """Names that DuckDB would take for patterns."""
    write(folder, {"labs": None})
    for number, name in enumerate(("a[1]", "a1", "it's*?")):
        write_parquet(folder / "labs" / f"{name}.parquet", LABS[number : number + 1])


def as_capitals(folder: Path) -> None:
    write(folder, {"labs": None})
    (folder / "LABS.CSV").write_bytes(csv_text(LABS).encode())


def as_bare_line_feeds(folder: Path) -> None:
    write(folder, labs=csv_text(LABS).replace("\r\n", "\n").removesuffix("\n").encode())


def as_blank_end(folder: Path) -> None:
    write(folder, labs=csv_text(LABS) + "\r\n\r\n")


def as_more_columns(folder: Path) -> None:
    """Columns of the site's own, unread; some without a name."""
    text = csv_text([row | {"ward": "7b", "": "", "machine id": "x"} for row in LABS])
    write(folder, labs=text)


FORMS = [
    as_bom,
    as_gzip,
    as_members,
    as_gb18030,
    as_gbk_gzip,
    as_utf16,
    as_bom_in_gb18030,
    as_parts,
    as_parts_of_other_columns,
    as_text_parquet,
    as_natural_parquet,
    as_mixed_parquet,
    as_hive,
    as_hive_csv,
    as_spark_folder,
    as_odd_names,
    as_capitals,
    as_bare_line_feeds,
    as_blank_end,
    as_more_columns,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_reads_the_same(form: Callable[[Path], None], tmp_path: Path, expected: list[tuple[object, ...]]) -> None:
    form(tmp_path / "other")
    assert lab_rows(tmp_path / "other") == expected


def test_a_cell_is_what_was_written(tmp_path: Path) -> None:
    """Ids, codes and names keep every sign, blanks around them too; an empty or blank cell is null."""
    text = ' padded \t"quoted", 中文 é \u3000'
    rows = [good("labs", 1, test_name=text, unit="", flag="  "), good("labs", 2, test_name='""', unit=" \t ")]
    read = judge(write(tmp_path / "x", labs=rows)).rows("labs", "test_name, unit, flag")
    assert read == [(text, None, None), ('""', None, None)]


def test_no_character_of_gb18030_is_lost(tmp_path: Path) -> None:
    """Four-byte characters too, and ones that lie across the pieces in which a file is read."""
    text = "".join(chr(code) for code in (*range(0x4E00, 0x9FA6), 0x20AC, 0x3400, 0x20000, 0x1F600)) * 60
    rows = [good("labs", 1, test_name=text), good("labs", 2, test_name="x" + text)]
    extract = write(tmp_path / "x", labs=csv_text(rows).encode("gb18030"), manifest={"encoding": "gb18030"})
    assert judge(extract).rows("labs", "test_name") == [(text,), ("x" + text,)]


def test_quotes_and_lines_survive_parallel_parsing(tmp_path: Path) -> None:
    """Python's csv module and DuckDB agree on a file of many buffers full of quoted commas, quotes and line ends."""
    chance = random.Random(7)
    cells = ["a", "男性", "x,y", 'he said "hi"', "line1\nline2", "line\r\nbreak", "", " pad ", '"', ",", "é" * 300]
    rows = [[f"l{n}", "p1", "LOINC", "c", "2026-01-01", chance.choice(cells) * 3 or "0", chance.choice(cells)] for n in range(200_000)]
    path = tmp_path / "x"
    write(path, {"labs": None})
    with (path / "labs.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["lab_id", "patient_id", "code_system", "code", "collected_at", "value", "unit"])
        writer.writerows(rows)
    staged = stage(path, tmp_path / "work").tables["labs"]
    assert staged.rows == len(rows)
    read = duckdb.connect().execute(f"select lab_id, value, unit from '{staged.parts[0].file}'").fetchall()
    assert sorted(read) == sorted((row[0], row[5] if row[5].strip() else None, row[6] or None) for row in rows)


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    header = csv_text([GOOD["labs"]]).split("\r\n")[0]
    for number, text in enumerate((header, header + "\r\n")):
        judged = judge(write(tmp_path / f"x{number}", labs=text))
        assert judged.rows("labs") == []
        assert judged.report.tables["labs"].rows_read == 0
    write(tmp_path / "y", {"labs": None})
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in GOOD["labs"]}), tmp_path / "y" / "labs.parquet")
    assert judge(tmp_path / "y").rows("labs") == []


def test_an_extract_of_headers_alone_is_whole(tmp_path: Path) -> None:
    tables = {name: csv_text([row]).split("\r\n")[0] for name, row in GOOD.items()}
    judged = judge(write(tmp_path / "x", tables))
    assert all(judged.report.tables[name].rows_read == 0 for name in tables)


def test_absent_tables_and_columns_read_as_nothing(tmp_path: Path) -> None:
    judged = judge(write(tmp_path / "x"))
    assert judged.rows("observations") == []
    assert judged.rows("medications", "route, route_text, dose_value, as_needed, end_date, status") == [(None,) * 6]
    tables = judged.con.sql("select table_name, is_present, rows from run.tables").fetchall()
    assert ("labs", True, 1) in tables
    assert ("procedures", False, 0) in tables


def test_what_else_lies_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    folder = write(tmp_path / "x")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "README.txt").write_text("of last night")
    (folder / "labs.csv.sha256").write_text("of last night")
    (folder / "_SUCCESS").write_text("")
    (folder / "logs").mkdir()
    (folder / "logs" / "labs.csv").write_text("not a table")
    (folder / "notes.csv").write_text("a\n1\n")
    notes = judge(folder).report.notes
    assert [note for note in notes if note.startswith("not read: ")] == [
        f"not read: {name}" for name in (".DS_Store", "README.txt", "_SUCCESS", "labs.csv.sha256", "logs", "notes.csv")
    ]


def test_a_link_inside_the_extract_is_followed(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", labs=LABS)
    (folder / "store").mkdir()
    (folder / "labs.csv").rename(folder / "store" / "labs-20260301.csv")
    (folder / "labs.csv").symlink_to("store/labs-20260301.csv")
    assert len(lab_rows(folder)) == 3
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert len(lab_rows(tmp_path / "link")) == 3


def test_files_are_recorded_and_progress_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", labs=LABS)
    told: list[tuple[str, int, int]] = []
    extract = stage(folder, tmp_path / "work", lambda *news: told.append(news))
    content = (folder / "labs.csv").read_bytes()
    assert [(each.path, each.size, each.sha256) for each in extract.files if each.path == "labs.csv"] == [
        ("labs.csv", len(content), sha256(content).hexdigest())
    ]
    assert told[-1][1] == told[-1][2] == sum(each.size for each in extract.files)
    assert not list((tmp_path / "work").glob("*.csv"))


def test_manifest_that_holds(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", labs=LABS)
    hashes = {"labs.csv": sha256((folder / "labs.csv").read_bytes()).hexdigest().upper()}
    manifest = {"as_of": "2026-03-01", "source": "north", "tables": {"labs": {"rows": 3, "sha256": hashes}}, "more": 1}
    (folder / "extract.json").write_text("\ufeff" + json.dumps(manifest), encoding="utf-8")
    assert judge(folder, as_of=None).report.as_of == date(2026, 3, 1)


# --- refused --------------------------------------------------------------------------------------------------------

ROW = csv_text([GOOD["labs"]])
HEADER = ROW.split("\r\n")[0]


def bad_bytes(content: bytes | str, **manifest: object) -> Callable[[Path], None]:
    """An extract whose labs.csv is this."""

    def make(folder: Path) -> None:
        write(folder, labs=content, manifest=manifest or None)

    return make


def two_forms(folder: Path) -> None:
    write(folder)
    write_parquet(folder / "labs.parquet", LABS)


def two_forms_with_folder(folder: Path) -> None:
    write(folder)
    write_parquet(folder / "labs" / "0.parquet", LABS)


def mixed_parts(folder: Path) -> None:
    write(folder, {"labs": None})
    write_parquet(folder / "labs" / "0.parquet", LABS)
    (folder / "labs" / "1.csv").write_text(ROW)


def empty_folder(folder: Path) -> None:
    write(folder, {"labs": None})
    (folder / "labs").mkdir()


def missing_table(folder: Path) -> None:
    write(folder, {"labs": None})


def missing_column(folder: Path) -> None:
    write(folder, labs=[{name: value for name, value in GOOD["labs"].items() if name != "value"}])


def missing_column_in_a_part(folder: Path) -> None:
    as_parts(folder)
    (folder / "labs" / "part-1.csv").write_text("lab_id,patient_id,code_system,code,collected_at\n")


def link_outside(folder: Path) -> None:
    write(folder, {"labs": None})
    outside = folder.parent / "outside.csv"
    outside.write_text(ROW)
    (folder / "labs.csv").symlink_to(outside)


def link_outside_in_a_part(folder: Path) -> None:
    as_parts(folder)
    (folder / "labs" / "part-9.csv").symlink_to("../../outside.csv")


def link_of_a_folder(folder: Path) -> None:
    write(folder, {"labs": None})
    (folder.parent / "elsewhere").mkdir()
    (folder / "labs").symlink_to(folder.parent / "elsewhere", target_is_directory=True)


def link_of_junk(folder: Path) -> None:
    write(folder)
    (folder / "notes").symlink_to("/etc/hostname")


def link_of_the_manifest(folder: Path) -> None:
    write(folder)
    (folder.parent / "other.json").write_text("{}")
    (folder / "extract.json").symlink_to("../other.json")


def link_in_a_circle(folder: Path) -> None:
    write(folder, {"labs": None})
    (folder / "labs.csv").symlink_to("labs.csv")


def broken_link(folder: Path) -> None:
    write(folder, {"labs": None})
    (folder / "labs.csv").symlink_to("gone.csv")


def pipe(folder: Path) -> None:
    write(folder, {"labs": None})
    os.mkfifo(folder / "labs.csv")


def cut_gzip(folder: Path) -> None:
    as_gzip(folder)
    packed = (folder / "labs.csv.gz").read_bytes()
    (folder / "labs.csv.gz").write_bytes(packed[:-12])


def damaged_gzip(folder: Path) -> None:
    as_gzip(folder)
    packed = bytearray((folder / "labs.csv.gz").read_bytes())
    packed[-6] ^= 0xFF
    (folder / "labs.csv.gz").write_bytes(packed)


def no_gzip(folder: Path) -> None:
    as_gzip(folder)
    (folder / "labs.csv.gz").write_text(ROW)


def cut_parquet(folder: Path) -> None:
    as_text_parquet(folder)
    whole = (folder / "labs.parquet").read_bytes()
    (folder / "labs.parquet").write_bytes(whole[: len(whole) // 2])


def empty_parquet(folder: Path) -> None:
    as_text_parquet(folder)
    (folder / "labs.parquet").write_bytes(b"")


def no_parquet(folder: Path) -> None:
    as_text_parquet(folder)
    (folder / "labs.parquet").write_text(ROW)


def damaged_parquet(folder: Path) -> None:
    """The footer is whole, the pages are not."""
    rows = [good("labs", number, test_name=f"t{number}") for number in range(2000)]
    write(folder, {"labs": None})
    write_parquet(folder / "labs" / "0.parquet", LABS)
    write_parquet(folder / "labs" / "1.parquet", rows)
    path = folder / "labs" / "1.parquet"
    content = bytearray(path.read_bytes())
    content[4:200] = os.urandom(196)
    path.write_bytes(content)


def twin_parquet_columns(folder: Path) -> None:
    as_text_parquet(folder)
    row = pa.table({name: pa.array([value]) for name, value in GOOD["labs"].items()})
    pq.write_table(row.append_column("Value ", pa.array(["2"])), folder / "labs.parquet")


def wrong_parquet_type(folder: Path) -> None:
    as_text_parquet(folder)
    write_parquet(folder / "labs.parquet", [GOOD["labs"] | {"code": 1.5}], {"code": pa.float64()})


def nested_parquet(folder: Path) -> None:
    as_text_parquet(folder)
    write_parquet(folder / "labs.parquet", [GOOD["labs"] | {"value": ["1"]}], {"value": pa.list_(pa.string())})


REFUSED = {
    "two forms": (two_forms, r"^labs: is there in two forms, labs.csv and labs.parquet; allowed is one$"),
    "a file and a folder": (two_forms_with_folder, r"^labs: is there in two forms, labs/ and labs.csv; allowed is one$"),
    "mixed parts": (mixed_parts, r"^labs: CSV and Parquet parts are mixed in labs/; allowed is one kind$"),
    "a folder without parts": (empty_folder, r"^labs: labs/ holds no part; allowed are parts in \.csv, \.csv\.gz, \.parquet$"),
    "a required table missing": (missing_table, r"^labs: the table is missing; required as \.csv, \.csv\.gz, \.parquet or"),
    "a required column missing": (
        missing_column,
        r"^labs: the column value is missing in labs\.csv; required are lab_id, patient_id, code_system, code, collected_at, value$",
    ),
    "a required column missing in a part": (missing_column_in_a_part, r"^labs: the column value is missing in labs/part-1\.csv;"),
    "an empty file": (bad_bytes(""), r"^labs\.csv: is empty, without even a header$"),
    "blank lines alone": (bad_bytes("\r\n \r\n"), r"^labs\.csv: is empty, without even a header$"),
    "a byte order mark alone": (bad_bytes(b"\xef\xbb\xbf"), r"^labs\.csv: is empty, without even a header$"),
    "a blank line for a header": (bad_bytes("\r\n" + ROW), r"^labs\.csv: the first line is no header;"),
    "a semicolon between cells": (bad_bytes(ROW.replace(",", ";")), r"^labs\.csv: the header is one column; allowed is a comma"),
    "NUL bytes": (bad_bytes(ROW.replace("120", "12\0")), r"^labs\.csv: holds NUL bytes near byte \d+$"),
    "gb18030 that is not declared": (
        bad_bytes(csv_text(LABS).encode("gb18030")),
        r'^labs\.csv: does not decode as utf-8 near byte \d+; allowed is UTF-8, or the encoding that extract.json declares as "encoding"',
    ),
    "another encoding than declared": (
        bad_bytes(csv_text(LABS).encode("utf-8")[:-40] + b"\xff\xff", encoding="gb18030"),
        r"^labs\.csv: does not decode as gb18030 near byte \d+;",
    ),
    "UTF-8 declared as gb18030": (
        bad_bytes(csv_text([good("labs", 1, test_name="女" * 60)]).encode(), encoding="gb18030"),
        r"^labs\.csv: is UTF-8 throughout; extract\.json declares gb18030$",
    ),
    "cut in the middle of a character": (bad_bytes(ROW.encode() + "l2,男".encode()[:-1]), r"^labs\.csv: does not decode as utf-8"),
    "a duplicate header": (bad_bytes(f"{HEADER},Code\r\n"), r"^labs\.csv: the column code is there twice in the header; allowed is once$"),
    "a duplicate header of no table": (bad_bytes(f"{HEADER},x,x \r\n"), r"^labs\.csv: the column x is there twice in the header;"),
    "a record too short": (
        bad_bytes(ROW + "l2,p1,LOINC,1,2026-01-01\r\n" + ROW),
        r"^labs\.csv, line 3: a record of 5 cells; the header has 6$",
    ),
    "a record too long": (
        bad_bytes(ROW + "l2,p1,LOINC,1,2026-01-01,5,mg\r\n"),
        r"^labs\.csv, line 3: a record of 7 cells; the header has 6$",
    ),
    "one empty cell too many": (
        bad_bytes(ROW + "l2,p1,LOINC,1,2026-01-01,5,\r\n"),
        r"^labs\.csv, line 3: a record of 7 cells; the header has 6$",
    ),
    "cut in a record": (bad_bytes(ROW + "l2,p1,LOI"), r"^labs\.csv, line 3: a record of 3 cells; the header has 6$"),
    "cut in a quoted cell": (bad_bytes(ROW + 'l2,p1,LOINC,1,2026-01-01,"positi'), r"^labs\.csv, line 3: a quoted cell that does not end;"),
    "a quote that is not escaped": (bad_bytes(ROW + 'l2,p1,LOINC,1,2026-01-01,"a"b"\r\n'), r"^labs\.csv, line 3: "),
    "line ends of two kinds": (
        bad_bytes(ROW + "l2,p1,LOINC,1,2026-01-01,5\n"),
        r"^labs\.csv: has line ends of more than one kind; allowed is CRLF or LF throughout$",
    ),
    "a million columns": (
        bad_bytes(HEADER + ",".join(f"x{n}" for n in range(70000)) + "\r\n"),
        r"^labs\.csv: has 70005 columns; allowed are 4096$",
    ),
    "a link outside": (link_outside, r"^labs\.csv: leads outside the extract's folder; files and links must stay inside it$"),
    "a link outside in a part": (link_outside_in_a_part, r"^labs/part-9\.csv: leads outside the extract's folder;"),
    "a linked folder outside": (link_of_a_folder, r"^labs: leads outside the extract's folder;"),
    "a link outside that is no table": (link_of_junk, r"^notes: leads outside the extract's folder;"),
    "extract.json outside": (link_of_the_manifest, r"^extract\.json: leads outside the extract's folder;"),
    "a link to itself": (link_in_a_circle, r"^labs\.csv: (a link that leads nowhere|is no regular file)"),
    "a link to nothing": (broken_link, r"^labs\.csv: is no regular file;"),
    "a pipe": (pipe, r"^labs\.csv: is no regular file;"),
    "a gzip cut off": (cut_gzip, r"^labs\.csv\.gz: is no whole gzip file \(cut off\)$"),
    "a damaged gzip": (damaged_gzip, r"^labs\.csv\.gz: is no whole gzip file \(damaged\)$"),
    "a gzip that is none": (no_gzip, r"^labs\.csv\.gz: is no whole gzip file \(damaged\)$"),
    "a Parquet file cut off": (cut_parquet, r"^labs\.parquet: cannot be read as Parquet$"),
    "an empty Parquet file": (empty_parquet, r"^labs\.parquet: is empty, without even a header$"),
    "a Parquet file that is none": (no_parquet, r"^labs\.parquet: cannot be read as Parquet$"),
    "a damaged Parquet file": (damaged_parquet, r"^labs: labs/1\.parquet cannot be read as Parquet \(damaged\)$"),
    "a duplicate Parquet column": (twin_parquet_columns, r"^labs\.parquet: the column value is there twice in the header;"),
    "a Parquet type that cannot be": (wrong_parquet_type, r"^labs\.code: the column's type is DOUBLE; allowed: text or whole numbers$"),
    "a nested Parquet column": (nested_parquet, r"^labs\.value: the column's type is VARCHAR\[\]; allowed: text or whole numbers$"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str, tmp_path: Path) -> None:
    make, message = REFUSED[what]
    make(tmp_path / "x")
    with pytest.raises(ContractBroken, match=message) as caught:
        judge(tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert "120" not in str(caught.value)  # no data value is printed


MANIFESTS = {
    "no JSON": ("{", r"^extract\.json: is not JSON in UTF-8$"),
    "no object": ("[]", r"^extract\.json: the whole is not an object$"),
    "a key twice": ('{"as_of": "2026-01-01", "as_of": "2026-03-01"}', r"^extract\.json: the key as_of is there twice; allowed is once$"),
    "no date": ({"as_of": "2026-02-30"}, r"^extract\.json: as_of is not a date like 2026-03-01$"),
    "a date in another form": ({"as_of": "20260301"}, r"^extract\.json: as_of is not a date like 2026-03-01$"),
    "a number for a date": ({"as_of": 20260301}, r"^extract\.json: as_of is not a date like 2026-03-01$"),
    "an unknown encoding": ({"encoding": "gb99"}, r"^extract\.json: encoding is not the name of a text encoding like gb18030$"),
    "no encoding of text": ({"encoding": "zlib"}, r"^extract\.json: encoding is not the name of a text encoding"),
    "a source that is no text": ({"source": 5}, r"^extract\.json: source is not text$"),
    "tables that are no object": ({"tables": ["labs"]}, r"^extract\.json: tables is not an object$"),
    "a table that is no object": ({"tables": {"labs": 1}}, r"^extract\.json: tables\.labs is not an object$"),
    "a table that is not there": (
        {"tables": {"procedures": {}}},
        r"^extract\.json: names the table procedures, which is not in the extract$",
    ),
    "a table of no contract": ({"tables": {"notes": {}}}, r"^extract\.json: names the table notes, which is not in the extract$"),
    "rows that are no number": ({"tables": {"labs": {"rows": "1"}}}, r"^extract\.json: tables\.labs\.rows is not a number of rows$"),
    "rows that are a truth": ({"tables": {"labs": {"rows": True}}}, r"^extract\.json: tables\.labs\.rows is not a number of rows$"),
    "too few rows": ({"tables": {"labs": {"rows": 2}}}, r"^labs: has 1 rows; extract\.json says 2$"),
    "too many rows": ({"tables": {"labs": {"rows": 0}}}, r"^labs: has 1 rows; extract\.json says 0$"),
    "hashes that are no object": (
        {"tables": {"labs": {"sha256": "ab"}}},
        r"^extract\.json: tables\.labs\.sha256 is not an object: file name to hash$",
    ),
    "a hash that is none": (
        {"tables": {"labs": {"sha256": {"labs.csv": "ab"}}}},
        r"^extract\.json: tables\.labs\.sha256 of labs\.csv is not a SHA-256",
    ),
    "another hash": (
        {"tables": {"labs": {"sha256": {"labs.csv": "0" * 64}}}},
        r"^labs: labs\.csv has the SHA-256 [0-9a-f]{64}; extract\.json says 0{64}$",
    ),
    "a file that is not there": (
        {"tables": {"labs": {"sha256": {"labs.parquet": "0" * 64}}}},
        r"^labs: extract\.json names the file labs\.parquet, which is not in the extract$",
    ),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_manifest_refused(what: str, tmp_path: Path) -> None:
    manifest, message = MANIFESTS[what]
    write(tmp_path / "x", manifest=manifest)
    with pytest.raises(ContractBroken, match=message):
        judge(tmp_path / "x")


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "x")
    (tmp_path / "x" / "extract.json").write_bytes('{"source": "上海第一医院"}'.encode("gb18030"))
    with pytest.raises(ContractBroken, match=r"^extract\.json: is not JSON in UTF-8$"):
        judge(tmp_path / "x")


def test_a_file_that_vanishes_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", {"labs": None})
    write_parquet(folder / "labs.parquet", LABS)

    def remove(*_: object) -> None:
        (folder / "labs.parquet").unlink(missing_ok=True)

    with pytest.raises(ContractBroken, match=r"^labs\.parquet: cannot be read"):
        stage(folder, tmp_path / "work", remove)


def test_a_gzip_file_must_not_unpack_beyond_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_gzip(tmp_path / "x")
    (tmp_path / "x" / "labs.csv.gz").write_bytes(gzipped(ROW + " " * (40 << 20)))
    monkeypatch.setattr(native, "UNPACKED_FREELY", 1 << 20)
    with pytest.raises(ContractBroken, match=r"^labs\.csv\.gz: unpacks to more than 250 times its size$"):
        judge(tmp_path / "x")


def test_huge_cells_are_read_and_longer_ones_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extract = write(tmp_path / "x", labs=[good("labs", 1, test_name="x" * (12 << 20))])
    assert judge(extract).rows("labs", "strlen(test_name)") == [(12 << 20,)]
    monkeypatch.setattr(native, "LONGEST_RECORD", 4 << 20)
    with pytest.raises(ContractBroken, match=r"^labs\.csv, line 2: a record longer than 4 MB$"):
        judge(extract)


# --- which door -----------------------------------------------------------------------------------------------------


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_formats_are_recognised(tmp_path: Path) -> None:
    assert detect(write(tmp_path / "native")) == "native"
    assert detect(touch(tmp_path / "hosp-inside", "hosp/patients.csv.gz", "icu/icustays.csv.gz")) == "mimiciv"
    flat = touch(tmp_path / "flat", "patients.csv.gz", "admissions.csv.gz", "labevents.csv.gz", "d_labitems.csv.gz")
    assert detect(flat) == "mimiciv"
    assert detect(flat, "native") == "native"


@pytest.mark.parametrize(
    ("names", "forced", "message"),
    [
        ((), None, r"no table of a known format; a native extract has patients, diagnoses, medications, labs,"),
        (("person.csv", "condition_occurrence.csv"), None, r"the format omop cannot be read yet; it can: native, mimiciv$"),
        (("Patient.ndjson",), None, r"the format fhir cannot be read yet; it can: native, mimiciv$"),
        (("labs.csv", "hosp/patients.csv"), None, r"looks like native and like mimiciv; say which with --format$"),
        (("labs.csv",), "fhir", r"the format fhir cannot be read yet"),
        (("labs.csv",), "xml", r"^--format xml: no such format; allowed: native, mimiciv, omop, fhir$"),
    ],
)
def test_formats_refused(names: tuple[str, ...], forced: str | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(UsageError, match=message):
        detect(touch(tmp_path / "x", *names), forced)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x: no such folder; an extract is a folder of tables$"):
        detect(tmp_path / "x")
