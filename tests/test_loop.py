"""The loop closed: a nurse answers in the worklist, the next night knows it, and asks again when it no longer holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from tests import runs
from tests.test_cli import command

EXTRACT = {
    "patients.csv": "patient_id,sex,birth_date\n0012,female,1990-01-01\n张三-2,male,1980-01-01\n",
    "diagnoses.csv": (
        "diagnosis_id,patient_id,code_system,code,recorded_date\n"
        "d1,0012,ICD10CM,M32.9,2026-01-01\nd2,0012,ICD10CM,G40.909,2024-10-27\nd3,张三-2,ICD10CM,M32.9,2026-01-01\n"
    ),
    "medications.csv": "medication_id,patient_id,drug_name,start_date\n",
    "labs.csv": "lab_id,patient_id,code_system,code,collected_at,value,unit\n",
    "observations.csv": "observation_id,patient_id,code_system,code,observed_at,value,unit\n",
}
FOUND: dict[tuple[str, str], dict[str, Any]] = {
    ("0012", "E01"): {"answer": "no", "reviewed_date": date(2026, 3, 1), "note": "热性惊厥，已查"},
    ("0012", "E12"): {"answer": "no", "reviewed_date": "2026年3月1日", "valid_until": date(2026, 3, 10)},
    ("0012", "I08a"): {"answer": "是", "reviewed_date": "2026/3/1"},
    ("0012", "I09d"): {"answer": "Yes ", "reviewed_date": "20260301"},
    ("0012", "I10"): {"answer": "yes", "reviewed_date": date(2026, 3, 1)},
    ("张三-2", "E13c"): {"answer": "yes", "reviewed_date": date(2026, 3, 1)},
}


def filled(worklist: Path, found: Mapping[tuple[str, str], Mapping[str, Any]]) -> Path:
    """The worklist with answers in the lines of patient and item."""
    book = openpyxl.load_workbook(worklist)
    sheet = book["reviews"]
    places = {cell.value: place for place, cell in enumerate(sheet[1])}
    lines = {(row[places["patient_id"]].value, row[places["item_id"]].value): row for row in sheet.iter_rows(min_row=2)}
    for line, cells in found.items():
        for name, value in cells.items():
            lines[line][places[name]].value = value
    path = worklist.parents[2] / "filled.xlsx"
    book.save(path)
    return path


def verdicts(run: Path) -> dict[tuple[str, str], tuple[str | None, ...]]:
    """Verdict, basis and cause of each patient and item."""
    rows = pl.read_parquet(run / "verdicts.parquet", columns=["patient_id", "item_id", "verdict", "basis", "reason_code"])
    return {row[:2]: row[2:] for row in rows.iter_rows()}


def asked(run: Path) -> dict[tuple[str, str], str]:
    """The questions of a worklist by patient and item."""
    rows = openpyxl.load_workbook(run / "worklist.xlsx")["reviews"].iter_rows(min_row=2, values_only=True)
    return {(str(row[0]), str(row[2])): str(row[3]) for row in rows}


@pytest.mark.slow
def test_what_a_nurse_finds_is_known_the_next_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extract, out = tmp_path / "extract", tmp_path / "out"
    extract.mkdir()
    for name, text in EXTRACT.items():
        (extract / name).write_text(text, encoding="utf-8")
    first = runs.match(extract, out, as_of=date(2026, 3, 1))
    assert set(FOUND) <= set(asked(first))
    assert "Seizure (ICD10CM G40.909) on 2024-10-27" in asked(first)["0012", "E01"]
    worklist = filled(first / "worklist.xlsx", FOUND)
    assert command(monkeypatch, "reviews", worklist, "--into", extract) == 0
    assert "added     6 to " in capsys.readouterr().out
    assert command(monkeypatch, "reviews", worklist, "--into", extract) == 0
    assert "added     none\nthere     6 already" in capsys.readouterr().out

    second = runs.match(extract, out, as_of=date(2026, 3, 2))
    now = verdicts(second)
    for line in FOUND:
        assert now[line][:2] == ("fail" if line[1] == "E13c" else "pass", "chart"), line
        assert line not in asked(second)
    assert "张三-2" not in {row["patient_id"] for row in runs.candidates(second)}  # HIV is lasting
    evidence = pl.read_parquet(second / "verdicts.parquet").filter((pl.col("patient_id") == "0012") & (pl.col("item_id") == "E01"))
    assert evidence["evidence"][0][0].startswith("chart_reviews:W")

    with (extract / "observations.csv").open("a") as file:
        file.write("o1,0012,LOINC,10230-1,2026-03-05,40,%\n")
    third = runs.match(extract, out, as_of=date(2026, 3, 11))
    now = verdicts(third)
    assert now["0012", "I09d"] == ("review", "data", "conflicting_data")  # newer data say otherwise
    assert "Chart review of 2026-03-01 is contradicted by newer records" in asked(third)["0012", "I09d"]
    assert now["0012", "E12"][0] == "unknown"  # the day after valid_until
    assert now["0012", "I08a"][:2] == ("pass", "chart")

    again = {("0012", "I09d"): {"answer": "no", "reviewed_date": date(2026, 3, 11)}}
    assert command(monkeypatch, "reviews", filled(third / "worklist.xlsx", again), "--into", extract) == 0
    fourth = runs.match(extract, out, as_of=date(2026, 5, 31))
    now = verdicts(fourth)
    assert now["0012", "I09d"][:2] == ("fail", "chart")
    assert now["0012", "I08a"][0] == "unknown"  # 91 days after the review
    assert now["0012", "E01"][:2] == ("pass", "chart")  # for ever


def test_refused_lines_are_named_and_the_others_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extract = tmp_path / "extract"
    extract.mkdir()
    for name, text in EXTRACT.items():
        (extract / name).write_text(text, encoding="utf-8")
    run = runs.match(extract, tmp_path / "out", as_of=date(2026, 3, 1))
    found = FOUND | {("0012", "E12"): {"answer": "no"}, ("0012", "I08a"): {"answer": "perhaps", "reviewed_date": date(2026, 3, 1)}}
    worklist = filled(run / "worklist.xlsx", found)
    assert command(monkeypatch, "reviews", worklist, "--into", extract) == 2
    shown = capsys.readouterr()
    assert "added     4 to " in shown.out
    refused = [text for text in shown.err.splitlines() if text.startswith("refused")]
    assert sorted(text.split(", row ")[1].split(", ")[1].split(": ")[0] for text in refused) == ["answer", "reviewed_date"]
    assert "perhaps" not in shown.err
    assert shown.err.splitlines()[-1] == f"zm001: {worklist}: 2 lines refused, the others are taken; mend them and call again"
    mended = filled(run / "worklist.xlsx", FOUND)
    assert command(monkeypatch, "reviews", mended, "--into", extract) == 0
    assert "added     2 to " in capsys.readouterr().out
