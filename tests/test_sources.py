"""What the headers say that an item reads: the grammar, and that it is what the item's SQL reads."""

from __future__ import annotations

import re
from datetime import date

import pytest

from data_contracts.contract import load
from rules import engine
from rules.sources import SourceError, Window, months_before, sources
from transforms.store import csv_frame, resource

FEATURES = "transforms.features"
SCRIPTS = [file.read_text(encoding="utf-8") for file in resource(FEATURES).iterdir() if file.name.endswith(".sql")]
DERIVED = {name: script for script in SCRIPTS for name in re.findall(r"create or replace table (feat\.\w+)", script)}
KNOWN = {
    "concept": set(csv_frame("transforms", "codelists", "concepts.csv")["concept"]),
    "analyte": set(csv_frame("transforms.normalise", "maps", "analytes.csv")["analyte"]),
    "class": set(csv_frame("transforms.normalise", "maps", "drugs.csv")["class"]),
    "table": set(load()),
    "items": {"sledai", "classification"},
    "derived": set(DERIVED),
}
MACROS = {
    name: resource("rules.shared", file).read_text(encoding="utf-8")
    for name, file in (("blood_count_at_least", "results.sql"), ("active_virus", "results.sql"))
}
ITEMS = pytest.mark.parametrize("item", engine.items(), ids=lambda item: item.item_id)


def body(item: engine.Item) -> str:
    """The item's SQL without its header and comments."""
    return re.sub(r"--.*", "", item.sql)


@ITEMS
def test_the_names_exist_and_the_sql_or_what_it_derives_from_names_them(item: engine.Item) -> None:
    read = sources(item.header["sources"])
    sql = body(item) + "".join(DERIVED[name] for source in read if source.kind == "derived" for name in source.names)
    for source in read:
        assert set(source.names) <= KNOWN[source.kind]
        assert set(source.tables) <= KNOWN["table"]
        for name in source.names:
            said = {"items": f"feat.{name}", "derived": name, "table": f"norm.{name}"}.get(source.kind, f"'{name}'")
            assert said in sql, name
        if source.kind == "concept":
            assert all(f"'{table}'" in sql for table in source.tables)


@ITEMS
def test_the_sql_names_nothing_else(item: engine.Item) -> None:
    read = {name for source in sources(item.header["sources"]) for name in (*source.names, *source.tables)}
    said = set(re.findall(r"'(\w+)'", body(item)))
    implied = {"medications", "observations"}  # by classes and analytes
    known = KNOWN["concept"] | KNOWN["analyte"] | KNOWN["class"] | KNOWN["table"] - implied
    closed_on = set(re.findall(r"no_record(?:_before)?\(\s*'(\w+)'", body(item)))
    assert said & known <= read | closed_on


@ITEMS
def test_the_windows_are_those_of_the_sql(item: engine.Item) -> None:
    sql = body(item) + "".join(text for name, text in MACROS.items() if name in item.sql)
    for window in (source.window for source in sources(item.header["sources"]) if source.window):
        if window.parameter and "feat.sledai" in sql and window.parameter == "sledai_window_days":
            continue
        if window.parameter == "blood_days" and window.collection_days:
            assert "blood_count_at_least" in sql
        elif window.parameter:
            assert f"param('{window.parameter}')" in sql
        elif window.months:
            count, unit = (window.months // 12, "year") if window.months % 12 == 0 else (window.months, "month")
            assert re.search(rf"interval '?{count} {unit}", sql)
        elif window.days:
            assert re.search(rf"\b{window.days}\b", sql)


def test_a_window_begins_on_its_first_day() -> None:
    day = date(2026, 3, 31)
    assert months_before(day, 1) == date(2026, 2, 28)
    assert months_before(date(2024, 2, 29), 12) == date(2023, 2, 28)
    (two_months,) = sources("concept sle in diagnoses within 2 months or active")
    assert two_months.window == Window("within 2 months or active", months=2, or_active=True)
    assert two_months.window.start(date(2026, 4, 30), {}) == date(2026, 2, 28)
    (long,) = sources("class glucocorticoid within 2 months 13 days")
    assert long.window
    assert long.window.start(date(2026, 4, 30), {}) == date(2026, 2, 15)  # 28 February less 13 days
    (counts,) = sources("analyte platelets within P:blood_days or 3 days of collection")
    assert counts.window
    assert counts.window.start(day, {"blood_days": "90"}) == date(2025, 12, 31)
    assert counts.window.start(day, {"blood_days": "90"}, date(2026, 4, 2), is_collection=True) == date(2026, 3, 30)
    (ivig,) = sources("class ivig within 14 days of collection")
    assert ivig.window
    assert ivig.window.start(day, {}, date(2026, 4, 2)) == date(2026, 3, 19)


@pytest.mark.parametrize(
    "text",
    ["feat.doses", "concept sle", "concept sle in diagnoses", "analyte alt in labs ever", "class ivig within a week", "drug x ever", ""],
)
def test_what_follows_no_grammar_is_refused(text: str) -> None:
    with pytest.raises(SourceError):
        sources(text)
