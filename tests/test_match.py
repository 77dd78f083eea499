"""The main job on the shipped extract: golden results, every tier, the same bytes whatever the threads and the order of rows."""

from __future__ import annotations

import csv
import os
import random
import shutil
from pathlib import Path

import polars as pl
import pytest

from rules import engine
from sample_data.golden import COPIED, VERDICTS
from sample_data.showcase import showcase
from tests import runs

REAL = Path(os.environ.get("ZM001_REAL", Path(__file__).parents[2] / "shared" / "real")) / "mimic-iv-demo-2.2"
EXPECTED = Path(__file__).parents[1] / "sample_data" / "expected"


def verdict_csv(run: Path) -> str:
    """verdicts.parquet as the golden file has it."""
    return pl.read_parquet(run / "verdicts.parquet", columns=VERDICTS).write_csv()


@pytest.mark.parametrize("name", COPIED)
def test_golden_files(shipped: Path, name: str) -> None:
    assert (shipped / name).read_bytes() == (EXPECTED / name).read_bytes()


def test_golden_verdicts(shipped: Path) -> None:
    assert verdict_csv(shipped) == (EXPECTED / "verdicts.csv").read_text(encoding="utf-8")


def test_designed_patients_get_what_they_were_designed_for(shipped: Path) -> None:
    features = {row["patient_id"]: row for row in pl.read_parquet(shipped / "features.parquet").iter_rows(named=True)}
    rows = pl.read_parquet(shipped / "verdicts.parquet", columns=VERDICTS).iter_rows(named=True)
    verdicts = {(row["patient_id"], row["item_id"]): row["verdict"] for row in rows}
    listed = {row["patient_id"]: row for row in runs.candidates(shipped)}
    for patient in showcase():
        patient_id, tier = patient["patient_id"], patient["tier"]
        if tier == "none":
            assert patient_id not in features
            continue
        if tier in ("ready", "check", "watch"):
            assert (patient_id, listed[patient_id]["tier"]) == (patient_id, tier)
            assert (patient_id, listed[patient_id]["next_date"]) == (patient_id, patient["next_date"] or "")
        else:
            assert patient_id not in listed
        for intended in patient["items"].split():
            item_id, _, verdict = intended.partition("=")
            assert (patient_id, item_id, verdicts[patient_id, item_id]) == (patient_id, item_id, verdict)


def test_nothing_open_is_left_out_of_the_sample_but_behind_five_steps(shipped: Path) -> None:
    steps = pl.read_parquet(shipped / "steps.parquet").partition_by("patient_id", as_dict=True)
    for row in runs.candidates(shipped):
        own = steps[row["patient_id"],]
        named = {item for items in own["item_ids"] for item in items}
        opened = {item for column in ("failing", "to_review", "unknown") for item in row[column].split("; ") if item}
        assert row["to_do"] == "; ".join(own["text"])
        assert own["gain"].to_list() == sorted(own["gain"], reverse=True)
        assert own.height <= 5
        assert opened <= named or own.height == 5
        assert {item for item in row["failing"].split("; ") if item} <= named


def test_every_tier_occurs(shipped: Path) -> None:
    assert set(pl.read_parquet(shipped / "features.parquet")["tier"]) == {"ready", "check", "watch", "excluded"}
    assert [int(row["rank"]) for row in runs.candidates(shipped)] == list(range(1, len(runs.candidates(shipped)) + 1))


def test_counts_add_up(shipped: Path) -> None:
    tables = runs.record(shipped)["tables"]
    for name, table in tables.items():
        with (runs.NATIVE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            assert table["rows"] == sum(1 for _ in csv.reader(file)) - 1
        assert table["rejected"] == sum(cause["rows"] for cause in table["causes"])


def test_threads_and_the_order_of_rows_change_nothing(shipped: Path, tmp_path: Path) -> None:
    shuffled = tmp_path / "shuffled"
    shutil.copytree(runs.NATIVE, shuffled)
    (shuffled / "extract.json").write_text('{"as_of": "2026-03-01"}')
    for file in shuffled.glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as lines:
            head, *rows = list(csv.reader(lines))
        random.Random(1).shuffle(rows)
        with file.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows([head, *rows])
    other = runs.match(shuffled, tmp_path / "out", threads=1)
    for name in (*COPIED, "worklist.xlsx"):
        assert (other / name).read_bytes() == (shipped / name).read_bytes()
    for name in ("verdicts", "features", "descriptors", "steps", "gc_timeline", "rejects"):
        assert pl.read_parquet(other / f"{name}.parquet").equals(pl.read_parquet(shipped / f"{name}.parquet"))


def test_the_list_speaks_chinese(tmp_path: Path) -> None:
    run = runs.match(runs.NATIVE, tmp_path / "out", lang="zh")
    reasons = pl.read_parquet(run / "verdicts.parquet").filter(pl.col("item_id") == "I08a")["reason"]
    assert reasons.str.contains("血红蛋白").all()
    assert "已评估" in (run / "funnel.csv").read_text(encoding="utf-8")


def test_cells_that_a_spreadsheet_would_run_are_guarded(tmp_path: Path) -> None:
    extract = tmp_path / "extract"
    extract.mkdir()
    (extract / "extract.json").write_text('{"as_of": "2026-03-01"}')
    (extract / "patients.csv").write_text("patient_id,sex,birth_date\n=1+1,female,1990-01-01\n")
    (extract / "diagnoses.csv").write_text("diagnosis_id,patient_id,code_system,code,recorded_date\nd1,=1+1,ICD10CM,M32.9,2026-01-01\n")
    (extract / "medications.csv").write_text("medication_id,patient_id,drug_name,start_date\n")
    (extract / "labs.csv").write_text("lab_id,patient_id,code_system,code,collected_at,value\n")
    out = tmp_path / "out"
    (first,) = runs.candidates(runs.match(extract, out))
    assert (first["patient_id"], first["change"]) == ("'=1+1", "new")
    (second,) = runs.candidates(runs.match(extract, out))
    assert (second["patient_id"], second["change"]) == ("'=1+1", "same")


@pytest.mark.skipif(not (REAL / "hosp").is_dir(), reason="the MIMIC-IV demo is not here")
def test_everybody_of_the_mimic_demo_gets_a_verdict_on_every_item(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text('cohort = "all"\n')
    run = runs.match(REAL, tmp_path / "out", params=tmp_path / "all.toml")
    verdicts = pl.read_parquet(run / "verdicts.parquet")
    assert verdicts.group_by("item_id").len()["len"].unique().to_list() == [100]
    assert set(verdicts["item_id"]) >= {item.item_id for item in engine.items()}
    record = runs.record(run)
    assert (record["format"], record["cohort"]) == ("mimiciv", 100)
    assert record["not_mapped"]["labs"]["no_loinc"] > 0
    assert {"hosp", "labevents.csv.gz"} & {Path(file["path"]).name for file in record["files"]}
