"""What is neither measured nor prescribed: patients, diagnoses, procedures, vaccines, chart reviews, dispositions."""

from typing import Any

import numpy as np
import polars as pl

from sample_data.courses import Bools, Floats, Ints, Patients, Visits, is_cohort
from sample_data.vocabulary import CODINGS, COHORTS, DAY_COLUMN, TABLES, vocabulary

SEX_WORDS = {True: ("female", "female", "female", "女", "F"), False: ("male", "male", "male", "男", "M")}
REVIEWED = (
    "I01",
    "I10",
    "E01",
    "E03",
    "E04",
    "E05",
    "E20",
    "S09",
    "S15",
    "C-joint",
    "C-ln-3-4",
    "C-acle",
    "E16b",
    "I04",
)
NOTES = ("查阅病历", "read in discharge letter", "门诊随访记录", "asked the ward physician", None)
REASONS = {
    "declined": ("does not want an inpatient stay", "家属不同意"),
    "screen-failed": ("infection at screening", "剂量不稳定"),
    "contacted": ("telephone visit", "门诊面谈"),
}


def as_dates(as_of_day: int, days_ago: Ints) -> pl.Series:
    """The calendar dates that lie so many days before the extract."""
    return pl.Series((as_of_day - days_ago).astype(np.int32)).cast(pl.Date)


def columns_of(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of the table but for the id, in order; what is missing is null."""
    names = list(TABLES[table])[1:]
    return rows.with_columns(pl.lit(None).alias(name) for name in names if name not in rows.columns).select(
        pl.col(name).cast(TABLES[table][name]) for name in names
    )


def list_patients(patients: Patients, visits: Visits, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per patient; one in thirty with a year of birth alone, a few dead, one in four hundred of unknown sex."""
    n = len(patients.cohort)
    born = as_dates(as_of_day, patients.age_days)
    year_alone = rng.random(n) < 0.035
    last = visits.days_ago[visits.start + visits.count - 1]
    dead = (rng.random(n) < 0.012) & (last > 3)
    word = rng.integers(0, 5, n)
    sex = [SEX_WORDS[bool(f)][w] for f, w in zip(patients.female, word, strict=True)]
    unsure = rng.random(n) < 0.0025
    return pl.DataFrame(
        {
            "patient_id": patients.patient_id,
            "sex": pl.Series(sex).zip_with(pl.Series(~unsure), pl.Series(["unknown"] * n)),
            "birth_date": born.zip_with(pl.Series(~year_alone), pl.Series([None] * n, dtype=pl.Date)),
            "birth_year": born.dt.year().zip_with(pl.Series(year_alone), pl.Series([None] * n, dtype=pl.Int32)),
            "death_date": as_dates(as_of_day, (last * rng.random(n)).astype(np.int64)).zip_with(
                pl.Series(dead), pl.Series([None] * n, dtype=pl.Date)
            ),
            "index_date": pl.Series([None] * n, dtype=pl.Date),
        }
    )


def struck(plan: dict[str, Any], patients: Patients, rng: np.random.Generator, share: float = 1.0) -> Ints:
    """The patients to whom a row of the vocabulary happens: by kind, sex, age and carrier state."""
    chance: Floats = share * np.array([plan[name] for name in COHORTS])[patients.cohort]
    years = patients.age_days / 365.25
    fits: Bools = years >= (plan["min_age"] or 0)
    if plan.get("max_age"):
        fits = fits & (years < plan["max_age"])
    if plan["sex"]:
        fits = fits & (patients.female == (plan["sex"] == "F"))
    if plan.get("carriers"):
        fits = fits & patients.carriers[plan["carriers"]]
    return np.flatnonzero(fits & (rng.random(len(chance)) < chance))


def moments(plan: dict[str, Any], patient: Ints, visits: Visits, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Patients and days on which it is recorded: a chronic disease at several visits, anything else at one."""
    if plan["timing"] in ("chronic", "each"):
        again = 1.0 if plan["timing"] == "each" else 0.15
        at_risk = np.zeros(len(visits.count), dtype=bool)
        at_risk[patient] = True
        from_visit = visits.start + (rng.random(len(visits.count)) * visits.count).astype(np.int64) // 2
        here = at_risk[visits.patient] & (np.arange(len(visits.patient)) >= from_visit[visits.patient])
        here &= (np.arange(len(visits.patient)) == from_visit[visits.patient]) | (rng.random(len(here)) < again)
        return visits.patient[here], visits.days_ago[here]
    step = (rng.random(len(patient)) * visits.count[patient]).astype(np.int64)
    return patient, visits.days_ago[visits.start[patient] + step]


def diagnose(patients: Patients, visits: Visits, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per recorded diagnosis of a block, without ids: the lupus at many visits, others by frequency."""
    lexicon = vocabulary("diagnoses")
    number = {key: k for k, key in enumerate(lexicon["key"])}
    parts: list[tuple[Ints, Ints, Ints, Ints]] = []  # patient, days ago, onset days ago or -1, row of the lexicon
    for plan in lexicon.filter(pl.col("timing") != "none").iter_rows(named=True):
        patient, ago = moments(plan, struck(plan, patients, rng), visits, rng)
        onset = np.where(rng.random(len(patient)) < 0.2, ago + rng.integers(0, 40, len(patient)), -1)
        if plan["timing"] == "each":
            onset = np.full(len(patient), -1)
        if plan["timing"] == "past":
            onset = np.where(rng.random(len(patient)) < 0.8, ago + rng.integers(100, 3000, len(patient)), -1)
        parts.append((patient, ago, onset, np.full(len(patient), number[plan["key"]])))
    lupus = is_cohort(patients, "sle")[visits.patient]
    here = np.flatnonzero(lupus & (visits.first | visits.last | (rng.random(len(lupus)) < 0.3)))
    p = visits.patient[here]
    nephritis = (patients.renal[p] > 0.1) & (rng.random(len(p)) < 0.7)
    kind = np.where(nephritis, number["lupus_nephritis"], number["lupus"])
    kind = np.where(~nephritis & (rng.random(len(p)) < 0.15), number["lupus_organ"], kind)
    onset = np.where(visits.first[here], visits.days_ago[here] + rng.integers(0, 400, len(p)), -1)
    parts.append((p, visits.days_ago[here], onset, kind))
    patient, ago, onset, row = (np.concatenate(column) for column in zip(*parts, strict=True))
    n = len(patient)
    coding = patients.coding[patient]
    coding = np.where(rng.random(n) < 0.03, rng.integers(0, len(CODINGS), n), coding)
    is_old = lexicon["ICD9CM"].is_not_null().to_numpy()[row] & (ago > 800) & (rng.random(n) < 0.12)
    coding = np.where(is_old, len(CODINGS), coding)
    own_codes = pl.Series([f"BZ{k:04d}" for k in range(lexicon.height)])
    codes = pl.concat([lexicon["ICD10CM"], lexicon["ICD10"], lexicon["ICD10CN"], own_codes, lexicon["ICD9CM"]])
    english, chinese = lexicon["display_en"], lexicon["display_zh"]
    said = pl.concat([english, english, chinese, chinese, english])
    states = [tuple(word or None for word in (text or "").split("|")) for text in lexicon["statuses"]]
    luck = pl.Series(rng.random(n))
    status = [states[r][k % len(states[r])] for r, k in zip(row, rng.integers(0, 6, n), strict=True)]
    rows = pl.DataFrame(
        {
            "patient": patient,
            "luck": luck,
            "patient_id": patients.patient_id.gather(patient),
            "code_system": pl.Series([*CODINGS, "ICD9CM"]).gather(coding),
            "code": codes.gather(coding * lexicon.height + row),
            "display": said.gather(coding * lexicon.height + row),
            "onset_date": as_dates(as_of_day, np.where(onset < 0, ago, onset)),
            "has_onset": onset >= 0,
            "recorded_date": as_dates(as_of_day, ago),
            "status": pl.Series(status, dtype=pl.String),
        }
    ).with_columns(
        code=pl.when(luck < 0.05).then(pl.col("code").str.replace(".", "", literal=True)).otherwise("code"),
        display=pl.when((luck > 0.3) | (pl.col("code_system") == "LOCAL")).then("display"),
        onset_date=pl.when("has_onset").then("onset_date"),
        status=pl.when(luck > 0.994).then(pl.lit("entered-in-error")).when(luck > 0.988).then(pl.lit("refuted")).otherwise("status"),
        end_date=pl.when((pl.col("status") == "resolved") & (luck > 0.5)).then(pl.col("recorded_date") + pl.duration(days=14)),
    )
    return columns_of("diagnoses", rows.sort("patient", "recorded_date", maintain_order=True))


def operate(patients: Patients, visits: Visits, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per procedure of a block, without ids."""
    lexicon = vocabulary("procedures")
    variants = lexicon["key"].value_counts()
    count = dict(zip(variants["key"], variants["count"], strict=True))
    frames = []
    for plan in lexicon.iter_rows(named=True):
        patient, ago = moments(plan, struck(plan, patients, rng, 1 / count[plan["key"]]), visits, rng)
        ago = ago + (rng.integers(200, 3000, len(ago)) if plan["timing"] == "past" else 0)
        frames.append(dated("procedures", plan, patients, patient, as_dates(as_of_day, ago), rng))
    return pl.concat(frames).sort("patient_id", "performed_date", maintain_order=True)


def vaccinate(patients: Patients, visits: Visits, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per vaccine of a block, without ids; live ones are rare."""
    frames = []
    for plan in vocabulary("vaccines").iter_rows(named=True):
        patient = np.flatnonzero(rng.random(len(patients.cohort)) < plan["share"])
        ago = np.where(rng.random(len(patient)) < 0.3, rng.integers(0, 90, len(patient)), rng.integers(90, 1100, len(patient)))
        frames.append(dated("immunizations", plan, patients, patient, as_dates(as_of_day, ago), rng))
    return pl.concat(frames).sort("patient_id", "given_date", maintain_order=True)


def dated(table: str, plan: dict[str, Any], patients: Patients, patient: Ints, day: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of procedures or immunizations: what the vocabulary says, on these days, a few of them never done."""
    luck = pl.Series(rng.random(len(patient)))
    rows = pl.DataFrame({"patient_id": patients.patient_id.gather(patient), "luck": luck, DAY_COLUMN[table]: day}).with_columns(
        code_system=pl.lit(plan["code_system"]),
        code=pl.lit(plan["code"]),
        display=pl.lit(plan["display"]),
        status=pl.when(luck < 0.7).then(pl.lit("completed")).when(luck > 0.97).then(pl.lit("not-done")),
    )
    return columns_of(table, rows)


def review_charts(patients: Patients, visits: Visits, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per question that a research nurse has answered from the chart, mostly of patients worked up."""
    share = np.where(patients.worked_up, 0.45, np.where(is_cohort(patients, "sle"), 0.02, 0.0))
    asked = rng.random((len(share), len(REVIEWED))) < share[:, None] * 0.6
    patient, item = np.nonzero(asked)
    n = len(patient)
    ago = rng.integers(0, 120, n)
    favourable = pl.Series(["no" if name[0] == "E" else "yes" for name in REVIEWED]).gather(item)
    luck = pl.Series(rng.random(n))
    other = pl.Series(["yes" if name[0] == "E" else "no" for name in REVIEWED]).gather(item)
    rows = pl.DataFrame(
        {
            "patient_id": patients.patient_id.gather(patient),
            "item_id": pl.Series(REVIEWED).gather(item),
            "reviewed_date": as_dates(as_of_day, ago),
            "valid_until": as_dates(as_of_day, ago - rng.integers(20, 180, n)),
            "note": pl.Series(NOTES, dtype=pl.String).gather(rng.integers(0, len(NOTES), n)),
        }
    ).with_columns(
        answer=pl.when(luck < 0.78).then(favourable).when(luck < 0.9).then(other).otherwise(pl.lit("unknown")),
        valid_until=pl.when((luck * 100 % 1) < 0.25).then("valid_until"),
    )
    return columns_of("chart_reviews", rows.sort("patient_id", "reviewed_date", maintain_order=True))


def dispose(patients: Patients, visits: Visits, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per step of the trial's screening log: who was contacted, and what became of it."""
    share = np.where(patients.worked_up, 0.4, np.where(is_cohort(patients, "sle"), 0.02, 0.0))
    patient = np.flatnonzero(rng.random(len(share)) < share)
    n = len(patient)
    steps = ("contacted", "consented", "declined", "screen-failed", "enrolled", "do-not-contact")
    later = pl.Series(steps).gather(rng.choice(len(steps), n, p=[0.4, 0.22, 0.14, 0.1, 0.08, 0.06]))
    ago = rng.integers(0, 60, n)
    frames = []
    for words, days in ((pl.Series(["contacted"] * n, dtype=pl.String), ago + rng.integers(1, 30, n)), (later, ago)):
        reason = [REASONS[word][int(k)] if word in REASONS else None for word, k in zip(words, rng.integers(0, 2, n), strict=True)]
        frames.append(
            pl.DataFrame(
                {
                    "patient_id": patients.patient_id.gather(patient),
                    "status": words,
                    "recorded_date": as_dates(as_of_day, days),
                    "reason": pl.Series(reason, dtype=pl.String),
                }
            )
        )
    return columns_of("dispositions", pl.concat(frames).sort("patient_id", "recorded_date", maintain_order=True))
