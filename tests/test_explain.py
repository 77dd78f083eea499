"""zm001 explain: what it prints, that it fits, and that an item's rows are the ones it read."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
from rich.cells import cell_len

from flows import cli
from rules import engine
from tests import contract_extracts, runs
from tests.contract_extracts import good
from transforms.publish.considered import considered
from transforms.publish.patient_run import PatientRun

DAY = "2026-03-01"
ESCAPE = "\x1b"


def lab(number: int, value: str, on_date: str, **cells: str) -> dict[str, str]:
    return good("labs", number, lab_id=f"L{number}", code="718-7", value=value, unit="g/L", collected_at=on_date, **cells)


@pytest.fixture(scope="module")
def made_by_hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one patient with haemoglobins of every fate."""
    tables = {
        "patients": [{"patient_id": "Ann", "sex": "female", "birth_date": "1990-05-01"}],
        "diagnoses": [good("diagnoses", 1, patient_id="Ann")],
        "medications": [good("medications", 1, patient_id="Ann")],
        "labs": [
            row | {"patient_id": "Ann"}
            for row in (
                lab(1, "82", "2026-02-01"),  # the latest that can be used
                lab(2, "95", "2026-01-15"),
                lab(3, "70", "2025-12-01"),  # the first day of the 90 days
                lab(4, "71", "2025-11-30"),  # the day before it
                lab(5, "see note", "2026-02-10"),
                lab(6, "60", "2026-02-11", status="cancelled"),
                lab(7, "61", "2026-03-02"),
                lab(8, "62", "2026-02-12", status="perhaps"),
                lab(9, f"{ESCAPE}[31m", "2026-02-13"),
            )
        ],
    }
    folder = tmp_path_factory.mktemp("by_hand")
    return runs.match(contract_extracts.write(folder / "extract", tables, {"as_of": DAY}), folder / "out")


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, *words: object) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "argv", ["zm001", "explain", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    assert ended.value.code in (0, None), shown.err
    return shown.out


def in_chinese(run: Path, folder: Path) -> Path:
    """The run as if its nurse read Chinese."""
    copied = shutil.copytree(run, folder / "zh")
    record = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    record["settings"]["lang"] = "zh"
    (copied / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return Path(copied)


def test_each_row_says_what_became_of_it(made_by_hand: Path) -> None:
    patient = PatientRun(made_by_hand, "Ann")
    item = next(item for item in engine.items() if item.item_id == "I08a")
    verdict = next(row for row in patient.verdicts if row["item_id"] == "I08a")
    rows = considered(item, patient.events, verdict["evidence"], patient.frame, verdict["basis"])
    assert [(row.event["row_id"], row.why) for row in rows] == [
        ("L1", "decides"),
        ("L7", "after_day_d"),
        ("L9", "unusable"),
        ("L8", "quarantined"),
        ("L6", "refuted"),
        ("L5", "unusable"),
        ("L2", "later_counts"),
        ("L3", "later_counts"),
        ("L4", "before_window"),
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_one_item_in_the_terminal(
    made_by_hand: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(monkeypatch, capsys, width, made_by_hand, "Ann", "--item", "i08A")
    assert "I08a Haemoglobin at least 80 g/L: pass" in text
    assert "P:blood_days = 90" in text
    assert "Rows considered: 9; ● decides the verdict (1)" in text
    assert re.search(r"● 2026-02-01 .*82 g/L \(Haemoglobin\)\s+decides\s+labs:L1\n", text)
    assert re.search(r"2025-11-30 .*71 g/L \(Haemoglobin\)\s+before the window \(from 2025-12-01\)\s+labs:L4\n", text)
    assert re.search(r"see note g/L \(Haemoglobin\)\s+value cannot be used: not readable\s+labs:L5\n", text)
    assert ESCAPE not in text
    assert "\ufffd[31m" in text


def test_what_absence_is_read_from_is_counted(
    made_by_hand: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(monkeypatch, capsys, 80, made_by_hand, "Ann", "--item", "E12")
    assert "No row that means anything to this item." in text
    assert "Other rows of diagnoses: 1, the newest known on 2025-01-01; in no code list: 0" in text  # stands in for immunizations
    assert "The extract has no table immunizations." in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_patient_in_the_terminal(
    shipped: Path, tmp_path: Path, lang: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_chinese(shipped, tmp_path) if lang == "zh" else shipped
    first = pl.read_csv(shipped / "candidates.csv", infer_schema=False)["patient_id"][0]
    text = printed(monkeypatch, capsys, width, run, first)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert ESCAPE not in text
    assert not re.search(r"[ \t]$", text, re.M)
    shown = re.findall(r"^([IE]\d\d[a-z]?) ", text, re.M)
    verdicts = PatientRun(shipped, first).verdicts
    assert shown == [row["item_id"] for row in verdicts]
    assert all(re.search(rf"\b{name}\s", text) for name in (*(f"S{n:02}" for n in range(1, 25)), "C-acle", "C-dsdna-sm"))
    for word in {"en": ["pass", "unknown", "present", "Immunosuppressants"], "zh": ["符合", "未知", "存在", "免疫抑制剂"]}[lang]:
        assert word in text


def test_every_row_of_evidence_is_read_as_the_header_says(shipped: Path) -> None:
    """Over all patients and items of the sample: evidence is of the names, tables and windows that the header's sources give."""
    patients = pl.read_parquet(shipped / "features.parquet")["patient_id"]
    items = {item.item_id: item for item in engine.items()}
    counted = 0
    for patient_id in patients:
        patient = PatientRun(shipped, patient_id)
        for verdict in (row for row in patient.verdicts if row["evidence"] and row["item_id"] in items):
            if verdict["reason_code"] == "stale_data":  # an open order that ran out before the window may still be taken
                continue
            item = items[verdict["item_id"]]
            rows = considered(item, patient.events, verdict["evidence"], patient.frame, verdict["basis"])
            decide = {f"{row.event['table']}:{row.event['row_id']}" for row in rows if row.decides}
            assert decide == set(verdict["evidence"])
            unread = considered(item, patient.events, [], patient.frame, verdict["basis"])
            why = {f"{row.event['table']}:{row.event['row_id']}": row.why for row in unread}
            assert [ref for ref in verdict["evidence"] if why.get(ref, "not read") in ("not read", "before_window")] == [], item.item_id
            counted += len(decide)
    assert counted > 3000


def test_what_cannot_be_explained_is_said_in_one_line(
    made_by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Path(shutil.copytree(made_by_hand, tmp_path / "old"))
    (old / "events.parquet").unlink()
    for words, message in [
        ((tmp_path, "Ann"), "no run is published here"),
        ((made_by_hand, "Bob"), "not assessed"),
        ((made_by_hand, "Ann", "--item", "I99"), "no such item"),
        ((old, "Ann", "--item", "I08"), "has no events.parquet"),
    ]:
        monkeypatch.setattr(sys, "argv", ["zm001", "explain", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        assert (ended.value.code, shown.out, shown.err.count("\n")) == (2, "", 1)
        assert message in shown.err
    assert "I08a" in printed(monkeypatch, capsys, 80, old, "Ann")


def test_a_run_of_other_rules_says_so(
    made_by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Made by other rules" not in printed(monkeypatch, capsys, 80, made_by_hand, "Ann")
    old = Path(shutil.copytree(made_by_hand, tmp_path / "old"))
    (old / "run.json").write_text((old / "run.json").read_text(encoding="utf-8").replace('"book": "', '"book": "0'), encoding="utf-8")
    assert "Made by other rules" in printed(monkeypatch, capsys, 80, old, "Ann")
