"""The cohort line: who is assessed, and the pull of their rows; everything after it reads only these.

Three ways lead in: an SLE diagnosis, a chart review that says SLE, or a met classification. The third is known only once a
patient's events are normalised, so the rows of patients who may meet it are pulled too (`choose`, `pull`), classified, and those
who do not are taken out again before anything else is derived (`settle`).
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


def choose(con: duckdb.DuckDBPyConnection) -> None:
    """Make run.considered (assessed for certain) and gate.wanted: these, and whoever may have been positive for ANA.

    What the contract then pulls is theirs, in the one pass that counts it.
    """
    run_sql(con, "transforms", "cohort.sql")
    con.execute("create or replace table run.possible_items (patient_id varchar, item_id varchar)")
    if not is_everyone(con):
        local = "select distinct test_name from raw.labs where code_system = 'LOCAL'"
        load(con, "map.local_tests", analytes.named_tests(con, local))
        screen(con, "entry.sql")
    con.execute(
        "create or replace table gate.wanted as select patient_id from run.considered union select patient_id from run.possible_items"
    )


def pull(con: duckdb.DuckDBPyConnection) -> int:
    """Complete run.considered and leave in pulled.* the rows of these patients alone, each once; returns how many patients."""
    if not is_everyone(con):
        screen(con, "items.sql")
        run_sql(con, "transforms.screening", "candidates.sql")
    con.execute("create or replace table pulled.patients as from raw.patients semi join run.considered using (patient_id)")
    for table in TABLES[1:]:
        con.execute(f"delete from pulled.{table} where patient_id not in (select patient_id from run.considered)")
        gate.leave_one_copy(con, table)
    return size(con, "run.considered")


def is_everyone(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether P:cohort says that everybody is assessed."""
    return con.sql("from run.parameters where name = 'cohort' and value = 'all'").fetchall() != []


def screen(con: duckdb.DuckDBPyConnection, rows: str) -> None:
    """Add to run.possible_items what the lab rows that the file ``rows`` selects leave possible of the classification."""
    run_sql(con, "transforms.screening", rows, "results.sql")
    load(con, "map.screened_texts", analytes.reported_texts(con, "run.screened_results"))
    run_sql(con, "transforms.screening", "possible.sql")


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
