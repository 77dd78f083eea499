"""Tiers, expected_pass and the order of the list: the cases of rules/zm001/ranking.cases.md."""

from pathlib import Path

import pytest

from tests import cases

FILE = Path(__file__).parents[1] / "rules" / "zm001" / "ranking.cases.md"


@pytest.mark.parametrize("section", list(cases.sections(FILE)), ids=lambda s: s.title)
def test_candidates(section: cases.Section, tmp_path: Path) -> None:
    con = cases.run(section, tmp_path)
    assert not cases.differing(section, cases.ranked(con), "patient_id")
