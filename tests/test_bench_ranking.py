"""The arithmetic of bench/ranking.py; what it measures stands in docs/ranking.md."""

from pathlib import Path

import polars as pl
import pytest

from bench.ranking import Judged, at_random, chances, judged, mean_of, mean_rank, precision, wins, with_absence

ORDER = [True, False, True, True, False]


def test_precision_is_the_share_among_the_first() -> None:
    assert precision(ORDER, 2) == 1 / 2
    assert precision(ORDER, 4) == 3 / 4
    assert precision(ORDER, 10) == 3 / 5  # a shorter list: all of it


def test_mean_rank_is_that_of_the_eligible() -> None:
    assert mean_rank(ORDER) == (1 + 3 + 4) / 3
    assert judged([False] * 10 + [True]) == Judged(0.0, 1 / 11, 11.0)


def test_a_random_order_has_the_share_of_all_and_the_middle_rank() -> None:
    assert at_random(ORDER) == Judged(3 / 5, 3 / 5, 3.0)


def test_means_and_wins_over_several_lists() -> None:
    first, second = Judged(1.0, 0.5, 10.0), Judged(0.5, 0.3, 20.0)
    assert mean_of([first, second]) == Judged(0.75, 0.4, 15.0)
    assert wins([first, second], [second, second]) == "1 of 2"


def test_p_with_and_without_what_absence_decides(tmp_path: Path) -> None:
    rows = [
        ("p1", "E07", "fail", "data"),
        ("p2", "E07", "pass", "absence"),
        ("p3", "E07", "pass", "absence"),
        ("p4", "E07", "review", "data"),
        ("p4", "E20", "unknown", "none"),
        ("p5", "E07", "unknown", "none"),
        ("p5", "E12", "unknown", "none"),
    ]
    pl.DataFrame(rows, schema=["patient_id", "item_id", "verdict", "basis"], orient="row").write_parquet(tmp_path / "verdicts.parquet")
    assert chances(tmp_path, "data", "chart").rows() == [("E07", pytest.approx(1 / 3))]  # (0 + 1) ÷ (1 + 2)
    assert chances(tmp_path, "data", "chart", "absence").rows() == [("E07", pytest.approx(3 / 5))]  # (2 + 1) ÷ (3 + 2)
    assert dict(with_absence(tmp_path).iter_rows()) == {"p4": 0.3, "p5": 0.3}  # 0.6 × 0.5 for a review; 0.6 × 0.5 for E12
