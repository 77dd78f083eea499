"""The criteria book: both languages say the same, its counts are those of the lists, and its version tells what was signed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from rules import engine, version
from rules.book import book
from rules.book_facts import code_lists
from rules.parameters import parameters
from tests.test_cli import command
from transforms.publish.book_page import book_page

NUMBER = re.compile(r"\d+(?:\.\d+)?")
PARAMETER = re.compile(r"P:[a-z_]+")


@pytest.fixture(scope="module")
def books() -> dict[str, str]:
    return {lang: book(lang) for lang in ("en", "zh")}


@pytest.mark.parametrize("item", engine.items(), ids=lambda item: item.item_id)
@pytest.mark.parametrize("key", ["reading", "judged"])
def test_both_languages_give_the_same_numbers_and_parameters(item: engine.Item, key: str) -> None:
    en, zh = item.header.get(key, ""), item.header.get(f"{key}_zh", "")
    assert set(PARAMETER.findall(en)) == set(PARAMETER.findall(zh))
    assert set(NUMBER.findall(en)) == set(NUMBER.findall(zh))


def test_both_languages_have_the_same_shape(books: dict[str, str]) -> None:
    def shape(text: str) -> list[str]:
        lines = (re.match(r"#+ (?:[IE]\d\d[a-z]?)?|\||- ", line) for line in text.splitlines())
        return [match[0].strip() for match in lines if match]

    assert shape(books["en"]) == shape(books["zh"])


def test_every_item_is_told_with_what_is_left_to_judgement(books: dict[str, str]) -> None:
    for lang, text in books.items():
        for item in engine.items():
            assert re.search(rf"^####? {item.item_id} ", text, re.M), (lang, item.item_id)
            if item.header.get("judged"):
                assert f"| {item.item_id} | " in text
        assert not re.search(r"\{\{|\{%|None|StrictUndefined", text)


def test_code_lists_are_counted_by_code_system() -> None:
    vte, sle = code_lists("en")["plasma_exchange"], code_lists("zh")["sle"]
    assert sle["title"] == "系统性红斑狼疮"
    assert sum(sle["counts"].values()) == 16  # 4 ICD-10-CM, 4 ICD-10, 4 of the Chinese edition, 1 ICD-9-CM, 1 SNOMED, 2 by words
    assert sle["counts"]["ICD10CM"] == 4
    assert vte["attributions"] == {}


def test_the_version_is_that_of_the_rules_and_is_signed(books: dict[str, str]) -> None:
    for text in books.values():
        assert text.count(version.book_version()) == 2  # at the top and in the signature block
    assert re.fullmatch(r"[0-9a-f]{12}", version.book_version())


def test_the_version_changes_with_a_rule_and_not_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "trial_of_another_site"
    shutil.copytree(Path(engine.__file__).parent / "zm001", folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine, "PACKAGE", folder.name)

    def current() -> str:
        return version.book_version.__wrapped__()

    before = current()
    for name in ("messages.csv", "README.md"):
        (folder / name).write_text("other", encoding="utf-8")
    assert current() == before == version.book_version()
    rule = folder / "criteria" / "e12_live_vaccine.sql"
    rule.write_text(rule.read_text(encoding="utf-8").replace("42", "28"), encoding="utf-8")
    assert current() != before


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_to_sign_stands_alone_and_tells_the_parameters_of_the_site(lang: str) -> None:
    page = book_page(lang, parameters({"blood_days": 60}))
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= anchors | {quote(anchor) for anchor in anchors}
    assert [link for link in links if not link.startswith("#")] == []
    assert "<td>blood_days = 60</td>" in page  # in the signature block
    assert re.search(r"P:blood_days\W{1,2}60", page)
    assert page.count(version.book_version()) == 2


def test_the_page_is_written_by_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.toml").write_text("blood_days = 60\n")
    page = tmp_path / "book.html"
    assert command(monkeypatch, "book", page, "--lang", "zh", "--params", tmp_path / "site.toml") == 0
    assert version.book_version() in capsys.readouterr().out
    assert page.read_text(encoding="utf-8") == book_page("zh", parameters({"blood_days": 60}))
    assert command(monkeypatch, "book", tmp_path / "none" / "book.html") == 1
    assert capsys.readouterr().err.count("\n") == 1
