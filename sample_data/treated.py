"""Medications: tapers as overlapping orders, dispensings, pulses, immunosuppressants, biologics, the rest."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sample_data.courses import Bools, Floats, Ints, Patients, Visits
from sample_data.vocabulary import COHORTS, TABLES, vocabulary

LINES = {
    "mycophenolate": 0.42,
    "azathioprine": 0.13,
    "tacrolimus": 0.17,
    "cyclophosphamide_iv": 0.12,
    "ciclosporin": 0.06,
    "mycophenolate_sodium": 0.04,
    "cyclophosphamide_oral": 0.02,
    "methotrexate": 0.04,
}
LINE_SLOTS = 4
Words = NDArray[np.object_]
FOREVER = np.iinfo(np.int64).min  # an order without an end


class Prescriptions:
    """Collects medication rows of a block; times are days before the extract, negative ones lie ahead."""

    def __init__(self, patients: Patients, rng: np.random.Generator) -> None:
        self.patients, self.rng = patients, rng
        self.product = rng.random(len(patients.cohort))  # who gets which brand
        self.frames: list[pl.DataFrame] = []

    def brand(self, drug: str, patient: Ints) -> pl.DataFrame:
        """The product of the drug for each patient: always the same one."""
        products = vocabulary("drugs").filter(pl.col("drug") == drug)
        edges = np.cumsum(products["weight"].to_numpy() / products["weight"].sum())
        chosen: pl.DataFrame = products[np.searchsorted(edges[:-1], self.product[patient], side="right").tolist()]
        return chosen

    def add(
        self,
        drug: str,
        patient: Ints,
        start: Ints,
        end: Ints,
        dose_mg: Floats | float | None,
        doses_per_day: Floats | float | None,
        *,
        kind: str | None = "order",
        status: Words | str | None = None,
        as_needed: bool | None = None,
        supply_days: Ints | None = None,
    ) -> None:
        """Adds one row per entry; with `supply_days` it is a dispensing, told in tablets and days instead of a dose."""
        n = len(patient)
        brand = self.brand(drug, patient)
        mg = np.broadcast_to(np.nan if dose_mg is None else dose_mg, n).astype(float)
        often = np.broadcast_to(np.nan if doses_per_day is None else doses_per_day, n).astype(float)
        nothing = np.full(n, np.nan)
        dose, quantity, days = mg / brand["unit_mg"].fill_null(1.0).to_numpy(), nothing, nothing
        if supply_days is not None:
            strength_mg = brand["strength_value"].to_numpy() * np.where(brand["strength_unit"] == "g", 1000, 1)
            quantity, days = np.round(mg * often * supply_days / strength_mg, 3), supply_days.astype(float)
            dose, often = nothing, nothing
        states = status.tolist() if isinstance(status, np.ndarray) else [status] * n
        product = brand.select("code_system", "code", "drug_name", "route", "dose_unit", "strength_value", "strength_unit")
        self.frames.append(
            product.with_columns(
                patient=pl.Series(patient),
                dose_value=pl.Series(dose).round(4),
                doses_per_day=pl.Series(often),
                quantity=pl.Series(quantity),
                days_supply=pl.Series(days),
                start=pl.Series(start),
                end=pl.Series(end),
                kind=pl.lit(kind, dtype=pl.String),
                as_needed=pl.lit(as_needed, dtype=pl.Boolean),
                status=pl.Series(states, dtype=pl.String),
            )
        )

    def administer(self, drug: str, patient: Ints, start: Ints, dose_mg: Floats | float | None, days: int = 1) -> None:
        """Adds one administration a day from the start on, as far as the extract's day."""
        for day in range(days):
            due = start - day >= 0
            mg = dose_mg[due] if isinstance(dose_mg, np.ndarray) else dose_mg
            at = start[due] - day
            self.add(drug, patient[due], at, at, mg, None, kind="administration", status="completed")

    def table(self, as_of_day: int) -> pl.DataFrame:
        """The rows in the columns of `medications`, but for the id, by patient and start."""
        rows = pl.concat(self.frames).sort("patient", "start", descending=[False, True], maintain_order=True)
        ids = self.patients.patient_id.gather(rows["patient"])
        return rows.with_columns(
            pl.col("dose_value", "doses_per_day", "quantity", "days_supply").fill_nan(None),
            patient_id=ids,
            start_date=(as_of_day - pl.col("start")).cast(pl.Int32).cast(pl.Date),
            end_date=pl.when(pl.col("end") != FOREVER).then(as_of_day - pl.col("end")).cast(pl.Int32).cast(pl.Date),
            dose_unit=pl.when(pl.col("dose_value").is_not_nan()).then("dose_unit"),
        ).select(name for name in TABLES["medications"] if name != "medication_id")


def medicate(patients: Patients, visits: Visits, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per order, dispensing or administration of a block, by patient and start, without ids."""
    given = Prescriptions(patients, rng)
    glucocorticoids(given, visits)
    immunosuppressants(given, visits)
    biologics(given, visits)
    everything_else(given, visits)
    return given.table(as_of_day)


def either(condition: Bools, yes: Words | str | None, no: Words | str | None) -> Words:
    """The words of `yes` where the condition holds, else those of `no`."""
    return np.where(condition, np.asarray(yes, dtype=object), np.asarray(no, dtype=object))


def closing(rng: np.random.Generator, n: int) -> Words:
    """Status words of orders that are over and carry their end."""
    return rng.choice(np.array(["completed", "stopped", None], dtype=object), n, p=[0.6, 0.15, 0.25])


def runs(visits: Visits, changed: Bools) -> tuple[Ints, Ints, Bools]:
    """For the runs of visits between changes: the first visit, the day before the next run, whether it is the last."""
    heads = np.flatnonzero(changed | visits.first)
    patient = visits.patient[heads]
    is_last = np.append(patient[1:] != patient[:-1], True)
    following = np.append(heads[1:], 0)
    ends = np.where(is_last, 0, visits.days_ago[following] + 1)
    return heads, ends, is_last


def glucocorticoids(given: Prescriptions, visits: Visits) -> None:
    """Oral courses: an order at each change of dose, taper orders written ahead, dispensings; iv pulses in flares."""
    rng = given.rng
    lupus = visits.line >= 0
    changed = np.append(True, visits.dose_mg[1:] != visits.dose_mg[:-1])
    heads, ends, is_last = runs(visits, changed | (rng.random(len(changed)) < 0.25))  # or the same dose is ordered anew
    keep = lupus[heads] & (visits.dose_mg[heads] > 0)
    heads, ends, is_last = heads[keep], ends[keep], is_last[keep]
    patient, start, dose = visits.patient[heads], visits.days_ago[heads], visits.dose_mg[heads]
    n = len(heads)
    overlap = rng.integers(0, 6, n) * (rng.random(n) < 0.4)  # the old order is closed a little late
    forgotten = ~is_last & (rng.random(n) < 0.1)
    current = np.where(rng.random(n) < 0.6, FOREVER, start - rng.choice([90, 60], n))
    end = np.where(is_last, current, np.where(forgotten, FOREVER, np.maximum(ends - overlap, 0)))
    status = either(end == FOREVER, either(rng.random(n) < 0.5, "active", None), closing(rng, n))
    status = either(is_last & (end != FOREVER), None, status)
    is_mp = given.patients.coding[patient] % 2 == 1  # half the clinics prescribe methylprednisolone, 4 mg for 5
    alternate = (dose == 5) & (rng.random(n) < 0.08)
    for drug, factor, who in (("prednisone", 1.0, ~is_mp), ("methylprednisolone", 0.8, is_mp)):
        each = np.where(alternate, 2, 1)[who] * dose[who] * factor
        given.add(drug, patient[who], start[who], end[who], each, np.where(alternate[who], 0.5, 1.0), status=status[who])
        ahead = who & (dose >= 20) & ~is_last & (start - ends > 24) & (rng.random(n) < 0.5)  # the taper, written in advance
        mid = start - (start - ends) // 2
        given.add(drug, patient[ahead], mid[ahead], (ends - 3)[ahead], (dose - 5)[ahead] * factor, 1.0, status="completed")
        collects = given.product[visits.patient] < 0.55
        counter = np.flatnonzero(lupus & (visits.dose_mg > 0) & collects & (rng.random(len(lupus)) < 0.8))
        counter = counter[(given.patients.coding[visits.patient[counter]] % 2 == 1) == (factor != 1)]
        days = rng.choice([28, 28, 30, 14], len(counter))
        at, mg = visits.days_ago[counter], visits.dose_mg[counter] * factor
        given.add(drug, visits.patient[counter], at, np.full(len(at), FOREVER), mg, 1.0, kind="dispense", supply_days=days)
    flares = np.flatnonzero(visits.flare & (visits.activity > 15))
    flares = flares[rng.random(len(flares)) < 0.5]
    pulse = rng.choice([250.0, 500.0, 500.0, 40.0, 80.0], len(flares))
    given.administer("methylprednisolone_iv", visits.patient[flares], visits.days_ago[flares], pulse, 3)


def immunosuppressants(given: Prescriptions, visits: Visits) -> None:
    """Up to four lines of treatment, each ordered until the switch, half also dispensed; cyclophosphamide monthly."""
    rng, n = given.rng, len(given.patients.cohort)
    order = np.argsort(-(np.log(list(LINES.values())) + rng.gumbel(size=(n, len(LINES)))), axis=1)[:, :LINE_SLOTS]
    untreated = rng.random((n, LINE_SLOTS)) < 0.08
    changed = np.append(True, visits.line[1:] != visits.line[:-1])
    heads, ends, is_last = runs(visits, changed | (rng.random(len(changed)) < 0.08))
    keep = visits.line[heads] >= 0
    heads, ends, is_last = heads[keep], ends[keep], is_last[keep]
    slot = visits.line[heads]
    drug_of = order[visits.patient[heads], slot]
    regimens = vocabulary("regimens")
    for number, drug in enumerate(LINES):
        who = (drug_of == number) & ~untreated[visits.patient[heads], slot]
        patient, start, end, last = visits.patient[heads][who], visits.days_ago[heads][who], ends[who], is_last[who]
        options = regimens.filter(pl.col("drug") == drug)
        weight = options["weight"].to_numpy()
        level = rng.choice(options.height, n, p=weight / weight.sum())
        pick = level[patient]
        mg, often = (
            options["dose_mg"].to_numpy()[pick],
            options["doses_per_day"].fill_null(1.0).to_numpy().astype(float)[pick],
        )
        if drug == "cyclophosphamide_iv":
            for month in range(6):
                at = start - 28 * month - rng.integers(0, 3, len(start))
                due = at >= np.maximum(end, 0)
                given.administer(drug, patient[due], at[due], mg[due])
            continue
        until = np.where(last, np.where(rng.random(len(last)) < 0.65, FOREVER, start - 365), np.maximum(end, 0))
        until = np.where(last & (until != FOREVER), np.minimum(until, -rng.integers(5, 90, len(last))), until)
        status = either(last, either(rng.random(len(last)) < 0.5, "active", None), closing(rng, len(last)))
        given.add(drug, patient, start, until, mg, often, status=status)
        dispensed(given, visits, drug, patient, start, end, mg, often)
    takes = np.flatnonzero(visits.first & (visits.line >= 0) & (rng.random(len(visits.line)) < 0.75))
    options = regimens.filter(pl.col("drug") == "hydroxychloroquine")
    pick = (rng.random(len(takes)) < 0.35).astype(int)
    mg = options["dose_mg"].to_numpy()[pick]
    patient, start = visits.patient[takes], visits.days_ago[takes]
    given.add("hydroxychloroquine", patient, start, np.full(len(start), FOREVER), mg, 2.0, status="active")
    dispensed(
        given,
        visits,
        "hydroxychloroquine",
        patient,
        start,
        np.zeros(len(start), np.int64),
        mg,
        np.full(len(start), 2.0),
    )


def dispensed(given: Prescriptions, visits: Visits, drug: str, patient: Ints, start: Ints, end: Ints, mg: Floats, often: Floats) -> None:
    """The pharmacy's side of these orders at the visits of those patients who collect their drugs in the hospital."""
    n = len(given.patients.cohort)
    span = np.full((3, n), -1.0)
    begin, stop = np.full(n, -1), np.zeros(n, np.int64)
    begin[patient], stop[patient] = start, end  # the latest line of a patient
    span[0, patient], span[1, patient] = mg, often
    p = visits.patient
    here = (visits.days_ago <= begin[p]) & (visits.days_ago >= stop[p]) & (given.product[p] < 0.55)
    counter = np.flatnonzero(here & (given.rng.random(len(p)) < 0.7))
    at, days = visits.days_ago[counter], given.rng.choice([28, 30, 30], len(counter))
    who = p[counter]
    open_end = np.full(len(at), FOREVER)
    given.add(drug, who, at, open_end, span[0, who], span[1, who], kind="dispense", supply_days=days, status="completed")


def biologics(given: Prescriptions, visits: Visits) -> None:
    """Belimumab iv and sc, telitacicept weekly, rituximab twice: to half of the refractory and few others."""
    rng, patients = given.rng, given.patients
    lupus = patients.cohort == COHORTS.index("sle")
    share = np.select([patients.worked_up, patients.refractory], [0.85, 0.4], 0.07)
    chosen = np.flatnonzero(lupus & (rng.random(len(lupus)) < share))
    first_seen = visits.days_ago[visits.start[chosen]]
    last_seen = visits.days_ago[visits.start[chosen] + visits.count[chosen] - 1]
    start = np.maximum(first_seen - rng.integers(0, 60, len(chosen)), last_seen)
    start = np.minimum(start, np.maximum(last_seen, rng.integers(30, 900, len(chosen))))
    lasting = np.where(rng.random(len(chosen)) < 0.55, 10_000, rng.integers(60, 500, len(chosen)))
    end = np.maximum(start - lasting, last_seen)
    which = rng.choice(4, len(chosen), p=[0.34, 0.12, 0.38, 0.16])
    plans: tuple[tuple[str, Ints, float, str, str | None], ...] = (
        ("belimumab_iv", np.concatenate([[0, 14], np.arange(28, 1000, 28)]), 10.0, "administration", "completed"),
        ("belimumab_sc", np.arange(0, 1000, 28), 200.0, "dispense", None),
        ("telitacicept", np.arange(0, 1000, 7), 160.0, "administration", "completed"),
        ("rituximab", np.array([0, 14]), 500.0, "administration", "completed"),
    )
    for number, (drug, days, mg, kind, status) in enumerate(plans):
        mine = which == number
        patient, begin, stop = chosen[mine], start[mine], end[mine]
        at = begin[:, None] - days[None, :]
        now = (at >= np.maximum(stop, 0)[:, None]) & (rng.random(at.shape) < 0.95)
        now[:, 0] = True
        who, when = np.broadcast_to(patient[:, None], at.shape)[now], at[now]
        supply = np.full(len(who), 28) if kind == "dispense" else None
        until = np.full(len(who), FOREVER) if kind == "dispense" else when
        given.add(
            drug,
            who,
            when,
            until,
            mg,
            1 / 7 if supply is not None else None,
            kind=kind,
            status=status,
            supply_days=supply,
        )


def everything_else(given: Prescriptions, visits: Visits) -> None:
    """The drugs of vocab/other_drugs.csv by the patient's kind; most of them have nothing to do with lupus."""
    rng, patients = given.rng, given.patients
    n = len(patients.cohort)
    for plan in vocabulary("other_drugs").iter_rows(named=True):
        share = np.array([plan[name] for name in COHORTS])[patients.cohort]
        if plan["carriers"]:
            share = share * patients.carriers[plan["carriers"]]
        if plan["sex"]:
            share = share * (patients.female != (plan["sex"] == "M"))
        if plan["min_age"]:
            share = share * (patients.age_days > plan["min_age"] * 365)
        patient = np.flatnonzero(rng.random(n) < share)
        k = len(patient)
        late = plan["timing"] == "recent"
        step = visits.count[patient] - 1 if late else (rng.random(k) * visits.count[patient]).astype(np.int64)
        start = visits.days_ago[visits.start[patient] + step]
        if plan["timing"] == "past":
            start = start + rng.integers(200, 2500, k)
        days = plan["days"]
        never_closed = np.where(rng.random(k) < 0.7, FOREVER, np.minimum(start - rng.integers(60, 900, k), -20))
        if plan["kind"] == "administration":
            given.administer(plan["drug"], patient, start, plan["dose_mg"], days)
            continue
        end = never_closed if days is None else start - days + 1
        status = either(rng.random(k) < 0.6, None, either(end > 0, "completed", "active"))
        kind = ["order", "order", "statement", None][int(rng.integers(4))] if days is None else "order"
        wanted = plan["as_needed"]
        given.add(
            plan["drug"],
            patient,
            start,
            end,
            plan["dose_mg"],
            plan["doses_per_day"],
            kind=kind,
            status=status,
            as_needed=wanted,
        )
