"""All that an item's verdict may depend on, from its header and its SQL: rows by table and name, parameters, code lists.

It is more rather than less: where none of it changed, the verdict cannot have changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import polars as pl

from rules import engine
from rules.sources import Source, sources
from transforms.store import csv_frame

CLOSED = re.compile(r"no_record(?:_before)?\(\s*'(\w+)'")
PARAMETER = re.compile(r"param\('(\w+)'\)|\bP:([a-z_]+)")
MEASURED = ("labs", "observations")
ANY = ""  # any row of a table, whatever its name

Row = tuple[str, str]  # a table and a name that its rows carry (events.parquet: names), or ANY


@dataclass(frozen=True)
class Reads:
    """What one item may depend on."""

    rows: frozenset[Row]
    parameters: frozenset[str]
    code_lists: frozenset[str]
    is_of_collection: bool  # the phase or the day of collection moves its windows

    @property
    def tables(self) -> frozenset[str]:
        """The tables whose absence from an extract the item may notice."""
        return frozenset(table for table, _ in self.rows)


@cache
def reads() -> dict[str, Reads]:
    """Item -> what it may depend on."""
    return {item.item_id: _reads(item) for item in engine.items()}


def reads_of_criterion(criterion_id: str) -> Reads:
    """What a criterion's own row depends on beside its items: the chart reviews of the criterion."""
    return Reads(frozenset({("chart_reviews", criterion_id)}), frozenset({"review_days"}), frozenset(), False)


def reads_frame(items: dict[str, Reads]) -> pl.DataFrame:
    """One row per item, table and name."""
    rows = [(item_id, table, name) for item_id, each in items.items() for table, name in sorted(each.rows)]
    return pl.DataFrame(rows, schema={"item_id": pl.String, "table": pl.String, "name": pl.String}, orient="row")


def _reads(item: engine.Item) -> Reads:
    read = sources(item.header["sources"])
    closed_on = set(CLOSED.findall(item.sql)) | ({"medications"} if "no_medication" in item.sql else set())
    observed_in = closed_on | ({"diagnoses"} if closed_on - {"medications"} else set())
    rows = {row for source in read for row in _rows(source)} | {(table, ANY) for table in observed_in}
    rows |= {("patients", ANY), ("chart_reviews", item.item_id), ("chart_reviews", item.criterion_id)}
    kinds = {source.kind for source in read}
    parameters = {a or b for a, b in PARAMETER.findall(item.sql)} | {"review_days"}
    parameters |= {"open_days"} if "class" in kinds else set()
    parameters |= {"observation_days"} if closed_on else set()
    lists = {name for source in read for name in _lists(source)} | ({"dose_units"} if "feat.doses" in item.header["sources"] else set())
    return Reads(frozenset(rows), frozenset(parameters), frozenset(lists), "collection" in item.header["sources"])


def _rows(source: Source) -> Iterator[Row]:
    for name in source.names:
        match source.kind:
            case "concept":
                yield from ((table, name) for table in source.tables)
            case "analyte":
                yield from ((table, name) for table in MEASURED)
            case "class":
                yield from (("medications", ingredient) for ingredient in _ingredients(name))
            case "table":
                yield name, ANY
            case "items":
                yield from _rows_of_scheme(name)


def _rows_of_scheme(scheme: str) -> Iterator[Row]:
    for item in _scheme(scheme).iter_rows(named=True):
        yield "chart_reviews", item["item_id"]
        yield from ((table, analyte) for analyte in (item["analytes"] or "").split("|") if analyte for table in MEASURED)
        yield from (("diagnoses", name) for name in _concepts_of(item))


def _lists(source: Source) -> Iterator[str]:
    match source.kind:
        case "concept":
            yield from ("concepts", *source.names, *(f"{name}_not" for name in source.names))
        case "analyte":
            yield from ("analytes", "value_words")
        case "class":
            yield from ("drugs", "routes")
        case "items":
            yield from ("concepts", "analytes", "value_words")
            for scheme in source.names:
                yield f"{scheme}_items"
                yield from (name for item in _scheme(scheme).iter_rows(named=True) for name in _concepts_of(item))


def _concepts_of(item: dict[str, str | None]) -> Iterator[str]:
    """The code lists of a scored item: its own where it is coded, and what takes its place."""
    if "coded" in (item["kind"] or ""):
        yield item["item_id"] or ""
    if confounder := item.get("confounder"):
        yield from (confounder, f"{confounder}_not")


@cache
def _scheme(scheme: str) -> pl.DataFrame:
    return csv_frame("transforms.features", f"{scheme}_items.csv")


@cache
def _ingredients(drug_class: str) -> list[str]:
    return csv_frame("transforms.normalise", "maps", "drugs.csv").filter(pl.col("class") == drug_class)["ingredient"].to_list()
