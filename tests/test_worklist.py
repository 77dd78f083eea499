"""worklist.xlsx and the counts: the list as a workbook, one question per undecided item, the same bytes, nothing that runs."""

from __future__ import annotations

import csv
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl

from rules import engine
from tests import runs
from transforms.publish.worklist import TO_FILL
from transforms.store import csv_frame

ODD = ["007", "1234567890123456", "=1+1", "@x", "<b>&", "_x0041_", "a\x01b", "张三-01"]


def sheet(run: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a sheet by the names in its header."""
    book = openpyxl.load_workbook(run / "worklist.xlsx", read_only=True)
    head, *rows = list(book[name].iter_rows(values_only=True))
    book.close()
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


def as_text(value: object) -> str:
    """A cell as candidates.csv has it."""
    if isinstance(value, datetime):
        return str(value.date())
    return f"{value:.6f}" if isinstance(value, float) else "" if value is None else str(value)


def test_the_workbook_is_the_list(shipped: Path) -> None:
    rows = [{name: as_text(cell) for name, cell in row.items()} for row in sheet(shipped, "candidates")]
    for row in rows:
        row["expected_pass"] = f"{float(row['expected_pass']):.6f}"
    assert rows == runs.candidates(shipped)


def test_one_question_for_each_undecided_item_of_each_listed_patient(shipped: Path) -> None:
    listed = {row["patient_id"]: int(row["rank"]) for row in runs.candidates(shipped)}
    leaves = list(engine.protocol_items())
    verdicts = pl.read_parquet(shipped / "verdicts.parquet").filter(
        pl.col("verdict").is_in(["review", "unknown"]) & pl.col("item_id").is_in(leaves) & pl.col("patient_id").is_in(list(listed))
    )
    undecided = sorted((listed[row[0]], leaves.index(row[1]), row[0]) for row in verdicts.select("patient_id", "item_id").iter_rows())
    rows = sheet(shipped, "reviews")
    assert [(row["rank"], leaves.index(row["item_id"]), row["patient_id"]) for row in rows] == undecided
    assert all(row[name] is None for row in rows for name in TO_FILL)
    assert {"I06", "E20"} <= {row["item_id"] for row in rows}


def test_questions_say_what_yes_means(shipped: Path) -> None:
    for row in sheet(shipped, "reviews"):
        meaning = "[yes: meets the criterion; no: does not]" if row["item_id"][0] == "I" else "[yes: is excluded; no: is not]"
        assert meaning in row["question"]
        assert "{1}" not in row["question"]
        assert "{2}" not in row["question"]


def test_every_item_and_criterion_has_a_question() -> None:
    asked = {key[4:] for key in csv_frame("rules.zm001", "messages.csv")["key"] if key.startswith("ask.")}
    assert asked - {"meets", "excludes", "record"} == set(engine.protocol_items()) | set(engine.protocol_items().values())


def test_ids_stay_text_and_nothing_runs_in_chinese_too(tmp_path: Path) -> None:
    extract = tmp_path / "extract"
    extract.mkdir()
    (extract / "extract.json").write_text('{"as_of": "2026-03-01"}')
    ids = [(patient_id,) for patient_id in ODD]
    pl.DataFrame(ids, schema=["patient_id"], orient="row").with_columns(sex=pl.lit("female"), birth_date=pl.lit("1990-01-01")).write_csv(
        extract / "patients.csv"
    )
    pl.DataFrame(ids, schema=["patient_id"], orient="row").with_columns(
        pl.concat_str(pl.lit("d-"), "patient_id").alias("diagnosis_id"),
        code_system=pl.lit("ICD10CM"),
        code=pl.lit("M32.9"),
        recorded_date=pl.lit("2026-01-01"),
    ).write_csv(extract / "diagnoses.csv")
    (extract / "medications.csv").write_text("medication_id,patient_id,drug_name,start_date\n")
    (extract / "labs.csv").write_text("lab_id,patient_id,code_system,code,collected_at,value\n")
    run = runs.match(extract, tmp_path / "out", lang="zh")
    book = openpyxl.load_workbook(run / "worklist.xlsx")
    stored = [*ODD[:5], "_x005F_x0041_", "a_x0001_b", ODD[7]]  # how a workbook spells what it would read otherwise
    for name, column in (("candidates", "B"), ("reviews", "A")):
        cells = list(book[name][column][1:])
        assert {cell.value for cell in cells} == set(stored)
        assert {(cell.data_type, cell.number_format, cell.quotePrefix) for cell in cells} == {("s", "@", True)}
    assert all("〔yes：" in row["question"] for row in sheet(run, "reviews"))
    assert book["reviews"].data_validations.dataValidation[0].error == "只能填 yes、no 或 unknown"
    with zipfile.ZipFile(run / "worklist.xlsx") as parts:
        assert not [name for name in parts.namelist() if b"<f>" in parts.read(name)]
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_a_nurse_finds_set_up(shipped: Path) -> None:
    book = openpyxl.load_workbook(shipped / "worklist.xlsx")
    assert book.sheetnames == ["candidates", "reviews"]
    candidates, reviews = book["candidates"], book["reviews"]
    assert (candidates.freeze_panes, reviews.freeze_panes) == ("D2", "D2")
    assert candidates.auto_filter.ref == candidates.dimensions
    assert reviews.auto_filter.ref == reviews.dimensions
    assert (candidates.print_title_rows, candidates.page_setup.orientation) == ("$1:$1", "landscape")
    colours = {row[2].value: row[2].fill.fgColor.rgb for row in candidates.iter_rows(min_row=2)}
    assert len(set(colours.values())) == len(colours) == 3
    assert candidates["T2"].alignment.wrap_text
    rules = {check.prompt.split(",")[0]: check for check in reviews.data_validations.dataValidation}
    assert rules["yes"].formula1 == '"yes,no,unknown"'
    assert {str(check.sqref) for check in rules.values()} == {f"{column}2:{column}{reviews.max_row}" for column in "FGH"}
    assert reviews.column_dimensions["G"].number_format == "yyyy-mm-dd"


def counts(run: Path, name: str) -> list[dict[str, str]]:
    """The rows of a file of counts."""
    with (run / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shown(count: int) -> str:
    """A count as it is published."""
    return "<5" if 1 <= count <= 4 else str(count)


def test_the_funnel_counts_again(shipped: Path) -> None:
    rows = counts(shipped, "funnel")
    verdicts = pl.read_parquet(shipped / "verdicts.parquet")
    by_criterion: dict[str, dict[str, str]] = {}
    for patient_id, criterion_id, verdict in (
        verdicts.filter(pl.col("item_id") == pl.col("criterion_id")).select("patient_id", "criterion_id", "verdict").iter_rows()
    ):
        by_criterion.setdefault(criterion_id, {})[patient_id] = verdict
    criteria = list(dict.fromkeys(engine.protocol_items().values()))
    assert [row["item_id"] for row in rows] == ["", "", *criteria]
    assert [row["step"] for row in rows] == [str(step) for step in range(33)]
    assert (rows[0]["remaining"], rows[1]["remaining"]) == ("117", "81")  # 118 rows, of which one is there twice
    fails = {
        patient_id: [criterion for criterion in criteria if by_criterion[criterion][patient_id] == "fail"]
        for patient_id in by_criterion["I01"]
    }
    remaining = set(fails)
    for row in rows[2:]:
        verdict = by_criterion[row["item_id"]]
        remaining -= {patient_id for patient_id in remaining if verdict[patient_id] == "fail"}
        assert row["remaining"] == shown(len(remaining))
        assert row["failed"] == shown(sum(each == "fail" for each in verdict.values()))
        assert row["unknown"] == shown(sum(each in ("review", "unknown") for each in verdict.values()))
        assert row["only_failing_here"] == shown(sum(each == [row["item_id"]] for each in fails.values()))


def test_completeness_counts_again(shipped: Path) -> None:
    rows = counts(shipped, "completeness")
    assert [row["item_id"] for row in rows] == list(engine.protocol_items())
    verdicts = pl.read_parquet(shipped / "verdicts.parquet")
    for row in rows:
        own = verdicts.filter(pl.col("item_id") == row["item_id"])
        decided = own.filter(pl.col("verdict").is_in(["pass", "fail"]))
        assert row["patients"] == "81"
        for verdict in ("pass", "fail", "review", "unknown"):
            assert row[verdict] == shown(own.filter(pl.col("verdict") == verdict).height)
        for column, basis in (("by_data", "data"), ("by_chart", "chart"), ("by_absence", "absence"), ("not_applicable", "not_applicable")):
            assert row[column] == shown(decided.filter(pl.col("basis") == basis).height)
        for cause in list(row)[list(row).index("by_absence") + 1 : -1]:
            assert row[cause] == shown(own.filter(pl.col("reason_code") == cause).height)
    causes = set(verdicts["reason_code"].drop_nulls())
    assert causes <= set(rows[0])


def test_an_empty_cohort_still_has_every_step(tmp_path: Path) -> None:
    extract = tmp_path / "extract"
    extract.mkdir()
    (extract / "patients.csv").write_text("patient_id,sex,birth_date\nP1,female,1990-01-01\n")
    (extract / "diagnoses.csv").write_text("diagnosis_id,patient_id,code_system,code,recorded_date\n")
    (extract / "medications.csv").write_text("medication_id,patient_id,drug_name,start_date\n")
    (extract / "labs.csv").write_text("lab_id,patient_id,code_system,code,collected_at,value\n")
    run = runs.match(extract, tmp_path / "out", as_of=date(2026, 3, 1))
    assert [row["remaining"] for row in counts(run, "funnel")] == ["<5", *["0"] * 32]
    assert {row["patients"] for row in counts(run, "completeness")} == {"0"}
    assert sheet(run, "reviews") == sheet(run, "candidates") == []
