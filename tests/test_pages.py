"""The pages in a real browser with the network cut: nothing is asked for, nothing complains, every section is there, ids do nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import contract_extracts, runs
from tests.browser import CHROMIUM, Browser, Visit, chromium
from tests.contract_extracts import good

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]

REPORT_SECTIONS = ["list", "changes", "funnel", "completeness", "quality", "made"]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "=1+1",
    "\"'><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}",
    "](http://x.invalid)",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs in both languages of an extract whose ids, drugs and diagnoses are what a page must not run."""
    folder = tmp_path_factory.mktemp("hostile")
    tables = {
        "patients": [{"patient_id": name, "sex": "female", "birth_date": "1990-05-01"} for name in HOSTILE],
        "diagnoses": [
            row
            for number, name in enumerate(HOSTILE)
            for row in (
                good("diagnoses", number, patient_id=name),
                good("diagnoses", 100 + number, patient_id=name, code_system="LOCAL", code=name, display=name),
            )
        ],
        "medications": [good("medications", n, patient_id=name, code_system="", code="", drug_name=name) for n, name in enumerate(HOSTILE)],
        "labs": [good("labs", n, patient_id=name, lab_id=name, unit=name, value=name) for n, name in enumerate(HOSTILE)],
    }
    extract = contract_extracts.write(folder / "extract", tables, {"as_of": "2026-03-01"})
    return {lang: runs.match(extract, folder / lang, lang=lang) for lang in ("en", "zh")}


def is_quiet(visit: Visit, page: Path) -> bool:
    """Whether a page asked for itself alone, and neither complained nor asked the user."""
    return visit == Visit(requests=[page.as_uri()])


def test_the_browser_of_these_tests_sees_what_a_page_does(browser: Browser) -> None:
    visit = browser.open("<img src='http://x.invalid/a' onerror=alert(1)><script>console.log('said')</script>")
    assert "http://x.invalid/a" in visit.requests
    assert visit.failed == ["net::ERR_NAME_NOT_RESOLVED"]
    assert visit.dialogs == ["1"]
    assert any("said" in line for line in visit.console)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_hostile_ids_do_nothing(browser: Browser, hostile: dict[str, Path], lang: str) -> None:
    run = hostile[lang]
    assert sorted(row["patient_id"].removeprefix("'") for row in runs.candidates(run)) == sorted(HOSTILE)
    dossiers = sorted((run / "patients").glob("*.html"))
    for page in [run / "report.html", *dossiers]:
        assert is_quiet(browser.open(page), page)
        assert browser.tell("document.querySelectorAll('img, script, iframe, object, embed, [onerror]').length") == 0
        assert browser.tell("[...document.links].filter(a => a.protocol != 'file:').length") == 0
    browser.open(run / "report.html")
    shown = browser.tell("[...document.querySelectorAll('#list td.id')].map(cell => cell.textContent)")
    assert sorted(shown) == sorted(HOSTILE)  # as they are, =1+1 too: a page runs no formula


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_is_whole(browser: Browser, hostile: dict[str, Path], lang: str) -> None:
    page = hostile[lang] / "report.html"
    assert is_quiet(browser.open(page), page)
    assert browser.tell("[...document.querySelectorAll('section')].map(part => part.id)") == REPORT_SECTIONS
    assert browser.tell("[...document.querySelectorAll('section')].filter(part => part.innerText.length < 8).length") == 0
    assert browser.tell("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[lang]
    assert browser.tell("document.querySelectorAll('#funnel svg text').length") > 31
    assert browser.tell("document.documentElement.scrollWidth <= window.innerWidth")
    anchors = browser.tell("[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash)).length")
    assert anchors == 0
    for link in browser.tell("[...document.querySelectorAll('#list td.id a')].map(a => a.getAttribute('href'))"):
        assert (page.parent / link).exists(), json.dumps(link)
