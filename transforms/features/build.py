"""The feat layer: facts derived from the events of assessed patients."""

from __future__ import annotations

import duckdb

from transforms.features.doses import dose_units
from transforms.store import load, run_sql

PACKAGE = "transforms.features"


def derive(con: duckdb.DuckDBPyConnection) -> None:
    """Build feat.* from norm.* and map.*."""
    load(con, "map.dose_units", dose_units(con))
    run_sql(con, PACKAGE, "doses.sql", "exposures.sql", "recorded.sql", "patients.sql")
