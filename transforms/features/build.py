"""The feat layer: facts derived from the events of assessed patients."""

from __future__ import annotations

import duckdb

from transforms import cohort
from transforms.features.doses import dose_units
from transforms.store import load, run_sql

PACKAGE = "transforms.features"


def derive(con: duckdb.DuckDBPyConnection) -> None:
    """Build feat.* from norm.* and map.*; once the considered patients are classified, the cohort is settled."""
    run_sql(con, PACKAGE, "items.sql", "classification.sql")
    cohort.settle(con)
    load(con, "map.dose_units", dose_units(con))
    run_sql(con, PACKAGE, "doses.sql", "exposures.sql", "sledai.sql", "patients.sql")
