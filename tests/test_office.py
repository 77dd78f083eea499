"""candidates.csv and worklist.xlsx in LibreOffice: ids, Chinese and answers come through; nothing runs."""

from __future__ import annotations

import csv
import shutil
import subprocess
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from tests import runs
from tests.test_loop import filled
from transforms.reviews.answers import read_answers

SOFFICE = shutil.which("soffice")
PATIENTS = ["007", "1234567890123456", "=1+1", "@SUM(A1)", "-2", "<b>&", "_x0041_", "张三-01", "3E5"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not here")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    extract = tmp_path_factory.mktemp("extract")
    (extract / "patients.csv").write_text("patient_id,sex,birth_date\n" + "".join(f"{p},female,1990-01-01\n" for p in PATIENTS))
    (extract / "diagnoses.csv").write_text(
        "diagnosis_id,patient_id,code_system,code,recorded_date\n"
        + "".join(f"d{number},{p},ICD10CM,M32.9,2026-01-01\n" for number, p in enumerate(PATIENTS))
    )
    (extract / "medications.csv").write_text("medication_id,patient_id,drug_name,start_date\n")
    (extract / "labs.csv").write_text("lab_id,patient_id,code_system,code,collected_at,value\n")
    return runs.match(extract, tmp_path_factory.mktemp("out"), as_of=date(2026, 3, 1), lang="zh")


def converted(source: Path, form: str, folder: Path, *more: str) -> Path:
    """A file that LibreOffice opened and saved in another form."""
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    words = [str(SOFFICE), profile, "--headless", *more, "--convert-to", form, "--outdir", str(folder / "saved"), str(source)]
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    return folder / "saved" / f"{source.stem}.{form.partition(':')[0]}"


def test_a_worklist_saved_by_libreoffice_is_read_as_before(run: Path, tmp_path: Path) -> None:
    found = {(p.replace("_x", "_x005F_x"), "I10"): {"answer": "no", "reviewed_date": date(2026, 3, 1), "note": "已查"} for p in PATIENTS}
    found["007", "E12"] = {"answer": "是", "reviewed_date": "2026年3月1日", "valid_until": date(2026, 4, 1)}
    worklist = filled(run / "worklist.xlsx", found)
    saved = converted(worklist, "xlsx:Calc MS Excel 2007 XML", tmp_path)
    before, after = read_answers(worklist), read_answers(saved)
    assert after == before
    assert (len(after.taken), after.refused) == (len(PATIENTS) + 1, [])
    assert {answer.patient_id for answer in after.taken} == set(PATIENTS)
    asked = [row[3].value for row in openpyxl.load_workbook(saved)["reviews"].iter_rows(min_row=2)]
    assert asked == [row[3].value for row in openpyxl.load_workbook(worklist)["reviews"].iter_rows(min_row=2)]


@pytest.mark.parametrize("is_text", [True, False])
def test_the_list_opens_with_its_chinese_and_its_ids(run: Path, tmp_path: Path, is_text: bool) -> None:
    with (run / "candidates.csv").open(encoding="utf-8-sig", newline="") as file:
        head, *rows = list(csv.reader(file))
    columns = "/".join(f"{column}/2" for column in range(1, len(head) + 1)) if is_text else ""  # all as text: what keeps 007
    saved = converted(run / "candidates.csv", "xlsx:Calc MS Excel 2007 XML", tmp_path, f"--infilter=CSV:44,34,76,1,{columns}")
    sheet = openpyxl.load_workbook(saved).active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}  # no formula
    found = [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    if is_text:
        assert found == [head, *rows]
        assert {row[1].lstrip("'") for row in found[1:]} == set(PATIENTS)
    assert {"张三-01", "<b>&", "'=1+1"} <= {row[1] for row in found}
