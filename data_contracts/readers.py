"""Puts the contract's readers (readers.sql) into a DuckDB connection."""

from importlib.resources import files

import duckdb


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the schema gate with the macros of readers.sql and identity.sql."""
    con.execute("create schema if not exists gate")
    for name in ("readers.sql", "identity.sql"):
        con.execute(files("data_contracts").joinpath(name).read_text(encoding="utf-8"))
