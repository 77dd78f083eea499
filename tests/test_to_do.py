"""What to do next: the cases of rules/zm001/to_do.cases.md."""

from pathlib import Path

import pytest

from tests import cases
from transforms.store import csv_frame

FILE = Path(__file__).parents[1] / "rules" / "zm001" / "to_do.cases.md"


@pytest.mark.parametrize("section", list(cases.sections(FILE)), ids=lambda s: s.title)
def test_steps(section: cases.Section, tmp_path: Path) -> None:
    con = cases.run(section, tmp_path)
    assert not cases.differing(section, cases.steps(con), "patient_id", "step_no")


BY_NUMBER = {"I08a", "I08b", "I08c", "I08d", "I08e", "I09a", "I09b", "I09c", "I09d", "I09e"}  # share one row, result.not_met


def test_every_undecided_or_failing_state_of_an_item_has_an_act_of_its_own() -> None:
    own = set(csv_frame("rules.zm001", "acts.csv").select("item_id", "state").iter_rows())
    own |= {(item, "fail changeable") for item in BY_NUMBER} | {("I05", "fail timed")}  # a birthday asks for nothing
    files = (FILE.parent / "criteria").glob("*.cases.md")
    rows = [(section.item_id, row) for file in files for section in cases.sections(file) for row in section.expected]
    met = {(item, row["verdict"]) for item, row in rows if row["verdict"] in ("unknown", "review")}
    met |= {(item, f"fail {row['fail_kind']}") for item, row in rows if row.get("fail_kind") in ("changeable", "timed")}
    assert not met - own
