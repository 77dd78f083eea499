"""The hidden course of each patient: who they are, when they come, how active the lupus is and what treatment follows.

Everything is counted in days before the day of the extract, one numpy array per fact. Tables are written from these
arrays, so that a flare shows at once in complement, antibodies, urine, blood count, SLEDAI-2K and glucocorticoid dose.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sample_data.vocabulary import CODINGS, COHORTS, STYLES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_VISITS = 40
MONTH_DAYS = 30.44


class Habit(NamedTuple):
    """How one kind of patient comes: share, women, age, days between visits and since the last."""

    share: float
    women: float
    age_mean: float
    age_sd: float
    between_days: float
    since_days: float


HABITS = {
    "sle": Habit(0.0, 0.9, 37, 12, 49, 25),
    "rheum": Habit(0.16, 0.72, 52, 14, 78, 90),
    "nephro": Habit(0.15, 0.46, 50, 15, 73, 90),
    "haem": Habit(0.09, 0.5, 46, 17, 66, 100),
    "checkup": Habit(0.40, 0.5, 45, 13, 365, 180),
    "general": Habit(0.20, 0.52, 56, 16, 155, 200),
}


@dataclass(frozen=True)
class Patients:
    """One entry per patient of a block."""

    patient_id: pl.Series
    cohort: Ints  # place in COHORTS
    female: Bools
    age_days: Ints
    height_cm: Floats
    weight_kg: Floats
    style: Ints  # place in STYLES: how the patient's laboratory reports
    coding: Ints  # place in CODINGS: how the patient's clinic codes diagnoses
    worked_up: Bools  # lupus patients whom the clinic has prepared for a trial
    refractory: Bools
    renal: Floats  # how much the disease shows in kidney, blood, serology, joints, skin (0 = not at all)
    blood: Floats
    serology: Floats
    joints: Bools
    skin: Bools
    carriers: dict[str, Bools]  # hbsag, hbcab, hcv, hiv, syphilis, reagin, gilbert, sm, phospholipid


@dataclass(frozen=True)
class Visits:
    """One entry per visit, by patient, oldest first."""

    patient: Ints
    days_ago: Ints
    activity: Floats  # about a SLEDAI-2K total; 0 for patients without lupus
    dose_mg: Floats  # oral prednisone-equivalent per day decided at this visit
    line: Ints  # how often the immunosuppressant has been switched; -1 without lupus
    flare: Bools  # comes with a flare that brings the patient to the ward
    first: Bools
    last: Bools
    start: Ints  # per patient: place of the first visit, and number of visits
    count: Ints


def is_cohort(patients: Patients, name: str) -> Bools:
    """True for the patients of that kind."""
    return np.asarray(patients.cohort == COHORTS.index(name))


def make_patients(first_number: int, n: int, n_sle: int, worked_up_share: float, rng: np.random.Generator) -> Patients:
    """`n` patients of whom `n_sle` have lupus, in random order, with ids from `first_number` on."""
    shares = np.array([HABITS[name].share for name in COHORTS])
    cohort = rng.choice(len(COHORTS), size=n, p=shares)
    cohort[rng.permutation(n)[:n_sle]] = COHORTS.index("sle")
    habit = {field: np.array([getattr(HABITS[name], field) for name in COHORTS])[cohort] for field in Habit._fields}
    female = rng.random(n) < habit["women"]
    lowest = np.where(cohort == COHORTS.index("sle"), 14.2, 16.0)
    age = np.clip(rng.normal(habit["age_mean"], habit["age_sd"]), lowest + rng.random(n), 90)
    height = np.where(female, rng.normal(159.5, 5.2, n), rng.normal(171, 5.8, n))
    weight = np.clip(rng.normal(22.4, 2.6, n) * (height / 100) ** 2, 40, 98)
    sle = cohort == COHORTS.index("sle")
    refractory = sle & (rng.random(n) < 0.4)
    prevalence = {
        "hbsag": 0.06,
        "hcv": 0.01,
        "hiv": 0.004,
        "syphilis": 0.015,
        "reagin": 0.02,
        "gilbert": 0.035,
        "sm": 0.2,
        "phospholipid": 0.22,
    }
    carriers = {name: rng.random(n) < share for name, share in prevalence.items()}
    carriers["hbcab"] = carriers["hbsag"] | (rng.random(n) < 0.22)
    return Patients(
        patient_id="ZS" + pl.Series(np.arange(first_number, first_number + n)).cast(pl.String).str.zfill(6),
        cohort=cohort,
        female=female,
        age_days=(age * 365.25).astype(np.int64),
        height_cm=height,
        weight_kg=weight,
        style=rng.choice(len(STYLES), size=n, p=[0.52, 0.3, 0.06, 0.12]),
        coding=rng.choice(len(CODINGS), size=n, p=[0.46, 0.25, 0.22, 0.07]),
        worked_up=sle & (rng.random(n) < worked_up_share * np.where(refractory, 1.8, 0.47)),
        refractory=refractory,
        renal=np.where(sle & (rng.random(n) < 0.55), rng.uniform(0.4, 1.3, n), 0.05),
        blood=np.where(sle & (rng.random(n) < 0.5), rng.uniform(0.3, 1.3, n), 0.08),
        serology=np.where(rng.random(n) < 0.85, rng.uniform(0.5, 1.2, n), 0.15),
        joints=sle & (rng.random(n) < 0.6),
        skin=sle & (rng.random(n) < 0.5),
        carriers=carriers,
    )


def lupus_activity(refractory: Bools, worked_up: Bools, months: int, rng: np.random.Generator) -> Floats:
    """Activity by patient and month, oldest first: a base plus flares that fade, slower where treatment works badly."""
    n = len(refractory)
    fade = np.exp(-1 / np.where(refractory, 5.0, 2.2))
    flares = (rng.random((n, months)) < np.where(refractory, 0.11, 0.055)[:, None]) * rng.gamma(4, 1.9, (n, months))
    late = worked_up & (rng.random(n) < 0.85)  # who is worked up has mostly just flared
    flares[late, months - 1 - rng.integers(1, 4, n)[late]] += rng.gamma(6, 1.6, n)[late]
    base = np.where(refractory, rng.gamma(3, 1.1, n), rng.gamma(2, 0.8, n))
    activity = np.empty((n, months))
    level = rng.gamma(2, 3, n)  # most come to the clinic with active disease
    for month in range(months):
        level = level * fade + flares[:, month]
        activity[:, month] = base + level
    return np.minimum(activity, 40)


def glucocorticoid_course(activity: Floats, seen: Bools, refractory: Bools, held: Bools, rng: np.random.Generator) -> tuple[Floats, Bools]:
    """Daily prednisone in mg by patient and visit, and where it was raised: up with a flare, then a taper.

    `held`: patients whose dose is left alone at the last two visits, because a trial wants it stable.
    """
    n, visits = activity.shape
    lowest = np.where(refractory, rng.choice([5, 7.5, 10], n), rng.choice([0, 2.5, 5, 5], n))
    high = rng.choice([0, 10], n)
    dose, raised = np.zeros((n, visits)), np.zeros((n, visits), dtype=bool)
    now, before, begun = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
    for k in range(visits):
        here, level = seen[:, k], activity[:, k]
        wanted = np.select([level >= 14, level >= 9, level >= 6], [50 + high, 30 + high, 20.0], 10.0)
        up = here & ((level > before + 2.5) | ~begun) & (wanted > now)
        step = np.select([now > 30, now > 15, now > 5], [10, 5, 2.5], 1.25)
        waits = (rng.random(n) < 0.3) | ((level > 8) & (now <= 20))
        down = np.where(waits, now, np.maximum(lowest, now - step))
        free = here & ~(held & begun & (k >= visits - 2))
        up = up & free
        now = np.where(free, np.where(up, wanted, down), now)
        now = np.where(now < 2.5, 0, np.round(now / 2.5) * 2.5)
        before, begun = np.where(here, level, before), begun | here
        dose[:, k], raised[:, k] = now, up
    return dose, raised


def make_visits(patients: Patients, history_days: int, rng: np.random.Generator) -> Visits:
    """The visits of the last `history_days` days; everybody has at least one."""
    n = len(patients.cohort)
    sle = is_cohort(patients, "sle")
    between = np.array([HABITS[name].between_days for name in COHORTS])[patients.cohort] * rng.lognormal(0, 0.25, n)
    since = rng.exponential(np.array([HABITS[name].since_days for name in COHORTS])[patients.cohort])
    lost = sle & ~patients.worked_up & (rng.random(n) < 0.12)
    since = np.where(lost, rng.uniform(120, 1200, n), since)
    since = np.where(patients.worked_up, rng.uniform(1, 24, n), since)
    known_for = np.where(sle, 90 + rng.exponential(1900, n), 20 + rng.exponential(680, n))
    reach = np.minimum(known_for, history_days)
    since = np.minimum(since, reach * rng.random(n))
    gaps = rng.gamma(5, between[:, None] / 5, (n, MOST_VISITS - 1))
    ago = np.concatenate([since[:, None], since[:, None] + np.cumsum(gaps, axis=1)], axis=1).astype(np.int64)[:, ::-1]
    seen = ago <= reach[:, None]
    months = int(history_days / MONTH_DAYS) + 2
    activity, dose, line = np.zeros(ago.shape), np.zeros(ago.shape), np.full(ago.shape, -1)
    flare = np.zeros(ago.shape, dtype=bool)
    if sle.any():
        monthly = lupus_activity(patients.refractory[sle], patients.worked_up[sle], months, rng)
        month = np.clip(months - 1 - (ago[sle] / MONTH_DAYS).astype(np.int64), 0, months - 1)
        activity[sle] = np.take_along_axis(monthly, month, axis=1) * rng.lognormal(0, 0.08, month.shape)
        held = patients.worked_up & (rng.random(n) < 0.7)
        dose[sle], raised = glucocorticoid_course(activity[sle], seen[sle], patients.refractory[sle], held[sle], rng)
        switched = seen[sle] & np.where(raised, rng.random(raised.shape) < 0.3, rng.random(raised.shape) < 0.02)
        switched[:, -3:] &= ~held[sle, None]
        line[sle] = np.minimum(np.cumsum(switched, axis=1), 3)
        flare[sle] = raised & (activity[sle] > 13) & (rng.random(raised.shape) < 0.7)
    count = seen.sum(axis=1)
    start = np.cumsum(count) - count
    total = int(count.sum())
    first, last = np.zeros(total, dtype=bool), np.zeros(total, dtype=bool)
    first[start], last[start + count - 1] = True, True
    return Visits(
        patient=np.repeat(np.arange(n), count),
        days_ago=ago[seen],
        activity=activity[seen],
        dose_mg=dose[seen],
        line=line[seen],
        flare=flare[seen],
        first=first,
        last=last,
        start=start,
        count=count,
    )
