"""What goes wrong on the way to the extract: rows that break the contract, rows sent twice, dates written otherwise."""

import numpy as np
import polars as pl

from sample_data.vocabulary import DAY_COLUMN, TABLES, vocabulary

DATE_FORMS = ("%Y/%-m/%-d", "%Y%m%d", "%Y年%-m月%-d日")
SENT_TWICE = 0.0002
FEWEST = 40  # a table with fewer rows is left clean


def spoil(table: str, rows: pl.DataFrame, *, relative: bool, is_first: bool, rng: np.random.Generator) -> pl.DataFrame:
    """The rows after the slips of vocab/slips.csv: `relative` ones set a date from the row's own day, others a word.

    At least one row of each kind where the table is not small, so that every cause of a quarantine occurs.
    """
    slips = vocabulary("slips").filter((pl.col("table") == table) & (pl.col("value").fill_null("").str.contains("day") == relative))
    if rows.height < FEWEST or slips.height == 0:
        return rows
    counts = [max(int(is_first), round(share * rows.height)) for share in slips["share"]]
    chosen = rng.permutation(rows.height)[: sum(counts)]
    index = pl.int_range(pl.len())
    for columns, value, count in zip(slips["column"], slips["value"], counts, strict=True):
        places, chosen = chosen[:count], chosen[count:]
        hit = index.is_in(pl.Series(places, dtype=pl.Int64).implode())
        changes = {}
        for column, word in zip(columns.split("|"), (value or "|").split("|"), strict=False):
            kind = rows.schema[column]
            if word.startswith("day"):
                new = pl.col(DAY_COLUMN[table]).cast(pl.Date) - pl.duration(days=int(word[4:] or 0))
            elif kind.is_numeric():
                new = pl.lit(float(word) if word else None, dtype=kind)
            else:
                new = pl.lit(word if word and kind == pl.String else None, dtype=kind)
            changes[column] = pl.when(hit).then(new).otherwise(column)
        rows = rows.with_columns(**changes)
    return rows


def sent_twice(table: str, rows: pl.DataFrame, is_first: bool, rng: np.random.Generator) -> pl.DataFrame:
    """Appends a few rows once more, unchanged to the byte."""
    if table not in ("patients", "diagnoses", "medications", "labs") or rows.height < FEWEST:
        return rows
    count = max(int(is_first), round(SENT_TWICE * rows.height))
    again: pl.DataFrame = rows[np.sort(rng.choice(rows.height, count, replace=False)).tolist()]
    return pl.concat([rows, again])


def as_text(table: str, rows: pl.DataFrame, rng: np.random.Generator, mixed_share: float = 0.015) -> pl.DataFrame:
    """Dates and times as text for CSV: ISO, and a small share in the other forms that the contract reads."""
    for column, kind in TABLES[table].items():
        if not kind.is_temporal():
            continue
        day = rows[column]
        text = day.dt.strftime("%Y-%m-%d" if kind == pl.Date else "%Y-%m-%dT%H:%M:%S").str.strip_suffix("T00:00:00")
        places = np.flatnonzero(rng.random(rows.height) < mixed_share)
        for form, at in zip(DATE_FORMS, np.array_split(places, len(DATE_FORMS)), strict=True):
            if len(at):
                text = text.scatter(at.tolist(), day.gather(at.tolist()).dt.strftime(form))
        rows = rows.with_columns(text.alias(column))
    return rows


def finished(table: str, rows: pl.DataFrame, *, csv: bool, is_first: bool, rng: np.random.Generator) -> pl.DataFrame:
    """The rows as they are delivered: text for CSV, natural types for Parquet, with the same slips and repeats."""
    own = np.random.default_rng(rng.integers(2**63))
    rows = spoil(table, rows, relative=True, is_first=is_first, rng=rng)
    if csv:
        rows = as_text(table, rows, own)
    rows = spoil(table, rows, relative=False, is_first=is_first, rng=rng)
    return sent_twice(table, rows, is_first, rng)
