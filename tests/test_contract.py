"""The contract row by row: what is read, what is quarantined, what refuses the extract, each at and around its limits."""

import csv
import re
from collections import Counter
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import contract, gate, identity
from data_contracts.readers import prepare
from tests.contract_extracts import AS_OF, GOOD, Judged, good, judge, write, write_parquet
from transforms.errors import ContractBroken, UsageError
from transforms.ingest.native import stage

TABLES = contract.load()
WHOLE = {name: [row] for name, row in GOOD.items()}


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    """A connection with the contract's readers."""
    con = duckdb.connect()
    prepare(con)
    return con


# --- dates, against a second reading in Python ------------------------------------------------------------------------

DAYS = (
    r"(?P<y1>[0-9]{4})-(?P<m1>[0-9]{1,2})-(?P<d1>[0-9]{1,2})|(?P<y2>[0-9]{4})/(?P<m2>[0-9]{1,2})/(?P<d2>[0-9]{1,2})"
    r"|(?P<y3>[0-9]{4})(?P<m3>[0-9]{2})(?P<d3>[0-9]{2})|(?P<y4>[0-9]{4})年(?P<m4>[0-9]{1,2})月(?P<d4>[0-9]{1,2})日"
)
CLOCK = r"(?P<h>[0-9]{1,2}):(?P<mi>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]+))?)?"
OFFSET = r"[ 　]*(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
STAMP = re.compile(rf"(?:{DAYS})(?:(?:[Tt]|[ 　]+|(?<=日)){CLOCK}{OFFSET})?")


def reference(text: str) -> datetime | None:
    """A date or time as extract-contract's words say, by Python alone; None where the text is none."""
    match = STAMP.fullmatch(text.strip(contract.BLANKS))
    if not match:
        return None
    parts = match.groupdict()
    number = next(n for n in "1234" if parts["y" + n])
    try:
        micro = int((parts["f"] or "0").ljust(6, "0")[:6])
        hour, minute, second = (int(parts[name] or 0) for name in ("h", "mi", "s"))
        day = date(int(parts["y" + number]), int(parts["m" + number]), int(parts["d" + number]))
        return datetime.combine(day, time(hour, minute, second, micro))
    except ValueError:
        return None


digits = st.text("0123456789", min_size=1, max_size=4)
near_year = st.one_of(st.integers(1, 9999).map(lambda y: f"{y:04d}"), digits)
near_part = st.one_of(st.integers(0, 33).map(str), st.integers(0, 33).map(lambda n: f"{n:02d}"))
days = st.one_of(
    st.tuples(near_year, st.sampled_from("-/ ."), near_part, st.sampled_from("-/"), near_part).map("".join),
    st.tuples(near_year, near_part, near_part).map("".join),
    st.tuples(near_year, st.just("年"), near_part, st.just("月"), near_part, st.just("日")).map("".join),
    st.dates(date(1, 1, 1)).map(lambda day: day.isoformat()),
    st.dates(date(1, 1, 1)).map(lambda day: f"{day.year:04d}/{day.month}/{day.day}"),
)
clocks = st.one_of(
    st.just(""),
    st.tuples(
        st.sampled_from(["T", "t", " ", "  ", "　", "", "x"]),
        st.tuples(near_part, st.just(":"), near_part).map("".join),
        st.sampled_from(["", ":00", ":59", ":60", ":5", ":07.5", ":07,25", ":07.1234567891", ":07."]),
        st.sampled_from(["", "Z", "z", "+08:00", "-0330", "+08", " +08:00", "+8", "Asia/Shanghai", " (BC)"]),
    ).map("".join),
    st.datetimes(datetime(1900, 1, 1)).map(lambda stamp: stamp.isoformat()[10:]),
)
stamps = st.tuples(st.sampled_from(["", " ", "\t", "　"]), days, clocks, st.sampled_from(["", " ", "\r", " x"])).map("".join)
SPECIALS = (
    "infinity|-infinity|epoch|now|today|| |2026|2026-03|-200-01-01|2026-03-01 (BC)|12026-03-01|2026-03-01 24:00:00|2026-03-01T23:59:60|"
    "1 26-03-01|12 6-03-01|２０２６-03-01|2026-03-01T08:30+08|46082|2026-W09-7"
)
specials = st.sampled_from(SPECIALS.split("|"))


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(stamps, specials, st.text("0123456789-/:. TZ年月日", max_size=20)))
def test_dates_read_as_the_reference_does(con: duckdb.DuckDBPyConnection, text: str) -> None:
    found_day, found_time = con.execute("select gate.as_date($text), gate.as_time($text)", {"text": text}).fetchall()[0]
    expected = reference(text)
    assert found_time == expected
    assert found_day == (expected.date() if expected else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", "2026-03-01 00:00:00"),
        ("2026-03-01T08:30:00", "2026-03-01 08:30:00"),
        ("2026-03-01 08:30", "2026-03-01 08:30:00"),
        ("2026-03-01T23:30:00+08:00", "2026-03-01 23:30:00"),
        ("2026-03-01T23:30:00.123456Z", "2026-03-01 23:30:00.123456"),
        ("20260301", "2026-03-01 00:00:00"),
        ("2026/3/1", "2026-03-01 00:00:00"),
        ("2026/03/01 8:05", "2026-03-01 08:05:00"),
        ("2026-3-1", "2026-03-01 00:00:00"),
        ("2026年3月1日", "2026-03-01 00:00:00"),
        ("2026年3月1日 08:30", "2026-03-01 08:30:00"),
        ("2026年3月1日08:30:01", "2026-03-01 08:30:01"),
        ("2024-02-29", "2024-02-29 00:00:00"),
        ("2026-02-29", None),
        ("2026-13-01", None),
        ("2026-3/1", None),
        ("01/03/2026", None),
    ],
)
def test_dates_of_the_contract(con: duckdb.DuckDBPyConnection, text: str, expected: str | None) -> None:
    assert con.execute("select gate.as_time($text)::varchar", {"text": text}).fetchall() == [(expected,)]


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(st.floats(), st.integers(-(10**12), 10**12), st.text("0123456789.,+-eE_ xnaif", max_size=8)).map(str))
def test_numbers_are_plain(con: duckdb.DuckDBPyConnection, text: str) -> None:
    found = con.execute("select gate.as_number($text)", {"text": text}).fetchall()[0][0]
    plain = re.fullmatch(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", text)
    expected = float(text) if plain else None
    assert found == (expected if expected not in (float("inf"), float("-inf")) else None)


def test_blanks_are_the_same_in_python_and_sql(con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute("select gate.blanks()").fetchall() == [("".join(sorted(contract.BLANKS, key=lambda sign: (sign != " ", sign))),)]


# --- words ----------------------------------------------------------------------------------------------------------


WORDS: list[tuple[str, str, str, object]] = [
    ("patients", "sex", "F", "female"),
    ("patients", "sex", " 女 ", "female"),
    ("patients", "sex", "男", "male"),
    ("patients", "sex", "m", "male"),
    ("patients", "sex", "UNKNOWN", "unknown"),
    ("diagnoses", "code_system", "ICD-10-CM", "ICD10CM"),
    ("diagnoses", "code_system", "icd 9 cm", "ICD9CM"),
    ("diagnoses", "code_system", "ICD-10 CN", "ICD10CN"),
    ("diagnoses", "code_system", "\tSnomed\u3000", "SNOMED"),
    ("diagnoses", "status", "Entered-In-Error", "entered-in-error"),
    ("procedures", "code_system", "icd-10-pcs", "ICD10PCS"),
    ("medications", "as_needed", "是", True),
    ("medications", "as_needed", "否", False),
    ("medications", "as_needed", "YES", True),
    ("medications", "as_needed", "0", False),
    ("medications", "route", "PO", "oral"),
    ("medications", "route", "静脉滴注", "iv"),
    ("medications", "route", "intra-articular", "intra-articular"),
    ("medications", "route", "somewhere", None),
    ("labs", "flag", "↑", "H"),
    ("labs", "flag", "↓", "L"),
    ("labs", "flag", "hh", "HH"),
    ("labs", "flag", "!!", None),
    ("chart_reviews", "item_id", "c-fever", "C-fever"),
    ("chart_reviews", "item_id", " i02A", "I02a"),
    ("chart_reviews", "answer", "Yes", "yes"),
    ("dispositions", "status", "Do-Not-Contact", "do-not-contact"),
]


@pytest.mark.parametrize("table", sorted({case[0] for case in WORDS}))
def test_words(table: str, tmp_path: Path) -> None:
    cases = [case[1:] for case in WORDS if case[0] == table]
    rows = [good(table, number, **{column: text}) for number, (column, text, _) in enumerate(cases, 1)]
    judged = judge(write(tmp_path / "x", WHOLE | {table: rows}))
    key = TABLES[table].key
    for row, (column, _, expected) in zip(rows, cases, strict=True):
        read = judged.con.execute(f"select {column}, violations from raw.{table} where {key} = $id", {"id": row[key]}).fetchall()
        assert read == [(expected, [])], row


def test_a_route_that_is_none_is_kept(tmp_path: Path) -> None:
    rows = [good("medications", 1, route=" Somewhere"), good("medications", 2, route="口服"), good("medications", 3, route=" ")]
    judged = judge(write(tmp_path / "x", medications=rows))
    assert judged.rows("medications", "route, route_text") == [(None, " Somewhere"), ("oral", None), (None, None)]


# --- the quarantine, cause by cause -----------------------------------------------------------------------------------

LATEST = "2027-03-01"  # D + 1 year
BEYOND = "2027-03-02"

BAD_CELLS: list[tuple[str, str, str, str]] = [
    *((t.name, c.name, " ", "null") for t in TABLES.values() for c in t.columns if not c.is_nullable and c.name != t.key),
    *((t.name, c.name, "x", c.bad) for t in TABLES.values() for c in t.columns if c.bad),
    *((t.name, c.name, "1899-12-31", "date_out_of_range") for t in TABLES.values() for c in t.columns
      if c.is_dated and c.type != "integer"),
    *((t.name, c.name, BEYOND, "date_out_of_range") for t in TABLES.values() for c in t.columns
      if c.is_dated_up_to_limit and c.type != "integer" and c.name != "index_date"),
    *((t.name, c.name, value, "not_positive") for t in TABLES.values() for c in t.columns if c.is_positive for value in ("0", "-0.5")),
    ("patients", "birth_year", "1899", "date_out_of_range"),
    ("patients", "birth_year", "2028", "date_out_of_range"),
    ("patients", "birth_year", "1980.5", "not_an_integer"),
    ("labs", "ref_low", "NaN", "not_a_number"),
    ("labs", "ref_high", "-inf", "not_a_number"),
    ("labs", "ref_high", "1,234", "not_a_number"),
    ("labs", "collected_at", "2027-03-02T00:00:00", "date_out_of_range"),
    ("labs", "collected_at", "2026-02-30", "not_a_date"),
    ("labs", "code_system", "ICD10CM", "not_allowed"),
    ("diagnoses", "status", "final", "not_allowed"),
    ("chart_reviews", "item_id", "I12", "item_unknown"),
]  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_a_bad_cell_quarantines_its_row(table: str, tmp_path: Path) -> None:
    cases = [case[1:] for case in BAD_CELLS if case[0] == table]
    rows = [good(table, number) | {column: text} for number, (column, text, _) in enumerate(cases, 2)]
    folder = write(tmp_path / "x", WHOLE | {table: [GOOD[table], *rows]})
    judged = judge(folder, max_rejected_share=1, min_rejected_rows=10**6)
    assert judged.rejected(table) == Counter(f"{column}:{cause}" for column, _, cause in cases)
    assert judged.report.tables[table].rows_read == len(cases) + 1
    found = {row[0]: row[1] for row in judged.rows(table, f"{TABLES[table].key}, violations")}
    assert found.pop(GOOD[table][TABLES[table].key]) == []
    for row, (column, _, cause) in zip(rows, cases, strict=True):
        assert found[row[TABLES[table].key]][0] == f"{column}:{cause}", row


GOOD_CELLS = [
    *((t.name, c.name, "1900-01-01") for t in TABLES.values() for c in t.columns
      if c.is_dated and c.type != "integer" and c.name not in ("end_date", "valid_until", "death_date", "index_date")),
    *((t.name, c.name, LATEST) for t in TABLES.values() for c in t.columns if c.is_dated_up_to_limit and c.type != "integer"),
    ("labs", "collected_at", "2027-03-01T23:59:59.999999"),
    ("patients", "birth_year", "1900"),
    ("patients", "birth_year", "2027"),
    ("patients", "birth_year", "1980.0"),
    ("patients", "death_date", "1990-01-01"),
    ("diagnoses", "end_date", "9999-12-31"),
    ("medications", "end_date", "2030-01-01"),
    ("chart_reviews", "valid_until", "2099-12-31"),
    ("medications", "doses_per_day", "0.001"),
    ("medications", "days_supply", "0.5"),
    ("labs", "ref_low", "-1.5e-3"),
]  # fmt: skip


def test_a_cell_at_its_limit_is_good(tmp_path: Path) -> None:
    tables: dict[str, list[dict[str, str]]] = {name: [row] for name, row in GOOD.items()}
    for number, (table, column, text) in enumerate(GOOD_CELLS, 10):
        tables[table].append(good(table, number) | {column: text})
    judged = judge(write(tmp_path / "x", tables))
    for table, rows in tables.items():
        assert judged.rejected(table) == {}, table
        assert judged.rows(table, "violations") == [([],)] * len(rows)


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        ("diagnoses", {"onset_date": "2020-01-02", "end_date": "2020-01-01"}, "end_date:end_before_start"),
        ("diagnoses", {"onset_date": "2020-01-01", "end_date": "2020-01-01T08:00:00"}, None),
        ("diagnoses", {"onset_date": "", "end_date": "1950-01-01"}, None),
        ("medications", {"start_date": "2020-01-02", "end_date": "2020-01-01"}, "end_date:end_before_start"),
        ("medications", {"start_date": "2020-01-01", "end_date": "2020-01-01"}, None),
        ("medications", {"code": "", "drug_name": ""}, "code:no_code_or_name"),
        ("medications", {"code": "", "code_system": "", "drug_name": "泼尼松"}, None),
        ("medications", {"code": "H02AB06", "drug_name": ""}, None),
        ("chart_reviews", {"reviewed_date": "2026-01-02", "valid_until": "2026-01-01"}, "valid_until:end_before_start"),
        ("chart_reviews", {"reviewed_date": "2026-01-02", "valid_until": "2026-01-02"}, None),
        ("patients", {"birth_date": "", "birth_year": ""}, "birth_year:no_birth"),
        ("patients", {"birth_date": "", "birth_year": "1980"}, None),
        ("patients", {"birth_date": "1980-02-30", "birth_year": "1980"}, "birth_date:not_a_date"),
    ],
)
def test_what_columns_say_together(table: str, changes: dict[str, str], expected: str | None, tmp_path: Path) -> None:
    rows = [GOOD[table], good(table, 2, **changes)]
    judged = judge(write(tmp_path / "x", WHOLE | {table: rows}))
    assert judged.rejected(table) == ({expected: 1} if expected else {})


def test_rows_of_unknown_and_of_quarantined_patients(tmp_path: Path) -> None:
    patients = [GOOD["patients"], good("patients", 2, sex="?")]
    labs = [GOOD["labs"], good("labs", 2, patient_id="p2"), good("labs", 3, patient_id="p3"), good("labs", 4, patient_id="p1 ")]
    judged = judge(write(tmp_path / "x", patients=patients, labs=labs))
    assert judged.rejected("labs") == {"patient_id:patient_unknown": 2, "patient_id:patient_rejected": 1}
    assert judged.report.tables["labs"].rows_counted == 2


def test_a_row_counts_once_under_its_first_violation(tmp_path: Path) -> None:
    """In the order of columns.csv; a row that is bad in itself and of a quarantined patient is bad in itself."""
    patients = [GOOD["patients"], good("patients", 2, sex="?")]
    labs = [
        GOOD["labs"],
        good("labs", 2, code="", value="", status="?", ref_low="x"),
        good("labs", 3, value="", ref_high="x", patient_id="p9"),
        good("labs", 4, status="?", patient_id="p2"),
    ]
    judged = judge(write(tmp_path / "x", patients=patients, labs=labs))
    assert judged.rejected("labs") == {"code:null": 1, "value:null": 1, "status:not_allowed": 1}
    assert judged.rows("labs", "violations")[1] == (["code:null", "value:null", "ref_low:not_a_number", "status:not_allowed"],)
    report = judged.report.tables["labs"]
    assert report.rows_read - report.rows_rejected == sum(row[0] == [] for row in judged.rows("labs", "violations")) == 1


def test_cells_of_a_quarantined_row_stay_readable(tmp_path: Path) -> None:
    rows = [GOOD["diagnoses"], good("diagnoses", 2, status="?", code="I63.9"), good("diagnoses", 3, recorded_date="2030-01-01")]
    judged = judge(write(tmp_path / "x", diagnoses=rows))
    assert judged.rows("diagnoses", "code, status, recorded_date")[1:] == [
        ("I63.9", None, date(2025, 1, 1)),
        ("M32.10", None, date(2030, 1, 1)),
    ]


def test_items_that_chart_reviews_may_name(tmp_path: Path) -> None:
    listed = [row["item_id"] for row in contract.rows_of("review_items.csv")]
    assert len(listed) == len(set(listed)) == 103
    assert {"I01", "I02e", "E20", "E16b", "S24", "C-dsdna-sm"} <= set(listed)
    rows = [good("chart_reviews", n, item_id=item) for n, item in enumerate(listed)]
    assert judge(write(tmp_path / "x", chart_reviews=rows)).rejected("chart_reviews") == {}
    rows = [good("chart_reviews", 1, item_id="X1"), good("chart_reviews", 2, item_id="I01")]
    assert judge(write(tmp_path / "y", chart_reviews=rows), known_items=["X1"]).rejected("chart_reviews") == {"item_id:item_unknown": 1}


# --- the day D --------------------------------------------------------------------------------------------------------


def test_each_patient_has_a_day(tmp_path: Path) -> None:
    """Dates are judged against the patient's own D + 1 year."""
    patients = [good("patients", 1, index_date="2150-06-01", birth_date="2100-01-01"), good("patients", 2, index_date="2015-02-28")]
    labs = [
        good("labs", 1, patient_id="p1", collected_at="2151-06-01 23:59"),
        good("labs", 2, patient_id="p1", collected_at="2151-06-02"),
        good("labs", 3, patient_id="p2", collected_at="2016-02-28"),
        good("labs", 4, patient_id="p2", collected_at="2016-02-29"),
    ]
    diagnoses = [good("diagnoses", 1, recorded_date="2150-01-01"), good("diagnoses", 2, patient_id="p2", recorded_date="2015-01-01")]
    tables: dict[str, Any] = {"patients": patients, "labs": labs, "diagnoses": diagnoses}
    judged = judge(
        write(tmp_path / "x", tables, medications=[good("medications", 1, patient_id="p2", start_date="2015-01-01")]), as_of=None
    )
    assert judged.report.as_of is None
    assert judged.rows("patients", "as_of, violations") == [(date(2150, 6, 1), []), (date(2015, 2, 28), [])]
    assert judged.rows("labs", "violations") == [([],), (["collected_at:date_out_of_range"],), ([],), (["collected_at:date_out_of_range"],)]
    assert judged.rejected("labs") == {"collected_at:date_out_of_range": 2}


def test_where_the_day_comes_from(tmp_path: Path) -> None:
    plain = write(tmp_path / "x", manifest={"as_of": "2026-02-02"})
    assert judge(plain, as_of=date(2026, 3, 3)).report.as_of == date(2026, 3, 3)
    assert judge(plain, as_of=None).rows("patients", "as_of") == [(date(2026, 2, 2),)]
    own = write(tmp_path / "y", patients=[good("patients", 1, index_date="2026-01-05"), good("patients", 2)])
    assert judge(own).rows("patients", "as_of") == [(date(2026, 1, 5),), (AS_OF,)]
    with pytest.raises(
        UsageError, match=r"^no day D: 1 rows of patients have no index_date; give --as-of DATE, or as_of in extract\.json$"
    ):
        judge(own, as_of=None)


@pytest.mark.parametrize("as_of", ["2024-02-29", "2023-02-28"])
def test_a_year_after_the_end_of_february(as_of: str, tmp_path: Path) -> None:
    """D + 1 year of 29 February is 28 February."""
    last = date.fromisoformat(as_of).replace(year=int(as_of[:4]) + 1, day=28)
    rows = [good("labs", 1, collected_at=f"{last} 23:00"), good("labs", 2, collected_at=f"{last + timedelta(1)}")]
    tables: dict[str, Any] = {name: [row | {"recorded_date": "2020-01-01"}] for name, row in GOOD.items() if name == "diagnoses"}
    folder = write(tmp_path / "x", tables, labs=rows, medications=[good("medications", 1, start_date="2020-01-01")])
    assert judge(folder, as_of=date.fromisoformat(as_of)).rejected("labs") == {"collected_at:date_out_of_range": 1}


# --- Parquet of natural types -------------------------------------------------------------------------------------------


def natural_labs(folder: Path, rows: list[dict[str, Any]], **types: pa.DataType) -> Judged:
    """An extract whose labs are Parquet with natural times and ranges."""
    write(folder, {"labs": None})
    kinds: dict[str, pa.DataType] = {"collected_at": pa.timestamp("us"), "ref_low": pa.float64(), "ref_high": pa.float32()}
    write_parquet(folder / "labs.parquet", rows, kinds | types)
    return judge(folder)


def test_natural_types_are_judged_alike(tmp_path: Path) -> None:
    when = datetime(2026, 2, 1, 8, 30)
    rows = [
        good("labs", 1) | {"collected_at": when, "ref_low": 1.5, "ref_high": 4.1},
        good("labs", 2) | {"collected_at": when, "ref_low": float("nan"), "ref_high": None},
        good("labs", 3) | {"collected_at": when, "ref_low": None, "ref_high": float("inf")},
        good("labs", 4) | {"collected_at": datetime(2027, 3, 2)},
        good("labs", 5) | {"collected_at": datetime(1899, 12, 31, 23, 59)},
        good("labs", 6) | {"collected_at": None},
        good("labs", 7) | {"collected_at": datetime(2027, 3, 1, 23, 59), "value": "   "},
        good("labs", 8) | {"collected_at": when, "value": None, "status": "ﬁnal"},
    ]
    judged = natural_labs(tmp_path / "x", rows)
    assert judged.rejected("labs") == {
        "collected_at:null": 1,
        "collected_at:date_out_of_range": 2,
        "value:null": 2,
        "ref_low:not_a_number": 1,
        "ref_high:not_a_number": 1,
    }
    assert judged.rows("labs", "ref_low, ref_high")[:3] == [(1.5, 4.1), (None, None), (None, None)]
    assert judged.rows("labs", "violations")[7] == (["value:null", "status:not_allowed"],)


def test_good_natural_types_need_no_reading(tmp_path: Path) -> None:
    """Where the footers rule a violation out it is not asked for; where they cannot, it is."""
    rows = [good("labs", n) | {"collected_at": datetime(2026, 2, 1), "ref_low": None, "ref_high": None} for n in range(3)]
    judged = natural_labs(tmp_path / "x", rows, code_system=pa.dictionary(pa.int8(), pa.string()))
    assert judged.rejected("labs") == {}
    view = judged.con.execute("select sql from duckdb_views() where schema_name = 'raw' and view_name = 'labs'").fetchall()[0][0]
    assert "ref_low:not_a_number" in view
    assert not re.search("collected_at:|value:null|code_system:|is_rejected", view)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (pa.date32(), date(2026, 2, 1), datetime(2026, 2, 1)),
        (pa.timestamp("s"), datetime(2026, 2, 1, 8), datetime(2026, 2, 1, 8)),
        (pa.timestamp("ns"), datetime(2026, 2, 1, 8), datetime(2026, 2, 1, 8)),
        (pa.timestamp("us", tz="Asia/Shanghai"), datetime(2026, 2, 1, 8), datetime(2026, 2, 1, 0)),
        (pa.int32(), 20260201, datetime(2026, 2, 1)),
        (pa.string(), "2026-02-01", datetime(2026, 2, 1)),
    ],
    ids=str,
)
def test_times_of_every_natural_type(kind: pa.DataType, value: object, expected: datetime, tmp_path: Path) -> None:
    """An instant with a zone is read on the clock of UTC: Parquet keeps no other."""
    if kind == pa.timestamp("us", tz="Asia/Shanghai"):
        value = pa.scalar(value, pa.timestamp("us")).cast(pa.timestamp("us")).as_py()
        expected = datetime(2026, 2, 1, 8)
        kind = pa.timestamp("us", tz="UTC")
    judged = natural_labs(tmp_path / "x", [GOOD["labs"] | {"collected_at": value}], collected_at=kind)
    assert judged.rows("labs", "collected_at, violations") == [(expected, [])]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [(pa.float64(), 8.0, "8"), (pa.float64(), 12.5, "12.5"), (pa.int64(), 7, "7"), (pa.decimal128(6, 2), 3, "3")],
    ids=str,
)
def test_values_that_are_numbers_become_text(kind: pa.DataType, value: object, expected: str, tmp_path: Path) -> None:
    rows = [GOOD["labs"] | {"collected_at": datetime(2026, 2, 1), "value": value}]
    assert natural_labs(tmp_path / "x", rows, value=kind).rows("labs", "value") == [(expected,)]


def test_ids_may_be_whole_numbers(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", {"labs": None}, patients=[GOOD["patients"] | {"patient_id": "10000032"}])
    write(
        folder,
        {n: [GOOD[n] | {"patient_id": "10000032"}] for n in ("diagnoses", "medications")}
        | {"patients": (folder / "patients.csv").read_bytes()},
    )
    (folder / "labs.csv").unlink()
    write_parquet(
        folder / "labs.parquet", [GOOD["labs"] | {"patient_id": 10000032, "lab_id": 5}], {"patient_id": pa.int64(), "lab_id": pa.int16()}
    )
    assert judge(folder).rows("labs", "lab_id, patient_id, violations") == [("5", "10000032", [])]


def test_natural_booleans_and_years(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", {"patients": None, "medications": None})
    patients = [{"patient_id": "p1", "sex": "F", "birth_year": 1980.0}, {"patient_id": "p2", "sex": "F", "birth_year": 1980.5}]
    write_parquet(folder / "patients.parquet", patients, {"birth_year": pa.float64()})
    medications = [good("medications", 1) | {"as_needed": True}, good("medications", 2) | {"as_needed": None}]
    write_parquet(folder / "medications.parquet", medications, {"as_needed": pa.bool_()})
    judged = judge(folder)
    assert judged.rows("medications", "as_needed") == [(True,), (None,)]
    assert judged.rows("patients", "birth_year, violations") == [(1980, []), (None, ["birth_year:not_an_integer", "birth_year:no_birth"])]


# --- refused --------------------------------------------------------------------------------------------------------


def labs_with(bad: int, of: int) -> list[dict[str, str]]:
    """So many labs, some of them without a value."""
    return [good("labs", n, value="" if n < bad else "5") for n in range(of)]


@pytest.mark.parametrize(
    ("bad", "of", "is_refused"),
    [(20, 399, True), (20, 400, False), (21, 400, True), (19, 300, False), (19, 20, False), (5, 5, True), (1, 1, True)],
)
def test_too_many_quarantined_rows(bad: int, of: int, is_refused: bool, tmp_path: Path) -> None:
    folder = write(tmp_path / "x", labs=labs_with(bad, of))
    if not is_refused:
        assert judge(folder).rejected("labs") == {"value:null": bad}
        return
    most = rf"most of them value:null \({bad} rows, first lab_id l0\)"
    message = (
        rf"^labs: all {of} rows are quarantined, {most}; allowed is at least one good row$"
        if bad == of
        else rf"^labs: {bad} of {of} rows are quarantined, {most}; allowed are 0\.05 of the rows, "
        r"or fewer than 20$"
    )
    with pytest.raises(ContractBroken, match=message):
        judge(folder)


def test_the_limits_are_parameters(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", labs=labs_with(3, 10))
    assert judge(folder, max_rejected_share=0.3, min_rejected_rows=1).rejected("labs") == {"value:null": 3}
    with pytest.raises(ContractBroken, match=r"^labs: 3 of 10 rows are quarantined, .* allowed are 0\.2 of the rows, or fewer than 3$"):
        judge(folder, max_rejected_share=0.2, min_rejected_rows=3)


def test_rows_lost_with_their_patient_do_not_count(tmp_path: Path) -> None:
    patients = [GOOD["patients"], good("patients", 2, sex="?")]
    labs = [good("labs", n, patient_id="p2") for n in range(60)] + [good("labs", 99)]
    judged = judge(write(tmp_path / "x", patients=patients, labs=labs))
    assert judged.rejected("labs") == {"patient_id:patient_rejected": 60}
    unknown = [good("labs", n, patient_id="p3") for n in range(60)] + [good("labs", 99)]
    with pytest.raises(ContractBroken, match=r"^labs: 60 of 61 rows are quarantined, most of them patient_id:patient_unknown \(60 rows"):
        judge(write(tmp_path / "y", labs=unknown))


@pytest.mark.parametrize("table", [name for name in TABLES if name != "patients"])
def test_a_primary_id_must_be_there(table: str, tmp_path: Path) -> None:
    key = TABLES[table].key
    rows = [GOOD[table], GOOD[table] | {key: " "}]
    with pytest.raises(ContractBroken, match=rf"^{table}: {key} is empty in 1 rows; allowed is a unique id in every row$"):
        judge(write(tmp_path / "x", WHOLE | {table: rows}))


def test_a_patient_must_have_an_id(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"^patients: patient_id is empty in 1 rows; allowed is a unique id in every row$"):
        judge(write(tmp_path / "x", patients=[GOOD["patients"], GOOD["patients"] | {"patient_id": ""}]))


def test_a_patient_twice(tmp_path: Path) -> None:
    rows = [GOOD["patients"], GOOD["patients"] | {"sex": "F"}, GOOD["patients"]]
    with pytest.raises(ContractBroken, match=r"^patients: patient_id p1 is there 2 times with different contents; allowed is once$"):
        judge(write(tmp_path / "x", patients=rows))
    judged = judge(write(tmp_path / "y", patients=[GOOD["patients"], good("patients", 2), GOOD["patients"], GOOD["patients"]]))
    assert [row[0] for row in judged.rows("patients")] == ["p1", "p2"]
    assert (judged.report.tables["patients"].rows_read, judged.report.tables["patients"].duplicates) == (4, 2)
    keyless = [GOOD["patients"] | {"patient_id": ""}] * 2
    folder = write(tmp_path / "z", patients=[GOOD["patients"], GOOD["patients"], good("patients", 2), *keyless])
    assert failures(folder) == ["patients: patient_id is empty in 2 rows; allowed is a unique id in every row"]


def test_all_failures_are_told(tmp_path: Path) -> None:
    tables: dict[str, Any] = {"labs": labs_with(3, 3), "medications": [GOOD["medications"], good("medications", 1, medication_id="")]}
    folder = write(tmp_path / "x", tables, diagnoses=[{"diagnosis_id": "d"}])
    with pytest.raises(
        ContractBroken, match=r"^diagnoses: the column patient_id is missing in diagnoses\.csv.*\(and 2 more; zm001 validate lists them\)$"
    ):
        judge(folder)
    con = duckdb.connect()
    report = gate.examine(con, stage(folder, tmp_path / "w"), as_of=AS_OF, max_rejected_share=0.05, min_rejected_rows=20)
    assert [failure.split(":")[0] for failure in report.failures] == ["diagnoses", "medications", "labs"]
    assert not report.tables["diagnoses"].is_judged


# --- direct identity ----------------------------------------------------------------------------------------------------


def resident_id(first17: str) -> str:
    """A resident-id number with the check digit of GB 11643."""
    weights = [2 ** (17 - place) % 11 for place in range(17)]
    return first17 + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(first17, weights, strict=True)) % 11]


MAN, WOMAN = resident_id("11010519491231002"), resident_id("31010119850229004"[:6] + "19880229" + "004")


def is_resident_id(text: str) -> bool:
    """By Python alone, whether 18 characters are a resident-id number."""
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return 1900 <= born.year <= 2099 and resident_id(text[:17]) == text.upper()


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(
    st.text("0123456789", min_size=17, max_size=17).flatmap(lambda head: st.sampled_from("0123456789Xx").map(lambda last: head + last)),
    st.tuples(st.text("0123456789", min_size=6, max_size=6), st.dates(date(1850, 1, 1), date(2150, 1, 1)), st.integers(0, 999)).map(
        lambda parts: resident_id(f"{parts[0]}{parts[1]:%Y%m%d}{parts[2]:03d}")
    ),
))  # fmt: skip
def test_resident_ids_are_found(con: duckdb.DuckDBPyConnection, text: str) -> None:
    around = [text, f"ZY{text}", f"{text} ", f"a{text}b", f"no {text}, {text}"]
    assert [con.execute("select gate.has_resident_id($text)", {"text": each}).fetchall()[0][0] for each in around] == [
        is_resident_id(text)
    ] * 5
    longer = [f"{text}7", f"1{text}"]
    if text[-1].isdigit():
        assert not any(con.execute("select gate.has_resident_id($text)", {"text": each}).fetchall()[0][0] for each in longer)


IDENTITIES = {
    "a resident-id number": [MAN, WOMAN.lower(), f"id {MAN}"],
    "a mobile number": ["13800138000", "tel:13800138000;", "电话19912345678"],
    "an e-mail address": ["a.b@example.org", "write to x_1@mail.example.cn please", "李华X.Y-z@a-b.example.com"],
}
NO_IDENTITIES = [
    "12800138000",
    "138001380001",
    "1380013800",
    "HLA-B@27",
    "a @ b.c",
    MAN[:-1],
    MAN[:-1] + ("1" if MAN[-1] != "1" else "2"),
    MAN + "0",
]
TEXTS = [(t.name, c.name) for t in TABLES.values() for c in t.columns if "mobile" in c.identity]


def test_what_is_searched() -> None:
    assert {name for _, name in TEXTS} == {"display", "drug_name", "test_name", "note", "reason"}
    ids = {c.name for t in TABLES.values() for c in t.columns if c.identity == ("resident_id",)}
    assert ids == {c.name for t in TABLES.values() for c in t.columns if c.name.endswith("_id")}


def failures(folder: Path) -> list[str]:
    """All that is wrong with an extract."""
    extract = stage(folder, folder.parent / f"{folder.name}-work")
    return gate.examine(duckdb.connect(), extract, as_of=AS_OF, max_rejected_share=1, min_rejected_rows=10**6).failures


@pytest.mark.parametrize("place", range(3))
def test_identity_in_texts(place: int, tmp_path: Path) -> None:
    """Every searched text of every table, every kind: the row is named by its id, the cell is not shown."""
    tables = dict(WHOLE)
    expected = []
    for table, column in TEXTS:
        for number, (kind, texts) in enumerate(IDENTITIES.items(), 2):
            tables[table] = [*tables[table], good(table, number, **{column: texts[place]})]
            where = f"{column} in the row {TABLES[table].key} {GOOD[table][TABLES[table].key][0]}{number}"
            expected.append(f"{table}: {where} holds {kind}; direct identity must not be in an extract")
    assert sorted(failures(write(tmp_path / "x", tables))) == sorted(expected)


def test_what_is_no_identity(tmp_path: Path) -> None:
    tables = dict(WHOLE)
    for table, column in TEXTS:
        tables[table] = [good(table, number, **{column: text}) for number, text in enumerate(NO_IDENTITIES)]
    assert failures(write(tmp_path / "x", tables)) == []


def test_identity_in_primary_ids(tmp_path: Path) -> None:
    """Where the id is the identity the message names the row by its place."""
    tables = {name: [row, row | {TABLES[name].key: f"X{MAN}"}] for name, row in GOOD.items()}
    found = failures(write(tmp_path / "x", tables))
    assert found == [
        f"{name}: {TABLES[name].key} in row 2 of {name}.csv holds a resident-id number; direct identity must not be in an extract"
        for name in GOOD
    ]


def test_identity_in_patient_ids(tmp_path: Path) -> None:
    tables = {name: [row, good(name, 7) | {"patient_id": WOMAN}] for name, row in GOOD.items()}
    tables["chart_reviews"].append(good("chart_reviews", 8) | {"item_id": MAN})
    found = failures(write(tmp_path / "x", tables))
    assert len(found) == len(GOOD) + 1
    assert found[1] == (
        "diagnoses: patient_id in the row diagnosis_id d7 holds a resident-id number; direct identity must not be in an extract"
    )
    assert not any(number in failure for number in (MAN, WOMAN) for failure in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MAN, True),
        (WOMAN.lower(), True),
        (f" {MAN} ", True),
        (f"P{MAN}", True),
        (f"ZY-{MAN}-01", True),
        (f"north/{WOMAN}", True),
        (f"{MAN}0", False),
        (f"0{MAN}", False),
        (f"a1b{MAN}", False),
        (f"{WOMAN}c4d", False),
        (MAN[:-1], False),
        ("d41d8cd98f00b204e9800998ecf8427e", False),
    ],
)
def test_resident_ids_as_ids(con: duckdb.DuckDBPyConnection, text: str, expected: bool) -> None:
    assert con.execute("select gate.has_resident_id_as_id($text)", {"text": text}).fetchall() == [(expected,)]


def test_long_ids_made_of_identity_are_found(tmp_path: Path) -> None:
    """Ids of 32 signs and more are searched at their ends alone: what makes one of a number makes all of it."""
    prefix = "hospital-of-the-north-2026-labs-"
    rows = [good("labs", number, lab_id=f"{prefix}{MAN}-{number}") for number in range(3)]
    assert failures(write(tmp_path / "x", labs=rows))[0].startswith("labs: lab_id in row 1 of labs.csv holds a resident-id number;")
    digests = [good("labs", number, lab_id=sha256(str(number).encode()).hexdigest()) for number in range(200)]
    assert failures(write(tmp_path / "y", labs=digests)) == []


def test_mobile_numbers_are_allowed_as_ids(tmp_path: Path) -> None:
    rows = [GOOD["labs"] | {"lab_id": "13800138000"}]
    assert judge(write(tmp_path / "x", labs=rows)).rejected("labs") == {}


NAMED = (
    "name Name patient_name PatientName firstName surname last_name 姓名 患者姓名 phone Phone_No telephone mobile 手机号 联系电话 address "
    "home_address 住址 家庭地址 id_card 身份证号 national_id SSN passport email e-mail E_MAIL 邮箱 birth_place birthplace 出生地 籍贯 mrn "
    "MRN medical_record_no 病历号 住院号 xm sfzh lxdh contact_phone wechat"
)


def test_columns_named_like_identity(tmp_path: Path) -> None:
    assert [name for name in NAMED.split() if identity.identity_in_name(name) is None] == []
    rows = [GOOD["labs"] | {" PatientName ": ""}]
    message = r"^labs: the column PatientName looks like direct identity \(a person's name\); it must not be in an extract$"
    with pytest.raises(ContractBroken, match=message):
        judge(write(tmp_path / "x", labs=rows))


NOT_NAMED = (
    "ward_name item_name unit_name drug_name_zh test_name_en dept_code hadm_id subject_id visit_id device mobile_unit_id nationality "
    "race encounter_id telemetry addressee_count specimen_id hospital_id 科室 检验项目 caseload email_sent_flag order_no"
)


def test_columns_not_named_like_identity(tmp_path: Path) -> None:
    names = NOT_NAMED.split()
    for name in names:
        expected = name == "email_sent_flag"
        assert (identity.identity_in_name(name) is not None) == expected, name
    row = GOOD["labs"] | {name: MAN for name in names if identity.identity_in_name(name) is None}
    assert judge(write(tmp_path / "x", labs=[row])).rejected("labs") == {}


def test_no_column_of_the_contract_is_named_like_identity_but_by_intent() -> None:
    flagged = {column.name for table in TABLES.values() for column in table.columns if identity.identity_in_name(column.name)}
    assert flagged == set()


def test_identity_in_the_path_of_a_part(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", {"labs": None})
    write_parquet(folder / "labs" / "patient_name=x" / "0.parquet", [GOOD["labs"]])
    with pytest.raises(ContractBroken, match=r"^labs: the column patient_name looks like direct identity \(a person's name\)"):
        judge(folder)


# --- duplicates and rejects of the rows that were pulled ------------------------------------------------------------------


def pull(judged: Judged, table: str, *patients: str) -> None:
    """Makes pulled.<table> of the rows of some patients."""
    judged.con.execute("create schema if not exists pulled")
    judged.con.execute("create or replace table cohort as select unnest($patients) as patient_id", {"patients": list(patients)})
    judged.con.execute(f"create or replace table pulled.{table} as from raw.{table} semi join cohort using (patient_id)")


def test_identical_rows_count_once(tmp_path: Path) -> None:
    rows = [GOOD["labs"], GOOD["labs"], good("labs", 2), good("labs", 3, value=""), good("labs", 3, value="")]
    judged = judge(write(tmp_path / "x", patients=[GOOD["patients"], good("patients", 2)], labs=rows))
    pull(judged, "labs", "p1")
    gate.leave_one_copy(judged.con, "labs")
    gate.check_duplicate_ids(judged.con, "labs")
    assert judged.con.sql("select lab_id from pulled.labs order by all").fetchall() == [("l1",), ("l2",), ("l3",)]
    assert judged.con.sql("select is_usable from pulled.copies order by all").fetchall() == [(False,), (True,)]


@pytest.mark.parametrize("change", [{"value": "121"}, {"collected_at": "2026-02-01 08:30:00"}, {"status": "Final"}, {"patient_id": "p2"}])
def test_another_id_twice(change: dict[str, str], tmp_path: Path) -> None:
    """Rows that read alike but were written otherwise are two."""
    rows = [GOOD["labs"], GOOD["labs"] | change]
    judged = judge(write(tmp_path / "x", patients=[GOOD["patients"], good("patients", 2)], labs=rows))
    pull(judged, "labs", "p1", "p2")
    gate.leave_one_copy(judged.con, "labs")
    with pytest.raises(ContractBroken, match=r"^labs: lab_id l1 is there 2 times with different contents; allowed is once$"):
        gate.check_duplicate_ids(judged.con, "labs")


def test_ids_of_patients_not_assessed_are_not_looked_at(tmp_path: Path) -> None:
    rows = [GOOD["labs"], GOOD["labs"] | {"patient_id": "p2"}]
    judged = judge(write(tmp_path / "x", patients=[GOOD["patients"], good("patients", 2)], labs=rows))
    pull(judged, "labs", "p1")
    gate.leave_one_copy(judged.con, "labs")
    gate.check_duplicate_ids(judged.con, "labs")


def test_rejects_of_assessed_patients_are_all_listed(tmp_path: Path) -> None:
    """Of the others the first thousand of each table, column and cause by code point."""
    labs = [good("labs", n, patient_id="p1", value="") for n in range(1100)]
    labs += [good("labs", n, lab_id=f"x{n:05d}", patient_id="p2", value="") for n in reversed(range(1050))]
    labs += [good("labs", n, lab_id=f"y{n}", patient_id="p2", status="?") for n in range(3)]
    folder = write(tmp_path / "y", patients=[GOOD["patients"], good("patients", 2)], labs=[*labs, good("labs", 9, lab_id="z")])
    judged = judge(folder, max_rejected_share=1, min_rejected_rows=10**6)
    judged.con.execute("create table cohort as select 'p1' as patient_id")
    gate.rejects(judged.con, "cohort")
    counts = "select patient_id, column_name, cause, count(*), min(row_id), max(row_id) from gate.rejects group by all order by all"
    assert judged.con.sql(counts).fetchall() == [
        ("p1", "value", "null", 1100, "l0", "l999"),
        ("p2", "status", "not_allowed", 3, "y0", "y2"),
        ("p2", "value", "null", 1000, "x00000", "x00999"),
    ]


def test_rejects_tell_the_table_and_the_first_violation(tmp_path: Path) -> None:
    patients = [GOOD["patients"], good("patients", 2, sex="?", birth_date="")]
    labs = [GOOD["labs"], good("labs", 2, patient_id="p2"), good("labs", 3, patient_id="p9"), good("labs", 4, code="", value="")]
    judged = judge(write(tmp_path / "x", patients=patients, labs=labs))
    judged.con.execute("create table cohort as select 'p1' as patient_id")
    assert sorted(gate.rejects(judged.con, "cohort").fetchall()) == [
        ("labs", "l2", "patient_id", "patient_rejected", "p2"),
        ("labs", "l3", "patient_id", "patient_unknown", "p9"),
        ("labs", "l4", "code", "null", "p1"),
        ("patients", "p2", "sex", "not_allowed", "p2"),
    ]


def test_no_rejects(tmp_path: Path) -> None:
    judged = judge(write(tmp_path / "x"))
    judged.con.execute("create table cohort as select 'p1' as patient_id")
    assert gate.rejects(judged.con, "cohort").fetchall() == []


def test_counts_add_up(tmp_path: Path) -> None:
    """Rows read = used + quarantined + left out as duplicates, in every table."""
    tables = {name: [GOOD[name], good(name, 2), good(name, 2), good(name, 3) | {TABLES[name].columns[2].name: "?"}] for name in GOOD}
    tables["patients"] = [GOOD["patients"], good("patients", 2), good("patients", 2), good("patients", 3, sex="?")]
    judged = judge(write(tmp_path / "x", tables))
    for name, report in judged.report.tables.items():
        pull(judged, name, "p1", "p2")
        used = judged.con.sql(f"select count(*) from pulled.{name} where violations = []").fetchall()[0][0]
        if name != "patients":
            gate.leave_one_copy(judged.con, name)
            report.duplicates = used - judged.con.sql(f"select count(*) from pulled.{name} where violations = []").fetchall()[0][0]
            used -= report.duplicates
        assert report.rows_read == 4
        assert used + report.rows_rejected + report.duplicates == 4, name


# --- the contract itself ------------------------------------------------------------------------------------------------


def test_the_csv_files_speak_of_the_same_things() -> None:
    assert [column["table"] for column in contract.rows_of("columns.csv")] == [c.table for t in TABLES.values() for c in t.columns]
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert table.key.endswith("_id")
        assert "patient_id" in names[:2]
        for check in table.cross_checks:
            assert check.column in names
        assert {column.type for column in table.columns} <= {"text", "word", "open word", "date", "time", "number", "integer", "boolean"}
        for column in table.columns:
            assert (column.type in ("word", "open word", "boolean")) == bool(column.words)
    with files("data_contracts").joinpath("identity_patterns.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            assert re.compile(row["pattern"])
            assert row["kind"] in ("column", "cell")


def test_every_cause_is_tried_here() -> None:
    tried = {(table, column, cause) for table, column, _, cause in BAD_CELLS}
    known = {(t.name, column, cause) for t in TABLES.values() for column, cause in t.causes}
    crossed = {(c.table, c.column, c.cause) for t in TABLES.values() for c in t.cross_checks}
    of_patients = {case for case in known if case[2] in contract.PATIENT_CAUSES}
    keys = {(t.name, t.key, "null") for t in TABLES.values()}
    assert known - crossed - of_patients - keys - {("patients", "index_date", "date_out_of_range")} <= tried
