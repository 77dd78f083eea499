"""What run.json says of versions: hashes that change with what decides a verdict, and with nothing else."""

from __future__ import annotations

import json

from rules import engine, version
from transforms.store import csv_frame


def test_every_item_and_every_list_has_a_version_and_they_are_the_same_each_time() -> None:
    assert list(version.rule_versions()) == list(engine.protocol_items())
    lists = version.code_list_versions()
    assert set(csv_frame("transforms", "codelists", "concepts.csv")["concept"]) <= set(lists)
    assert {"drugs", "analytes", "routes", "value_words", "sledai_items", "classification_items", "dose_units"} <= set(lists)
    first = json.dumps([version.rule_versions(), lists])
    version.rule_versions.cache_clear()
    version.code_list_versions.cache_clear()
    assert json.dumps([version.rule_versions(), version.code_list_versions()]) == first


def test_a_comment_is_no_new_rule() -> None:
    sql = "-- title:    a\n-- caveats:  b\nselect 1\n    -- why\nfrom t\n"
    assert version._without_comments(sql) == "select 1\nfrom t\n"


def test_what_all_items_pass_through_is_part_of_each_version() -> None:
    names = {file.name for file in version.common_files()}
    assert {"gate.py", "columns.csv", "cohort.sql", "texts.py", "doses.sql", "results.sql", "chart_reviews.sql", "engine.py"} <= names
    assert not names & {"drugs.csv", "vte.csv", "dose_units.csv", "messages.csv", "report.py", "ranking.sql"}
