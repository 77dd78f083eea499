"""events.parquet: the rows of assessed patients, with what they mean and what became of them."""

from __future__ import annotations

from pathlib import Path

from tests import cases
from transforms.store import run_sql

SECTION = """## rows
patients
| patient_id | birth_date |
| --- | --- |
| Ann | 1985-06-15 |

diagnoses
| diagnosis_id | patient_id | code_system | code | display | recorded_date | onset_date | status |
| --- | --- | --- | --- | --- | --- | --- | --- |
| d1 | Ann | ICD10CM | I26.99 | Embolism | D-1 | D-5 | |
| d2 | Ann | ICD10CM | I26.99 | | D-1 | | refuted |
| d3 | Ann | ICD10CM | Z00.00 | | D-1 | | |
| d4 | Ann | ICD10CM | I26.99 | | D+1 | | |
| d5 | Ann | ICD10CM | I26.99 | | D-1 | | perhaps |

labs
| lab_id | patient_id | code | test_name | collected_at | value | unit |
| --- | --- | --- | --- | --- | --- | --- |
| l1 | Ann | 718-7 | Hb | D-3 08:30 | 82 | g/L |
| l2 | Ann | 718-7 | Hb | D-3 | see note | g/L |
| l3 | Ann | 0000-0 | | D-3 | 1 | |

medications
| medication_id | patient_id | drug_name | route | dose_value | dose_unit | doses_per_day | start_date | end_date |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| m1 | Ann | prednisone | po | 10 | mg | 2 | D-9 | D+9 |
| m2 | Ann | prednisone | po | 5 | mg | 1 | D-99 | |

chart_reviews
| review_id | patient_id | item_id | answer | reviewed_date | valid_until |
| --- | --- | --- | --- | --- | --- |
| r1 | Ann | I10 | yes | D-9 | |
| r2 | Ann | I10 | no | D-8 | |
| r3 | Ann | E20 | no | D-8 | D-1 |

expect
| patient_id | row_id | table | event_date | end_date | names | reported | state |
| --- | --- | --- | --- | --- | --- | --- | --- |
| Ann | Ann | patients | - | - | - | female 1985-06-15 | used |
| Ann | d1 | diagnoses | D-5 | - | vte | ICD10CM I26.99 Embolism | used |
| Ann | d2 | diagnoses | D-1 | - | vte | ICD10CM I26.99 | refuted |
| Ann | d3 | diagnoses | D-1 | - | - | ICD10CM Z00.00 | unmapped |
| Ann | d4 | diagnoses | D+1 | - | vte | ICD10CM I26.99 | after_day_d |
| Ann | d5 | diagnoses | D-1 | - | vte | ICD10CM I26.99 | quarantined |
| Ann | l1 | labs | D-3 | - | hemoglobin | Hb 82 g/L | used |
| Ann | l2 | labs | D-3 | - | hemoglobin | Hb see note g/L | unusable |
| Ann | m1 | medications | D-9 | D+9 | prednisone | prednisone 10 mg oral × 2/d | used |
| Ann | m2 | medications | D-99 | D+265 | prednisone | prednisone 5 mg oral × 1/d | used |
| Ann | r1 | chart_reviews | D-9 | - | I10 | I10 yes | superseded |
| Ann | r2 | chart_reviews | D-8 | - | I10 | I10 no | used |
| Ann | r3 | chart_reviews | D-8 | D-1 | E20 | E20 no | expired |
"""


def test_every_row_that_the_rules_may_read_is_there_with_its_state(tmp_path: Path) -> None:
    (tmp_path / "e17_rows.cases.md").write_text(SECTION, encoding="utf-8")
    (section,) = cases.sections(tmp_path / "e17_rows.cases.md")
    con = cases.run(section, tmp_path / "run", only="E17")
    run_sql(con, "transforms.publish", "events.sql")
    rows = con.sql("""
        select row_id, patient_id, "table", event_date, end_date, array_to_string(names, ' ') as names, reported, state from pub.events
    """).pl()
    found = {row["row_id"]: cases.as_text(row) for row in rows.iter_rows(named=True)}
    assert cases.differing(section, found, "row_id") == {}
    assert set(found) == {row["row_id"] for row in section.expected}
