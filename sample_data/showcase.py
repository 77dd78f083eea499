"""Patients designed by hand, one for each thing that the list must get right: showcase.csv says who, and the intent.

Each starts from the complete work-up of vocab/workup.csv, from which `drop` takes rows and to which the others add:
`lab ANALYTE DAYS VALUE`, `obs ANALYTE DAYS VALUE`, `drug DRUG START..END DOSExTIMES` (END may be `open`; with `/EVERY`
administrations at that interval; doses in mg), `dx KEY DAYS`, `proc KEY DAYS`, `vaccine KEY DAYS`,
`review ITEM ANSWER DAYS`, `disposition STATUS DAYS`, `dead DAYS`, `drop TABLE KEY…`; `column=value` at the end sets a
column. Days count back from the extract's day. `tier`, `next_date` (for 2026-03-01), `items`: what a run should say.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from sample_data.vocabulary import DAY_COLUMN, ID_COLUMN, ID_LETTER, STYLES, TABLES, VOCAB, measurement_rows, vocabulary

Row = dict[str, Any]
FLAGS = {"true": True, "false": False}
WORDS_OF = {
    "not_detected": {"zh": "未检出", "loinc": "Not detected", "en": "未检出"},
    "negative": {"zh": "阴性", "en": "阴性"},
}


def showcase() -> list[Row]:
    """The designed patients with what a run is meant to say about each."""
    with (VOCAB.parent / "showcase.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def years_before(day: date, years: int) -> date:
    """The same calendar day so many years earlier, 28 February for 29 February."""
    return day.replace(year=day.year - years, day=min(day.day, 28) if day.month == 2 else day.day)


def birth(born: str, as_of: date) -> Row:
    """Birth columns from `34y` (34 and some months), `18y-50d` (18 in 50 days) or `year-71` (the year alone)."""
    if born.startswith("year-"):
        return {"birth_year": as_of.year - int(born.removeprefix("year-"))}
    years, _, missing = born.removesuffix("d").partition("y-" if "-" in born else "y")
    return {"birth_date": years_before(as_of, int(years)) + timedelta(days=int(missing or -10 - int(years) * 37 % 330))}


@dataclass
class Chart:
    """One patient's rows by table, each with the key by which `drop` finds it."""

    patient: Row
    as_of: date
    rows: dict[str, list[tuple[str, Row]]] = field(default_factory=dict)

    def day(self, ago: str | int) -> date:
        """The date so many days before the extract."""
        return self.as_of - timedelta(days=int(ago))

    def put(self, table: str, key: str, row: Row) -> None:
        """Adds a row under the key."""
        self.rows.setdefault(table, []).append((key, row))

    def drop(self, table: str, *keys: str) -> None:
        """Takes away the rows under these keys."""
        self.rows[table] = [(key, row) for key, row in self.rows[table] if key not in keys]

    def measured(self, table: str, at: str, analyte: str, ago: str, value: str, more: Row) -> None:
        """A result in the words, codes and units of the patient's laboratory; numbers come in canonical units."""
        number, places = measurement_rows(table)
        style = self.patient["style"]
        form = vocabulary("measurements").row(int(places[number[analyte], STYLES.index(style)]), named=True)
        male = self.patient["sex"] in ("male", "M")
        if form["decimals"] is not None and value.replace(".", "", 1).isdigit():
            value = f"{float(value) * form['factor']:.{form['decimals']}f}"
        value = WORDS_OF.get(value, {}).get(style, value.replace("_", " "))
        limits = {side: form[f"{side}_male"] if male and form[f"{side}_male"] else form[side] for side in ("ref_low", "ref_high")}
        when = datetime.combine(self.day(ago), time(8, 10))
        row = {name: form[name] for name in ("code_system", "code", "test_name", "unit")} | limits
        self.put(table, analyte, row | {at: when, "value": value, "status": "final"} | more)

    def lab(self, analyte: str, ago: str, value: str, **more: Any) -> None:
        """A laboratory result."""
        self.measured("labs", "collected_at", analyte, ago, value, more)

    def obs(self, analyte: str, ago: str, value: str, **more: Any) -> None:
        """An observation."""
        self.measured("observations", "observed_at", analyte, ago, value, more)

    def drug(self, drug: str, span: str, dose: str = "", **more: Any) -> None:
        """An order, or the administrations of a span."""
        products = vocabulary("drugs").filter(pl.col("drug") == drug)
        product = products.row(0, named=True) if products.height else {}
        if product.get("code_system") == "ATC" and self.patient["style"] == "en":
            product = products.row(-1, named=True)
        mg, _, often = dose.partition("x")
        start, _, end = span.partition("..")
        end, _, every = (end or start).partition("/")
        row = {name: product.get(name) for name in ("code_system", "code", "drug_name", "route", "dose_unit")}
        row |= {"dose_value": float(mg) / (product.get("unit_mg") or 1) if mg else None, "kind": "order"}
        row |= {"doses_per_day": float(often) if often else None, **more}
        if every:
            for ago in range(int(start), int(end) - 1, -int(every)):
                self.put("medications", drug, row | {"start_date": self.day(ago), "end_date": self.day(ago)})
            return
        last = None if end == "open" else self.day(end)
        self.put("medications", drug, row | {"start_date": self.day(start), "end_date": last})

    def dx(self, key: str, ago: str, onset: str | None = None, **more: Any) -> None:
        """A diagnosis in the coding of the patient's clinic."""
        lexicon = vocabulary("diagnoses")
        place = lexicon["key"].to_list().index(key)
        form, coding = lexicon.row(place, named=True), self.patient["coding"]
        row = {"code_system": coding, "code": form.get(coding) or f"BZ{place:04d}", "recorded_date": self.day(ago)}
        row |= {"display": form["display_zh" if coding in ("ICD10CN", "LOCAL") else "display_en"]}
        self.put("diagnoses", key, row | {"onset_date": self.day(onset) if onset else None} | more)

    def coded(self, table: str, words: str, at: str, key: str, ago: str) -> None:
        """A procedure or a vaccine as the vocabulary's first row for it says."""
        form = vocabulary(words).filter(pl.col("key") == key).row(0, named=True)
        row = {name: form[name] for name in ("code_system", "code", "display")}
        self.put(table, key, row | {at: self.day(ago), "status": "completed"})

    def proc(self, key: str, ago: str) -> None:
        """A procedure."""
        self.coded("procedures", "procedures", "performed_date", key, ago)

    def vaccine(self, key: str, ago: str) -> None:
        """A vaccine given."""
        self.coded("immunizations", "vaccines", "given_date", key, ago)

    def review(self, item: str, answer: str, ago: str) -> None:
        """A question answered from the chart."""
        row = {"item_id": item, "answer": answer, "reviewed_date": self.day(ago), "note": "查阅病历"}
        self.put("chart_reviews", item, row)

    def disposition(self, status: str, ago: str, **more: Any) -> None:
        """A step of the screening log."""
        self.put("dispositions", status, {"status": status, "recorded_date": self.day(ago)} | more)

    def dead(self, ago: str) -> None:
        """The patient has died."""
        self.patient["death_date"] = self.day(ago)

    def step(self, text: str) -> None:
        """Does one step of showcase.csv or vocab/workup.csv."""
        verb, *words = text.split()
        plain = [word for word in words if "=" not in word]
        settings = dict(word.split("=", 1) for word in words if "=" in word)
        action: Callable[..., None] = getattr(self, verb)
        action(*plain, **{name: FLAGS.get(value, value) for name, value in settings.items()})


def showcase_tables(as_of: date, limit: int) -> dict[str, pl.DataFrame]:
    """The first `limit` designed patients in the columns of the contract; ids are PATIENT-L07 and the like."""
    rows: dict[str, list[Row]] = {table: [] for table in TABLES}
    for person in showcase()[:limit]:
        chart = Chart(person, as_of)
        steps = vocabulary("workup")["step"].to_list() if person["base"] == "workup" else []
        for step in [*steps, *filter(None, map(str.strip, person["steps"].split(";")))]:
            chart.step(step)
        rows["patients"].append({**person, **birth(person["born"], as_of)})
        for table, mine in chart.rows.items():
            day = DAY_COLUMN[table]
            ordered = sorted((row for _, row in mine), key=lambda row: str(row[day]))
            for number, row in enumerate(ordered, start=1):
                ids = {ID_COLUMN[table]: f"{person['patient_id']}-{ID_LETTER[table]}{number:02d}"}
                rows[table].append(row | ids | {"patient_id": person["patient_id"]})
    return {
        table: pl.DataFrame([{name: row.get(name) for name in schema} for row in rows[table]], schema=schema, orient="row")
        for table, schema in TABLES.items()
    }
