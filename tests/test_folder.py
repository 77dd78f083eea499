"""OUT: who holds it, what is the latest, what goes; a kill between any two of its file operations."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.killed import fake_run
from transforms.errors import Refusal, RunHeld, UsageError
from transforms.publish import folder

FIRST, SECOND, THIRD, FOURTH = (f"2026030{n}T020000Z-0000000{n}" for n in (1, 2, 3, 4))


def runs_in(out: Path) -> list[str]:
    return sorted(entry.name for entry in (out / "runs").iterdir())


def test_a_kill_between_any_two_file_operations_leaves_whole_runs_and_is_mended_by_the_next(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-m", "tests.killed", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert int(told.stdout.split()[0]) > 40  # moments at which a run was killed


@pytest.mark.parametrize(
    ("extract", "out"), [("data", "data/out"), ("out/data", "out"), ("data", "data"), ("link", "data/out"), ("data", "link/out")]
)
def test_out_and_the_extract_lie_apart(tmp_path: Path, extract: str, out: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(UsageError, match="one lies inside the other"):
        folder.apart(tmp_path / extract, tmp_path / out)
    folder.apart(tmp_path / "data", tmp_path / "data-out")


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with folder.held(tmp_path):
        with pytest.raises(RunHeld, match="another run holds it; wait for it"), folder.held(tmp_path):
            pass
        with pytest.raises(RunHeld, match="another run holds it after 1 s"), folder.held(tmp_path, wait=1):
            pass
        assert (tmp_path / folder.WORK).is_dir()  # who was refused has removed nothing
    with folder.held(tmp_path):
        pass


def test_a_run_that_waits_goes_on_when_the_other_ends(tmp_path: Path) -> None:
    told: list[str] = []
    with folder.held(tmp_path):
        entered = threading.Event()

        def waiter() -> None:
            with folder.held(tmp_path, wait=60, tell=told.append):
                entered.set()

        other = threading.Thread(target=waiter)
        other.start()
        assert not entered.wait(0.5)
    other.join()
    assert entered.is_set()
    assert told == [f"another run holds {tmp_path}: waiting for it to end, at most 60 s"]


def test_out_that_cannot_take_a_run_is_refused_before_it(tmp_path: Path) -> None:
    cases = {name: tmp_path / name for name in ("latest", "runs", "work", "lock")}
    for out in cases.values():
        out.mkdir()
    (cases["latest"] / "latest").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (cases["runs"] / "runs").symlink_to(tmp_path / "elsewhere")
    (cases["work"] / folder.WORK).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "kept").touch()
    (cases["lock"] / ".lock").symlink_to(tmp_path / "elsewhere" / "new")
    for name, message in (
        ("latest", "latest is no symbolic link"),
        ("runs", "runs must be a folder in OUT"),
        ("work", "not writable"),
        ("lock", "not writable"),
    ):
        with pytest.raises(Refusal, match=message), folder.held(cases[name]):
            pass
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["kept"]


def test_a_link_that_cannot_be_put_in_place_takes_the_run_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_run(tmp_path, FIRST)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        fake_run(tmp_path, SECOND)
    assert runs_in(tmp_path) == [FIRST]
    assert folder.latest(tmp_path) == tmp_path / "runs" / FIRST


def test_the_latest_is_what_was_published_last_whatever_the_clock_said(tmp_path: Path) -> None:
    for run_id in (FOURTH, THIRD, FIRST, SECOND):  # the clock went back twice
        fake_run(tmp_path, run_id)
    assert folder.latest(tmp_path) == tmp_path / "runs" / SECOND
    assert [run.name for run, _ in folder.published(tmp_path)] == [FOURTH, THIRD, FIRST, SECOND]
    with folder.held(tmp_path) as work:
        assert folder.prune(tmp_path, work, 2, previous=tmp_path / "runs" / FIRST) == []
    assert runs_in(tmp_path) == [FIRST, SECOND, THIRD]  # the oldest went, which has the latest name


def test_what_is_no_run_of_ours_never_goes(tmp_path: Path) -> None:
    fake_run(tmp_path, FIRST)
    runs = tmp_path / "runs"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "run.json").write_text(json.dumps({"run_id": THIRD, "number": 0, "published": []}))
    (runs / THIRD).symlink_to(tmp_path / "elsewhere")
    (runs / FOURTH).mkdir()  # named like a run, without its run.json
    (runs / "backup").mkdir()
    (runs / "notes.txt").touch()
    foreign = runs_in(tmp_path)
    foreign.remove(FIRST)
    for n in range(5, 9):
        fake_run(tmp_path, f"2026030{n}T020000Z-00000000", keep=1)
    assert runs_in(tmp_path) == sorted([*foreign, "20260307T020000Z-00000000", "20260308T020000Z-00000000"])
    assert (tmp_path / "elsewhere" / "run.json").exists()


@pytest.mark.parametrize("change", ["filled", "added", "linked", "removed"])
def test_a_run_that_somebody_wrote_into_stays(tmp_path: Path, change: str) -> None:
    run = fake_run(tmp_path, FIRST)
    if change == "filled":
        (run / "list.csv").write_text("her answers")
    elif change == "added":
        (run / "patients" / "notes.txt").touch()
    elif change == "linked":
        (run / "more").symlink_to(tmp_path)
    else:
        (run / "list.csv").unlink()
    fake_run(tmp_path, SECOND)
    fake_run(tmp_path, THIRD)
    with folder.held(tmp_path) as work:
        told = folder.prune(tmp_path, work, 1, previous=None)
    assert told == [f"run {FIRST}: changed since it was published, so it is not removed"]
    assert runs_in(tmp_path) == [FIRST, SECOND, THIRD]


def test_the_previous_latest_stays_even_where_runs_count_on_after_it(tmp_path: Path) -> None:
    for run_id in (FIRST, SECOND, THIRD):
        fake_run(tmp_path, run_id)
    link = tmp_path / "new"
    link.symlink_to(Path("runs") / FIRST)
    link.replace(tmp_path / "latest")  # an operator went back to the first run
    fake_run(tmp_path, FOURTH, keep=1)
    assert runs_in(tmp_path) == [FIRST, THIRD, FOURTH]
