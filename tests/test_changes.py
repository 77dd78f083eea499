"""changes.csv: each cause told apart, patients who come and go, and runs before that cannot be compared.

One pair of nights shows most of it: day D moves by one day, and each patient is one case, named by what happens to it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from flows import steps
from flows.nightly import nightly
from flows.progress import Progress
from flows.settings import Settings
from tests import cases
from tests.cases import DAY, Row
from transforms.publish.folder import held

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

    out: Path
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
    (folder / "loose.toml").write_text("max_rejected_share = 0.5\n")
    for night in (0, 1):
        cases.write_extract(section(night), folder / f"extract{night}")
    first, _ = nightly(Settings(folder / "extract0", folder / "out", as_of=DAY, dossiers=0))
    with under_way(Settings(folder / "extract1", folder / "out", as_of=NEXT, dossiers=0)) as second:
        yield Nights(folder / "out", first, second, read(second.folder))


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
