"""Dossiers: every section and item in both languages, hostile ids, a patient of whom nothing is known, the scales of the timeline."""

from __future__ import annotations

import json
import re
from datetime import date
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import polars as pl
import pytest

from rules import engine
from tests.runs import NATIVE, candidates, match
from transforms.publish.charts import px
from transforms.publish.dossier import write_dossiers
from transforms.publish.timeline import (
    DRUGS,
    LEFT,
    RIGHT,
    Facts,
    Panel,
    Row,
    Scale,
    Timeline,
    across,
    bounds,
    panels,
    plain,
    rounded_up,
    shortened,
)
from transforms.store import csv_frame, load, run_sql

SECTIONS = ["to_do", "timeline", "inclusion", "exclusion", "sledai", "classification", "rows"]
HOSTILE = ["<img src=x onerror=alert(1)>", "=1+1", "../x", "{{ 7*7 }} & <b>"]
NOTHING = "ZS-of-nothing"
KNOWN = {
    "patients": {"birth_year": "1990", "sex": "unknown"},
    "chart_reviews": {"review_id": "R-of-nothing", "item_id": "I01", "answer": "yes", "reviewed_date": "2026-02-01"},
}
PATIENT = {
    "as_of": date(2026, 3, 1),
    **{f"gc_{kind}_{end}": {"low": 10, "high": None}[end] for kind in ("oral", "systemic") for end in ("low", "high")},
    "sledai_low": 4,
    "sledai_high": 98,
    "sledai_recorded": None,
}
THRESHOLDS = {("S13", "urine_protein_creatinine_ratio"): 0.5}
ASKING = re.compile(r"https?:|//|url\(|@import|<script|<link|<img|<iframe|\bsrc=|\bstyle=\"|\son\w+=")
QUOTED = re.compile(r'<style>.*?</style>|<td>[^<]*</td><td class="id">.*?</tr>|<div class="row">.*?</div>', re.DOTALL)


class Page(HTMLParser):
    """The tags, ids and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.words.append(data.strip())

    @property
    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in Chinese on the shipped extract, with hostile ids, and a patient of whom nothing is known but a chart review."""
    folder = tmp_path_factory.mktemp("extract")
    (folder / "extract.json").write_text(json.dumps({"as_of": "2026-03-01"}))
    first = pl.read_csv(NATIVE / "patients.csv")["patient_id"].head(len(HOSTILE)).to_list()
    for file in NATIVE.glob("*.csv"):
        frame = pl.read_csv(file, infer_schema=False).with_columns(pl.col("patient_id").replace(dict(zip(first, HOSTILE, strict=True))))
        if file.stem in KNOWN:
            frame = pl.concat([frame, pl.DataFrame([KNOWN[file.stem] | {"patient_id": NOTHING}])], how="diagonal")
        frame.write_csv(folder / file.name)
    return match(folder, tmp_path_factory.mktemp("out"), lang="zh", dossiers=1000, keep_store=True)


@pytest.fixture(scope="module")
def english(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dossiers of the same run in English."""
    folder = tmp_path_factory.mktemp("english")
    (folder / "candidates.csv").write_bytes((run / "candidates.csv").read_bytes())
    with duckdb.connect(run / "store.duckdb") as con:
        load(con, "run.messages", engine.messages(con, "en"))
        run_sql(con, "transforms.publish", "record.sql")
        write_dossiers(con, folder, 1000)
    return folder


def page(run: Path, rank: int) -> Page:
    return Page((run / "patients" / f"{rank:04d}.html").read_text(encoding="utf-8"))


def rank_of(run: Path, patient_id: str) -> int:
    return next(int(row["rank"]) for row in candidates(run) if row["patient_id"].removeprefix("'") == patient_id)


def test_a_dossier_for_each_candidate_none_for_others(run: Path, english: Path) -> None:
    expected = [f"{int(row['rank']):04d}.html" for row in candidates(run)]
    assert sorted(file.name for file in (run / "patients").iterdir()) == expected
    assert sorted(file.name for file in (english / "patients").iterdir()) == expected
    assert {(run / "patients").stat().st_mode & 0o777, *(file.stat().st_mode & 0o777 for file in (run / "patients").iterdir())} == {
        0o750,
        0o640,
    }


def test_every_section_item_and_descriptor_is_there(run: Path, english: Path) -> None:
    criteria = list(dict.fromkeys([*engine.protocol_items().values(), *engine.protocol_items()]))
    scored = [f"S{n:02d}" for n in range(1, 25)] + csv_frame("transforms.features", "classification_items.csv")["item_id"].to_list()
    for folder in (run, english):
        for rank in (1, rank_of(run, NOTHING)):
            found = page(folder, rank)
            assert [name for name in [*SECTIONS, *criteria, *scored] if found.ids.count(name) != 1] == []
            assert len(found.ids) == len(set(found.ids))
            targets = {attrs["href"] for tag, attrs in found.tags if tag == "a"}
            assert targets <= {"../report.html", *(f"#{name}" for name in found.ids)}


def test_nothing_leaves_the_page_and_nothing_runs(run: Path, english: Path) -> None:
    for file in [*(run / "patients").iterdir(), *(english / "patients").iterdir()]:
        text = file.read_text(encoding="utf-8")
        assert not ASKING.search(text.replace(escape(HOSTILE[0]), ""))
        assert "default-src 'none'" in text


@pytest.mark.parametrize("patient_id", HOSTILE)
def test_a_hostile_id_is_a_word_and_no_more(run: Path, patient_id: str) -> None:
    found = page(run, rank_of(run, patient_id))
    assert patient_id in found.words
    assert {tag for tag, _ in found.tags} <= {tag for rank in range(20, 30) for tag, _ in page(run, rank).tags}


def test_a_chinese_page_holds_no_english(run: Path) -> None:
    """But for ids, codes, units, ingredients, the extract's own words, and names that Chinese keeps (SLEDAI-2K, UPCR)."""
    maps = {"drugs.csv": "ingredient", "value_words.csv": "word"}
    words = [word for file, column in maps.items() for word in csv_frame("transforms.normalise", "maps", file)[column] if len(word) > 2]
    displays = pl.read_csv(NATIVE / "diagnoses.csv")["display"].drop_nulls().unique().to_list()
    known = "|".join(map(re.escape, words + displays))
    english = re.compile(r"[A-Za-z][a-z]{2,} [a-z]{2,}|^[a-z]{3,}$", re.MULTILINE)
    for rank in range(len(HOSTILE) + 1, len(candidates(run)) + 1):
        text = QUOTED.sub("", (run / "patients" / f"{rank:04d}.html").read_text(encoding="utf-8"))
        assert english.findall(re.sub(rf"(?i)<[^>]*>|{known}", "\n", text)) == []
        assert '<html lang="zh-CN">' in text


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    (tmp_path / "candidates.csv").write_bytes((run / "candidates.csv").read_bytes())
    with duckdb.connect(run / "store.duckdb") as con:
        load(con, "run.messages", engine.messages(con, "zh"))
        run_sql(con, "transforms.publish", "record.sql")
        con.execute("set threads = 1")
        write_dossiers(con, tmp_path, 3)
    for rank in (1, 2, 3):
        assert (tmp_path / "patients" / f"{rank:04d}.html").read_bytes() == (run / "patients" / f"{rank:04d}.html").read_bytes()


def test_a_row_is_shown_with_its_value_date_and_id(english: Path) -> None:
    """ZS900024, the first of the list that is not hostile, has a haemoglobin of its own on the day that the verdict names."""
    text = (english / "patients" / "0005.html").read_text(encoding="utf-8")
    reason = re.search(r'id="I08a".*?<td>(Haemoglobin (\S+ \S+) on (\S+) meets[^<]*)', text, re.DOTALL)
    assert reason
    cells = r'<td class="date">([^<]*)</td><td>Haemoglobin</td><td>([^<]*)</td><td class="id">labs:[^<]*</td><td><a href="#I08a"'
    row = re.search(cells, text)
    assert row
    assert row[1] == reason[3]
    assert row[2].endswith(reason[2])


def test_none_are_written_where_none_are_asked_for(run: Path, tmp_path: Path) -> None:
    (tmp_path / "candidates.csv").write_bytes((run / "candidates.csv").read_bytes())
    with duckdb.connect(run / "store.duckdb") as con:
        write_dossiers(con, tmp_path, 0)
    assert [file.name for file in tmp_path.iterdir()] == ["candidates.csv"]


def test_the_limits_drawn_are_those_of_the_rules() -> None:
    """Each limit of timeline.csv stands in the file of the item that it names."""
    rules = {item.item_id: item.sql for item in engine.items()}
    for panel in panels():
        for limit in panel.limits:
            number, _, item = limit.rpartition("@")
            if number:
                assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", re.sub(r"--.*", "", rules[item])), limit


def say(key: str, *values: object) -> str:
    return " ".join([key, *map(str, values)])


def test_a_dose_without_an_upper_bound_reaches_the_top_and_says_so() -> None:
    known = {"oral_low": 0, "oral_high": 0, "systemic_low": 0, "systemic_high": 0}
    open_ended = {"oral_low": 10, "oral_high": None, "systemic_low": 10, "systemic_high": None}
    doses: list[Row] = [{"first_day": -364, "last_day": -100} | known, {"first_day": -99, "last_day": 0} | open_ended]
    timeline = Timeline(Facts(PATIENT, doses, [], [], 30), THRESHOLDS, say)
    bands = [(mark["x"], mark["x2"]) for mark in timeline.drawing.marks["bands"] if mark["y"] == 22.0]  # 22: the top of the first panel
    assert bands == [(px(across(-99)), px(across(1)))] * 2  # systemic and oral
    assert "page.timeline.glucocorticoid: ≥ 10 (page.timeline.oral)" in timeline.told


def test_drugs_stop_at_the_axis_and_say_until_when() -> None:
    taken = {"class": "biologic", "is_as_needed": False}
    drugs = [
        taken | {"ingredient": "belimumab", "first_day": -364, "last_day": -10},
        taken | {"ingredient": "rituximab", "first_day": -50, "last_day": 0},
    ]
    timeline = Timeline(Facts(PATIENT, [], drugs, [], 30), THRESHOLDS, say)
    bars = [(mark["x"], mark["x2"]) for mark in timeline.drawing.marks["bands"] if mark["fill"] == DRUGS["biologic"]]
    assert bars == [(px(LEFT), px(across(-9))), (px(across(-50)), px(RIGHT))]
    assert [told for told in timeline.told if "mab" in told] == ["belimumab: 2026-02-19", "rituximab: page.timeline.current"]


def test_limits_of_normal_are_those_of_the_latest_result_and_words_stand_at_the_edges() -> None:
    result = {"side": None, "serology": None, "shown": "as reported", "limit_low": None, "is_default_low": False}
    results: list[Row] = [
        result | {"analyte": "c3", "day": -90, "on_date": date(2025, 12, 1), "value": 0.7, "limit_low": 0.9},
        result | {"analyte": "c3", "day": -10, "on_date": date(2026, 2, 19), "value": 1.0, "limit_low": 0.8, "is_default_low": True},
        result | {"analyte": "anti_dsdna", "day": -9, "on_date": date(2026, 2, 20), "value": None, "serology": "positive"},
        result | {"analyte": "anti_dsdna", "day": -5, "on_date": date(2026, 2, 24), "value": None, "serology": "negative"},
    ]
    timeline = Timeline(Facts(PATIENT, [], [], results, 30), THRESHOLDS, say)
    assert [text.says for text in timeline.drawing.texts if "default_limit" in text.says] == ["page.timeline.default_limit 0.8"]
    heights = {mark["x"]: mark["y"] for mark in timeline.drawing.marks["points"]}
    assert heights[px(across(-4.5))] - heights[px(across(-8.5))] == 44  # the height of the panel: negative at its foot, positive at its top
    assert [m["shape"] for m in timeline.drawing.marks["points"]] == ["circle"] * 4


def test_figures_have_no_word_of_vega_and_the_same_bytes() -> None:
    first, second = (Timeline(Facts(PATIENT, [], [], [], 30), THRESHOLDS, say).drawing.svg() for _ in range(2))
    assert first == second
    assert not re.search(r"aria|role=|class=|<text|translate\((?!0,0\)|\d)", first)


def test_scales() -> None:
    straight = Scale(Panel("p", (), (), 50, None, 0, 100), 10, [])
    assert [straight(0), straight(50), straight(100), straight(200)] == [60, 35, 10, 10]
    grown = Scale(Panel("p", (), (), 50, None, 40, 150), 0, [20, 161])
    assert (grown.least, grown.most) == (20, 170)
    bent = Scale(Panel("p", (), (), 90, 10, 0, 990), 0, [])
    assert [round(bent(value), 1) for value in (0, 90, 990)] == [90, 45, 0]  # log(1 + 90/10) is half of log(1 + 990/10)


def test_numbers_and_words_of_the_timeline() -> None:
    assert [plain(value) for value in (0, 7.5, 1000, 0.123456, 186.0)] == ["0", "7.5", "1000", "0.123", "186"]
    assert [rounded_up(value) for value in (80, 161, 0.41, 1023, 1.5)] == [80, 170, 0.41, 1100, 1.5]
    assert [bounds(5, 5), bounds(0, 20), bounds(7.5, None)] == ["5", "0–20", "≥ 7.5"]
    assert [shortened("1:320 (positive)", 9), shortened("阳性（一比三百二十）", 9), shortened("82 g/L")] == [
        "1:320 (p…",
        "阳性（一…",
        "82 g/L",
    ]
