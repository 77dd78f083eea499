"""The code lists as tables: which codes and display words make a condition, procedure or vaccine a concept."""

from __future__ import annotations

import duckdb
import polars as pl

from transforms.store import csv_frame, load


def load_code_lists(con: duckdb.DuckDBPyConnection) -> None:
    """Fill map.concepts (one row per concept) and map.codes (one row per active code of a concept).

    map.codes.code_key is the code in upper case without dots and blanks; of a ``contains`` row the lower-case words.
    """
    concepts = csv_frame("transforms", "codelists", "concepts.csv").filter(pl.col("status") == "active")
    codes = pl.concat(
        csv_frame("transforms", "codelists", f"{concept}.csv").with_columns(concept=pl.lit(concept)) for concept in concepts["concept"]
    )
    is_words = pl.col("match") == "contains"
    is_cvx = pl.col("code_system") == "CVX"
    code = pl.col("code").str.strip_chars()
    key = (
        pl.when(is_words)
        .then(code.str.to_lowercase())
        .when(is_cvx)
        .then(code.str.strip_chars_start("0"))
        .otherwise(code.str.to_uppercase().str.replace_all(r"[.\s]", ""))
    )
    load(con, "map.concepts", concepts)
    load(con, "map.codes", codes.filter(pl.col("status") == "active").with_columns(code_key=key))
