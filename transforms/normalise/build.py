"""The norm layer: the pulled rows of assessed patients as events with one meaning each, cut at day D."""

from __future__ import annotations

import duckdb

from transforms.normalise import analytes, concepts, ingredients
from transforms.store import load, run_sql

PACKAGE = "transforms.normalise"


def load_maps(con: duckdb.DuckDBPyConnection) -> None:
    """Fill the map schema from the code lists and maps that ship with the project."""
    concepts.load_code_lists(con)
    analytes.load_maps(con)
    ingredients.load_drugs(con)


def normalise(con: duckdb.DuckDBPyConnection) -> None:
    """Build norm.* from pulled.*, map.* and run.*."""
    run_sql(con, PACKAGE, "patients.sql", "conditions.sql")
    load(con, "map.drug_texts", ingredients.drug_texts(con, "pulled.medications"))
    load(con, "map.named_ingredients", ingredients.named_ingredients(con, "pulled.medications"))
    run_sql(con, PACKAGE, "medications.sql")
    load(con, "map.test_names", analytes.reported_names(con))
    run_sql(con, PACKAGE, "results.sql")
    load(con, "map.reported_texts", analytes.reported_texts(con, "norm.reported_pairs"))
    run_sql(con, PACKAGE, "values.sql", "observation.sql")
