"""The words, codes and frequencies that the sample is written in, from vocab/*.csv, and the contract's columns."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts import contract

VOCAB = Path(__file__).parent / "vocab"
STYLES = ("zh", "loinc", "us", "en")
OUTCOMES = ("negative", "positive", "equivocal")
COHORTS = ("sle", "rheum", "nephro", "haem", "checkup", "general")
CODINGS = ("ICD10CM", "ICD10", "ICD10CN", "LOCAL")  # what a clinic codes in; ICD9CM only in old rows

KINDS: dict[str, pl.DataType] = {
    "text": pl.String(),
    "word": pl.String(),
    "open word": pl.String(),
    "date": pl.Date(),
    "time": pl.Datetime("ms"),
    "number": pl.Float64(),
    "integer": pl.Int32(),
    "boolean": pl.Boolean(),
}
TEXT = KINDS["text"]
TABLES = {table.name: {column.name: KINDS[column.type] for column in table.columns} for table in contract.load().values()}
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
    """Number of each analyte of the table, and its row of vocab/measurements.csv by style (or the nearest style)."""
    rows = vocabulary("measurements").with_row_index("row").filter(pl.col("table") == table)
    names = rows["analyte"].unique(maintain_order=True).to_list()
    number = {name: k for k, name in enumerate(names)}
    found = {(row["analyte"], row["style"]): row["row"] for row in rows.iter_rows(named=True)}
    nearest = {"zh": ("zh",), "loinc": ("loinc", "zh"), "us": ("us", "loinc", "zh"), "en": ("en", "zh")}
    places = [[next(found[a, s] for s in nearest[style] if (a, s) in found) for style in STYLES] for a in names]
    return number, np.array(places, dtype=np.int64)
