"""What items would say of patients if one thing were otherwise: copies of their rows, assessed in a store of their own.

A copy of a patient is named by a variant; its rows may lack some, and it may have a day D of its own. All copies are assessed at once,
so a further variant costs next to nothing; what costs is that the statements are planned anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from data_contracts import contract
from rules import engine
from rules.parameters import parameter_frame
from transforms.cohort import TABLES
from transforms.features.build import derive
from transforms.normalise.build import normalise
from transforms.store import SCHEMAS, load, run_sql

KEPT = ("settings", "parameters", "tables", "items")  # of the schema run


@dataclass(frozen=True)
class RunSettings:
    """Parameters, phase and day of collection that stand in for those of the run."""

    parameters: Mapping[str, str]
    phase: str
    collection_date: date | None


def what_if(
    con: duckdb.DuckDBPyConnection,
    copies: pl.DataFrame,
    without: pl.DataFrame,
    items: Collection[str],
    settings: RunSettings | None = None,
) -> pl.DataFrame:
    """patient_id, variant, item_id, verdict, fail_kind: one row per copy and item, chart reviews included.

    ``copies``: patient_id, variant, as_of; ``without``: patient_id, variant, table, row_id of rows that a copy lacks.
    """
    if copies.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(("patient_id", "variant", "item_id", "verdict", "fail_kind"), pl.String))
    with _own_store(con) as (store, home):
        _copy_rows(store, home, copies, without)
        if settings is not None:
            load(store, "run.parameters", parameter_frame(dict(settings.parameters)))
            store.execute("update run.settings set phase = ?, collection_date = ?", [settings.phase, settings.collection_date])
        engine.load_scalar_macros(store)
        normalise(store)
        engine.load_table_macros(store)
        derive(store)
        engine.evaluate(store, items, is_checked=True)
        run_sql(store, "rules.shared", "chart_reviews.sql")
        return store.sql(
            "select c.patient_id, c.variant, i.item_id, i.verdict, i.fail_kind"
            " from pub.items as i inner join run.copies as c on i.patient_id = c.copy_id"
        ).pl()


@contextmanager
def _own_store(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """An empty store beside that of the run, with the run's maps; the name of the run's."""
    store = con.cursor()
    home = store.sql("select current_database()").fetchall()[0][0]
    store.execute("attach ':memory:' as what_if; use what_if")
    try:
        for schema in (*SCHEMAS, "gate"):
            store.execute(f"create schema {schema}")
        tables = store.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = ? and (schema_name = 'map'"
            " or (schema_name = 'run' and list_contains(?, table_name)))",
            [home, list(KEPT)],
        ).fetchall()
        for schema, table in tables:
            store.execute(f'create table {schema}.{table} as from "{home}".{schema}.{table}')
        yield store, home
    finally:
        store.execute(f'use "{home}"; detach what_if')
        store.close()


def _copy_rows(store: duckdb.DuckDBPyConnection, home: str, copies: pl.DataFrame, without: pl.DataFrame) -> None:
    """Fill pulled.* with the copies' rows; ids of rows are made different too, in the order that they had."""
    mark = "c.variant || chr(31) || "
    named = pl.concat_str("variant", pl.lit("\x1f"), "patient_id")
    load(store, "run.copies", copies.with_columns(copy_id=named))
    load(store, "run.without", without)
    for table in TABLES:
        key = contract.load()[table].key
        renamed = "c.as_of as as_of" if table == "patients" else f"{mark}t.{key} as {key}"
        store.execute(
            f"create table pulled.{table} as select t.* replace (c.copy_id as patient_id, {renamed})"
            f' from "{home}".pulled.{table} as t inner join run.copies as c on t.patient_id = c.patient_id'
            f" anti join (from run.without where \"table\" = '{table}') as w"
            f" on c.patient_id = w.patient_id and c.variant = w.variant and t.{key} = w.row_id"
        )
    store.execute("create table run.considered as select patient_id, true as is_certain from pulled.patients")
    store.execute("create table gate.repeated (table_name varchar, row_id varchar)")
