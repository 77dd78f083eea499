"""The SLEDAI-2K descriptors and the classification items: their weights, and the results that decide them."""

from __future__ import annotations

import duckdb
import polars as pl

from transforms.store import csv_frame, load

SCHEMES = ("sledai", "classification")
PACKAGE = "transforms.features"


def load_items(con: duckdb.DuckDBPyConnection) -> None:
    """Fill map.scored_items (one row per item, in protocol order) and map.item_measures (one row per item and analyte).

    Thresholds are in the analyte's canonical unit; is_needed: the item is absent only where this analyte was measured.
    """
    items = pl.concat([_items(scheme) for scheme in SCHEMES], how="diagonal")
    flags = pl.col("is_clinical", "is_same_day", "is_screened").fill_null("false") == "true"
    numbers = pl.col("weight").cast(pl.Int32), pl.col("threshold").cast(pl.Float64)
    items = items.with_columns(*numbers, flags, is_coded=pl.col("kind").str.contains("coded"))
    measures = (
        items.filter(pl.col("analytes").is_not_null())
        .with_columns(analyte=pl.col("analytes").str.split("|"), needed=pl.col("needed").fill_null("").str.split("|"))
        .explode("analyte")
        .with_columns(is_needed=pl.col("needed").list.contains(pl.col("analyte")))
    )
    kept = ["scheme", "item_id", "position", "domain", "is_clinical", "weight", "is_coded", "is_screened"]
    load(con, "map.scored_items", items.select(*kept, "confounder", "title_en", "title_zh"))
    load(
        con,
        "map.item_measures",
        measures.with_row_index("measure_no").select(
            "measure_no", "scheme", "item_id", "analyte", "comparison", "threshold", "is_needed", "is_same_day"
        ),
    )


def _items(scheme: str) -> pl.DataFrame:
    """One row per item of a scheme, with its place in protocol order (descriptors before classification items)."""
    rows = csv_frame(PACKAGE, f"{scheme}_items.csv")
    first = 100 * SCHEMES.index(scheme)
    return rows.with_columns(scheme=pl.lit(scheme), position=pl.int_range(first, first + rows.height, dtype=pl.Int32))
