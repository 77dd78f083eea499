"""Chart reviews and criteria: the cases of rules/shared/chart_reviews.cases.md and rules/zm001/combine.cases.md."""

from pathlib import Path

import pytest

from rules import engine
from tests import cases

RULES = Path(__file__).parents[1] / "rules"
FILES = (RULES / "shared" / "chart_reviews.cases.md", RULES / "zm001" / "combine.cases.md")
SECTIONS = [section for file in FILES for section in cases.sections(file)]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.title)
def test_verdicts(section: cases.Section, tmp_path: Path) -> None:
    con = cases.run(section, tmp_path)
    assert not cases.differing(section, cases.published(con), "patient_id", "item_id")


def test_reviews_that_hold_for_ever() -> None:
    assert engine.trial()["reviews_hold_for_ever"] == ["I01", "I02c", "I02d", "E01", "E06", "E07", "E13c", "E15", "E18"]
