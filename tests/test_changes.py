"""changes.csv: each cause told apart, patients who come and go, and runs before that cannot be compared.

One pair of nights shows most of it: day D moves by one day, and each patient is one case, named by what happens to it.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows import steps
from flows.nightly import nightly
from flows.progress import Progress
from flows.settings import Settings
from rules import engine
from tests import cases
from tests.cases import DAY, Row
from transforms.publish import flips
from transforms.publish.changes import write_changes
from transforms.publish.folder import held
from transforms.publish.previous import read_previous
from transforms.publish.tables import moved
from transforms.store import load

NEXT = DAY + timedelta(days=1)
Given = tuple[str, Row]


def day(days: int) -> str:
    """A day counted from day D of the first night."""
    return str(DAY + timedelta(days=days))


def lab(row_id: str, value: str, days: int, code: str = "718-7", unit: str = "g/L") -> Given:
    """A result, haemoglobin where nothing else is said."""
    return "labs", {"lab_id": row_id, "code": code, "value": value, "unit": unit, "collected_at": day(days)}


def dx(row_id: str, code: str, days: int, **more: str) -> Given:
    """A diagnosis."""
    return "diagnoses", {"diagnosis_id": row_id, "code": code, "recorded_date": day(days), **more}


def review(row_id: str, item_id: str, answer: str, days: int) -> Given:
    """A chart review."""
    return "chart_reviews", {"review_id": row_id, "item_id": item_id, "answer": answer, "reviewed_date": day(days)}


def disposition(row_id: str, status: str, days: int) -> Given:
    """A disposition."""
    return "dispositions", {"disposition_id": row_id, "status": status, "recorded_date": day(days)}


def drug(row_id: str, days: int, **more: str) -> Given:
    """An order of 10 mg of prednisone by mouth."""
    given = {"dose_value": "10", "dose_unit": "mg", "doses_per_day": "1", "start_date": day(days)}
    return "medications", {"medication_id": row_id, **given, **more}


def patient(**more: str) -> Given:
    """The patient's own row."""
    return "patients", more


SLE = dx("sle", "M32.14", -100)
VTE, NEVER_LUPUS, SEIZURE, UNLISTED, OTHER_AUTOIMMUNE = "I26.99", "G20", "G40.909", "Z00.00", "M05.79"


@dataclass
class Case:
    """A patient's rows on both nights, and the lines expected: item, verdicts before and now, cause, rows."""

    before: list[Given]
    after: list[Given]
    lines: list[tuple[str, str, str, str, str]]
    tiers: tuple[str, str] | None = None
    says: str = ""  # what the first line's reason holds
    is_sle: tuple[bool, bool] = (True, True)
    nights: tuple[bool, bool] = (True, True)  # whether the extract has the patient


CASES = {
    "new_result": Case(
        [lab("l1", "82", -1)],
        [lab("l1", "82", -1), lab("l2", "70", 1)],
        [("I08a", "pass", "fail", "new_rows", "labs:l2")],
        says="New row: labs:new_result.l2",
    ),
    "result_that_came_late": Case([], [lab("l1", "90", -20)], [("I08a", "unknown", "pass", "new_rows", "labs:l1")]),
    "corrected_result": Case(
        [lab("l1", "82", -1)],
        [lab("l1", "72", -1)],
        [("I08a", "pass", "fail", "changed_rows", "labs:l1")],
        says="82 g/L → LOINC 718-7 72 g/L",
    ),
    "withdrawn_result": Case([lab("l1", "82", -1)], [], [("I08a", "pass", "unknown", "withdrawn_rows", "labs:l1")]),
    "result_grows_old": Case(
        [lab("l1", "82", -90)],
        [lab("l1", "82", -90)],
        [("I08a", "pass", "unknown", "calendar", "")],
        says="The calendar alone: day D 2026-03-01 → 2026-03-02",
    ),
    # The new result cannot be read, so it is not why the last one is too old.
    "result_grows_old_while_one_comes": Case(
        [lab("l1", "82", -90)],
        [lab("l1", "82", -90), lab("l2", "see note", 1)],
        [("I08a", "pass", "unknown", "calendar", "")],
    ),
    # On day D it was not known yet; that it was there to be known is not new.
    "result_dated_ahead": Case(
        [lab("l1", "82", -1), lab("l2", "70", 1)],
        [lab("l1", "82", -1), lab("l2", "70", 1)],
        [("I08a", "pass", "fail", "calendar", "labs:l2")],
        says="its date has come",
    ),
    # 2 × 6 months: from 1 September to 1 March; on 2 March the embolism lies outside.
    "window_ends": Case(
        [dx("d1", VTE, -181)], [dx("d1", VTE, -181)], [("E17", "fail", "pass", "calendar", "")], says="ended on 2026-03-02, as foretold"
    ),
    "window_ends_while_a_row_comes": Case(
        [dx("d1", VTE, -181)], [dx("d1", VTE, -181), dx("d2", UNLISTED, 1)], [("E17", "fail", "pass", "calendar", "")]
    ),
    "window_ends_and_a_result_comes": Case(
        [dx("d1", VTE, -181), lab("l1", "82", -1)],
        [dx("d1", VTE, -181), lab("l1", "82", -1), lab("l2", "70", 1)],
        [("I08a", "pass", "fail", "new_rows", "labs:l2"), ("E17", "fail", "pass", "calendar", "")],
    ),
    "new_diagnosis": Case([], [dx("d1", VTE, 1)], [("E17", "pass", "fail", "new_rows", "diagnoses:d1")], ("check", "watch")),
    "refuted_diagnosis": Case(
        [dx("d1", VTE, -9)],
        [dx("d1", VTE, -9, status="refuted")],
        [("E17", "fail", "pass", "changed_rows", "diagnoses:d1")],
        ("watch", "check"),
    ),
    # The seizure fails for a time, what lupus never causes for good: no other verdict, but another tier.
    "fail_becomes_lasting": Case(
        [dx("d1", SEIZURE, -9)],
        [dx("d1", SEIZURE, -9), dx("d2", NEVER_LUPUS, 1)],
        [("E01", "fail", "fail", "new_rows", "diagnoses:d2")],
        ("watch", "excluded"),
    ),
    "review_given": Case(
        [dx("d1", OTHER_AUTOIMMUNE, -9)],
        [dx("d1", OTHER_AUTOIMMUNE, -9), review("r1", "E05", "no", 1)],
        [("E05", "review", "pass", "chart_review", "chart_reviews:r1")],
        says="Chart review given",
    ),
    "review_changed": Case(
        [dx("d1", OTHER_AUTOIMMUNE, -9), review("r1", "E05", "no", -2)],
        [dx("d1", OTHER_AUTOIMMUNE, -9), review("r1", "E05", "yes", -2)],
        [("E05", "pass", "fail", "chart_review", "chart_reviews:r1")],
        says="Chart review changed",
    ),
    "review_withdrawn": Case(
        [dx("d1", OTHER_AUTOIMMUNE, -9), review("r1", "E05", "no", -2)],
        [dx("d1", OTHER_AUTOIMMUNE, -9)],
        [("E05", "pass", "review", "chart_review", "chart_reviews:r1")],
        says="Chart review withdrawn",
    ),
    "review_expires": Case(
        [dx("d1", OTHER_AUTOIMMUNE, -9), review("r1", "E05", "no", -90)],
        [dx("d1", OTHER_AUTOIMMUNE, -9), review("r1", "E05", "no", -90)],
        [("E05", "pass", "review", "chart_review", "chart_reviews:r1")],
        says="no longer holds",
    ),
    "review_of_a_criterion": Case(
        [], [review("r1", "I08", "no", 1)], [("I08", "unknown", "fail", "chart_review", "chart_reviews:r1")], ("check", "watch")
    ),
    "declined": Case(
        [],
        [disposition("p1", "declined", 1)],
        [("I11", "unknown", "fail", "disposition", "dispositions:p1")],
        ("check", "excluded"),
    ),
    "do_not_contact": Case([], [disposition("p1", "do-not-contact", 1)], [("", "", "", "disposition", "dispositions:p1")], ("check", "")),
    "died": Case(
        [],
        [patient(death_date=day(1))],
        [("I06", "unknown", "fail", "changed_rows", "patients:died")],
        ("check", "excluded"),
        says="† 2026-03-02",
    ),
    # 10 mg to 1 March, then none: another dose than before, and below 7.5 mg. Had the order not been ended it would run on; had the day
    # not moved it would still be 1 March.
    "order_ended": Case(
        [drug("m1", -30)],
        [drug("m1", -30, end_date=day(0))],
        [
            ("I02b", "pass", "fail", "changed_rows; calendar", "medications:m1"),
            ("I02e", "pass", "fail", "changed_rows; calendar", "medications:m1"),
        ],
        ("watch", "watch"),
    ),
    "left_the_extract": Case([], [], [("", "", "", "withdrawn_rows", "patients:left_the_extract")], ("check", ""), nights=(True, False)),
    "quarantined": Case(
        [], [patient(sex="perhaps")], [("", "", "", "changed_rows", "patients:quarantined")], ("check", ""), says="quarantined"
    ),
    "no_lupus_after_all": Case(
        [dx("s", "M32.14", -9)],
        [dx("s", "M32.14", -9, status="refuted")],
        [("", "", "", "changed_rows", "diagnoses:s")],
        ("check", ""),
        is_sle=(False, False),
    ),
    "lupus_withdrawn": Case(
        [dx("s", "M32.14", -9)], [], [("", "", "", "withdrawn_rows", "diagnoses:s")], ("check", ""), is_sle=(False, False)
    ),
    "lupus_by_a_review_that_ends": Case(
        [review("r1", "I01", "yes", -9)],
        [review("r1", "I01", "yes", -9), review("r2", "I01", "no", 1)],
        [("", "", "", "chart_review", "chart_reviews:r1")],
        ("check", ""),
        is_sle=(False, False),
    ),
    "comes_with_a_diagnosis": Case(
        [], [dx("s", "M32.14", 1)], [("", "", "", "cohort", "diagnoses:s")], ("", "check"), is_sle=(False, False)
    ),
    "counted_long_ago": Case([lab("l1", "82", -40)], [lab("l1", "82", -40)], []),
    "nothing_happens": Case([lab("l1", "82", -1)], [lab("l1", "82", -1)], []),
    # A note and the display of a listed code are not read.
    "only_a_note": Case(
        [dx("d1", VTE, -9, display="embolism"), review("r1", "I10", "yes", -9)],
        [dx("d1", VTE, -9, display="embolus"), ("chart_reviews", {**review("r1", "I10", "yes", -9)[1], "note": "seen again"})],
        [],
    ),
}


def section(night: int) -> cases.Section:
    """All cases of one night as a section; row ids are made the patient's own."""
    made = cases.Section(Path("x"), "night")
    for name, case in CASES.items():
        if not case.nights[night]:
            continue
        rows = [*(case.after if night else case.before), *([SLE] if case.is_sle[night] else [])]
        if not any(table == "patients" for table, _ in rows):
            rows.append(patient())
        for table, row in rows:
            own = {key: f"{name}.{cell}" for key, cell in row.items() if key.endswith("_id") and key != "item_id"}
            made.given.setdefault(table, []).append({**row, **own, "patient_id": name})
    return made


@dataclass
class Nights:
    """The first night published, the second under way with its store open, and its changes.csv."""

    folder: Path
    first: Path
    second: steps.Run
    lines: list[Row] = field(default_factory=list)


@contextmanager
def under_way(settings: Settings) -> Iterator[steps.Run]:
    """A run whose files are written and that is not published yet."""
    with held(settings.out) as work:
        run = steps.begin(settings, work, Progress(quiet=True))
        for step in (steps.read, steps.check, steps.select, steps.read_events, steps.judge, steps.write):
            step(run)
        yield run


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    folder = tmp_path_factory.mktemp("nights")
    for night in (0, 1):
        cases.write_extract(section(night), folder / f"extract{night}")
    first, _ = nightly(Settings(folder / "extract0", folder / "out", as_of=DAY, dossiers=0))
    with under_way(Settings(folder / "extract1", folder / "out", as_of=NEXT, dossiers=0)) as second:
        yield Nights(folder, first, second, read(second.folder))


def read(folder: Path) -> list[Row]:
    """The lines of changes.csv."""
    with (folder / "changes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", CASES)
def test_each_cause_is_told_apart(nights: Nights, name: str) -> None:
    case = CASES[name]
    found = [line for line in nights.lines if line["patient_id"] == name]
    told = [(f["item_id"], f["from_verdict"], f["to_verdict"], f["cause"], f["rows"].replace(f":{name}.", ":")) for f in found]
    assert told == case.lines
    if case.tiers:
        assert {(f["from_tier"], f["to_tier"]) for f in found} == {case.tiers}
    assert not found or case.says in found[0]["reason"]


def line_of(lines: list[Row], patient_id: str) -> Row:
    """The only line of a patient."""
    (line,) = [line for line in lines if line["patient_id"] == patient_id]
    return line


def since(nights: Nights, folder: Path, settings: dict[str, Any]) -> list[Row]:
    """The lines of the second night against a first night that ran with other settings."""
    before, _ = nightly(Settings(nights.folder / "extract0", folder / "out", as_of=DAY, dossiers=0, **settings))
    write_changes(nights.second.con, folder, read_previous(before), nights.second.record.body())
    return read(folder)


def test_a_parameter_is_told_from_the_calendar(nights: Nights, tmp_path: Path) -> None:
    """A count of 40 days ago: too old for 30 days, and not for 90; the day moved too, but of itself changes nothing."""
    (tmp_path / "short.toml").write_text("blood_days = 30\nvirology_days = 90\n")
    lines = since(nights, tmp_path, {"params": tmp_path / "short.toml"})
    line = line_of(lines, "counted_long_ago")
    assert (line["item_id"], line["from_verdict"], line["to_verdict"], line["cause"]) == ("I08a", "unknown", "pass", "parameters")
    assert line["reason"].startswith("Parameters: blood_days 30 → 90. Now: ")
    assert told([each for each in lines if each["patient_id"] == "new_result"]) == [("new_result", "I08a", "pass", "fail", "new_rows")]
    assert line_of(lines, "result_that_came_late")["cause"] == "new_rows"


def test_the_phase_is_told_from_the_calendar(nights: Nights, tmp_path: Path) -> None:
    """Collection on 3 March asks for a count since 28 February; the pre-screening is content with one of 40 days ago."""
    lines = since(nights, tmp_path, {"phase": "collection", "collection_date": DAY + timedelta(days=2)})
    line = line_of(lines, "counted_long_ago")
    assert (line["item_id"], line["from_verdict"], line["to_verdict"], line["cause"]) == ("I08a", "unknown", "pass", "phase")
    assert line["reason"].startswith("Phase: collection 2026-03-03 → prescreen. Now: ")
    assert "nothing_happens" not in {each["patient_id"] for each in lines}


def test_a_day_that_went_back_is_said_to_have(nights: Nights, tmp_path: Path) -> None:
    lines = against(nights, tmp_path, verdicts={("counted_long_ago", "I08a"): "unknown"}, as_of=NEXT + timedelta(days=60))
    assert told(lines) == [("counted_long_ago", "I08a", "unknown", "pass", "calendar")]
    assert lines[0]["reason"].startswith("Day D went back: 2026-05-01 → 2026-03-02. Now: ")


@pytest.mark.slow
def test_threads_and_the_order_of_rows_change_no_byte(nights: Nights, tmp_path: Path) -> None:
    shutil.copytree(nights.folder / "extract1", tmp_path / "extract")
    for file in (tmp_path / "extract").glob("*.csv"):
        head, *rows = file.read_text(encoding="utf-8").splitlines()
        random.Random(1).shuffle(rows)
        file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    (tmp_path / "out" / "runs").mkdir(parents=True)
    shutil.copytree(nights.first, tmp_path / "out" / "runs" / nights.first.name)
    (tmp_path / "out" / "latest").symlink_to(Path("runs") / nights.first.name)
    run, _ = nightly(Settings(tmp_path / "extract", tmp_path / "out", as_of=NEXT, dossiers=0, threads=1))
    assert (run / "changes.csv").read_bytes() == (nights.second.folder / "changes.csv").read_bytes()


def test_causes_are_told_in_chinese(nights: Nights, tmp_path: Path) -> None:
    con = nights.second.con
    english = con.sql("from run.messages").pl()
    load(con, "run.messages", engine.messages(con, "zh"))
    write_changes(con, tmp_path, read_previous(nights.first), nights.second.record.body())
    load(con, "run.messages", english)
    assert line_of(read(tmp_path), "result_grows_old")["reason"].startswith("仅因日期推移：D日 2026-03-01 → 2026-03-02。现为：")


def test_run_json_counts_the_lines(nights: Nights) -> None:
    changes = nights.second.record.content["changes"]
    assert changes["lines"] == len(nights.lines) == sum(len(case.lines) for case in CASES.values())
    assert changes["causes"]["chart_review"] == 6
    assert nights.second.record.content["not_compared"] == []


def against(nights: Nights, folder: Path, **tampered: Any) -> list[Row]:
    """The lines of the second night against a run before that is the second night itself, but for what is tampered with.

    ``verdicts``: (patient, item) -> the verdict that it gave; ``record``: what its run.json says otherwise; ``spoil``: files overwritten;
    ``as_of``: its day D; ``without``: rows that it did not keep.
    """
    before = folder / "before"
    shutil.copytree(nights.second.folder, before)
    verdicts = pl.read_parquet(before / "verdicts.parquet")
    for (patient_id, item_id), verdict in tampered.get("verdicts", {}).items():
        is_it = (pl.col("patient_id") == patient_id) & (pl.col("item_id") == item_id)
        verdicts = verdicts.with_columns(verdict=pl.when(is_it).then(pl.lit(verdict)).otherwise("verdict"))
    verdicts.write_parquet(before / "verdicts.parquet")
    if "without" in tampered:
        ref = pl.concat_str("table", pl.lit(":"), "row_id")
        events = pl.read_parquet(before / "events.parquet").filter(~ref.is_in(tampered["without"]))
        events.write_parquet(before / "events.parquet")
    if "as_of" in tampered:
        features = pl.read_parquet(before / "features.parquet").with_columns(as_of=pl.lit(tampered["as_of"]))
        features.write_parquet(before / "features.parquet")
    record = json.loads(json.dumps(nights.second.record.body(), default=str))
    record["run_id"] = before.name
    for path, value in tampered.get("record", {}).items():
        at = record
        *way, last = path.split("/")
        for step in way:
            at = at[step]
        if value is None:
            at.pop(last)
        else:
            at[last] = value
    (before / "run.json").write_text(json.dumps(record))
    for name, content in tampered.get("spoil", {}).items():
        (before / name).unlink()
        if content is not None:
            (before / name).write_bytes(content)
    previous = read_previous(before)
    write_changes(nights.second.con, folder, previous, nights.second.record.body())
    return read(folder)


def told(lines: list[Row]) -> list[tuple[str, ...]]:
    """Patient, item, verdicts, cause of lines."""
    return [tuple(line[name] for name in ("patient_id", "item_id", "from_verdict", "to_verdict", "cause")) for line in lines]


def test_nothing_happens_on_the_same_day_with_the_same_data(nights: Nights, tmp_path: Path) -> None:
    assert against(nights, tmp_path) == []
    header = "patient_id,from_tier,to_tier,item_id,from_verdict,to_verdict,reason,cause,rows\r\n"
    assert (tmp_path / "changes.csv").read_bytes().decode() == header


def test_a_code_list_in_another_version_is_named_where_the_item_reads_it(nights: Nights, tmp_path: Path) -> None:
    verdicts = {("new_diagnosis", "E17"): "pass", ("nothing_happens", "I08a"): "fail"}
    record = {"versions/code_lists/vte": "another", "versions/rules/I08a": "another"}
    lines = against(nights, tmp_path, verdicts=verdicts, record=record)
    assert told(lines) == [
        ("new_diagnosis", "E17", "pass", "fail", "code_lists"),
        ("nothing_happens", "I08a", "fail", "pass", "rules"),
    ]
    assert lines[0]["reason"].startswith("Code lists in another version: vte. Now: ")


def test_a_result_that_another_list_of_analytes_may_have_brought_is_not_called_new_alone(nights: Nights, tmp_path: Path) -> None:
    """The run before kept no such row, but it knew other analytes; a result dated since can only be new."""
    lines = against(nights, tmp_path, without=["labs:result_that_came_late.l1", "labs:new_result.l2"], verdicts={
        ("result_that_came_late", "I08a"): "unknown", ("new_result", "I08a"): "pass"
    }, record={"versions/code_lists/analytes": "another"}, as_of=DAY)  # fmt: skip
    assert line_of(lines, "result_that_came_late")["cause"] == "new_rows; code_lists"
    assert line_of(lines, "new_result")["cause"] == "new_rows"


def test_where_too_many_would_have_to_be_asked_all_that_may_be_the_cause_is_named(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flips, "MOST_COPIES", 0)
    write_changes(nights.second.con, tmp_path, read_previous(nights.first), nights.second.record.body())
    lines = read(tmp_path)
    assert line_of(lines, "corrected_result")["cause"] == "changed_rows; calendar"
    assert line_of(lines, "result_grows_old")["cause"] == "calendar"
    assert line_of(lines, "new_result")["cause"] == "new_rows"


def test_a_table_that_came_is_named(nights: Nights, tmp_path: Path) -> None:
    lines = against(nights, tmp_path, verdicts={("nothing_happens", "E12"): "unknown"}, record={"tables/immunizations": None})
    assert told(lines) == [("nothing_happens", "E12", "unknown", "pass", "tables")]
    assert lines[0]["reason"].startswith("The extract now has the table immunizations. Now: ")


def test_what_nothing_explains_is_unknown_and_names_other_libraries(nights: Nights, tmp_path: Path) -> None:
    lines = against(nights, tmp_path, verdicts={("nothing_happens", "I08a"): "fail"}, record={"versions/duckdb": "1.0"})
    assert told(lines) == [("nothing_happens", "I08a", "fail", "pass", "unknown")]
    assert "versions differ: duckdb" in lines[0]["reason"]


OLDER = {"spoil": {"events.parquet": None}}
OLD_RECORD = {"record": {"versions/rules": None}}


@pytest.mark.parametrize("lacking", [OLDER, OLD_RECORD, {"spoil": {"run.json": b"{"}}, {"spoil": {"events.parquet": b"PAR1"}}])
def test_a_run_before_that_does_not_tell_enough_leaves_the_cause_unknown(nights: Nights, tmp_path: Path, lacking: dict[str, Any]) -> None:
    lines = against(nights, tmp_path, verdicts={("nothing_happens", "I08a"): "fail"}, **lacking)
    assert told(lines) == [("nothing_happens", "I08a", "fail", "pass", "unknown")]


@pytest.mark.parametrize("name", ["verdicts.parquet", "features.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_a_damaged_run_before_is_named_and_stops_nothing(nights: Nights, tmp_path: Path, name: str, content: bytes | None) -> None:
    assert against(nights, tmp_path, spoil={name: content}) == []
    previous = read_previous(tmp_path / "before")
    assert previous
    write_changes(nights.second.con, tmp_path, previous, nights.second.record.body())
    assert previous.problems == [f"{name} cannot be read" if content is not None else f"has no {name}"]


@pytest.mark.parametrize("content", [None, b"", b"rank;patient_id\n1;x\n", b"rank,patient_id,tier\none,x,ready\n", b"\xff\xfe\x00"])
def test_a_list_that_cannot_be_read_leaves_change_empty(nights: Nights, tmp_path: Path, content: bytes | None) -> None:
    against(nights, tmp_path, spoil={"candidates.csv": content})
    previous = read_previous(tmp_path / "before")
    assert previous
    assert previous.problems == ["candidates.csv cannot be read"]
    assert moved(pl.DataFrame({"patient_id": ["x"], "tier": ["ready"], "rank": [1]}), previous)["change"].to_list() == [None]


def test_another_hospital_before_comes_and_goes_as_a_whole(nights: Nights, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(nights.first, before)
    for name in ("features", "verdicts", "events"):
        frame = pl.read_parquet(before / f"{name}.parquet").with_columns(patient_id="elsewhere " + pl.col("patient_id"))
        frame.write_parquet(before / f"{name}.parquet")
    write_changes(nights.second.con, tmp_path, read_previous(before), nights.second.record.body())
    lines = read(tmp_path)
    assert {line["cause"] for line in lines if line["patient_id"].startswith("elsewhere")} == {"withdrawn_rows"}
    assert {line["cause"] for line in lines if not line["patient_id"].startswith("elsewhere")} == {"cohort"}
