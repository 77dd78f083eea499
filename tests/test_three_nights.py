"""Three consecutive nights on the sample: labs come, a row is withdrawn and six reviews come back; then the calendar alone.

Every line of changes.csv is reasoned by hand.
"""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from tests import runs
from tests.test_loop import filled
from transforms.reviews.answers import read_answers
from transforms.reviews.delivery import deliver

FIRST, SECOND, THIRD = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)

LABS = """\
N1,ZS900031,LOINC,718-7,Hemoglobin,2026-03-02T08:10:00,112,g/L,115.0,150.0,,final
N2,ZS900031,LOINC,751-8,Neutrophils,2026-03-02T08:10:00,3.10,10^9/L,1.8,6.3,,final
N3,ZS900031,LOINC,777-3,Platelets,2026-03-02T08:10:00,180,10^9/L,125.0,350.0,,final
N4,ZS900031,LOINC,731-0,Lymphocytes,2026-03-02T08:10:00,1.20,10^9/L,1.1,3.2,,final
N5,ZS900031,LOINC,736-9,Lymphocytes/100 leukocytes,2026-03-02T08:10:00,26.0,%,20.0,50.0,,final
N6,ZS900006,LOINC,29615-2,HBV DNA,2026-02-27T08:10:00,<20,IU/mL,,,,final
N7,ZS900001,LOINC,718-7,Hemoglobin,2026-03-02T08:10:00,72,g/L,115.0,150.0,,final
N8,ZS900002,LOINC,718-7,Hemoglobin,2026-03-02T08:10:00,118,g/L,115.0,150.0,,final
"""
WITHDRAWN = "ZS900011-D03"  # the only deep vein thrombosis, of 2 October 2025
ON_FIRST = {"reviewed_date": FIRST}
ANSWERS = {
    ("ZS900037", "E18"): {"answer": "no", **ON_FIRST},
    ("ZS900053", "E15"): {"answer": "no", **ON_FIRST},
    ("ZS900053", "E09a"): {"answer": "yes", **ON_FIRST},
    ("ZS900025", "E13d"): {"answer": "no", **ON_FIRST},
    ("ZS900032", "I04"): {"answer": "no", **ON_FIRST},
    ("ZS900058", "I07"): {"answer": "yes", **ON_FIRST, "valid_until": SECOND},
}

# The second night. What is not here did not flip: ZS900002's haemoglobin was 80 g/L or more before and is now.
SECOND_NIGHT = {
    # Until 1 March a quarantined order without a drug, of up to 24 February, lay within the 5 days before D (24 February to 1 March); the 5
    # days before 2 March begin on the 25th. Absence can be read now. Other items have longer windows.
    ("ZS000005", "E11"): ("watch", "watch", "unknown", "pass", "calendar", ""),
    # 72 g/L is below 80: the only fail of a patient who was ready.
    ("ZS900001", "I08a"): ("ready", "watch", "pass", "fail", "new_rows", "labs:N7"),
    # Core antibody positive, surface antigen negative: DNA was all that was missing. Below 20 IU/mL, taken on 27 February, came late.
    ("ZS900006", "E13a"): ("check", "ready", "unknown", "pass", "new_rows", "labs:N6"),
    # Immunoglobulin of 23 February still fails E10, so the patient stays on watch.
    ("ZS900011", "E17"): ("watch", "watch", "fail", "pass", "withdrawn_rows", f"diagnoses:{WITHDRAWN}"),
    # Reagin positive, and no antibody: the chart says no syphilis. It was all that was open.
    ("ZS900025", "E13d"): ("check", "ready", "review", "pass", "chart_review", "ZS900025 E13d"),
    # The last count was of 2 October 2025; now all five are there, and nothing else was open.
    ("ZS900031", "I08a"): ("check", "ready", "unknown", "pass", "new_rows", "labs:N1"),
    ("ZS900031", "I08b"): ("check", "ready", "unknown", "pass", "new_rows", "labs:N2"),
    ("ZS900031", "I08c"): ("check", "ready", "unknown", "pass", "new_rows", "labs:N3"),
    ("ZS900031", "I08d"): ("check", "ready", "unknown", "pass", "new_rows", "labs:N4"),
    ("ZS900031", "I08e"): ("check", "ready", "unknown", "pass", "new_rows", "labs:N5"),
    # Recorded total 4 against 12 points by records: the chart says that the activity is not there.
    ("ZS900032", "I04"): ("check", "watch", "review", "fail", "chart_review", "ZS900032 I04"),
    ("ZS900037", "E18"): ("check", "ready", "review", "pass", "chart_review", "ZS900037 E18"),
    # One answer opens, the other shuts: a nosebleed of grade 2.
    ("ZS900053", "E09a"): ("check", "watch", "review", "fail", "chart_review", "ZS900053 E09a"),
    ("ZS900053", "E15"): ("check", "watch", "review", "pass", "chart_review", "ZS900053 E15"),
    # A urine test was positive; the chart says not pregnant, until 2 March.
    ("ZS900058", "I07"): ("check", "ready", "review", "pass", "chart_review", "ZS900058 I07"),
}
THIRD_NIGHT = {
    # A review of 2 December 2025 held for 90 days, to 2 March; compliance is for the investigator again, which moves no tier.
    ("ZS000015", "E20"): ("watch", "watch", "pass", "unknown", "chart_review", "chart_reviews:R000000007"),
    # The answer held until 2 March; the urine test of 23 February is still within 30 days.
    ("ZS900058", "I07"): ("ready", "check", "pass", "review", "chart_review", "ZS900058 I07"),
}


@dataclass
class Nights:
    """The three published runs, and the ids that the six answers got."""

    runs: tuple[Path, Path, Path]
    review_ids: dict[str, str]


@pytest.fixture(scope="module")
def nights(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    folder = tmp_path_factory.mktemp("nights")
    extract, out = folder / "extract", folder / "out"
    first = out / "runs" / shipped.name
    shutil.copytree(shipped, first)
    (out / "latest").symlink_to(first.relative_to(out))
    shutil.copytree(runs.NATIVE, extract)
    (extract / "extract.json").write_text(json.dumps({"as_of": str(SECOND)}))
    with (extract / "labs.csv").open("a", encoding="utf-8") as labs:
        labs.write(LABS)
    lines = (extract / "diagnoses.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (extract / "diagnoses.csv").write_text("".join(line for line in lines if not line.startswith(f"{WITHDRAWN},")), encoding="utf-8")
    assert deliver(read_answers(filled(first / "worklist.xlsx", ANSWERS)).taken, extract).added == len(ANSWERS)
    second = runs.match(extract, out, dossiers=0)
    (extract / "extract.json").write_text(json.dumps({"as_of": str(THIRD)}))
    third = runs.match(extract, out, dossiers=0)
    with (extract / "chart_reviews.csv").open(encoding="utf-8-sig", newline="") as file:
        reviews = list(csv.DictReader(file))
    ids = {f"chart_reviews:{row['review_id']}": f"{row['patient_id']} {row['item_id']}" for row in reviews[-len(ANSWERS) :]}
    return Nights((first, second, third), ids)


def lines(nights: Nights, night: int) -> dict[tuple[str, str], tuple[str, ...]]:
    """The lines of a night's changes.csv; an answer of the six is named by its patient and item."""
    with (nights.runs[night] / "changes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = ("from_tier", "to_tier", "from_verdict", "to_verdict", "cause", "rows")
    found = {(row["patient_id"], row["item_id"]): tuple(nights.review_ids.get(row[name], row[name]) for name in told) for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_first_night_has_nothing_to_compare_with(nights: Nights) -> None:
    assert lines(nights, 0) == {}
    assert {row["change"] for row in runs.candidates(nights.runs[0])} == {"new"}


def test_every_line_of_the_second_night(nights: Nights) -> None:
    assert lines(nights, 1) == SECOND_NIGHT


def test_every_line_of_the_third_night(nights: Nights) -> None:
    assert lines(nights, 2) == THIRD_NIGHT


def test_the_column_change_tells_who_moved(nights: Nights) -> None:
    """Up: what became ready from check. Down: what left ready or check for watch, and those whom others overtook."""
    change = {row["patient_id"]: row["change"] for row in runs.candidates(nights.runs[1])}
    assert {patient for patient, moved in change.items() if moved == "new"} == set()
    for patient in ("ZS900006", "ZS900025", "ZS900031", "ZS900037", "ZS900058"):
        assert (patient, change[patient]) == (patient, "up")
    for patient in ("ZS900001", "ZS900032", "ZS900053"):
        assert (patient, change[patient]) == (patient, "down")


def test_reasons_are_sentences_with_rows_and_dates(nights: Nights) -> None:
    with (nights.runs[1] / "changes.csv").open(encoding="utf-8", newline="") as file:
        reasons = {(row["patient_id"], row["item_id"]): row["reason"] for row in csv.DictReader(file)}
    assert reasons["ZS900001", "I08a"] == (
        "New row: labs:N7 (Hemoglobin 72 g/L, 2026-03-02). Now: Haemoglobin 72 g/L on 2026-03-02 does not meet ≥ 80 g/L"
    )
    assert reasons["ZS900011", "E17"].startswith(
        f"Withdrawn row: diagnoses:{WITHDRAWN} (ICD10CM I82.402 Deep vein thrombosis, 2025-10-02). "
    )
    assert reasons["ZS000005", "E11"] == ("The calendar alone: day D 2026-03-01 → 2026-03-02. Now: No record of marrow stimulant")
