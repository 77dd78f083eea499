"""What is made of the contract: Great Expectations suites, the page of their results, docs/contract.md, the terminal's table."""

import io
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from data_contracts import contract, gate, show, suites
from data_contracts.gate import ContractReport, TableReport
from tests.contract_extracts import AS_OF, GOOD, good, judge, write
from transforms.ingest.native import stage

WHOLE = {name: [row] for name, row in GOOD.items()}
ROOT = Path(__file__).parents[1]


def messy(folder: Path) -> Path:
    """An extract that keeps the contract, with rows that do not."""
    labs = [good("labs", number) for number in range(40)]
    labs += [good("labs", 50, value=""), good("labs", 51, status="?"), good("labs", 52, patient_id="p9")]
    medications = [GOOD["medications"], good("medications", 2, end_date="2020-01-01"), good("medications", 3, doses_per_day="0")]
    medications.append(good("medications", 4, end_date="9999-12-31"))
    return write(folder, WHOLE | {"labs": labs, "medications": medications})


def test_the_page_of_the_contract_is_current() -> None:
    page = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    assert page == show.page(), "run python -m data_contracts.show"


def test_the_page_names_every_table_column_and_cause() -> None:
    page = show.page()
    for table in contract.load().values():
        assert f"## {table.name} (" in page
        for column in table.columns:
            assert f"| {column.name} | " in page
    assert {cause for table in contract.load().values() for _, cause in table.causes} <= set(re.findall(r"\w+", page))


def test_suites_judge_counts_and_small_tables(tmp_path: Path) -> None:
    judged = judge(messy(tmp_path / "x"), max_rejected_share=0.5)
    results = suites.judge(judged.report, judged.con)
    assert results is judged.report.results
    assert [row for row in results if row["error"]] == []
    broken = {(row["table"], row["suite"], row["column"], row["severity"], row["unexpected"]) for row in results if not row["success"]}
    assert broken == {
        ("labs", "counts", "value:null", "warning", 1),
        ("labs", "counts", "status:not_allowed", "warning", 1),
        ("labs", "counts", "patient_id:patient_unknown", "warning", 1),
        ("labs", "rows", "value", "warning", 1),
        ("medications", "counts", "end_date:end_before_start", "warning", 1),
        ("medications", "counts", "doses_per_day:not_positive", "warning", 1),
        ("medications", "rows", "end_date", "warning", 1),
        ("medications", "rows", "doses_per_day", "warning", 1),
    }
    assert {row["table"] for row in results} == set(contract.load())
    json.dumps(judged.report.as_dict())


def test_every_cause_has_an_expectation(tmp_path: Path) -> None:
    judged = judge(write(tmp_path / "x", WHOLE))
    asked = {(row["table"], row["column"]) for row in suites.judge(judged.report) if row["suite"] == "counts"}
    for table in contract.load().values():
        assert {(table.name, f"{name}:{cause}") for name, cause in table.causes} <= asked


@pytest.mark.parametrize(
    ("rejected", "rows", "is_refused"),
    [
        ({}, 400, False),
        ({("value", "null"): 20}, 400, False),
        ({("value", "null"): 21}, 400, True),
        ({("value", "null"): 19}, 200, False),
        ({("value", "null"): 3, ("status", "not_allowed"): 2}, 5, True),
        ({("lab_id", "null"): 1}, 400, True),
        ({("patient_id", "patient_rejected"): 300}, 400, False),
        ({}, 0, False),
    ],
)
def test_a_critical_expectation_fails_where_the_gate_refuses(rejected: dict[tuple[str, str], int], rows: int, is_refused: bool) -> None:
    report = ContractReport(AS_OF, 0.05, 20, tables={"labs": TableReport("labs", True, rows, rejected)})
    failed = [row for row in suites.judge(report) if row["severity"] == "critical" and not row["success"]]
    assert bool(failed) == is_refused
    con = duckdb.connect()
    con.execute("create schema gate; create table gate.quarantined as select 'labs' as table_name, 1 as number, 'l1' as row_id")
    con.execute("create table gate.reasons as select 'labs' as table_name, 1 as number, '' as column_name, '' as cause")
    assert bool(gate.judge(con, contract.load()["labs"], report)) == is_refused


def test_the_page_of_results_asks_for_nothing(tmp_path: Path) -> None:
    judged = judge(messy(tmp_path / "x"), max_rejected_share=0.5)
    judged.report.notes.append("not read: <script>alert(1)</script>")
    suites.judge(judged.report, judged.con)
    page = suites.write_docs(judged.report, tmp_path / "docs").read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|<link|<script|@import|url\(", page)
    assert "&lt;script&gt;" in page
    assert "no row with value: null" in page
    assert "Kept." in page
    assert "expectations met" in page


def test_a_refused_extract_is_told_on_the_page_and_in_the_terminal(tmp_path: Path) -> None:
    tables: dict[str, Any] = WHOLE | {"labs": [good("labs", 1, value="")], "procedures": None}
    folder = write(tmp_path / "x", tables, diagnoses=[{"diagnosis_id": "d1"}])
    con = duckdb.connect()
    extract = stage(folder, tmp_path / "work")
    report = gate.examine(con, extract, as_of=AS_OF, max_rejected_share=0.05, min_rejected_rows=20)
    suites.judge(report)
    page = suites.write_docs(report, tmp_path / "docs").read_text(encoding="utf-8")
    assert "Refused." in page
    assert "diagnoses: the column patient_id is missing" in page
    out = io.StringIO()
    Console(file=out, width=120).print(show.findings(report))
    lines = [" ".join(line.replace("│", " ").split()) for line in out.getvalue().splitlines()]
    assert "labs 1 1 100.00%" in lines
    assert "value null 1 100.00%" in lines
    assert "diagnoses not read" in lines
    assert "procedures not in the extract" in lines
