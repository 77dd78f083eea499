"""The cohort line: who is assessed, and the pull of their rows; everything after it reads only these."""

from __future__ import annotations

import duckdb

from transforms.store import run_sql

TABLES = (
    "patients", "diagnoses", "medications", "labs", "procedures",
    "observations", "immunizations", "chart_reviews", "dispositions",
)  # fmt: skip


def pull(con: duckdb.DuckDBPyConnection) -> int:
    """Make run.cohort and pulled.* (the cohort's rows as typed by the contract, quarantined ones included); returns its size."""
    run_sql(con, "transforms", "cohort.sql")
    for table in TABLES:
        con.execute(
            f"create or replace table pulled.{table} as select t.* from raw.{table} as t semi join run.cohort using (patient_id)"
        )
    return con.sql("select count(*) from run.cohort").fetchall()[0][0]
