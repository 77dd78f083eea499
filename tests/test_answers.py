"""Answers on their way back: what a nurse filled in, as Excel keeps it, becomes chart reviews; nothing lost, nothing twice."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from tests import contract_extracts as extracts
from transforms.errors import ContractBroken, UsageError
from transforms.reviews.answers import Answer, line_code, read_answers
from transforms.reviews.delivery import deliver

HEADER = ["patient_id", "rank", "item_id", "question", "evidence", "answer", "reviewed_date", "valid_until", "note", "verdict", "line_code"]
DAY = date(2026, 3, 1)


def line(
    patient_id: object = "p1", item_id: str = "E01", answer: object = "no", reviewed: object = DAY, **more: object
) -> dict[str, object]:
    """A filled line of the sheet."""
    code = line_code(str(patient_id), item_id)
    return {"patient_id": patient_id, "item_id": item_id, "answer": answer, "reviewed_date": reviewed, "line_code": code} | more


def worklist(path: Path, lines: Sequence[Mapping[str, object]], header: Sequence[object] = HEADER, sheet: str = "reviews") -> Path:
    """A workbook with lines in its second sheet."""
    book = openpyxl.Workbook()
    rows = book.create_sheet(sheet)
    rows.append(list(header))
    for each in lines:
        rows.append([each.get(str(name)) for name in header])
    book.save(path)
    return path


def read(tmp_path: Path, *lines: Mapping[str, object], header: Sequence[object] = HEADER) -> Any:
    """What is read of lines."""
    return read_answers(worklist(tmp_path / "worklist.xlsx", lines, header))


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("yes", "yes"),
        (" Yes\u3000", "yes"),
        ("ＹＥＳ", "yes"),
        ("是", "yes"),
        ("no", "no"),
        ("否", "no"),
        ("Unknown", "unknown"),
        ("未知", "unknown"),
    ],
)
def test_answers_as_they_are_written(tmp_path: Path, cell: str, answer: str) -> None:
    assert [each.answer for each in read(tmp_path, line(answer=cell)).taken] == [answer]


@pytest.mark.parametrize("cell", [True, 1, 0, "maybe", "有", "yes?", datetime(2026, 3, 1)])
def test_no_answer_is_guessed(tmp_path: Path, cell: object) -> None:
    answers = read(tmp_path, line(answer=cell), line("p2"))
    assert [each.patient_id for each in answers.taken] == ["p2"]
    (refused,) = answers.refused
    assert refused.startswith("sheet reviews, row 2, answer: ")
    assert refused.endswith("allowed: yes, no, unknown (是, 否, 未知)")
    assert "maybe" not in refused


@pytest.mark.parametrize(
    "cell",
    [
        DAY,
        datetime(2026, 3, 1, 8, 30),
        "2026-03-01",
        " 2026-3-1 ",
        "2026/3/1",
        "2026/03/01 08:30",
        "2026年3月1日",
        "２０２６年３月１日",
        "2026.3.1",
        "20260301",
        20260301,
        46082,  # the workbook's number of the day, where the cell lost its format
        46082.0,
    ],
)
def test_days_as_they_are_written(tmp_path: Path, cell: object) -> None:
    answers = read(tmp_path, line(reviewed=cell, valid_until=cell))
    assert answers.refused == []
    assert [(each.reviewed_date, each.valid_until) for each in answers.taken] == [(DAY, DAY)]


@pytest.mark.parametrize("cell", ["1/3/2026", "03/01/26", "2026-02-30", "yesterday", "20261301", 12, 0.5, True, "1899-12-31", "2026-03"])
def test_no_day_is_guessed(tmp_path: Path, cell: object) -> None:
    for column in ("reviewed_date", "valid_until"):
        answers = read(tmp_path, line() | {column: cell})
        assert answers.taken == []
        assert answers.refused[0].startswith(f"sheet reviews, row 2, {column}: ")
        assert "2026-03-01" in answers.refused[0]


def test_a_day_is_asked_for_and_never_made_up(tmp_path: Path) -> None:
    assert read(tmp_path, line(reviewed=None)).refused == [
        "sheet reviews, row 2, reviewed_date: nothing beside an answer; allowed: the day of the review, such as 2026-03-01"
    ]
    assert "valid_until: a day before reviewed_date" in read(tmp_path, line(valid_until="2026-02-28")).refused[0]


def test_lines_without_an_answer_are_told_apart(tmp_path: Path) -> None:
    answers = read(
        tmp_path, line(answer=None, reviewed=None), line(answer=" ", reviewed=DAY), line(answer=None, reviewed=None, note="asked"), {}
    )
    assert (answers.taken, answers.refused, answers.without_answer) == ([], [], [3, 4])


def test_columns_in_any_order_and_others_beside_them(tmp_path: Path) -> None:
    header = ["mine", *reversed(HEADER), None, "NOTE 2"]
    answers = read(tmp_path, line("00700", note=" a\nb "), {}, line("1234567890123456", "I08a") | {"item_id": " i08a"}, header=header)
    assert [(each.line, each.patient_id, each.item_id, each.note) for each in answers.taken] == [
        (2, "00700", "E01", "a b"),
        (4, "1234567890123456", "I08a", None),
    ]


def test_a_line_whose_patient_and_item_were_parted_is_refused(tmp_path: Path) -> None:
    first, second = line("p1"), line("p2")
    first["patient_id"], second["patient_id"] = "p2", "p1"  # one column sorted by itself
    answers = read(tmp_path, first, second, line("p3"))
    assert [each.patient_id for each in answers.taken] == ["p3"]
    assert all("line_code: patient and item are not those of this line" in refused for refused in answers.refused)


def test_an_id_that_became_a_number(tmp_path: Path) -> None:
    whole, cut = line("700"), line("00700")
    whole["patient_id"] = cut["patient_id"] = 700
    answers = read(tmp_path, whole, cut, line(700) | {"line_code": None})
    assert [each.patient_id for each in answers.taken] == ["700"]  # the code proves that no zero is gone
    assert [refused.split(", ")[1] for refused in answers.refused] == ["row 3", "row 4"]


def test_lines_added_by_hand(tmp_path: Path) -> None:
    answers = read(tmp_path, line("p1", "S01") | {"line_code": None}, line("p1", "X99") | {"line_code": None})
    assert [each.item_id for each in answers.taken] == ["S01"]
    assert "row 3, item_id: other text" in answers.refused[0]


def test_what_is_no_worklist(tmp_path: Path) -> None:
    (tmp_path / "text.xlsx").write_text("patient_id,answer\n")
    cases = {
        tmp_path / "absent.xlsx": "cannot be read",
        tmp_path / "text.xlsx": "is no workbook",
        worklist(tmp_path / "a.xlsx", [], sheet="answers"): "has no sheet reviews",
        worklist(tmp_path / "b.xlsx", [line()], header=HEADER[:5]): "does not name the column answer",
        worklist(tmp_path / "c.xlsx", [line()], header=[*HEADER, "Answer"]): "names the column answer twice",
        worklist(tmp_path / "d.xlsx", [], header=[]): "does not name the column patient_id",
    }
    for path, message in cases.items():
        with pytest.raises(UsageError, match=message):
            read_answers(path)


# --- into an extract ------------------------------------------------------------------------------------------------


def answer(number: int = 2, patient_id: str = "p1", **more: Any) -> Answer:
    """An answer of a line."""
    fields: dict[str, Any] = {"item_id": "E01", "answer": "no", "reviewed_date": DAY, "valid_until": None, "note": None}
    return Answer(number, patient_id, **(fields | more))


def manifest(folder: Path, *, encoding: str | None = None) -> None:
    """extract.json with rows and hashes of the chart reviews that are there."""
    files = [folder / "chart_reviews.csv"] if (folder / "chart_reviews.csv").exists() else sorted((folder / "chart_reviews").rglob("*.*"))
    hashes = {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    content = {"as_of": "2026-03-01", "encoding": encoding, "tables": {"chart_reviews": {"rows": len(rows(folder)), "sha256": hashes}}}
    (folder / "extract.json").write_text(json.dumps(content))


def rows(folder: Path) -> list[tuple[Any, ...]]:
    """The chart reviews that the contract reads and uses of an extract."""
    judged = extracts.judge(folder, as_of=DAY)
    assert judged.report.tables["chart_reviews"].rejected == {}
    found = judged.rows("chart_reviews", "patient_id, item_id, answer, reviewed_date, valid_until, note")
    shutil.rmtree(folder.parent / f"{folder.name}-work")
    return found


NEW = ("p1", "E01", "no", DAY, date(2026, 5, 1), '无癫痫, "x"')
ADDED = answer(valid_until=NEW[4], note=NEW[5])
OLD = extracts.good("chart_reviews", 1)
OLD_ROW = ("p1", "I01", "yes", date(2026, 2, 1), None, None)


def written(folder: Path, form: str) -> Path:
    """An extract whose chart reviews have a form."""
    table = folder / "chart_reviews"
    extracts.write(folder)
    text = extracts.csv_text([OLD], ["review_id", "patient_id", "item_id", "answer", "reviewed_date", "valid_until", "note"])
    match form:
        case "csv":
            table.with_suffix(".csv").write_text(text, encoding="utf-8-sig", newline="")
        case "no line end, other columns":
            table.with_suffix(".csv").write_text(extracts.csv_text([{"by": "x"} | OLD]).rstrip().replace("\r\n", "\n"), newline="")
        case "gb18030":
            table.with_suffix(".csv").write_text(text.replace("yes,2026-02-01,,", "yes,2026-02-01,,查阅"), encoding="gb18030", newline="")
            (folder / "extract.json").write_text('{"encoding": "gb18030"}')
        case "gzip":
            (folder / "chart_reviews.csv.gz").write_bytes(gzip.compress(text.encode()))
        case "parquet":
            extracts.write_parquet(table.with_suffix(".parquet"), [OLD])
        case "dates":
            frame = pl.DataFrame([OLD]).with_columns(
                pl.col("reviewed_date").str.to_date(), valid_until=pl.lit(None, pl.Date), mine=pl.lit(1)
            )
            frame.with_columns(pl.col("item_id").cast(pl.Categorical)).write_parquet(table.with_suffix(".parquet"))
        case "csv parts":
            table.mkdir()
            (table / "part-0.csv").write_text(text, newline="")
        case "hive parts":
            extracts.write_parquet(table / "item_id=I01" / "part-0.parquet", [{k: v for k, v in OLD.items() if k != "item_id"}])
    return folder


FORMS = ["absent", "csv", "no line end, other columns", "gb18030", "gzip", "parquet", "dates", "csv parts", "hive parts"]


@pytest.mark.parametrize("form", FORMS)
def test_into_an_extract_of_any_form(tmp_path: Path, form: str) -> None:
    folder = written(tmp_path / "extract", form)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert deliver([ADDED], folder).added == 1
    note = "查阅" if form == "gb18030" else None
    assert sorted(rows(folder)) == sorted([NEW] if form == "absent" else [(*OLD_ROW[:5], note), NEW])
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in before if path not in after] == []
    if "parts" in form:
        assert all(after[path] == data for path, data in before.items())
    again = deliver([ADDED], folder)
    assert (again.added, again.known, again.file) == (0, 1, None)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == after


def test_what_a_csv_held_stays_byte_for_byte(tmp_path: Path) -> None:
    folder = written(tmp_path / "extract", "csv")
    before = (folder / "chart_reviews.csv").read_bytes()
    deliver([ADDED], folder / "chart_reviews.csv")
    after = (folder / "chart_reviews.csv").read_bytes()
    assert after.startswith(before)
    assert after.removeprefix(before).decode().endswith(',p1,E01,no,2026-03-01,2026-05-01,"无癫痫, ""x"""\r\n')
    assert list(folder.glob(".*")) == []


@pytest.mark.parametrize("form", ["csv", "csv parts"])
def test_extract_json_follows(tmp_path: Path, form: str) -> None:
    folder = written(tmp_path / "extract", form)
    manifest(folder)
    deliver([ADDED], folder)
    facts = json.loads((folder / "extract.json").read_text())["tables"]["chart_reviews"]
    assert facts["rows"] == 2
    assert len(facts["sha256"]) == (2 if "parts" in form else 1)
    for name, digest in facts["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert NEW in rows(folder)


def test_an_extract_that_is_not_whole_is_left_alone(tmp_path: Path) -> None:
    folder = written(tmp_path / "extract", "csv")
    manifest(folder)
    with (folder / "chart_reviews.csv").open("a") as file:
        file.write("r9,p1,E01,no,2026-02-01,,\r\n")
    before = (folder / "chart_reviews.csv").read_bytes()
    with pytest.raises(ContractBroken, match=r"extract\.json says"):
        deliver([ADDED], folder)
    assert (folder / "chart_reviews.csv").read_bytes() == before


def test_a_call_that_died_between_the_renames_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path / "extract", "csv")
    manifest(folder)
    renamed = Path.replace

    def dying(self: Path, target: Path) -> Path:
        if Path(target).name == "extract.json":
            raise KeyboardInterrupt
        return renamed(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            deliver([ADDED], folder)
    assert deliver([ADDED], folder).known == 1
    assert NEW in rows(folder)
    assert list(folder.glob(".*")) == []


def test_a_correction_of_the_same_day_overrules(tmp_path: Path) -> None:
    folder = written(tmp_path / "extract", "csv")
    greatest = extracts.csv_text([OLD | {"review_id": "zz", "item_id": "E01"}])  # greater than any id made here
    (folder / "chart_reviews.csv").write_text(greatest.replace("2026-02-01", "2026-03-01"), newline="")
    first = deliver([answer()], folder)
    assert (first.added, first.notes) == (1, ["overrule another answer of the same day: 1"])
    second = deliver([answer(answer="unknown")], folder)
    assert (second.added, second.notes) == (1, ["overrule another answer of the same day: 1"])
    held = sorted(extracts.judge(folder, as_of=DAY).rows("chart_reviews", "review_id, answer"))
    assert [each[1] for each in held] == ["yes", "no", "unknown"]
    assert held[2][0].startswith(f"{held[1][0]}.")
    old = deliver([answer()], folder)  # an old copy of the worklist
    assert (old.added, old.known) == (0, 1)
    assert old.notes == ["were overruled by a later answer of the same day, which stands: 1; to change it give a newer date"]


def test_lines_that_contradict_each_other_are_both_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "extract", "absent")
    same = [answer(2), answer(3, answer="yes"), answer(4, item_id="E05"), answer(5, item_id="E05")]
    delivery = deliver(same, folder)
    assert (delivery.added, delivery.known) == (1, 1)
    assert [refused.split(", answer: ")[0] for refused in delivery.refused] == ["sheet reviews, row 2", "sheet reviews, row 3"]
    assert "rows 2, 3 answer one question on one day differently" in delivery.refused[0]


def test_what_would_break_the_next_night_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "extract", "absent")
    (folder / "extract.json").write_text('{"as_of": "2026-03-01"}')
    given = [
        answer(2, "p9"),
        answer(3, note="call 13812345678"),
        answer(4, note="a.b@c.de"),
        answer(5, reviewed_date=date(2027, 3, 2)),
        answer(6, reviewed_date=date(2027, 3, 1)),
        answer(7, reviewed_date=DAY),
    ]
    delivery = deliver(given, folder)
    assert delivery.added == 2
    assert [refused.split(": ")[0] for refused in delivery.refused] == [
        "sheet reviews, row 2, patient_id",
        "sheet reviews, row 3, note",
        "sheet reviews, row 4, note",
        "sheet reviews, row 5, reviewed_date",
    ]
    assert not any("138" in refused or "p9" in refused for refused in delivery.refused)
    assert delivery.notes == ["dated after day D: 1; they count from their day on"]
    assert len(rows(folder)) == 2


def test_a_csv_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    assert deliver([ADDED], path).added == 1
    assert deliver([ADDED, answer(patient_id="p2")], path).added == 1
    with path.open(encoding="utf-8", newline="") as file:
        assert [row["patient_id"] for row in csv.DictReader(file)] == ["p1", "p2"]
    folder = extracts.write(tmp_path / "extract", patients=[extracts.good("patients", 1), extracts.good("patients", 2)])
    shutil.copy(path, folder / "chart_reviews.csv")
    assert len(rows(folder)) == 2


def test_what_takes_no_reviews(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for into in (tmp_path / "absent", tmp_path / "x" / "y.csv", tmp_path / "empty", tmp_path / "chart_reviews.parquet"):
        with pytest.raises(UsageError):
            deliver([ADDED], into)
    extracts.write(tmp_path / "latin", manifest={"encoding": "latin-1"})
    with pytest.raises(UsageError, match="latin-1, the encoding of the extract"):
        deliver([ADDED], tmp_path / "latin")
    assert not (tmp_path / "latin" / "chart_reviews.csv").exists()
