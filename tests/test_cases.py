"""Every *.cases.md beside a rule: the expected rows against what the pipeline finds."""

from pathlib import Path

import pytest

from tests import cases

FOLDER = Path(__file__).parents[1] / "rules" / "zm001" / "criteria"
SECTIONS = [section for file in sorted(FOLDER.glob("*.cases.md")) for section in cases.sections(file)]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: f"{s.item_id} {s.title}")
def test_cases(section: cases.Section, tmp_path: Path) -> None:
    con = cases.run(section, tmp_path, only=section.item_id)
    found = cases.found(con, section.item_id)
    expected = {row["patient_id"]: {name: cell for name, cell in row.items() if name != "why"} for row in section.expected}
    shown = {
        patient_id: {name: found[patient_id][name] if found[patient_id][name] else "-" for name in row}
        for patient_id, row in expected.items()
    }
    assert shown == expected
    assert cases.unanswered(con, section.item_id) == []


def test_every_rule_has_cases() -> None:
    rules = {file.stem for file in FOLDER.glob("*.sql")}
    assert rules == {file.name.removesuffix(".cases.md") for file in FOLDER.glob("*.cases.md")}
