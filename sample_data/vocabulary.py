"""The words, codes and frequencies that the sample is written in, from vocab/*.csv, and the columns of the native extract."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

VOCAB = Path(__file__).parent / "vocab"
STYLES = ("zh", "loinc", "us", "en")
OUTCOMES = ("negative", "positive", "equivocal")
COHORTS = ("sle", "rheum", "nephro", "haem", "checkup", "general")
CODINGS = ("ICD10CM", "ICD10", "ICD10CN", "LOCAL")  # what a clinic codes in; ICD9CM only in old rows

TEXT, DATE, TIME, NUMBER, BOOLEAN = pl.String(), pl.Date(), pl.Datetime("ms"), pl.Float64(), pl.Boolean()
TABLES: dict[str, dict[str, pl.DataType]] = {
    "patients": {
        "patient_id": TEXT,
        "sex": TEXT,
        "birth_date": DATE,
        "birth_year": pl.Int32(),
        "death_date": DATE,
        "index_date": DATE,
    },
    "diagnoses": {
        "diagnosis_id": TEXT,
        "patient_id": TEXT,
        "code_system": TEXT,
        "code": TEXT,
        "display": TEXT,
        "onset_date": DATE,
        "end_date": DATE,
        "recorded_date": DATE,
        "status": TEXT,
    },
    "medications": {
        "medication_id": TEXT,
        "patient_id": TEXT,
        "code_system": TEXT,
        "code": TEXT,
        "drug_name": TEXT,
        "route": TEXT,
        "dose_value": NUMBER,
        "dose_unit": TEXT,
        "doses_per_day": NUMBER,
        "quantity": NUMBER,
        "strength_value": NUMBER,
        "strength_unit": TEXT,
        "days_supply": NUMBER,
        "start_date": DATE,
        "end_date": DATE,
        "kind": TEXT,
        "as_needed": BOOLEAN,
        "status": TEXT,
    },
    "labs": {
        "lab_id": TEXT,
        "patient_id": TEXT,
        "code_system": TEXT,
        "code": TEXT,
        "test_name": TEXT,
        "collected_at": TIME,
        "value": TEXT,
        "unit": TEXT,
        "ref_low": NUMBER,
        "ref_high": NUMBER,
        "flag": TEXT,
        "status": TEXT,
    },
    "procedures": {
        "procedure_id": TEXT,
        "patient_id": TEXT,
        "code_system": TEXT,
        "code": TEXT,
        "performed_date": DATE,
        "display": TEXT,
        "status": TEXT,
    },
    "observations": {
        "observation_id": TEXT,
        "patient_id": TEXT,
        "code_system": TEXT,
        "code": TEXT,
        "observed_at": TIME,
        "value": TEXT,
        "unit": TEXT,
        "on_oxygen": BOOLEAN,
        "status": TEXT,
    },
    "immunizations": {
        "immunization_id": TEXT,
        "patient_id": TEXT,
        "code_system": TEXT,
        "code": TEXT,
        "given_date": DATE,
        "display": TEXT,
        "status": TEXT,
    },
    "chart_reviews": {
        "review_id": TEXT,
        "patient_id": TEXT,
        "item_id": TEXT,
        "answer": TEXT,
        "reviewed_date": DATE,
        "valid_until": DATE,
        "note": TEXT,
    },
    "dispositions": {
        "disposition_id": TEXT,
        "patient_id": TEXT,
        "status": TEXT,
        "recorded_date": DATE,
        "reason": TEXT,
    },
}
ID_COLUMN = {table: next(iter(columns)) for table, columns in TABLES.items()}
DAY_COLUMN = {
    "diagnoses": "recorded_date",
    "medications": "start_date",
    "labs": "collected_at",
    "procedures": "performed_date",
    "observations": "observed_at",
    "immunizations": "given_date",
    "chart_reviews": "reviewed_date",
    "dispositions": "recorded_date",
}
ID_LETTER = dict(zip(DAY_COLUMN, "DMLPOVRS", strict=True))


@cache
def vocabulary(name: str) -> pl.DataFrame:
    """The rows of vocab/NAME.csv, in the file's order; an empty cell is null; codes stay text."""
    text = {"code": TEXT, "test_name": TEXT, "texts": TEXT, "carriers": TEXT, "sex": TEXT, "statuses": TEXT}
    text |= dict.fromkeys((*CODINGS, "ICD9CM"), TEXT)
    return pl.read_csv(VOCAB / f"{name}.csv", schema_overrides=text, infer_schema_length=None)


@cache
def words() -> tuple[pl.Series, dict[tuple[str, str], NDArray[np.int64]]]:
    """All result words, and for (kind, outcome) their places in it as a matrix: styles by eight variants."""
    pool: list[str] = []
    places: dict[tuple[str, str], NDArray[np.int64]] = {}
    for kind, outcome, style, texts in vocabulary("words").iter_rows():
        variants = texts.split("|")
        slots = [len(pool) + k % len(variants) for k in range(8)]
        pool.extend(variants)
        matrix = places.setdefault((kind, outcome), np.tile(np.array(slots), (len(STYLES), 1)))
        matrix[STYLES.index(style)] = slots
    return pl.Series("text", pool), places


@cache
def measurement_rows(table: str) -> tuple[dict[str, int], NDArray[np.int64]]:
    """Number of each analyte of the table, and the row of vocab/measurements.csv for analyte by style (or the nearest style)."""
    rows = vocabulary("measurements").with_row_index("row").filter(pl.col("table") == table)
    names = rows["analyte"].unique(maintain_order=True).to_list()
    number = {name: k for k, name in enumerate(names)}
    found = {(row["analyte"], row["style"]): row["row"] for row in rows.iter_rows(named=True)}
    nearest = {"zh": ("zh",), "loinc": ("loinc", "zh"), "us": ("us", "loinc", "zh"), "en": ("en", "zh")}
    places = [[next(found[a, s] for s in nearest[style] if (a, s) in found) for style in STYLES] for a in names]
    return number, np.array(places, dtype=np.int64)
