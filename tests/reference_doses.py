"""A slow second reading of exposure and dose, day by day in plain loops, against which the pipeline is held.

Nothing here is shared with the pipeline. A row is one line of the extract's medications with its ingredients named.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

FOREVER = math.inf
DAYS_SHOWN = 365
WEIGHT_DAYS = 365
LOCAL_WORDS = ("软膏", "乳膏", "凝胶", "滴眼", "眼膏", "吸入", "喷雾", "鼻喷", "栓剂")
MILLIGRAMS = {"mg": 1.0, "g": 1000.0, "ug": 0.001}

PREDNISONE_MG = {
    "prednisone": 1.0,
    "prednisolone": 1.0,
    "methylprednisolone": 1.25,
    "triamcinolone": 1.25,
    "hydrocortisone": 0.25,
    "cortisone": 0.2,
    "dexamethasone": 5 / 0.75,
    "betamethasone": 5 / 0.6,
    "deflazacort": 5 / 6,
}
IMMUNOSUPPRESSANTS = (
    "cyclophosphamide",
    "mycophenolate mofetil",
    "mycophenolic acid",
    "azathioprine",
    "ciclosporin",
    "tacrolimus",
    "voclosporin",
)
DAYS_PER_DOSE = {("cyclophosphamide", "iv"): 28}

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One medication row; what a field is called in the extract it is called here."""

    medication_id: str
    ingredients: tuple[str, ...]
    start_date: date
    drug_name: str = ""
    route: str | None = None
    dose_value: float | None = None
    dose_unit: str | None = None
    doses_per_day: float | None = None
    quantity: float | None = None
    strength_value: float | None = None
    strength_unit: str | None = None
    days_supply: float | None = None
    end_date: date | None = None
    kind: str | None = None
    as_needed: bool | None = None
    status: str | None = None


@dataclass
class Patient:
    """The rows of one patient, and their weights in kg by day."""

    rows: list[Row]
    weights: list[tuple[date, float]] = field(default_factory=list)


def is_as_needed(row: Row) -> bool:
    """What was given was given: only other rows can be as needed."""
    return row.as_needed is True and row.kind != "administration"


def is_open(row: Row) -> bool:
    """The row does not say when it ends."""
    return (
        row.end_date is None
        and row.days_supply is None
        and row.kind not in ("administration", "dispense")
        and row.status not in ("stopped", "completed", "on-hold")
    )


def last_day(row: Row, open_days: int) -> date:
    """The last day on which the row is taken."""
    if row.end_date is not None:
        return row.end_date
    if row.days_supply is not None:
        return row.start_date + timedelta(days=math.ceil(row.days_supply) - 1)
    if row.kind == "administration":
        return row.start_date
    if row.kind == "dispense":
        return row.start_date + timedelta(days=29)
    if row.status in ("stopped", "completed", "on-hold"):
        return row.start_date
    return row.start_date + timedelta(days=open_days - 1)


def weight_on(day: date, weights: Sequence[tuple[date, float]]) -> float | None:
    """The latest weight on or before the day, not older than a year."""
    best: tuple[date, float] | None = None
    for taken, kg in weights:
        if day - timedelta(days=WEIGHT_DAYS) <= taken <= day and (best is None or taken > best[0]):
            best = (taken, kg)
    return best[1] if best else None


def daily_dose(row: Row, weights: Sequence[tuple[date, float]]) -> Bounds:
    """The row's daily dose in mg as bounds."""
    dose = None
    if row.dose_value is not None and row.dose_value > 0:
        if row.dose_unit in MILLIGRAMS:
            dose = row.dose_value * MILLIGRAMS[row.dose_unit]
        elif row.dose_unit == "mg/kg":
            kg = weight_on(row.start_date, weights)
            if kg is not None:
                dose = row.dose_value * kg
    if dose is not None and row.kind != "administration":
        dose = dose * row.doses_per_day if row.doses_per_day is not None else None
    if dose is None and row.kind == "dispense":
        quantity, strength, supply = row.quantity or 0, row.strength_value or 0, row.days_supply or 0
        if min(quantity, strength, supply) > 0 and row.strength_unit in MILLIGRAMS:
            dose = quantity * strength * MILLIGRAMS[row.strength_unit] / supply
    if dose is None:
        return 0.0, FOREVER
    return (0.0, dose) if is_as_needed(row) else (dose, dose)


def route_group(row: Row, ingredient: str, low: float) -> str:
    """oral, parenteral or local."""
    if row.route == "oral":
        return "oral"
    if row.route in ("iv", "im", "sc"):
        return "parenteral"
    if row.route is not None:
        return "local"
    name = row.drug_name
    if "注射" in name or "静滴" in name or "injection" in name.lower().split():
        return "parenteral"
    for word in LOCAL_WORDS:
        if word in name:
            return "local"
    if name.endswith("栓") or {"cream", "ointment", "gel", "drops", "spray"} & set(name.lower().split()):
        return "local"
    if ingredient in PREDNISONE_MG and round(low * PREDNISONE_MG[ingredient], 9) > 100:
        return "parenteral"
    return "oral"


def holds(row: Row, day: date, open_days: int) -> bool:
    """The row's interval holds the day."""
    return row.start_date <= day <= last_day(row, open_days)


def dose_of_day(day: date, rows: Sequence[Row], weights: Sequence[tuple[date, float]], open_days: int) -> Bounds:
    """The dose in mg of one ingredient in one route group, all of whose rows are given."""
    fixed, needed, given = [], [], []
    for row in rows:
        if holds(row, day, open_days):
            if is_as_needed(row):
                needed.append(row)
            elif row.kind == "administration":
                given.append(row)
            else:
                fixed.append(row)
    if given:
        chosen = given
    else:
        newest = [row for row in fixed if row.start_date == max(other.start_date for other in fixed)]
        chosen = []
        for kind in ("dispense", "order", "statement"):
            if not chosen:
                chosen = [row for row in newest if (row.kind or "order") == kind]
    low = high = 0.0
    for row in chosen + needed:
        bounds = daily_dose(row, weights)
        low += bounds[0]
        high += bounds[1]
    return low, high


def parts(patient: Patient, drugs: Collection[str]) -> Iterator[tuple[str, str, list[Row]]]:
    """ingredient, route group and rows for each of the drugs and systemic route group."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in patient.rows:
        for ingredient in row.ingredients:
            if ingredient in drugs:
                group = route_group(row, ingredient, daily_dose(row, patient.weights)[0])
                if group != "local":
                    found.setdefault((ingredient, group), []).append(row)
    for (ingredient, group), rows in found.items():
        yield ingredient, group, rows


def days(as_of: date) -> list[date]:
    """The last 365 days, day D the last."""
    return [as_of - timedelta(days=back) for back in range(DAYS_SHOWN - 1, -1, -1)]


def glucocorticoids(patient: Patient, as_of: date, open_days: int = 365) -> list[tuple[float, float, float, float]]:
    """For each day oral low and high, systemic low and high, in mg of prednisone-equivalent."""
    of_class = list(parts(patient, PREDNISONE_MG))
    doses = []
    for day in days(as_of):
        oral_low = oral_high = low = high = 0.0
        for ingredient, group, rows in of_class:
            bounds = dose_of_day(day, rows, patient.weights, open_days)
            factor = PREDNISONE_MG[ingredient]
            low += bounds[0] * factor
            high += bounds[1] * factor
            if group == "oral":
                oral_low += bounds[0] * factor
                oral_high += bounds[1] * factor
        doses.append((oral_low, oral_high, low, high))
    return doses


def immunosuppressants(patient: Patient, as_of: date, open_days: int = 365) -> dict[str, list[Bounds | str | None]]:
    """For each drug and day None where it covers the day not, ``pulse`` where by days per dose, else its dose in mg."""
    found: dict[str, list[Bounds | str | None]] = {}
    of_class = list(parts(patient, IMMUNOSUPPRESSANTS))
    for ingredient in {name for name, _, _ in of_class}:
        states: list[Bounds | str | None] = []
        for day in days(as_of):
            low = high = 0.0
            covered = pulse = False
            for name, _, rows in of_class:
                if name != ingredient:
                    continue
                bounds = dose_of_day(day, rows, patient.weights, open_days)
                low += bounds[0]
                high += bounds[1]
                for row in rows:
                    if is_as_needed(row):
                        continue
                    per_dose = DAYS_PER_DOSE.get((ingredient, row.route or ""))
                    in_dose = per_dose is not None and row.start_date <= day < row.start_date + timedelta(days=per_dose)
                    if holds(row, day, open_days) or in_dose:
                        covered = True
                        pulse = pulse or per_dose is not None
            states.append("pulse" if pulse else (low, high) if covered else None)
        if any(state is not None for state in states):
            found[ingredient] = states
    return found
