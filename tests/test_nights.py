"""What nights bring: an extract that moves under the run, one delivered twice, a clock that goes back, a full disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows import cli, steps
from flows.progress import summary
from tests import runs
from tests.test_cli import EXTRACT
from transforms.errors import ContractBroken, ExtractChanged, Refusal
from transforms.ingest import doors
from transforms.publish import folder

CSV = "observation_id,patient_id,observed_at,kind,value\n"


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    lies = tmp_path / "extract"
    (lies / "labs").mkdir(parents=True)
    for name, text in EXTRACT.items():
        (lies / name).write_text(text, encoding="utf-8")
    (lies / "labs.csv").rename(lies / "labs" / "part-0.csv")
    (lies / "extract.json").write_text('{"as_of": "2026-03-01"}')
    return lies


def same_size_and_time(lies: Path) -> None:
    file = lies / "patients.csv"
    before = file.stat()
    file.write_text(EXTRACT["patients.csv"].replace("female", "male\n  "))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "patients.csv has changed": same_size_and_time,
    "diagnoses.csv has changed": lambda lies: (lies / "diagnoses.csv").write_text(EXTRACT["diagnoses.csv"] + "d2,P1"),
    "medications.csv has gone": lambda lies: (lies / "medications.csv").unlink(),
    "labs/part-0.csv has gone": lambda lies: shutil.rmtree(lies / "labs"),
    "labs/part-1.csv has come": lambda lies: shutil.copy(lies / "labs" / "part-0.csv", lies / "labs" / "part-1.csv"),
    "observations.csv has come": lambda lies: (lies / "observations.csv").write_text(CSV),
    "labs: is there in two forms": lambda lies: (lies / "labs.csv").write_text(EXTRACT["labs.csv"]),
    "extract.json has changed": lambda lies: (lies / "extract.json").write_text('{"as_of": "2026-03-02"}'),
    "extract.json has gone": lambda lies: (lies / "extract.json").unlink(),
}


@pytest.mark.parametrize("told", CHANGES)
def test_an_extract_that_moved_is_refused_and_the_file_named(extract: Path, tmp_path: Path, told: str) -> None:
    opened = doors.open_extract(extract, tmp_path / "work")
    opened.prove_unchanged()
    CHANGES[told](extract)
    with pytest.raises(ExtractChanged, match=f"changed while it was read: {told}.*; start again when its delivery is complete"):
        opened.prove_unchanged()


def test_an_extract_that_is_only_touched_copied_anew_or_noted_beside_is_the_same(extract: Path, tmp_path: Path) -> None:
    opened = doors.open_extract(extract, tmp_path / "work")
    (extract / "patients.csv").touch()
    shutil.copy(extract / "diagnoses.csv", tmp_path / "copy")
    (tmp_path / "copy").replace(extract / "diagnoses.csv")
    (extract / "delivered.log").write_text("complete")
    (extract / "labs" / "_SUCCESS").touch()
    opened.prove_unchanged()


def test_the_link_to_the_newest_delivery_may_move_on(extract: Path, tmp_path: Path) -> None:
    newest = tmp_path / "newest"
    newest.symlink_to(extract)
    opened = doors.open_extract(newest, tmp_path / "work")
    newest.unlink()
    newest.symlink_to(tmp_path)
    opened.prove_unchanged()


def moving(monkeypatch: pytest.MonkeyPatch, step: str, change: Callable[[], object]) -> None:
    """Make the extract change just before a step."""
    body = getattr(steps, step)

    def moved(run: steps.Run) -> None:
        change()
        body(run)

    monkeypatch.setattr(steps, step, moved)


def test_a_run_whose_extract_moves_publishes_nothing(extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "d2,P1,ICD10CM,M32.1,2026-01-01\n"
    moving(monkeypatch, "judge", lambda: (extract / "diagnoses.csv").write_text(EXTRACT["diagnoses.csv"] + row))
    with pytest.raises(ExtractChanged, match=r"diagnoses\.csv has changed"):
        runs.match(extract, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == [".lock", "runs"]


def test_half_a_delivery_is_told_from_a_broken_one(extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        moving(patch, "read", lambda: (extract / "diagnoses.csv").write_text(EXTRACT["diagnoses.csv"] + "d2,P1,ICD"))
        with pytest.raises(ExtractChanged, match=r"diagnoses\.csv has changed"):
            runs.match(extract, tmp_path / "out")
    with pytest.raises(ContractBroken, match=r"diagnoses\.csv, line 3: a record of 3 cells") as broken:  # and there it stayed
        runs.match(extract, tmp_path / "out")
    assert not isinstance(broken.value, ExtractChanged)


def test_a_file_that_goes_before_it_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extract = tmp_path / "extract"
    extract.mkdir()
    for name, text in EXTRACT.items():
        pl.read_csv(text.encode(), infer_schema=False).write_parquet(extract / name.replace(".csv", ".parquet"))
    moving(monkeypatch, "check", lambda: (extract / "labs.parquet").unlink())
    with pytest.raises(ExtractChanged, match=r"labs\.parquet has gone"):
        runs.match(extract, tmp_path / "out", as_of=date(2026, 3, 1))


def test_the_same_delivery_again_while_the_clock_goes_back(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Back(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz) - timedelta(days=400)

    out = tmp_path / "out"
    first = runs.match(extract, out)
    monkeypatch.setattr(steps, "datetime", Back)
    second = runs.match(extract, out)
    assert second.name < first.name
    assert folder.latest(out) == second
    assert [run for run, _ in folder.published(out)] == [first, second]
    assert [runs.record(first)[key] for key in ("number", "previous", "same_extract_as")] == [1, None, None]
    assert [runs.record(second)[key] for key in ("number", "previous", "same_extract_as")] == [2, first.name, first.name]
    assert [row["change"] for row in runs.candidates(second)] == ["same"]
    summary(second, out, runs.record(second))
    assert f"every file of the extract is as in run {first.name}" in capsys.readouterr().out


def test_no_room_for_one_file_is_said(extract: Path, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(Refusal, match=r"out: cannot be written \(File too large\); nothing was published"):
            runs.match(extract, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".lock", "runs"]


@pytest.mark.slow
def test_a_full_disk_and_a_read_only_one(tmp_path: Path) -> None:
    apart = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    command = [*apart, sys.executable, "-W", "ignore", "-m", "tests.disks", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    *full, read_only, mended = [line.split(" ", 1)[1] for line in told.stdout.splitlines()]
    assert len(full) == 4
    for line in full:
        assert line == f"OUT {tmp_path}/out: cannot be written (No space left on device); nothing was published"
    assert read_only == f"OUT {tmp_path}/out: not writable (Read-only file system)"
    assert mended == "published"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["match", "--wait"], ["match", "--wait=3600"]),
        (["match", "--wait", "5", "x"], ["match", "--wait", "5", "x"]),
        (["match", "--wait", "--out", "o"], ["match", "--wait=3600", "--out", "o"]),
        (["match", "--wait=7"], ["match", "--wait=7"]),
    ],
)
def test_wait_alone_means_an_hour(words: list[str], expected: list[str]) -> None:
    assert cli.spelt_out(words) == expected


def test_out_in_the_extract_is_wrong_usage(extract: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["zm001", "match", str(extract), "--out", str(extract / "out")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "one lies inside the other" in capsys.readouterr().err
    assert not (extract / "out").exists()
