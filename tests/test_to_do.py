"""What to do next: the cases of rules/zm001/to_do.cases.md. That each item's cases find an act of their own is asked in test_cases.py."""

from pathlib import Path

import pytest

from tests import cases

FILE = Path(__file__).parents[1] / "rules" / "zm001" / "to_do.cases.md"


@pytest.mark.parametrize("section", list(cases.sections(FILE)), ids=lambda s: s.title)
def test_steps(section: cases.Section, tmp_path: Path) -> None:
    con = cases.run(section, tmp_path)
    assert not cases.differing(section, cases.steps(con), "patient_id", "step_no")
