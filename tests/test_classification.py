"""The 2019 EULAR/ACR classification: the cases of transforms/features/classification.cases.md, and who it brings in."""

from pathlib import Path
from random import Random

import polars as pl
import pytest

from tests import cases
from tests.runs import match, record
from tests.states import Rows, a_patient, assess, differing, section_of, together, totals
from transforms.store import csv_frame

CASES = Path(__file__).parents[1] / "transforms" / "features" / "classification.cases.md"
MET: Rows = {
    "labs": [
        {"code": "5048-4", "value": "1:320"},
        {"code": "4485-9", "value": "0.5", "unit": "g/L"},
        {"code": "4498-2", "value": "0.05", "unit": "g/L"},
    ],
    "diagnoses": [{"code": "M13.0"}],
}
NEARLY: Rows = {**MET, "labs": [{**MET["labs"][0], "status": "preliminary"}, *MET["labs"][1:]]}
SLE: Rows = {"diagnoses": [{"code": "M32.9"}]}


@pytest.mark.parametrize("section", list(cases.sections(CASES)), ids=lambda s: s.title)
def test_items(section: cases.Section, tmp_path: Path) -> None:
    assert not differing(section, cases.run(section, tmp_path, only="I01"))


def test_greatest_weights_of_the_domains() -> None:
    items = csv_frame("transforms.features", "classification_items.csv").with_columns(pl.col("weight").cast(int))
    greatest = items.group_by("domain").agg(pl.col("weight").max())["weight"]
    assert greatest.sum() == 51


def test_the_classification_brings_in_whom_no_code_does(tmp_path: Path) -> None:
    patients = {
        "coded": SLE,
        "met": MET,
        "not_met": {"labs": MET["labs"][:2], "diagnoses": MET["diagnoses"]},
        "ana_too_late": {**MET, "labs": [{**MET["labs"][0], "collected_at": "2026-03-02"}, *MET["labs"][1:]]},
        "ana_preliminary": NEARLY,
        "refuted": {**MET, "diagnoses": [{"code": "M13.0", "status": "refuted"}]},
        "by_chart": {"chart_reviews": [{"item_id": "I01"}]},
        "nobody": {"diagnoses": [{"code": "I10"}]},
    }
    con = assess(patients, tmp_path, cohort_is="sle")
    assert set(totals(con)) == {"coded", "met", "by_chart"}
    assert con.sql("from run.cohort order by all").fetchall() == [("by_chart",), ("coded",), ("met",)]
    considered = con.sql("select patient_id from run.considered where not is_certain order by all").fetchall()
    assert considered == [("ana_preliminary",), ("ana_too_late",), ("met",), ("not_met",)]


def test_screening_misses_nobody_and_leaves_no_trace(tmp_path: Path) -> None:
    """The cohort is what the classification of everybody says it is, and its facts are the same."""
    rng = Random(7)
    patients = {f"{number}": a_patient(rng) for number in range(600)}
    everybody = totals(assess(patients, tmp_path / "all"))
    met = {name for name, row in everybody.items() if row["is_met"] == "True"}
    coded = {name for name, rows in patients.items() if any(row["code"] == "M32.14" for row in known(rows))}
    assert len(met - coded) > 20
    assert len(everybody) - len(met | coded) > 200
    con = assess(patients, tmp_path / "sle", cohort_is="sle")
    assert totals(con) == {name: everybody[name] for name in met | coded}
    for (table,) in con.sql(
        "select distinct schema_name || '.' || table_name from duckdb_columns() semi join duckdb_tables()"
        " using (schema_name, table_name) where column_name = 'patient_id' and schema_name in ('pulled', 'norm', 'feat')"
    ).fetchall():
        others = f"select count(*) from {table} where patient_id not in (from run.cohort)"
        assert con.sql(others).fetchall() == [(0,)], table


def test_a_considered_patient_changes_nothing(tmp_path: Path) -> None:
    """Whom screening lets through and the classification does not is in no file of the run."""
    assessed = {"coded": together(SLE, MET), "met": MET}
    unusable = {"code": "718-7", "value": "lots", "unit": "g/L"}
    odd = {"code_system": "LOCAL", "code": "odd", "value": "1"}
    nearly = {**NEARLY, "labs": [*NEARLY["labs"], unusable, odd]}
    runs = []
    for name, patients in (("without", assessed), ("beside", {**assessed, "nearly": nearly})):
        cases.write_extract(section_of(patients), tmp_path / name)
        runs.append(match(tmp_path / name, tmp_path / f"out_{name}", as_of=cases.DAY))
    for file in ("candidates.csv", "unmapped.csv"):
        assert (runs[0] / file).read_bytes() == (runs[1] / file).read_bytes()
    for file in ("verdicts", "features", "descriptors", "gc_timeline", "rejects"):
        assert pl.read_parquet(runs[0] / f"{file}.parquet").equals(pl.read_parquet(runs[1] / f"{file}.parquet")), file
    assert record(runs[1])["cohort"] == 2


def known(rows: Rows) -> list[dict[str, str]]:
    """The diagnoses recorded by day D."""
    return [row for row in rows.get("diagnoses", []) if row["recorded_date"] <= str(cases.DAY)]
