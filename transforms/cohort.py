"""The cohort line: who is assessed, and the pull of their rows; everything after it reads only these.

Three ways lead in: an SLE diagnosis, a chart review that says SLE, or a met classification. The third is known only once a
patient's events are normalised, so patients who may meet it are pulled too (`pull`), classified, and those who do not are
taken out again before anything else is derived (`settle`).
"""

from __future__ import annotations

import duckdb

from data_contracts import gate
from transforms.normalise import analytes
from transforms.store import load, run_sql

TABLES = (
    "patients", "diagnoses", "medications", "labs", "procedures",
    "observations", "immunizations", "chart_reviews", "dispositions",
)  # fmt: skip


def pull(con: duckdb.DuckDBPyConnection) -> int:
    """Make run.considered and pulled.* (their rows as typed by the contract, quarantined ones included); returns how many."""
    run_sql(con, "transforms", "cohort.sql")
    if con.sql("from run.parameters where name = 'cohort' and value <> 'all'").fetchall():
        screen(con)
    for table in TABLES:
        con.execute(
            f"create or replace table pulled.{table} as select t.* from raw.{table} as t semi join run.considered using (patient_id)"
        )
        if table != "patients":
            gate.leave_one_copy(con, table)
    return size(con, "run.considered")


def screen(con: duckdb.DuckDBPyConnection) -> None:
    """Add to run.considered everybody whose raw rows leave a met classification possible.

    Two narrow passes over the labs: who may have been positive for ANA, then the other tests of those alone.
    """
    local = "select distinct test_name from raw.labs where code_system = 'LOCAL'"
    load(con, "map.local_tests", analytes.named_tests(con, local))
    con.execute("create or replace table run.possible_items (patient_id varchar, item_id varchar)")
    for rows in ("entry.sql", "items.sql"):
        run_sql(con, "transforms.screening", rows, "results.sql")
        load(con, "map.screened_texts", analytes.reported_texts(con, "run.screened_results"))
        run_sql(con, "transforms.screening", "possible.sql")
    run_sql(con, "transforms.screening", "candidates.sql")


def settle(con: duckdb.DuckDBPyConnection) -> int:
    """Make run.cohort and take everybody else's rows out of pulled.*, norm.* and feat.*; returns its size.

    Needs feat.classification. ContractBroken: an id is twice among the rows of assessed patients.
    """
    con.execute(
        "create or replace table run.cohort as select c.patient_id from run.considered as c"
        " left join feat.classification as f on c.patient_id = f.patient_id where c.is_certain or f.is_met"
    )
    assessed = size(con, "run.cohort")
    if assessed < size(con, "run.considered"):
        tables = con.sql(
            "select schema_name, table_name from duckdb_columns() semi join duckdb_tables() using (schema_name, table_name)"
            " where schema_name in ('pulled', 'norm', 'feat') and column_name = 'patient_id'"
        ).fetchall()
        for schema, table in tables:
            con.execute(f"delete from {schema}.{table} where patient_id not in (from run.cohort)")
    for table in TABLES[1:]:
        gate.check_duplicate_ids(con, table)
    return assessed


def size(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table has."""
    return int(con.sql(f"select count(*) from {table}").fetchall()[0][0])
