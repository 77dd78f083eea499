"""The feat layer: facts derived from the events of assessed patients."""

from __future__ import annotations

import duckdb

from transforms.store import run_sql


def derive(con: duckdb.DuckDBPyConnection) -> None:
    """Build feat.* from norm.*."""
    run_sql(con, "transforms.features", "recorded.sql")
