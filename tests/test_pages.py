"""The pages in a real browser with the network cut: nothing is asked for, nothing complains, every section is there, ids do nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import runs
from tests.browser import CHROMIUM, Browser, Visit, chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]

REPORT = ["list", "changes", "funnel", "completeness", "quality", "made"]
DOSSIER = ["to_do", "timeline", "inclusion", "exclusion", "sledai", "classification", "rows"]
HOSTILE = {  # ids of the sample's first candidates, each with what stands in its place
    "ZS900001": "<img src=x onerror=alert(1)>",
    "ZS900002": "=1+1",
    "ZS900004": "\"'><script>alert(1)</script>",
    "ZS900005": "javascript:alert(1)",
    "ZS900024": "{{ 7 * 7 }}",
    "ZS900044": "</td></svg><b onmouseover=alert(1)>",
}
LANGUAGES = ["en", "zh"]


def hostile_extract(folder: Path) -> Path:
    """The sample extract with hostile patient ids, which are part of their rows' ids too, and a hostile name of a disease."""
    folder.mkdir()
    for file in runs.NATIVE.glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as source, (folder / file.name).open("w", encoding="utf-8", newline="") as target:
            rows = csv.writer(target)
            for cells in csv.reader(source):
                named = ["<svg onload=alert(1)>" if cell in ("Epistaxis", "Essential hypertension") else cell for cell in cells]
                rows.writerow([HOSTILE.get(cell[:8], cell[:8]) + cell[8:] for cell in named])
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    extract = hostile_extract(folder / "extract")
    return {lang: runs.match(extract, folder / lang, lang=lang, as_of=runs.AS_OF, dossiers=12) for lang in LANGUAGES}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def pages(run: Path) -> list[Path]:
    """The report and every dossier of a run."""
    return [run / "report.html", *sorted((run / "patients").glob("*.html"))]


def test_the_browser_of_these_tests_sees_what_a_page_does(browser: Browser) -> None:
    visit = browser.open("<img src='http://x.invalid/a' onerror=alert(1)><script>console.log('said')</script>")
    assert "http://x.invalid/a" in visit.requests
    assert visit.failed == ["net::ERR_NAME_NOT_RESOLVED"]
    assert visit.dialogs == ["1"]
    assert any("said" in line for line in visit.console)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_asks_for_itself_alone_and_says_nothing(browser: Browser, published: dict[str, Path], lang: str) -> None:
    assert len(pages(published[lang])) == 13
    for page in pages(published[lang]):
        assert browser.open(page) == Visit(requests=[page.as_uri()]), page.name
        assert browser.tell("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[lang]
        assert browser.tell("document.documentElement.scrollWidth <= window.innerWidth"), page.name
        broken = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.getElementById(a.hash.slice(1))).length"
        assert browser.tell(broken) == 0, page.name


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_section_is_there(browser: Browser, published: dict[str, Path], lang: str) -> None:
    report, *dossiers = pages(published[lang])
    browser.open(report)
    assert browser.tell("[...document.querySelectorAll('section')].map(part => part.id)") == REPORT
    assert browser.tell("document.querySelectorAll('#list table.list tbody').length") == len(runs.candidates(published[lang]))
    assert browser.tell("document.querySelectorAll('#funnel svg path').length") > 31
    assert browser.tell("document.querySelectorAll('#completeness tbody tr').length") == 50
    links = browser.tell("[...document.querySelectorAll('#list a[href]')].map(a => a.getAttribute('href'))")
    assert links == [f"patients/{page.name}" for page in dossiers]
    for page in dossiers[:2]:
        browser.open(page)
        assert browser.tell("[...document.querySelectorAll('section[id], h2[id]')].map(part => part.id)") == DOSSIER
        assert browser.tell("document.querySelectorAll('#timeline svg path').length") > 10


@pytest.mark.parametrize("lang", LANGUAGES)
def test_hostile_ids_are_text(browser: Browser, published: dict[str, Path], lang: str) -> None:
    report, *dossiers = pages(published[lang])
    for page in [report, *dossiers]:
        visit = browser.open(page)
        assert visit.dialogs == []
        assert browser.tell("document.querySelectorAll('img, script, iframe, object, embed, b[onmouseover], svg[onload]').length") == 0
        assert browser.tell("[...document.links].filter(link => link.protocol != 'file:').length") == 0
    browser.open(report)
    shown = browser.tell("[...document.querySelectorAll('#list td.id')].map(cell => cell.textContent)")
    assert set(HOSTILE.values()) <= set(shown)  # as they are, =1+1 too: a page runs no formula
    assert "<svg onload=alert(1)>" in browser.tell("document.body.innerText")
    for name in HOSTILE.values():
        browser.open(published[lang] / "patients" / f"{shown.index(name) + 1:04}.html")
        assert name in browser.tell("document.querySelector('h1').textContent")
        assert f"{name}-" in browser.tell("document.querySelector('#rows').textContent")
