"""Exposure and dose: the hand-worked cases, a second slow reading on random histories, what never changes a dose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import date, timedelta
from itertools import pairwise
from math import inf
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import cases
from tests import reference_doses as reference
from tests.cases import DAY
from tests.reference_doses import Patient, Row

CASES = Path(__file__).parents[1] / "transforms" / "features" / "doses.cases.md"
SECTIONS = list(cases.sections(CASES))
NAMES: dict[str, tuple[str, ...]] = {
    "泼尼松片": ("prednisone",),
    "泼尼松龙": ("prednisolone",),
    "甲泼尼龙": ("methylprednisolone",),
    "注射用甲泼尼龙琥珀酸钠": ("methylprednisolone",),
    "hydrocortisone": ("hydrocortisone",),
    "醋酸可的松": ("cortisone",),
    "dexamethasone injection": ("dexamethasone",),
    "dexamethasone": ("dexamethasone",),
    "倍他米松乳膏": ("betamethasone",),
    "倍他米松": ("betamethasone",),
    "曲安奈德鼻喷雾剂": ("triamcinolone",),
    "曲安西龙": ("triamcinolone",),
    "deflazacort": ("deflazacort",),
    "prednisone and azathioprine": ("azathioprine", "prednisone"),
    "吗替麦考酚酯胶囊": ("mycophenolate mofetil",),
    "麦考酚钠肠溶片": ("mycophenolic acid",),
    "他克莫司胶囊": ("tacrolimus",),
    "tacrolimus ointment": ("tacrolimus",),
    "环孢素": ("ciclosporin",),
    "环磷酰胺": ("cyclophosphamide",),
    "硫唑嘌呤": ("azathioprine",),
    "voclosporin": ("voclosporin",),
}
Dose = tuple[float, float, float, float]
State = reference.Bounds | str | None


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.title)
def test_hand_worked_doses(section: cases.Section, tmp_path: Path) -> None:
    con = cases.run(section, tmp_path, only="I02e")
    doses = glucocorticoids(con)
    shown = {}
    for row in section.expected:
        oral_low, oral_high, low, high = doses[row["patient_id"]][date.fromisoformat(row.get("day", str(DAY)))]
        shown[row["patient_id"], row.get("day")] = as_cell(oral_low, oral_high), as_cell(low, high)
    assert shown == {(row["patient_id"], row.get("day")): (row["oral"], row["systemic"]) for row in section.expected}


def test_second_reading_agrees_on_2000_histories(tmp_path: Path) -> None:
    rng = Random(4)
    patients = {f"p{number}": a_history(rng) for number in range(2000)}
    con = assess(patients, tmp_path)
    found_doses, found_drugs = glucocorticoids(con), immunosuppressants(con)
    held = 0
    for patient_id, patient in patients.items():
        told = known(patient)
        assert_close(found_doses[patient_id].values(), reference.glucocorticoids(told, DAY), patient_id)
        expected = reference.immunosuppressants(told, DAY)
        assert found_drugs.get(patient_id, {}).keys() == expected.keys(), patient_id
        for drug, states in expected.items():
            assert_same_states(states, found_drugs[patient_id][drug], f"{patient_id} {drug}")
        held += sum(dose[3] > 0 for dose in found_doses[patient_id].values())
    assert held > 100_000  # the histories are not empty


def test_another_limit_of_open_rows(tmp_path: Path) -> None:
    rng = Random(5)
    patients = {f"p{number}": a_history(rng) for number in range(100)}
    con = assess(patients, tmp_path, open_days=90)
    found = glucocorticoids(con)
    for patient_id, patient in patients.items():
        assert_close(found[patient_id].values(), reference.glucocorticoids(known(patient), DAY, 90), patient_id)


@pytest.mark.slow
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_what_changes_no_dose(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another order of the rows, rows begun after day D, a row split in two abutting ones; low is never above high."""
    rng = Random(seed)
    patients: dict[str, Patient] = {}
    for number in range(60):
        patient = a_history(rng)
        shuffled = rng.sample(patient.rows, len(patient.rows))
        later = [
            replace(row, medication_id=f"{row.medication_id} later", start_date=DAY + timedelta(days=rng.randint(1, 300)), end_date=None)
            for row in shuffled
        ]
        patients[f"{number}"] = patient
        patients[f"{number} shuffled"] = Patient(shuffled, patient.weights[::-1])
        patients[f"{number} later"] = Patient(patient.rows + later, patient.weights)
        patients[f"{number} split"] = Patient(split(patient.rows, rng), patient.weights)
    found = glucocorticoids(assess(patients, tmp_path_factory.mktemp("doses")))
    for number in range(60):
        base = list(found[f"{number}"].values())
        for way in ("shuffled", "later", "split"):
            assert_close(found[f"{number} {way}"].values(), base, f"{number} {way}")
        assert all(0 <= dose[0] <= dose[1] and 0 <= dose[2] <= dose[3] for dose in base)
        assert all(dose[0] <= dose[2] and dose[1] <= dose[3] for dose in base)


def test_timeline_is_whole_and_maximal(tmp_path: Path) -> None:
    rng = Random(6)
    con = assess({f"p{number}": a_history(rng) for number in range(50)} | {"none": Patient([])}, tmp_path)
    rows = con.sql("from feat.gc_timeline order by patient_id, start_date").fetchall()
    for before, after in pairwise(rows):
        if before[0] == after[0]:
            assert before[2] + timedelta(days=1) == after[1]
            assert before[3:] != after[3:]
        else:
            assert (before[2], after[1]) == (DAY, DAY - timedelta(days=364))
    assert [row[1:] for row in rows if row[0] == "none"] == [(DAY - timedelta(days=364), DAY, 0, 0, 0, 0)]


def test_thousands_of_overlapping_rows(tmp_path: Path) -> None:
    """Each of 3,000 orders supersedes the one before; what is given on a day is added up."""
    orders = [
        Row(
            f"o{number}",
            ("prednisone",),
            DAY - timedelta(days=3000 - number),
            "prednisone",
            "oral",
            float(number % 97 + 1),
            "mg",
            1.0,
        )
        for number in range(3000)
    ]
    given_rows = [
        replace(orders[0], medication_id=f"g{number}", start_date=DAY, kind="administration", dose_value=0.5) for number in range(1000)
    ]
    found = glucocorticoids(assess({"crowded": Patient(orders + given_rows)}, tmp_path))["crowded"]
    assert found[DAY - timedelta(days=1)][0] == 2999 % 97 + 1
    assert found[DAY] == (500, 500, 500, 500)


def a_history(rng: Random) -> Patient:
    """Some medication rows around day D that meet often: few drugs, few starts."""
    names = rng.sample(sorted(NAMES), rng.choice([1, 1, 2, 3]))
    starts = [DAY - timedelta(days=rng.choice([0, 1, 7, 14, 28, 30, 60, 90, 180, 364, 365, 400])) for _ in range(3)]
    rows = [a_row(rng, f"m{number}", rng.choice(names), rng.choice(starts)) for number in range(rng.randint(1, 9))]
    weights = {DAY - timedelta(days=rng.randint(0, 800)): rng.choice([48.5, 60.0, 71.3]) for _ in range(rng.choice([0, 1, 3]))}
    return Patient(rows, list(weights.items()))


def a_row(rng: Random, medication_id: str, name: str, near: date) -> Row:
    """A row that begins near the day, with everything that the rule of the day looks at drawn at random."""
    start = near + timedelta(days=rng.choice([0, 0, 0, 1, 5, 20]))
    is_dispensed = rng.random() < 0.3
    return Row(
        medication_id,
        NAMES[name],
        start,
        name,
        rng.choice(["oral", "oral", "oral", "iv", "im", None, None, "ophthalmic"]),
        rng.choice([1.0, 2.5, 5.0, 7.5, 16.0, 80.0, 100.0, 500.0, None, 0.0, -5.0]),
        rng.choice(["mg", "mg", "mg", "g", "ug", "mg/kg", "IU", None]),
        rng.choice([1.0, 1.0, 2.0, 0.5, 1 / 7, None]),
        rng.choice([30.0, 100.0, 0.0]) if is_dispensed else None,
        rng.choice([5.0, 0.25, -1.0]) if is_dispensed else None,
        rng.choice(["mg", "g", "IU"]) if is_dispensed else None,
        rng.choice([30.0, 7.5, 14.0]) if is_dispensed or rng.random() < 0.1 else None,
        start + timedelta(days=rng.choice([0, 1, 3, 10, 30, 100, 500])) if rng.random() < 0.5 else None,
        rng.choice(["order", "order", None, "dispense", "administration", "statement"]),
        rng.choice([None, None, None, False, True]),
        rng.choice([None, None, None, "active", "completed", "stopped", "on-hold", "cancelled", "entered-in-error"]),
    )


def known(patient: Patient) -> Patient:
    """What the rules may look at: no row withdrawn, none begun after day D."""
    withdrawn = ("cancelled", "entered-in-error")
    rows = [row for row in patient.rows if row.status not in withdrawn and row.start_date <= DAY]
    return Patient(rows, [weight for weight in patient.weights if weight[0] <= DAY])


def split(rows: list[Row], rng: Random) -> list[Row]:
    """The rows with one of them cut in two abutting ones, where one can be found.

    The second half begins later, so it would supersede a row that began in between: a row that shares an ingredient
    with another one begun on a day up to the cut is left whole, unless it counts beside every other (as needed, given).
    A dose by weight is that of the start, one by supply that of the days, and an open row runs from its start: none of
    these is cut.
    """
    for row in rng.sample(rows, len(rows)):
        if row.end_date is None or row.end_date == row.start_date or row.dose_unit == "mg/kg" or row.quantity is not None:
            continue
        cut = row.start_date + timedelta(days=rng.randint(0, (row.end_date - row.start_date).days - 1))
        second = replace(row, medication_id=f"{row.medication_id}b", start_date=cut + timedelta(days=1))
        stands_apart = row.as_needed is True or row.kind == "administration"
        rivals = [
            other
            for other in rows
            if other is not row
            and set(other.ingredients) & set(row.ingredients)
            and row.start_date <= other.start_date <= second.start_date
        ]
        if stands_apart or not rivals:
            return [other for other in rows if other is not row] + [replace(row, end_date=cut), second]
    return rows


def assess(patients: Mapping[str, Patient], folder: Path, **parameters: object) -> duckdb.DuckDBPyConnection:
    """A store in which the patients' doses are derived."""
    section = cases.Section(CASES, "random")
    section.parameters |= parameters
    section.given = {"medications": [], "observations": [], "patients": [{"patient_id": name} for name in patients]}
    for patient_id, patient in patients.items():
        for row in patient.rows:
            told = {field.name: as_word(getattr(row, field.name)) for field in fields(row) if field.name != "ingredients"}
            told["medication_id"] = f"{patient_id} {row.medication_id}"
            section.given["medications"].append({"patient_id": patient_id, **told})
        section.given["observations"] += [
            {
                "patient_id": patient_id,
                "code": "29463-7",
                "observed_at": str(taken),
                "value": str(kg),
                "unit": "kg",
            }
            for taken, kg in patient.weights
        ]
    return cases.run(section, folder, only="I02e")


def as_word(value: object) -> str:
    """A cell of the extract; null for none."""
    return "null" if value is None else str(value)


def glucocorticoids(con: duckdb.DuckDBPyConnection) -> dict[str, dict[date, Dose]]:
    """For each patient and day of the last 365: oral low and high, systemic low and high; infinite where not known."""
    found: dict[str, dict[date, Dose]] = {}
    for patient_id, start, end, *doses in con.sql("from feat.gc_timeline order by patient_id, start_date").fetchall():
        bounds = tuple(inf if dose is None else dose for dose in doses)
        for back in range((end - start).days + 1):
            found.setdefault(patient_id, {})[start + timedelta(days=back)] = bounds  # type: ignore[assignment]
    return found


def immunosuppressants(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, list[State]]]:
    """For each patient and drug the state of each of the last 365 days, as the second reading tells it."""
    rows = con.sql(
        """
        select patient_id, drug, start_date, end_date, low_mg, high_mg, is_covered, is_pulse
        from feat.doses where drug <> 'glucocorticoid' order by patient_id, drug, start_date
        """
    ).fetchall()
    found: dict[str, dict[str, list[State]]] = {}
    for patient_id, drug, start, end, low, high, is_covered, is_pulse in rows:
        state: State = "pulse" if is_pulse else (low, high) if is_covered else None
        found.setdefault(patient_id, {}).setdefault(drug, []).extend([state] * ((end - start).days + 1))
    covered = {p: {d: s for d, s in drugs.items() if any(x is not None for x in s)} for p, drugs in found.items()}
    return {patient_id: drugs for patient_id, drugs in covered.items() if drugs}


def assert_close(found: Iterable[Dose], expected: Iterable[Dose], what: str) -> None:
    """Day by day the same doses, but for the last digits."""
    for day, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert all(a == b or abs(a - b) < 1e-6 for a, b in zip(one, other, strict=True)), (what, day, one, other)


def assert_same_states(expected: list[State], found: list[State], what: str) -> None:
    """Day by day the same state of a drug, but for the last digits of its dose."""
    for day, (one, other) in enumerate(zip(expected, found, strict=True)):
        if isinstance(one, tuple) and isinstance(other, tuple):
            assert all(a == b or abs(a - b) < 1e-6 for a, b in zip(one, other, strict=True)), (what, day, one, other)
        else:
            assert one == other, (what, day)


def as_cell(low: float, high: float) -> str:
    """A dose as a case writes it: ``7.5``, ``0-20``, ``0-`` where the upper bound is not known."""
    shown = [f"{round(bound, 6):.12g}" for bound in (low, high)]
    return shown[0] if low == high else f"{shown[0]}-" + ("" if high == inf else shown[1])
