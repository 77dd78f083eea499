"""What an item reads, as its header's ``sources`` says it: concepts, analytes, drug classes, scored items, tables, and in which window."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

KINDS = {"concepts": "concept", "analytes": "analyte", "classes": "class", "tables": "table"}
CLAUSE = re.compile(
    r"(concepts?|analytes?|class|classes|items|tables?|derived) ([\w.]+(?:, [\w.]+)*)"
    r"(?: in (\w+(?:, \w+)*))?(?: (ever|on day D|for doses per kg|within .+))?"
)
WINDOW = re.compile(
    r"within (?:P:(?P<parameter>\w+)|(?P<number>\d+) (?P<unit>days|months|years)(?: (?P<more>\d+) days)?)"
    r"(?: or (?P<collection_days>\d+) days of collection)?(?P<of_collection> of collection)?(?P<or_active> or active)?"
)


class SourceError(Exception):
    """A ``sources`` line that does not follow its grammar."""


@dataclass(frozen=True)
class Window:
    """A span back from day D or from the day of collection, both ends included.

    ``parameter`` names the days where a site may set them; ``collection_days`` is the span in the collection phase where it differs;
    ``is_per_kg``: no window, but weights that are read only where a dose is per kg.
    """

    text: str
    months: int = 0
    days: int = 0
    parameter: str | None = None
    collection_days: int | None = None
    of_collection: bool = False
    or_active: bool = False
    is_per_kg: bool = False

    def start(
        self, as_of: date, parameters: Mapping[str, str], collection_date: date | None = None, *, is_collection: bool = False
    ) -> date:
        """The first day of the window."""
        anchor = collection_date or as_of
        if self.collection_days is not None and is_collection:
            return anchor - timedelta(days=self.collection_days)
        days = int(parameters[self.parameter]) if self.parameter else self.days
        return months_before(anchor if self.of_collection else as_of, self.months) - timedelta(days=days)


@dataclass(frozen=True)
class Source:
    """One clause: names of one kind, the tables they are read from (empty: all that hold them), the window (None: at any time)."""

    kind: str
    names: tuple[str, ...]
    tables: tuple[str, ...]
    window: Window | None


def sources(text: str) -> tuple[Source, ...]:
    """The clauses of a ``sources`` line; none for the word none. SourceError: a clause that does not follow the grammar.

    A clause is ``concepts a, b in diagnoses within 2 months or active``, ``analyte a within P:blood_days``, ``class a ever``,
    ``items sledai within 30 days``, ``table patients`` or ``derived feat.doses``.
    """
    return () if text == "none" else tuple(_source(clause) for clause in text.split("; "))


def months_before(day: date, months: int) -> date:
    """The day that many calendar months earlier, clipped to the month's end."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _source(clause: str) -> Source:
    match = CLAUSE.fullmatch(clause)
    if not match:
        raise SourceError(f"sources: {clause!r} does not follow the grammar")
    kind, names = KINDS.get(match[1], match[1]), tuple(match[2].split(", "))
    tables = names if kind == "table" else tuple(match[3].split(", ")) if match[3] else ()
    if (kind == "concept") != bool(match[3]) or (kind not in ("table", "derived")) != bool(match[4]):
        raise SourceError(f"sources: {clause!r} lacks its tables or its window, or has one too many")
    return Source(kind, names, tables, None if match[4] in (None, "ever") else _window(match[4]))


def _window(text: str) -> Window:
    if text in ("on day D", "for doses per kg"):
        return Window(text, is_per_kg=text != "on day D")
    match = WINDOW.fullmatch(text)
    if not match:
        raise SourceError(f"sources: {text!r} is no window")
    number, more = int(match["number"] or 0), int(match["more"] or 0)
    return Window(
        text,
        months=number * {"months": 1, "years": 12}.get(match["unit"], 0),
        days=more + (number if match["unit"] == "days" else 0),
        parameter=match["parameter"],
        collection_days=int(match["collection_days"]) if match["collection_days"] else None,
        of_collection=bool(match["of_collection"]),
        or_active=bool(match["or_active"]),
    )
