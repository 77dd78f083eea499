"""Laboratory results and observations: what each visit would show, what is drawn, how each laboratory reports it."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from sample_data.courses import Bools, Floats, Ints, Patients, Visits, is_cohort
from sample_data.vocabulary import COHORTS, ID_COLUMN, OUTCOMES, STYLES, TABLES, measurement_rows, vocabulary, words

WARD_DAYS = (1, 3, 6)
ANTIBODIES = ("hbsag", "hbcab", "hcv_ab", "hiv_ab", "treponemal_ab", "reagin", "ebv_vca_igm", "cmv_igm", "anti_sm")
WORD_KIND = dict.fromkeys((*ANTIBODIES, "ssa", "antiphospholipid"), "antibody") | {
    "ana": "titre",
    "hbv_dna": "viral_load",
    "hcv_rna": "viral_load",
    "ebv_dna": "viral_load",
    "cmv_dna": "viral_load",
    "urine_casts": "cast",
    "urine_dipstick": "dipstick",
    "hcg_blood": "pregnancy",
    "hcg_urine": "antibody",
}


@dataclass(frozen=True)
class Draws:
    """One entry per occasion on which something is measured: every visit, then the days on the ward."""

    visit: Ints
    patient: Ints
    days_ago: Ints
    activity: Floats
    dose_mg: Floats
    ward: Bools


@dataclass(frozen=True)
class Findings:
    """What every draw would show, whether or not it is measured: numbers in canonical units, and places in OUTCOMES."""

    draws: Draws
    values: dict[str, Floats]
    outcomes: dict[str, Ints]


def make_findings(patients: Patients, visits: Visits, rng: np.random.Generator) -> Findings:
    """The truth behind `labs` and `observations`, so that a recorded SLEDAI-2K agrees with the results of its day."""
    draws = make_draws(visits)
    values, outcomes = true_values(patients, draws, rng), word_outcomes(patients, draws, rng)
    values["sledai_total"] = sledai_totals(patients, draws, values, outcomes["urine_casts"], rng)
    return Findings(draws, values, outcomes)


def make_draws(visits: Visits) -> Draws:
    """The visits in their order, followed by the later days of admissions that lie before the extract's day."""
    every = np.arange(len(visits.patient))
    flares = np.flatnonzero(visits.flare)
    visit = np.concatenate([every, *([flares] * len(WARD_DAYS))])
    shift = np.concatenate([np.zeros(len(every)), *(np.full(len(flares), day) for day in WARD_DAYS)]).astype(np.int64)
    keep = visits.days_ago[visit] - shift >= 0
    visit, shift = visit[keep], shift[keep]
    return Draws(
        visit=visit,
        patient=visits.patient[visit],
        days_ago=visits.days_ago[visit] - shift,
        activity=visits.activity[visit] * np.exp(-shift / 25),
        dose_mg=visits.dose_mg[visit],
        ward=shift > 0,
    )


def true_values(patients: Patients, draws: Draws, rng: np.random.Generator) -> dict[str, Floats]:
    """The number of each quantitative analyte at each draw, in canonical units, driven by the lupus activity."""
    p, n = draws.patient, len(draws.patient)
    female, haem, nephro = patients.female[p], is_cohort(patients, "haem")[p], is_cohort(patients, "nephro")[p]
    ward_heat, a = draws.ward * 0.4, draws.activity
    renal, blood, serology = patients.renal[p] * a, patients.blood[p] * a, patients.serology[p] * a

    def own(centre: float, spread: float) -> Floats:
        return (centre + spread * rng.normal(size=len(patients.cohort)))[p]

    def noise(spread: float) -> Floats:
        return spread * rng.normal(size=n)

    damage = np.where(nephro, np.exp(own(0.55, 0.65)), 1 + 0.35 * patients.renal[p] * np.exp(own(-0.6, 0.8)))
    lymphocyte_share = np.clip(own(29, 5) - 0.75 * a - 0.12 * draws.dose_mg + noise(3.5), 2, 62)
    leukocytes = own(6.2, 1.1) - 0.16 * blood + 0.05 * draws.dose_mg + noise(0.7)
    leukocytes = np.clip(leukocytes * np.where(haem, np.exp(own(-0.15, 0.6)), 1), 0.4, 45)
    low_platelets = np.where(haem & (own(0, 1) > 0.3), np.exp(own(-1.3, 0.6)), 1)
    ratio = np.exp(own(-2.7, 0.4) + 0.3 * renal + np.where(nephro, own(2.4, 0.9), 0) + noise(0.28))
    gilbert = np.where(patients.carriers["gilbert"][p], 2.3, 1.0)
    hot = (a > 9) & (rng.random(n) < 0.25)
    return {
        "hemoglobin": np.clip(
            np.where(female, own(129, 8), own(147, 9))
            - 1.6 * blood
            - 0.35 * a
            - np.where(nephro, 9 * (damage - 1), 0)
            - np.where(haem, own(28, 18), 0)
            + noise(3.5),
            38,
            185,
        ),
        "leukocytes": leukocytes,
        "lymphocytes_percent": lymphocyte_share,
        "lymphocytes": leukocytes * lymphocyte_share / 100,
        "neutrophils": leukocytes * np.clip(92 - lymphocyte_share + noise(1.5), 5, 97) / 100,
        "platelets": np.clip((own(238, 45) - 10.5 * blood + noise(16)) * low_platelets, 4, 760),
        "creatinine": np.clip(np.where(female, own(57, 7), own(74, 9)) * damage + 1.1 * renal + noise(3), 28, 1150),
        "alt": np.clip(np.exp(own(2.9, 0.4) + noise(0.3)), 4, 900),
        "ast": np.clip(np.exp(own(3.0, 0.3) + noise(0.25)), 7, 800),
        "bilirubin_total": np.clip(np.exp(own(2.2, 0.28) + noise(0.2)) * gilbert, 2, 120),
        "albumin": np.clip(own(44, 2.2) - 2.4 * np.log1p(ratio) - 0.2 * a + noise(1.2), 14, 55),
        "urea": np.clip(own(4.9, 0.8) * damage + noise(0.5), 1.2, 45),
        "uric_acid": np.clip(own(310, 60) * damage**0.3 + noise(25), 80, 900),
        "glucose": np.clip(own(5.1, 0.5) + 0.02 * draws.dose_mg + noise(0.4), 2.9, 25),
        "potassium": np.clip(4.15 + noise(0.3), 2.6, 6.6),
        "cholesterol": np.clip(own(4.7, 0.8) + 0.5 * np.log1p(ratio) + noise(0.3), 2, 13),
        "creatinine_clearance": np.clip(own(105, 15) / damage + noise(6), 4, 180),
        "crp": np.exp(own(0.6, 0.7) + 0.05 * a + noise(0.7)),
        "esr": np.clip(own(12, 7) + 2.6 * a + noise(5), 1, 140),
        "ferritin": np.exp(own(4.4, 0.8) + 0.04 * a + noise(0.3)),
        "inr": np.clip(own(1.0, 0.06) + noise(0.04), 0.7, 4.5),
        "aptt": np.clip(own(31, 3) + np.where(patients.carriers["phospholipid"][p], 6, 0) + noise(2), 18, 110),
        "d_dimer": np.exp(own(-1.2, 0.5) + 0.06 * a + noise(0.5)),
        "c3": np.clip(own(1.08, 0.13) - 0.034 * serology + noise(0.06), 0.12, 2.0),
        "c4": np.clip(own(0.25, 0.05) - 0.0115 * serology + noise(0.02), 0.01, 0.7),
        "ch50": np.clip(own(36, 5) - 1.1 * serology + noise(3), 3, 70),
        "anti_dsdna": np.exp(own(2.6, 0.5) + 0.23 * serology + noise(0.35)),
        "urine_protein_creatinine_ratio": np.clip(ratio, 0.02, 18),
        "urine_protein_24h": np.clip(ratio * np.exp(noise(0.2)), 0.02, 20),
        "urine_rbc": np.minimum(rng.poisson(np.exp(np.minimum(own(0.1, 0.5) + 0.17 * renal, 4))), 180).astype(float),
        "urine_wbc": np.minimum(rng.poisson(np.exp(np.minimum(own(0.4, 0.6) + 0.06 * renal, 4))), 180).astype(float),
        "body_weight": np.clip(patients.weight_kg[p] + 0.06 * draws.dose_mg + noise(1.0), 36, 110),
        "body_height": patients.height_cm[p],
        "systolic": np.clip(own(119, 10) + 0.5 * renal + np.where(nephro, 9, 0) + noise(9), 82, 215),
        "diastolic": np.clip(own(75, 7) + 0.3 * renal + np.where(nephro, 5, 0) + noise(6), 45, 128),
        "temperature": np.clip(36.5 + noise(0.25) + np.where(hot, 1.1, 0) + ward_heat, 35.2, 40.3),
        "spo2": np.clip(np.round(98.2 - np.abs(noise(1.1)) - (rng.random(n) < 0.01) * 7), 78, 100),
        "lvef": np.clip(own(64, 4) + noise(2) - (own(0, 1) > 2.2) * 20, 22, 78),
        "qtc": np.clip(own(421, 17) + noise(9) + (own(0, 1) > 2.4) * 60, 340, 560),
        "vas_pain": np.clip(np.round(own(2, 1) + 0.2 * a + noise(1)), 0, 10),
    }


def sledai_totals(patients: Patients, draws: Draws, values: dict[str, Floats], casts: Ints, rng: np.random.Generator) -> Floats:
    """The total a physician would have written down: measured descriptors, and what joints and skin show."""
    p, a = draws.patient, draws.activity
    joints, skin = patients.joints[p] & (a > 7), patients.skin[p] & (a > 6)
    total = (
        2.0 * ((values["c3"] < 0.79) | (values["c4"] < 0.16))
        + 2 * (values["anti_dsdna"] > 100)
        + 4 * (values["urine_protein_creatinine_ratio"] > 0.5)
        + 4 * (values["urine_rbc"] > 5)
        + 4 * (casts == 1)
        + (values["platelets"] < 100)
        + (values["leukocytes"] < 3)
        + (values["temperature"] > 38)
        + 4 * (joints & (rng.random(len(p)) < 0.8))
        + 2 * (skin & (rng.random(len(p)) < 0.7))
        + 2 * (skin & (a > 10) & (rng.random(len(p)) < 0.4))
    )
    missed = 4.0 * (rng.random(len(p)) < 0.05)  # not every form is filled in completely
    return np.asarray(np.maximum(total - missed, 0))


def word_outcomes(patients: Patients, draws: Draws, rng: np.random.Generator) -> dict[str, Ints]:
    """The outcome (place in OUTCOMES) of each analyte that is reported in words, at each draw."""
    p, n = draws.patient, len(draws.patient)
    sle, a = is_cohort(patients, "sle")[p], draws.activity
    rheum = is_cohort(patients, "rheum")[p]

    def own(share: float | Floats) -> Bools:
        return np.asarray((rng.random(len(patients.cohort)) < share)[p])

    def outcome(positive: Bools, unsure: float = 0.006) -> Ints:
        return np.where(rng.random(n) < unsure, 2, positive.astype(np.int64))

    def now(share: float | Floats) -> Bools:
        return np.asarray(rng.random(n) < share)

    carrier = {name: flags[p] for name, flags in patients.carriers.items()}
    heavy = patients.renal[p] * a > 5
    return {
        "hbsag": outcome(carrier["hbsag"], 0.002),
        "hbcab": outcome(carrier["hbcab"]),
        "hcv_ab": outcome(carrier["hcv"]),
        "hiv_ab": outcome(carrier["hiv"], 0.002),
        "treponemal_ab": outcome(carrier["syphilis"]),
        "reagin": outcome(carrier["reagin"] | (carrier["syphilis"] & own(0.6))),
        "ebv_vca_igm": outcome(now(0.02), 0.02),
        "cmv_igm": outcome(now(0.02), 0.02),
        "anti_sm": outcome(sle & carrier["sm"]),
        "ssa": outcome((sle & own(0.45)) | (rheum & own(0.3))),
        "antiphospholipid": outcome(sle & carrier["phospholipid"]),
        "ana": outcome((sle & own(0.96)) | (rheum & own(0.4)) | own(0.06), 0.015),
        "hbv_dna": (carrier["hbsag"] & own(0.3) | now(0.002)).astype(np.int64),
        "hcv_rna": (carrier["hcv"] & own(0.6)).astype(np.int64),
        "ebv_dna": now(0.04).astype(np.int64),
        "cmv_dna": now(0.02).astype(np.int64),
        "urine_casts": (heavy & now(0.4)).astype(np.int64),
        "urine_dipstick": (heavy | now(0.06)).astype(np.int64),
        "hcg_blood": outcome(now(0.015), 0.004),
        "hcg_urine": outcome(now(0.015), 0.01),
    }


def drawn_panels(table: str, patients: Patients, visits: Visits, draws: Draws, rng: np.random.Generator) -> list[tuple[str, Ints]]:
    """For each analyte of the table the draws at which it was measured, by vocab/panels.csv."""
    p = draws.patient
    cohort = patients.cohort[p]
    ready = (patients.worked_up[p] & visits.last[draws.visit]) & ~draws.ward
    is_new = is_cohort(patients, "sle")[p] & visits.first[draws.visit] & ~draws.ward & ~ready
    may_conceive = patients.female[p] & (patients.age_days[p] < 54 * 365)
    due = []
    for panel in vocabulary("panels").filter(pl.col("table") == table).iter_rows(named=True):
        share = np.array([panel[name] for name in COHORTS])[cohort]
        share = np.where(ready, panel["work_up"], np.where(draws.ward, panel["on_ward"], share))
        if panel["new_lupus"]:
            share = np.where(is_new, panel["new_lupus"], share)
        if panel["panel"].startswith("pregnancy"):
            share = share * may_conceive
        taken = rng.random(len(p)) < share
        for analyte in panel["analytes"].split("|"):
            due.append((analyte, np.flatnonzero(taken & (rng.random(len(p)) < 0.985))))
    return due


def printed(number: pl.Expr, decimals: pl.Expr) -> pl.Expr:
    """The number as a laboratory prints it: rounded to its decimals (0 to 3)."""
    places = [number.round(k) for k in range(4)]
    return (
        pl.when(decimals == 0)
        .then(places[0].cast(pl.Int64).cast(pl.String))
        .when(decimals == 1)
        .then(places[1].cast(pl.String))
        .when(decimals == 2)
        .then(places[2].cast(pl.String))
        .otherwise(places[3].cast(pl.String))
    )


def measure(table: str, patients: Patients, visits: Visits, found: Findings, as_of_day: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per result of `labs` or `observations` of a block, oldest first, without ids; days count from 1970."""
    draws = found.draws
    number_of, rows = measurement_rows(table)
    style = patients.style[draws.patient]
    style = np.where(rng.random(len(style)) < 0.05, rng.integers(0, len(STYLES), len(style)), style)  # from another hospital
    pool, places = words()
    variant = rng.integers(0, 8, len(patients.cohort))[draws.patient]
    minute = rng.integers(400, 590, len(style))
    at, row, number, word = [], [], [], []
    for analyte, index in drawn_panels(table, patients, visits, draws, rng):
        at.append(index)
        row.append(rows[number_of[analyte]][style[index]])
        number.append(found.values[analyte][index] if analyte in found.values else np.full(len(index), np.nan))
        slot = (variant[index] + (rng.random(len(index)) < 0.15)) % 8
        text = np.full(len(index), -1)
        if kind := WORD_KIND.get(analyte):
            variants = np.stack([places.get((kind, outcome), places[kind, "negative"]) for outcome in OUTCOMES])
            text = variants[found.outcomes[analyte][index], style[index], slot]
        elif analyte in ("urine_rbc", "urine_wbc"):
            few = (number[-1] <= 2) & (style[index] == STYLES.index("zh")) & (rng.random(len(index)) < 0.25)
            text = np.where(few, places["sediment", "zero"][0, slot], -1)
        elif analyte == "anti_dsdna":  # an immunofluorescence instead of a quantity
            titre = (style[index] == STYLES.index("zh")) & (variant[index] < 2)
            variants = np.stack([places["clift", outcome] for outcome in OUTCOMES])
            text = np.where(titre, variants[(number[-1] > 100).astype(int), 0, slot], -1)
        word.append(text)
    drawn = np.concatenate(at)
    made = pl.DataFrame(
        {
            "patient": draws.patient[drawn],
            "day": as_of_day - draws.days_ago[drawn],
            "minute": minute[drawn],
            "row": np.concatenate(row),
            "number": np.concatenate(number),
            "word": np.concatenate(word),
            "luck": rng.random(len(drawn)),
            "chance": rng.random(len(drawn)),
        }
    ).sort("day", "minute", "patient", maintain_order=True)
    people = pl.DataFrame({"patient_id": patients.patient_id, "is_male": ~patients.female}).with_row_index("patient")
    lexicon = vocabulary("measurements").with_row_index("row").drop("table")
    texts = pool.to_frame().with_row_index("word")
    for other, key in ((people, "patient"), (lexicon, "row"), (texts, "word")):
        made = made.join(other.cast({key: pl.Int64}), on=key, how="left", maintain_order="left")
    made = as_reported(made)
    made = as_observations(made) if table == "observations" else made.rename({"time": "collected_at"})
    return made.select(name for name in TABLES[table] if name != ID_COLUMN[table])


def as_reported(made: pl.DataFrame) -> pl.DataFrame:
    """Adds what the laboratory's system prints: value in its unit, censoring, range, flag, arrow, status, slips."""
    luck, chance, shown, text = pl.col("luck"), pl.col("chance"), pl.col("shown"), pl.col("text")
    range_of = {
        side: pl.when("is_male").then(pl.coalesce(f"ref_{side}_male", f"ref_{side}")).otherwise(f"ref_{side}") for side in ("low", "high")
    }
    high, low = pl.col("ref_high"), pl.col("ref_low")
    chinese = pl.col("style") == "zh"
    arrow = chinese & (chance < 0.06)
    minute = pl.when(chance.is_between(0.5, 0.53)).then(0).otherwise("minute")  # some systems keep the day alone
    slip = text.is_null() & (luck < 0.0015)
    return (
        made.with_columns(
            shown=pl.col("number") * pl.col("factor") * pl.when(luck.is_between(0.0007, 0.001)).then(1000).otherwise(1),
            ref_low=range_of["low"],
            ref_high=range_of["high"],
            unit=pl.when(luck.is_between(0.0015, 0.003)).then(None).otherwise("unit"),
        )
        .with_columns(
            flag=pl.when(text.is_not_null() | (chance > 0.93))
            .then(None)
            .when(shown > high)
            .then(pl.when(arrow).then(pl.lit("↑")).when(shown > 3 * high).then(pl.lit("HH")).otherwise(pl.lit("H")))
            .when(shown < low)
            .then(pl.when(arrow).then(pl.lit("↓")).when(shown < low / 3).then(pl.lit("LL")).otherwise(pl.lit("L"))),
            value=pl.when(slip & (luck < 0.0004))
            .then(pl.lit("标本溶血"))
            .when(slip & (luck < 0.0007))
            .then(pl.lit("see comment"))
            .when(text.is_not_null())
            .then(text)
            .when(shown < pl.col("least"))
            .then("<" + pl.col("least").cast(pl.String).str.strip_suffix(".0"))
            .when(shown > pl.col("most"))
            .then(">" + pl.col("most").cast(pl.String).str.strip_suffix(".0"))
            .otherwise(printed(shown, pl.col("decimals"))),
            test_name=pl.when(chinese & luck.is_between(0.02, 0.028)).then(pl.col("test_name") + "(复查)").otherwise("test_name"),
            status=pl.when(luck < 0.9)
            .then(pl.lit("final"))
            .when(luck < 0.983)
            .then(None)
            .when(luck < 0.986)
            .then(pl.lit("cancelled"))
            .when(luck < 0.993)
            .then(pl.lit("corrected"))
            .otherwise(pl.lit("preliminary")),
            time=pl.from_epoch((pl.col("day") * 1440 + minute) * 60_000, "ms"),
        )
        .with_columns(
            value=pl.when(arrow & (luck < 0.6) & (pl.col("flag") == "↑"))
            .then(pl.col("value") + " ↑")
            .when(arrow & (luck < 0.6) & (pl.col("flag") == "↓"))
            .then(pl.col("value") + "↓")
            .otherwise("value"),
            ref_low=pl.when(chance.is_between(0.2, 0.26)).then(None).otherwise("ref_low"),
            ref_high=pl.when(chance.is_between(0.2, 0.26)).then(None).otherwise("ref_high"),
        )
    )


def as_observations(made: pl.DataFrame) -> pl.DataFrame:
    """The columns of `observations` beyond those of `labs`: oxygen is known for oximetry alone."""
    gasping = (pl.col("number") < 93) & (pl.col("chance") < 0.6)
    return made.rename({"time": "observed_at"}).with_columns(on_oxygen=pl.when(pl.col("analyte") == "spo2").then(gasping))
