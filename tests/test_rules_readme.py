"""The worked example of rules/README.md, followed to the letter: an item is added without Python."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules import engine
from tests import cases

ROOT = Path(__file__).parents[1]


@pytest.fixture
def trial_with_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the trial's folder with the files that the README tells to write."""
    readme = (ROOT / "rules" / "README.md").read_text(encoding="utf-8")
    folder = tmp_path / "trial_of_the_readme"
    shutil.copytree(ROOT / "rules" / "zm001", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("items.csv", "criteria.csv"):
        line = re.search(rf"`zm001/{name}` \(`([^`]+)`\)", readme)
        assert line
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(line[1] + "\n")
    sql, markdown = re.search(r"```sql\n(.*?)```", readme, re.S), re.search(r"```markdown\n(.*?)```", readme, re.S)
    assert sql
    assert markdown
    (folder / "criteria" / "e21_platelets_high.sql").write_text(sql[1], encoding="utf-8")
    (folder / "criteria" / "e21_platelets_high.cases.md").write_text(markdown[1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine, "PACKAGE", folder.name)
    caches = (engine.items, engine.trial, engine.protocol_items)
    for cached in caches:
        cached.cache_clear()
    yield folder
    for cached in caches:
        cached.cache_clear()


def test_the_worked_example_runs_as_an_item(trial_with_example: Path, tmp_path: Path) -> None:
    (section,) = cases.sections(trial_with_example / "criteria" / "e21_platelets_high.cases.md")
    con = cases.run(section, tmp_path / "run", only="E21")
    found = cases.found(con, "E21")
    for row in section.expected:
        assert {name: found[row["patient_id"]][name] or "-" for name in ("verdict", "reason_code")} == {
            name: row[name] for name in ("verdict", "reason_code")
        }
    assert engine.items()[-1].item_id == "E21"
    assert engine.protocol_items()["E21"] == "E21"
