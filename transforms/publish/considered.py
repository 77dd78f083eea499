"""The rows of one patient that an item considers, what became of each, and why a row decides or does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from rules.engine import Item
from rules.sources import Source, sources
from transforms.store import csv_frame

MEASURES = ("labs", "observations")
DOSED = ("glucocorticoid", "immunosuppressant")  # the classes whose daily doses are reckoned
EVIDENCE_SHOWN = 20  # verdicts name no more rows than this


@dataclass(frozen=True)
class Frame:
    """What windows are counted from: the patient's day D, and the run's parameters and collection date."""

    as_of: date
    parameters: Mapping[str, str]
    collection_date: date | None = None
    is_collection: bool = False


@dataclass(frozen=True)
class Considered:
    """One row: its event, the names by which the item reads it, and why it does or does not decide (a key of page.explain.*)."""

    event: Mapping[str, Any]
    names: tuple[str, ...]
    why: str
    window_start: date | None

    @property
    def decides(self) -> bool:
        """Whether the verdict names it as evidence."""
        return self.why == "decides"


def considered(item: Item, events: Iterable[Mapping[str, Any]], evidence: list[str], frame: Frame, basis: str) -> list[Considered]:
    """The rows that an item considers: those that decide first, then the others; each newest first.

    ``events``: the patient's rows of events.parquet; ``evidence``: the item's evidence as published, ``basis`` that of its verdict.
    """
    events = list(events)
    clauses = clauses_of(item, events)
    named = set(evidence)
    found = []
    for event in events:
        ref = f"{event['table']}:{event['row_id']}"
        read = {source: names_read(source, event) for source in clauses}
        names = tuple(dict.fromkeys(name for by_source in read.values() for name in by_source))
        if event["table"] == "chart_reviews":
            names = tuple(name for name in event["names"] if name in (item.item_id, item.criterion_id, *scored(clauses)))
        is_doubtful = event["state"] == "quarantined" and not event["names"] and event["table"] in closed_tables(clauses)
        if names or is_doubtful or ref in named or any(event["table"] in source.names for source in clauses if source.kind == "table"):
            start = earliest_start([source for source in clauses if read[source]], frame)
            found.append(Considered(event, names, "decides" if ref in named else not_deciding(event, start), start))
    decided = {name: max_date(one.event for one in found if one.decides and name in one.names) for one in found for name in one.names}
    told = [told_by_others(one, decided, clauses, is_cut=len(evidence) >= EVIDENCE_SHOWN, basis=basis) for one in found]
    newest_first = sorted(told, key=lambda one: (one.event["event_date"] or date.min, one.event["row_id"]), reverse=True)
    return sorted(newest_first, key=lambda one: not one.decides)


def clauses_of(item: Item, events: list[Mapping[str, Any]]) -> list[Source]:
    """What the item reads of a patient with these rows: weights for doses only where a row that it reads has a dose per kg."""
    clauses = [source for source in sources(item.header["sources"]) if source.kind != "derived"]
    is_per_kg = any(
        "/kg" in event["reported"]
        and any(classes()[name] in DOSED for source in clauses if source.kind == "class" for name in names_read(source, event))
        for event in events
    )
    return [source for source in clauses if is_per_kg or not (source.window and source.window.is_per_kg)]


def other_rows(item: Item, events: Iterable[Mapping[str, Any]], rows: list[Considered]) -> dict[str, list[Mapping[str, Any]]]:
    """Table -> its rows known on day D that mean nothing to the item, of the tables that tell whether no row may be read as "no".

    Procedures and immunizations are too rare to tell: rows of diagnoses stand in.
    """
    read = {(row.event["table"], row.event["row_id"]) for row in rows}
    tables = closed_tables([source for source in sources(item.header["sources"]) if source.kind in ("concept", "class")])
    if tables & {"procedures", "immunizations"}:
        tables.add("diagnoses")
    known = (event for event in events if event["table"] in tables and event["state"] != "after_day_d")
    rest = [event for event in known if (event["table"], event["row_id"]) not in read]
    return {table: [event for event in rest if event["table"] == table] for table in sorted(tables)}


def names_read(source: Source, event: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of an event that a clause reads."""
    table, names = event["table"], event["names"]
    if source.kind == "concept":
        return tuple(name for name in names if table in source.tables and name in source.names)
    if source.kind == "analyte":
        return tuple(name for name in names if table in MEASURES and name in source.names)
    if source.kind == "class":
        return tuple(name for name in names if table == "medications" and classes().get(name) in source.names)
    if source.kind == "items":
        analytes, concepts = scored_reads(source.names[0])
        return tuple(name for name in names if name in (analytes if table in MEASURES else concepts if table == "diagnoses" else ()))
    return ()


def earliest_start(read_by: list[Source], frame: Frame) -> date | None:
    """The first day of the widest window of the clauses that read a row; None: at any time, or whatever its date."""
    windows = [source.window for source in read_by]
    if not windows or any(window is None or window.or_active or window.is_per_kg for window in windows):
        return None
    return min(
        window.start(frame.as_of, frame.parameters, frame.collection_date, is_collection=frame.is_collection)
        for window in windows
        if window is not None
    )


def not_deciding(event: Mapping[str, Any], window_start: date | None) -> str:
    """Why a row that is no evidence decides nothing, as far as the row itself tells."""
    if event["state"] != "used":
        return str(event["state"])
    last_date = event["end_date"] if event["table"] == "medications" else event["event_date"]
    if window_start and last_date and last_date + timedelta(days=days_covered(event["names"])) < window_start:
        return "before_window"
    return "read"


def told_by_others(one: Considered, decided: Mapping[str, date | None], clauses: list[Source], *, is_cut: bool, basis: str) -> Considered:
    """The same with what other rows say: a later result of the same analyte decides, or a chart review does."""
    if one.why != "read":
        return one
    latest = {name for source in clauses if source.kind == "analyte" and source.window for name in source.names}
    if any(name in latest and (decided.get(name) or date.min) >= one.event["event_date"] for name in one.names):
        return Considered(one.event, one.names, "later_counts", one.window_start)
    if basis == "chart" and one.event["table"] != "chart_reviews":
        return Considered(one.event, one.names, "chart_decides", one.window_start)
    return Considered(one.event, one.names, "cut" if is_cut else "read", one.window_start)


def scores_of(item: Item, names: Iterable[str]) -> list[str]:
    """The descriptors or classification items of an item's schemes that rows with these names may decide."""
    read = [source for source in sources(item.header["sources"]) if source.kind == "items"]
    wanted = set(names)
    return [
        row["item_id"]
        for source in read
        for row in scheme(source.names[0])
        if wanted & {row["item_id"], row.get("confounder"), *(row["analytes"] or "").split("|")}
    ]


def max_date(events: Iterable[Mapping[str, Any]]) -> date | None:
    """The newest date of some events."""
    return max((event["event_date"] for event in events if event["event_date"]), default=None)


def closed_tables(clauses: list[Source]) -> set[str]:
    """The tables in which a row that cannot be read may hide what the item looks for."""
    return {table for source in clauses for table in (*source.tables, *(("medications",) if source.kind == "class" else ()))}


def scored(clauses: list[Source]) -> set[str]:
    """The descriptors or classification items that an item reads, which chart reviews may set."""
    return {row["item_id"] for source in clauses if source.kind == "items" for row in scheme(source.names[0])}


@cache
def scored_reads(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The analytes, and the concepts with their confounders, that decide the items of a scheme."""
    analytes = {analyte for row in scheme(name) for analyte in (row["analytes"] or "").split("|") if analyte}
    coded = {row["item_id"] for row in scheme(name) if "coded" in row["kind"]}
    return frozenset(analytes), frozenset(coded | {row["confounder"] for row in scheme(name) if row.get("confounder")})


@cache
def scheme(name: str) -> list[dict[str, Any]]:
    """The rows of sledai_items.csv or classification_items.csv."""
    return csv_frame("transforms.features", f"{name}_items.csv").to_dicts()


@cache
def classes() -> dict[str, str]:
    """Ingredient -> class."""
    return dict(csv_frame("transforms.normalise", "maps", "drugs.csv").select("ingredient", "class").iter_rows())


def days_covered(ingredients: Iterable[str]) -> int:
    """How many days after its last day a row may still cover, by the longest days per dose of its ingredients."""
    return max((longest_cover().get(ingredient, 0) for ingredient in ingredients), default=0)


@cache
def longest_cover() -> dict[str, int]:
    """Ingredient -> the greatest of its days per dose by route."""
    rows = csv_frame("transforms.normalise", "maps", "drugs.csv").select("ingredient", "days_per_dose").iter_rows()
    return {ingredient: max(int(part.split("=")[1]) for part in days.split()) for ingredient, days in rows if days}
