"""The run's DuckDB store: one connection, its limits, and the SQL and CSV files that ship with the project."""

from __future__ import annotations

import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import duckdb
import polars as pl

SCHEMAS = ("run", "map", "raw", "pulled", "norm", "feat", "rule", "pub")


def connect(
    path: Path | None = None, *, spill: Path | None = None, memory_limit: str | None = None, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """An empty store with the layers as schemas; in memory, or in a file where ``path`` is given.

    What does not fit in ``memory_limit`` (for example ``2GB``; default: 60 % of the machine's memory) goes to the folder ``spill``.
    """
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(str(path) if path else ":memory:")
    con.execute("set timezone = 'UTC'")
    con.execute("set preserve_insertion_order = false")
    con.execute("set enable_progress_bar = false")  # a log is no terminal
    if spill:
        con.execute("set temp_directory = ?", [str(spill)])
    con.execute(
        "set memory_limit = ?",
        [memory_limit or f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') * 6 // 10} B"],
    )
    if threads:
        con.execute("set threads = ?", [threads])
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists {schema}")
    return con


def run_sql(con: duckdb.DuckDBPyConnection, package: str, *names: str) -> None:
    """Run SQL files of a package in order; a file may hold several statements."""
    for name in names:
        con.execute(resource(package, name).read_text(encoding="utf-8"))


def resource(package: str, *names: str) -> Traversable:
    """A file that ships inside ``package``."""
    return files(package).joinpath(*names)


def csv_frame(package: str, *names: str) -> pl.DataFrame:
    """A CSV that ships with the project, every column as text, empty cells null."""
    with resource(package, *names).open("rb") as file:
        return pl.read_csv(file.read(), infer_schema=False)


def load(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Make ``table`` (schema-qualified) out of a Polars frame."""
    con.register("frame_to_load", frame)
    con.execute(f"create or replace table {table} as from frame_to_load")
    con.unregister("frame_to_load")
