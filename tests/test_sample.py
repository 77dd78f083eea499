"""The sample generator: same call same bytes, a whole extract, the contract's words but for the slips, no identity."""

import csv
import json
import re
from collections import Counter
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl
import pytest

from data_contracts import contract, gate
from sample_data import make_sample as module
from sample_data.make_sample import SHIPPED, make_sample, sha256
from sample_data.showcase import showcase
from sample_data.vocabulary import ID_COLUMN, TABLES, vocabulary
from transforms.errors import UsageError
from transforms.ingest.native import stage

NATIVE = Path(module.__file__).parent / "native"
AS_OF = date(2026, 3, 1)


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "csv"
    make_sample(folder, 260, 3, csv=True)
    return folder


def cells(folder: Path, table: str) -> pl.DataFrame:
    return pl.read_csv(folder / f"{table}.csv", infer_schema=False)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def map_rows(name: str) -> list[dict[str, str]]:
    text = files("transforms").joinpath(f"normalise/maps/{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("as_csv", [True, False])
def test_same_call_same_bytes(tmp_path: Path, as_csv: bool) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_sample(tmp_path / folder, 80, seed, csv=as_csv)
    first = bytes_of(tmp_path / "a")
    assert bytes_of(tmp_path / "b") == first
    other = bytes_of(tmp_path / "c")
    assert all(other[name] != first[name] for name in first if name.startswith(("labs", "patients", "medications")))


def test_the_shipped_extract_is_what_the_generator_writes(tmp_path: Path) -> None:
    make_sample(tmp_path / "native", **SHIPPED)
    assert bytes_of(tmp_path / "native") == bytes_of(NATIVE)
    assert sum(len(content) for content in bytes_of(NATIVE).values()) < 1_500_000


def test_manifest_counts_and_hashes_hold(extract: Path) -> None:
    manifest = json.loads((extract / "extract.json").read_text(encoding="utf-8"))
    assert manifest["as_of"] == AS_OF.isoformat()
    assert list(manifest["tables"]) == list(contract.load())
    for table, facts in manifest["tables"].items():
        assert facts["rows"] == cells(extract, table).height > 0
        assert facts["sha256"] == {f"{table}.csv": sha256(extract / f"{table}.csv")}


def test_csv_and_parquet_hold_the_same_patients_and_results(extract: Path, tmp_path: Path) -> None:
    counts = make_sample(tmp_path / "parquet", 260, 3)
    for table, columns in TABLES.items():
        typed, text = pl.read_parquet(tmp_path / "parquet" / f"{table}.parquet"), cells(extract, table)
        assert dict(typed.schema) == columns
        assert counts[table] == typed.height == text.height
        assert text.columns == typed.columns == list(columns)
    assert pl.read_parquet(tmp_path / "parquet" / "labs.parquet")["unit"].equals(cells(extract, "labs")["unit"])


def test_a_large_sample_comes_in_parts_with_ids_that_are_unique_but_for_rows_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_LABS", 1)  # the least block: 500 patients
    counts = make_sample(tmp_path / "m", 1200, 5, sle_share=0.02, history_years=1.0)
    for table in ("diagnoses", "medications", "labs", "observations"):
        assert [file.name for file in sorted((tmp_path / "m" / table).iterdir())] == [f"part-{number:03d}.parquet" for number in range(3)]
    labs = pl.read_parquet(tmp_path / "m" / "labs")
    assert labs.height == counts["labs"]
    assert labs.unique().height == labs["lab_id"].n_unique() < labs.height
    assert pl.read_parquet(tmp_path / "m" / "patients.parquet").unique()["patient_id"].is_unique().all()
    manifest = json.loads((tmp_path / "m" / "extract.json").read_text(encoding="utf-8"))
    assert next(iter(manifest["tables"]["labs"]["sha256"])) == "labs/part-000.parquet"


@pytest.mark.parametrize("folder", ["generated", "shipped"])
def test_the_contract_accepts_it_and_quarantines_the_slips(extract: Path, tmp_path: Path, folder: str) -> None:
    staged = stage(extract if folder == "generated" else NATIVE, tmp_path / "work")
    with duckdb.connect() as con:
        report = gate.check(con, staged, as_of=AS_OF, max_rejected_share=0.05, min_rejected_rows=20)
    for table, found in report.tables.items():
        assert found.is_present
        assert found.rows_counted < max(20, 0.01 * found.rows_read), table
    causes = {(table, *cause) for table, found in report.tables.items() for cause in found.rejected}
    assert {table for table, *_ in causes} >= {"patients", "diagnoses", "medications", "labs", "observations"}
    assert len(causes) > 15
    assert report.tables["patients"].duplicates == 1


def test_words_are_the_contracts_but_for_the_slips(extract: Path) -> None:
    for table in contract.load().values():
        rows = cells(extract, table.name)
        for column in table.columns:
            if not column.words or column.type == "open word":
                continue
            is_system = column.name == "code_system"
            said = [contract.fold(word, is_system) for word in rows[column.name].drop_nulls()]
            strange = Counter(word for word in said if word not in column.words)
            assert strange.total() <= max(3, 0.001 * rows.height), (table.name, column.name, strange)


def test_nothing_looks_like_identity(extract: Path) -> None:
    identity = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)|\d{17}[\dXx]|[\w.]+@[\w.]+")
    for folder in (extract, NATIVE):
        for table in TABLES:
            rows = cells(folder, table)
            assert not re.search(identity, (folder / f"{table}.csv").read_text(encoding="utf-8"))
            assert rows["patient_id"].drop_nulls().str.contains(r"^Z[SX]\d{6}$").all()
            assert not {"name", "phone", "address"} & set(rows.columns)


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_lupus_share_and_women(tmp_path: Path, share: float) -> None:
    make_sample(tmp_path / "s", 900, 11, sle_share=share, history_years=1.0)
    others = pl.col("patient_id").str.starts_with("ZS0")
    diagnoses = pl.read_parquet(tmp_path / "s" / "diagnoses.parquet").filter(others)
    lupus = diagnoses.filter(pl.col("code").str.contains("^M32.?[189]|^710") | pl.col("display").str.contains("系统性红斑狼疮|狼疮性肾炎"))[
        "patient_id"
    ].unique()
    patients = pl.read_parquet(tmp_path / "s" / "patients.parquet").filter(others).unique()
    assert lupus.len() / patients.height == pytest.approx(share, abs=0.03)
    women = patients.filter(pl.col("patient_id").is_in(lupus.implode()))["sex"].is_in(["female", "F", "女"]).mean()
    assert women == pytest.approx(0.9, abs=0.07)


def test_a_flare_shows_in_complement_urine_and_dose(tmp_path: Path) -> None:
    make_sample(tmp_path / "s", 700, 2, sle_share=1.0)
    observations = pl.read_parquet(tmp_path / "s" / "observations.parquet")
    labs = pl.read_parquet(tmp_path / "s" / "labs.parquet")
    totals = observations.filter(pl.col("code").str.starts_with("SLEDAI") & ~pl.col("patient_id").str.starts_with("ZS9"))
    totals = totals.with_columns(total=pl.col("value").cast(pl.Float64, strict=False), day=pl.col("observed_at").dt.date())
    c3 = labs.filter(pl.col("code").is_in(["4485-9", "LIS0501"]) & (pl.col("unit") == "g/L")).with_columns(
        c3=pl.col("value").cast(pl.Float64, strict=False), day=pl.col("collected_at").dt.date()
    )
    both = totals.join(c3, on=["patient_id", "day"]).select(pl.corr("total", "c3")).item()
    assert both < -0.4


def test_designed_patients_cover_every_tier_and_carry_their_steps(extract: Path) -> None:
    people = showcase()
    assert [person["patient_id"] for person in people] == [f"ZS{900001 + k}" for k in range(len(people))]
    assert {person["tier"] for person in people} == {
        "ready",
        "check",
        "watch",
        "excluded",
        "not listed",
        "not in cohort",
    }
    items = set(contract.word_lists()["review_items"].values())
    for person in people:
        assert (person["tier"] == "watch") or not person["next_date"]
        assert {pair.split("=")[0] for pair in person["items"].split()} <= items
        assert {pair.split("=")[1] for pair in person["items"].split()} <= {"pass", "fail", "review", "unknown"}
    shots = cells(extract, "immunizations").filter(pl.col("patient_id") == "ZS900008")
    assert shots["given_date"].to_list() == ["2025-11-01", (AS_OF - timedelta(days=20)).isoformat()]


def test_vocabulary_is_known_to_the_maps() -> None:
    """What is meant to be read is read: codes, names and units of the sample's results and drugs are in the maps."""
    analytes = {row["analyte"]: row for row in map_rows("analytes")}
    for row in vocabulary("measurements").iter_rows(named=True):
        known = analytes.get(row["analyte"])
        if known is None:
            continue  # potassium and the like: they map to nothing on purpose
        if row["code_system"] == "LOINC":
            assert row["code"] in known["loinc"].split("|"), row
        else:
            name = row["test_name"] if row["table"] == "labs" else row["code"]
            assert name.casefold() in [word.casefold() for word in known["names"].split("|")] or name == "anticardiolipin IgG"
        units = {pair.rpartition("=")[0] for pair in known["units_and_factors"].split("|")}
        if known["kind"] in ("number", "observation"):
            assert (row["unit"] or "") in units, row
    meant = {row["ingredient"] for row in map_rows("drugs")}
    assert {"prednisone", "telitacicept", "belimumab", "entecavir"} <= meant
    names = [word.casefold() for row in map_rows("drugs") for word in row["names"].split("|") if word]
    used = vocabulary("drugs").filter(pl.col("code_system").is_null() | (pl.col("code_system") == "LOCAL"))
    unread = {row["drug"] for row in used.iter_rows(named=True) if not any(n in row["drug_name"].casefold() for n in names)}
    assert unread == {"calcium", "alfacalcidol", "celecoxib", "febuxostat", "tripterygium", "iguratimod", "ferrous"}


@pytest.fixture
def one(tmp_path: Path) -> Path:
    make_sample(tmp_path / "one", 1, 1, csv=True)
    return tmp_path / "one"


def test_one_patient_is_enough(one: Path) -> None:
    assert cells(one, "patients")["patient_id"].to_list() == ["ZS900001"]
    assert cells(one, "labs").height > 20
    assert all((one / f"{table}.csv").read_text(encoding="utf-8").startswith(ID_COLUMN[table]) for table in TABLES)


def test_refusals(one: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        make_sample(one, 5, 1)
    with pytest.raises(UsageError, match="patients = 0"):
        make_sample(tmp_path / "none", 0, 1)
