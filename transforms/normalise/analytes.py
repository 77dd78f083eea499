"""The analytes a run knows, the units they are reported in, and what each reported text of them says."""

from __future__ import annotations

import duckdb
import polars as pl

from transforms.normalise.texts import fold, name_key, quantity, result_word, result_words, serology_titre
from transforms.store import csv_frame, load


def load_maps(con: duckdb.DuckDBPyConnection) -> None:
    """Fill map.analytes, map.analyte_codes, map.analyte_names and map.units from maps/analytes.csv."""
    analytes = csv_frame("transforms.normalise", "maps", "analytes.csv")
    number = pl.col("plausible_low", "plausible_high", "default_low", "default_high", "default_high_male").cast(pl.Float64)
    kinds = {"is_serology": "serology", "is_number": "number|observation", "is_viral_load": "viral load"}
    flags = [pl.col("kind").str.contains(pattern).alias(name) for name, pattern in kinds.items()]
    load(con, "map.analytes", analytes.with_columns(number, *flags))
    load(con, "map.analyte_codes", exploded(analytes, "loinc", "code"))
    names = exploded(analytes, "names", "name")
    load(con, "map.analyte_names", names.with_columns(pl.col("name").map_elements(name_key, pl.String)))
    load(con, "map.units", units(analytes))


def exploded(frame: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    """One row per analyte and one entry of a ``|``-separated column."""
    entries = pl.col(column).str.split("|").list.eval(pl.element().str.strip_chars())
    return frame.select("analyte", entries.alias(name)).explode(name).drop_nulls().unique(maintain_order=True)


def units(analytes: pl.DataFrame) -> pl.DataFrame:
    """One row per analyte and accepted unit: canonical value = (reported − offset) × factor.

    ``unit_key`` is the unit without blanks, in lower case unless case is all that tells two units of the analyte apart.
    """
    rows = []
    for analyte, text in analytes.select("analyte", "units_and_factors").drop_nulls().iter_rows():
        listed = [("".join(unit.split()), factor) for unit, _, factor in (entry.rpartition("=") for entry in text.split("|"))]
        for unit, factor in dict.fromkeys(listed):
            is_told_by_case = any(u.lower() == unit.lower() and f != factor for u, f in listed)
            key = unit if is_told_by_case else unit.lower()
            rows.append((analyte, key, *((1 / 1.8, 32.0) if factor == "F" else (float(factor), 0.0))))
    return pl.DataFrame(rows, schema=["analyte", "unit_key", "factor", "offset"], orient="row").unique(maintain_order=True)


def reported_texts(con: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """One row per analyte and reported text in ``source`` (columns analyte, value): the number, word and titre it holds."""
    names: dict[str, frozenset[str]] = {
        analyte: frozenset(group)
        for analyte, group in con.sql("select analyte, list(name) from map.analyte_names group by analyte").fetchall()
    }
    rows = []
    for analyte, text in con.sql(f"select distinct analyte, value from {source} where value is not null").fetchall():
        parsed = quantity(text)
        word = None if parsed else result_word(text, names.get(analyte, frozenset()))
        rows.append(
            (
                analyte,
                text,
                parsed.comparator if parsed else None,
                parsed.number if parsed else None,
                fold(text).isascii() and fold(text).isdigit(),
                result_words()[word].meaning if word else None,
                result_words()[word].viral_load if word else None,
                serology_titre(analyte, text),
            )
        )
    schema = {
        "analyte": pl.String,
        "value": pl.String,
        "comparator": pl.String,
        "number": pl.Float64,
        "is_plain_integer": pl.Boolean,
        "meaning": pl.String,
        "viral_load_word": pl.String,
        "titre": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def reported_names(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """One row per local test name of pulled.labs, or local code of pulled.observations, and the analyte that it names."""
    return named_tests(
        con,
        "select distinct test_name from pulled.labs where code_system = 'LOCAL'"
        " union select distinct code from pulled.observations where code_system = 'LOCAL'",
    )


def named_tests(con: duckdb.DuckDBPyConnection, texts: str) -> pl.DataFrame:
    """One row per text of the query ``texts`` that names an analyte."""
    names = dict(con.sql("select name, analyte from map.analyte_names").fetchall())
    found = [text for (text,) in con.sql(texts).fetchall() if text is not None]
    rows = [(text, names[name_key(text)]) for text in found if name_key(text) in names]
    return pl.DataFrame(rows, schema={"reported": pl.String, "analyte": pl.String}, orient="row")
