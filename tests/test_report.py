"""report.html: what it says, and what it never draws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import runs
from transforms.publish.funnel_chart import BAR, LINE, PANELS, baseline, funnel_chart
from transforms.publish.report import changed, grouped

SECTIONS = ("list", "changes", "funnel", "completeness", "quality", "made")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.match(runs.NATIVE, tmp_path_factory.mktemp("report") / "out")


def test_a_hidden_count_is_written_and_not_drawn() -> None:
    rows: list[dict[str, str | None]] = [
        {"item_id": "", "title": "Assessed", "remaining": "81", "failed": None, "unknown": None, "only_failing_here": None},
        {"item_id": "I01", "title": "SLE", "remaining": "40", "failed": "<5", "unknown": "0", "only_failing_here": "<5"},
        {"item_id": "I02", "title": "Refractory", "remaining": "<5", "failed": "20", "unknown": "5", "only_failing_here": "10"},
    ]
    figure = funnel_chart(rows, str)
    left, width, _ = PANELS["remaining"]
    first, second, third = (LINE * line + (LINE - BAR) / 2 for line in (1, 2, 3))
    fail, undecided = PANELS["failed"], PANELS["unknown"]
    assert sorted((bar["y"], bar["x"], round(bar["x2"] - bar["x"], 1)) for bar in figure.marks["bands"]) == [
        (first, left, width),  # 81 of at most 81
        (second, left, round(width * 40 / 81, 1)),
        (third, fail[0], fail[1] / 2),  # 10 of the 20 fail nothing else
        (third, fail[0], fail[1]),
        (third, undecided[0], undecided[1]),
    ]
    said = {(text.y, text.says) for text in figure.texts}
    assert {(baseline(2), "<5 (<5)"), (baseline(2), "0"), (baseline(3), "<5"), (baseline(3), "20 (10)"), (baseline(3), "5")} <= said


def test_the_report_has_every_section_and_candidate_and_asks_for_nothing(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert [section for section in SECTIONS if f'<section id="{section}"' not in page] == []
    assert [row["patient_id"] for row in runs.candidates(run) if f">{row['patient_id']}<" not in page] == []
    assert not re.search(r"<script|<link|<img|\bsrc=|style=\"|url\(|@import", page)
    assert set(re.findall(r"https?://[^\"]+", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_three_items_of_a_criterion_in_a_row_are_shown_as_one() -> None:
    assert grouped(["I01", "I08a", "I08b", "I08c", "I08e", "I09d", "I09e", "E13b", "E13c", "E13d", "E14a"]) == [
        ("I01", "I01"),
        ("I08", "I08a–c"),
        ("I08e", "I08e"),
        ("I09d", "I09d"),
        ("I09e", "I09e"),
        ("E13", "E13b–d"),
        ("E14a", "E14a"),
    ]


def test_changes_tell_who_left_who_moved_and_the_others_in_the_order_of_the_list(tmp_path: Path) -> None:
    lines = [
        ("gone", "ready", "", "E07", "pass", "fail"),
        ("second", "watch", "watch", "I02b", "fail", "pass"),
        ("second", "watch", "watch", "E10", "unknown", "pass"),
        ("first", "check", "ready", "I08a", "unknown", "pass"),
        ("third", "", "watch", "", "", ""),
    ]
    columns = ("patient_id", "from_tier", "to_tier", "item_id", "from_verdict", "to_verdict")
    (tmp_path / "changes.csv").write_text("\r\n".join(",".join(line) for line in (columns, *lines)), encoding="utf-8")
    listed = [{"patient_id": name, "rank": rank, "page": None} for name, rank in (("first", "1"), ("second", "2"), ("third", "10"))]
    kinds = {kind: [(row["patient_id"], len(row["lines"])) for row in rows] for kind, rows in changed(tmp_path, listed).items()}
    assert kinds == {"left": [("gone", 1)], "moved": [("first", 1), ("third", 1)], "within": [("second", 2)]}
