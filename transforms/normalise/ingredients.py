"""Drugs: which ingredients a medication row holds, by its code where the list knows it, else by its name."""

from __future__ import annotations

import duckdb
import polars as pl

from transforms.normalise.texts import name_key
from transforms.store import csv_frame, load


def load_drugs(con: duckdb.DuckDBPyConnection) -> None:
    """Fill map.drugs (one row per ingredient), map.drug_codes, map.drug_names and map.drug_coverage (days_per_dose by route)."""
    drugs = csv_frame("transforms.normalise", "maps", "drugs.csv")
    numbers = pl.col("prednisone_factor", "standard_daily_mg").cast(pl.Float64)
    load(con, "map.drugs", drugs.select("ingredient", "class", numbers))
    codes = [
        (system, code.strip().upper().rstrip("*"), code.strip().endswith("*"), ingredient)
        for system, column in (("ATC", "atc"), ("RXNORM", "rxnorm"))
        for ingredient, listed in drugs.select("ingredient", column).drop_nulls().iter_rows()
        for code in listed.split("|")
    ]
    load(
        con,
        "map.drug_codes",
        pl.DataFrame(codes, schema=["code_system", "code", "is_stem", "ingredient"], orient="row"),
    )
    coverage = [
        (ingredient, position, *entry.split("="))
        for ingredient, listed in drugs.select("ingredient", "days_per_dose").drop_nulls().iter_rows()
        for position, entry in enumerate(listed.split())
    ]
    covered = pl.DataFrame(coverage, schema=["ingredient", "position", "route", "days"], orient="row")
    load(con, "map.drug_coverage", covered.with_columns(pl.col("days").cast(pl.Int32)))
    load(con, "map.drug_names", drug_names(drugs))


def drug_names(drugs: pl.DataFrame) -> pl.DataFrame:
    """One row per name and ingredient, folded, longest name first."""
    names = [
        (name_key(name), ingredient)
        for ingredient, listed in drugs.select("ingredient", "names").drop_nulls().iter_rows()
        for name in listed.split("|")
    ]
    frame = pl.DataFrame(names, schema=["name", "ingredient"], orient="row").unique()
    return frame.sort(pl.col("name").str.len_chars(), "name", "ingredient", descending=[True, False, False])


def ingredients_in(text: str, names: list[tuple[str, str]]) -> list[str]:
    """Every ingredient named in a drug name; ``names`` are (folded name, ingredient), longest first.

    A name counts where the text contains it outside the characters that longer names took; a Latin name must not touch another Latin
    letter (泼尼松 is not found in 泼尼松龙, ``heparin`` not in ``heparinoid``).
    """
    rest = name_key(text)
    found: set[str] = set()
    for name, ingredient in names:
        at = rest.find(name)
        while at >= 0:  # rest[at - 1 : at] is empty where the name begins the text
            end = at + len(name)
            if not (name.isascii() and (_is_latin(rest[at - 1 : at]) or _is_latin(rest[end : end + 1]))):
                found.add(ingredient)
                rest = rest[:at] + "\0" * len(name) + rest[end:]
            at = rest.find(name, at + 1)
    return sorted(found)


def _is_latin(character: str) -> bool:
    return "a" <= character <= "z" or "à" <= character <= "ɏ"


def drug_texts(con: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """One row per drug name in ``source`` (column drug_name) with its folded form."""
    texts = con.sql(f"select distinct drug_name from {source} where drug_name is not null").pl()
    return texts.with_columns(name_key=pl.col("drug_name").map_elements(name_key, pl.String))


def named_ingredients(con: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """One row per drug name in ``source`` (column drug_name) and ingredient that it names."""
    names = con.sql("select name, ingredient from map.drug_names order by len(name) desc, name, ingredient").fetchall()
    texts = con.sql(f"select distinct drug_name from {source} where drug_name is not null").fetchall()
    rows = [(text, ingredient) for (text,) in texts for ingredient in ingredients_in(text, names)]
    return pl.DataFrame(rows, schema={"drug_name": pl.String, "ingredient": pl.String}, orient="row")
