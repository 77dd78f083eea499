"""What the pipeline finds of SLEDAI-2K and of the classification, as text, and random patients to find it of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from random import Random

import duckdb

from tests import cases
from tests.cases import DAY, Row

Rows = dict[str, list[Row]]  # table -> rows of one patient, without patient_id


def states(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Row]:
    """The descriptors and items of each patient."""
    rows = con.sql("select patient_id, item_id, state, reason_code, evidence_date from feat.descriptors").pl()
    return {(row["patient_id"], row["item_id"]): cases.as_text(row) for row in rows.iter_rows(named=True)}


def totals(con: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """The bounds of each patient."""
    rows = con.sql(
        "select patient_id, sledai_recorded, sledai_low, sledai_high, class_low, class_high, is_met"
        " from feat.sledai inner join feat.classification using (patient_id)"
    ).pl()
    return {row["patient_id"]: cases.as_text(row) for row in rows.iter_rows(named=True)}


def differing(section: cases.Section, con: duckdb.DuckDBPyConnection) -> object:
    """What a section expects of items or of bounds and does not find."""
    if "item_id" in section.expected[0]:
        return cases.differing(section, states(con), "patient_id", "item_id")
    return cases.differing(section, totals(con), "patient_id")


def section_of(patients: Mapping[str, Rows]) -> cases.Section:
    """The patients as a section of a case file."""
    section = cases.Section(Path("random.cases.md"), "random")
    section.given = {"patients": [{"patient_id": name} for name in patients]}
    for name, tables in patients.items():
        for table, rows in tables.items():
            given = [{**row, "patient_id": name} for row in rows]
            for row in given:
                if "review_id" in row:
                    row["review_id"] = f"{name} {row['review_id']}"
            section.given.setdefault(table, []).extend(given)
    return section


def assess(patients: Mapping[str, Rows], folder: Path, **settings: str) -> duckdb.DuckDBPyConnection:
    """A store in which the patients' descriptors and items are derived."""
    return cases.run(section_of(patients), folder, only="I04", **settings)


def a_patient(rng: Random) -> Rows:
    """Results, diagnoses and chart reviews about items, near their limits and the ends of the window."""
    reviews = [a_review(rng) for _ in range(rng.choice([0, 0, 1, 3]))]
    return {
        "labs": [a_lab(rng) for _ in range(rng.randint(0, 14))] + [lab(rng, "5048-4", ["1:320", "1:320", "±", "1:40"])],
        "diagnoses": [a_diagnosis(rng) for _ in range(rng.randint(0, 4))],
        "observations": [temperature(rng) for _ in range(rng.choice([0, 1, 2]))],
        "chart_reviews": reviews,
    }


TESTS = {  # LOINC -> values, unit, qualifying first
    "13945-1": (["30", ">5", "5", "<10", "3", "x"], "/HPF"),
    "5821-4": (["6", "5", "<4"], "/HPF"),
    "5807-3": (["阳性", "2", "0", "±"], ""),
    "2889-4": (["2", "0.5", "<1"], "g/24h"),
    "2890-2": (["60", "56", "600000"], "mg/mmol"),
    "4485-9": (["0.5", "0.8", "<1", "1.1"], "g/L"),
    "4498-2": (["5", "10", "<20", "30"], "mg/dL"),
    "31348-6": (["positive", "1:10", "阴性", "±"], ""),
    "18323-6": (["positive", "negative"], ""),
    "3181-5": (["positive", "negative", "可疑"], ""),
    "777-3": (["20", "99", "100", "<120"], "10^9/L"),
    "6690-2": (["2", "3", "3.9", "4", "<3.5"], "10^9/L"),
}
CODES = ["M13.0", "L93.0", "G40.9", "D59.1", "M25.50", "M32.14", "L95.9", "N39.0", "J18.9", "I32", "I10"]
ITEMS = ["S01", "S09", "S12", "S20", "S22", "C-fever", "C-joint", "C-low-both", "C-low-one", "C-ln-3-4", "C-dsdna-sm"]


def a_day(rng: Random) -> str:
    """A day near an end of the window or long ago, now and then after day D."""
    return str(DAY - timedelta(days=rng.choice([-1, 0, 1, 5, 29, 30, 31, 100, 400])))


def lab(rng: Random, code: str, values: list[str], unit: str = "") -> Row:
    """A result of a test; now and then in no unit or preliminary."""
    row = {"code": code, "value": rng.choice(values), "unit": unit, "collected_at": a_day(rng)}
    return row | rng.choice([{}, {}, {}, {}, {"unit": ""}, {"status": "preliminary"}])


def a_lab(rng: Random) -> Row:
    """A result of a random test."""
    code = rng.choice(list(TESTS))
    return lab(rng, code, *TESTS[code])


def a_diagnosis(rng: Random) -> Row:
    """A diagnosis that may speak for an item, or for an infection."""
    return {"code": rng.choice(CODES), "recorded_date": a_day(rng)}


def temperature(rng: Random) -> Row:
    """A body temperature near 38 °C."""
    return {"code": "8310-5", "value": rng.choice(["38", "38.1", "36.5"]), "unit": "°C", "observed_at": a_day(rng)}


def a_review(rng: Random) -> Row:
    """An answer about a random item."""
    answer = rng.choice(["yes", "no", "unknown"])
    review_id = f"{rng.getrandbits(64):020}"  # of two of one day the greatest counts, in whatever order they come
    return {"review_id": review_id, "item_id": rng.choice(ITEMS), "answer": answer, "reviewed_date": a_day(rng)}


def later(rng: Random) -> Rows:
    """Rows that speak for every item, all dated after day D."""
    after = str(DAY + timedelta(days=rng.randint(1, 300)))
    return {
        "labs": [
            {"code": code, "value": values[0], "unit": unit, "collected_at": after}
            for code, (values, unit) in {**TESTS, "5048-4": (["1:320"], "")}.items()
        ],
        "diagnoses": [{"code": code, "recorded_date": after} for code in CODES],
        "chart_reviews": [{"item_id": item, "answer": "yes", "reviewed_date": after} for item in ITEMS],
    }


def together(*parts: Rows) -> Rows:
    """The rows of several parts as one patient's."""
    tables = {table for part in parts for table in part}
    return {table: [row for part in parts for row in part.get(table, [])] for table in sorted(tables)}


def shuffled(rows: Rows, rng: Random) -> Rows:
    """The same rows in another order."""
    return {table: rng.sample(rows[table], len(rows[table])) for table in reversed(rows)}
