"""Dose units: what the words of the extract come to in milligrams."""

from __future__ import annotations

import duckdb
import polars as pl

from transforms.normalise.texts import name_key
from transforms.store import csv_frame


def dose_units(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """One row per listed dose or strength unit of norm.medication_rows: as reported, its milligrams, whether per kg.

    Reported units are folded (case, full-width forms, blanks) and then looked up in dose_units.csv.
    """
    listed = {
        name_key(row["unit"]): (float(row["mg"]), row["is_per_kg"] == "true")
        for row in csv_frame("transforms.features", "dose_units.csv").iter_rows(named=True)
    }
    reported = con.sql(
        "select dose_unit from norm.medication_rows where dose_unit is not null"
        " union select strength_unit from norm.medication_rows where strength_unit is not null"
    ).fetchall()
    keys = {unit: "".join(name_key(unit).split()) for (unit,) in reported}
    rows = [(unit, *listed[key]) for unit, key in sorted(keys.items()) if key in listed]
    return pl.DataFrame(rows, schema={"unit": pl.String, "mg": pl.Float64, "is_per_kg": pl.Boolean}, orient="row")
