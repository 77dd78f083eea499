"""The house's rules that a machine can keep: shapes of rule files, messages in both languages, documents that are current."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from rules import engine
from rules.book import BOOKS, book
from rules.parameters import known_parameters
from transforms.store import csv_frame

ROOT = Path(__file__).parents[1]
CRITERIA = sorted((ROOT / "rules" / "zm001" / "criteria").glob("*.sql"))
SQL = sorted(file for room in ("rules", "transforms", "data_contracts") for file in (ROOT / room).rglob("*.sql"))
PYTHON = sorted(file for room in ("flows", "rules", "transforms", "data_contracts") for file in (ROOT / room).rglob("*.py"))
CODE = re.compile(r"""['"](?:[A-TV-Z]\d\d\.\d+|\d{3,5}-\d|[A-Z]\d\d[A-Z]{2}\d\d)['"]""")  # ICD, LOINC, ATC
FOUND_OTHERWISE = {"class", "table", "step", "chart", "result", "page", "ask", "sheet"}  # first words of keys that no file spells out
KEY = re.compile(r"say\('([\w.]+)'")


@pytest.mark.parametrize("file", CRITERIA, ids=lambda file: file.stem)
def test_a_rule_is_a_header_and_one_select(file: Path) -> None:
    statements = duckdb.extract_statements(file.read_text(encoding="utf-8"))
    assert [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
    header = next(item.header for item in engine.items() if item.file == file.name)
    assert header["kind"] in ("inclusion", "exclusion")
    assert header["on_fail"] in ("", "lasting", "timed", "changeable")
    assert all(header[key] for key in engine.REQUIRED if key != "on_fail")
    assert ("judged" in header) == ("judged_zh" in header)
    assert "judged" in header or not re.search(r"to_review\(|active_virus\(|judgement: yes", file.read_text(encoding="utf-8"))


def test_every_item_of_the_protocol_has_a_rule() -> None:
    assert [item.item_id for item in engine.items()] == list(engine.protocol_items())
    assert engine.not_evaluated() == []


@pytest.mark.parametrize("file", SQL + PYTHON, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_code_stands_in_sql_or_python(file: Path) -> None:
    text = re.sub(r"--.*|#.*", "", file.read_text(encoding="utf-8"))
    assert not CODE.findall(text)


def test_messages_speak_both_languages_and_are_all_said() -> None:
    catalogue = csv_frame("rules.zm001", "messages.csv")
    assert catalogue.null_count().sum_horizontal().item() == 0
    assert catalogue["key"].is_unique().all()
    for key, en, zh in catalogue.select("key", "en", "zh").iter_rows():
        assert set(re.findall(r"\{\d\}", en)) == set(re.findall(r"\{\d\}", zh)), key
    texts = "".join(file.read_text(encoding="utf-8") for file in SQL)
    said = set(KEY.findall(texts))
    assert said <= set(catalogue["key"]) | {"result.", "chart."}, said - set(catalogue["key"])
    elsewhere = ("class", "table", "step", "chart", "result", "page", "ask", "sheet", "todo", "change")
    plain = [key for key in catalogue["key"] if key.split(".")[0] not in elsewhere]
    assert [key for key in plain if f"'{key}'" not in texts and f"'@{key}'" not in texts] == []


def test_acts_name_items_sentences_and_texts_that_exist() -> None:
    acts = csv_frame("rules.zm001", "acts.csv")
    keys = set(csv_frame("rules.zm001", "messages.csv")["key"])
    analytes = set(csv_frame("transforms.normalise", "maps", "analytes.csv")["analyte"])
    assert set(acts["item_id"].drop_nulls()) <= set(engine.protocol_items())
    assert set(acts["state"]) == {"unknown", "review", "fail changeable", "fail timed"}
    assert set(acts["text"].drop_nulls()) <= keys
    for says in acts["says"].drop_nulls():
        first, _, second = says.partition(" ")
        assert first in keys | {"lacks"}, says
        assert not second or second.removeprefix("@analyte.") in analytes, says
    told = "".join(file.read_text(encoding="utf-8") for file in SQL)
    notes = tuple(f"todo.note.{note}" for note in acts["note"].drop_nulls())
    named = set(acts["text"]) | {f"todo.verb.{verb}" for verb in [*acts["verb"].drop_nulls(), "order", "repeat", "value"]}
    computed = ("todo.verb.wait.", "todo.verb.not_before", "todo.event.", "todo.short.", *notes)
    others = [key for key in keys if key.startswith("todo.") and key not in named and not key.startswith(computed)]
    assert [key for key in others if f"'{key}'" not in told] == []


def test_words_of_pages_are_all_in_the_catalogue() -> None:
    known = [key for key in csv_frame("rules.zm001", "messages.csv")["key"] if key.startswith("page.")]
    pages = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "transforms" / "publish").rglob("*.html"))
    said = set(re.findall(r"\bt\('([\w.]+\w)'", pages))
    assert said <= set(known), said - set(known)


def test_parameters_are_all_used() -> None:
    texts = "".join(file.read_text(encoding="utf-8") for file in [*SQL, *PYTHON])
    assert [name for name in known_parameters() if f"'{name}'" not in texts and f'"{name}"' not in texts] == []


@pytest.mark.parametrize("lang", BOOKS)
def test_the_criteria_book_is_current(lang: str) -> None:
    assert BOOKS[lang].read_text(encoding="utf-8") == book(lang), "make book"


def test_nothing_names_a_registry_or_a_machine() -> None:
    for name in ("requirements.lock", "pyproject.toml", "Makefile", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|--(index|find)|/(home|root)/", text), name
