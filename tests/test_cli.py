"""The command as its users see it: exit codes, one-line refusals, nothing published half."""

from __future__ import annotations

import fcntl
import re
import stat
import sys
from pathlib import Path

import pytest

from flows import cli
from tests import runs

EXTRACT = {
    "patients.csv": "patient_id,sex,birth_date\nP1,female,1990-01-01\n",
    "diagnoses.csv": "diagnosis_id,patient_id,code_system,code,recorded_date\nd1,P1,ICD10CM,M32.9,2026-01-01\n",
    "medications.csv": "medication_id,patient_id,drug_name,start_date\n",
    "labs.csv": "lab_id,patient_id,code_system,code,collected_at,value\n",
}


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    folder = tmp_path / "extract"
    folder.mkdir()
    for name, text in EXTRACT.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of zm001 with these words."""
    monkeypatch.setattr(sys, "argv", ["zm001", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        sys.exit(cli.main())
    return int(ended.value.code or 0)


def test_published(extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert command(monkeypatch, "match", extract, "--out", out, "--as-of", "2026-03-01") == 0
    shown = capsys.readouterr()
    assert "assessed  1 of 1 patients" in shown.out
    assert "check the contract" in shown.err
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", (out / "latest").readlink().name)
    assert stat.S_IMODE((out / "latest" / "candidates.csv").stat().st_mode) == 0o640
    assert stat.S_IMODE((out / "latest").stat().st_mode) == 0o750
    assert not (out / ".zm001-work").exists()
    assert command(monkeypatch, "explain", out, "P1", "--item", "I08") == 0
    shown = capsys.readouterr()
    assert "no usable result in the window" in shown.out
    assert "I08e" in shown.out
    assert command(monkeypatch, "explain", out, "P2") == 2


def test_no_lupus_is_said_in_one_line(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (extract / "diagnoses.csv").write_text("diagnosis_id,patient_id,code_system,code,recorded_date\n")
    assert command(monkeypatch, "match", extract, "--out", tmp_path / "out", "--as-of", "2026-03-01") == 0
    assert "assessed  none of 1 patients: no patient has SLE, by diagnosis, classification or chart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--as-of", "soon"], 2, "not a date"),
        ([], 2, "no day D"),
        (["--as-of", "2026-03-01", "--phase", "collection"], 2, "needs --collection-date"),
        (["--as-of", "2026-03-01", "--phase", "collection", "--collection-date", "2026-02-28"], 2, "before day D"),
        (["--as-of", "2026-03-01", "--params", "absent.toml"], 2, "cannot be read"),
        (["--as-of", "2026-03-01", "--format", "omop"], 2, "omop"),
    ],
)
def test_wrong_usage(
    extract: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    assert command(monkeypatch, "match", extract, "--out", tmp_path / "out", *words) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out" / "latest").exists()


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("blood_days = 2", "parameter blood_days: 2 is out of range; allowed: 3 to 365 days"),
        ("blod_days = 30", "parameter blod_days: unknown"),
        ("blood_days = '30'", "parameter blood_days: '30' is not a whole number"),
        ("cohort = 'some'", "parameter cohort: 'some' is not allowed; allowed: sle or all"),
        ("blood_days 30", "not TOML"),
    ],
)
def test_wrong_parameters(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], toml: str, message: str
) -> None:
    (tmp_path / "site.toml").write_text(toml)
    words = ["match", extract, "--out", tmp_path / "out", "--as-of", "2026-03-01", "--params", tmp_path / "site.toml"]
    assert command(monkeypatch, *words) == 2
    assert message in capsys.readouterr().err


def test_a_refused_extract_leaves_the_latest_run_as_it_was(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert command(monkeypatch, "match", extract, "--out", out, "--as-of", "2026-03-01") == 0
    before = {str(path): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (extract / "labs.csv").unlink()
    capsys.readouterr()
    assert command(monkeypatch, "match", extract, "--out", out, "--as-of", "2026-03-01") == 3
    shown = capsys.readouterr().err.strip().splitlines()[-1]
    assert shown.startswith("zm001: ")
    assert "labs" in shown
    assert {str(path): path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_another_run_holds_out(extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert command(monkeypatch, "match", extract, "--out", out, "--as-of", "2026-03-01") == 4
    assert "another run holds it" in capsys.readouterr().err


def test_out_is_not_a_folder(extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert command(monkeypatch, "match", extract, "--out", tmp_path / "file", "--as-of", "2026-03-01") == 1
    assert "not writable" in capsys.readouterr().err


def test_help_shows_examples_and_parameters(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, "match", "--help") == 0
    shown = capsys.readouterr().out
    assert "zm001 match sample_data/native --out out" in shown
    assert "blood_days" in shown


def test_a_kept_store_runs_a_rule_as_it_stands(tmp_path: Path) -> None:
    import duckdb

    run = runs.match(runs.NATIVE, tmp_path / "out", keep_store=True)
    rule = Path(__file__).parents[1] / "rules" / "zm001" / "criteria" / "e12_live_vaccine.sql"
    with duckdb.connect(str(run / "store.duckdb"), read_only=True) as con:
        rows = con.execute(rule.read_text(encoding="utf-8")).fetchall()
        assert len(rows) == con.execute("select count(*) from norm.patients").fetchall()[0][0]


def test_a_bug_shows_no_traceback_and_no_data(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rules import engine

    def broken(*_: object) -> None:
        raise ValueError("P1")

    monkeypatch.setattr(engine, "evaluate", broken)
    assert command(monkeypatch, "match", extract, "--out", tmp_path / "out", "--as-of", "2026-03-01") == 1
    shown = capsys.readouterr().err
    assert "zm001: ValueError: nothing was published" in shown
    assert "P1" not in shown
    assert "Traceback" not in shown
