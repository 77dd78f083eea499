"""OUT: a run appears whole by one rename, latest points to it, one run at a time holds the folder, and the oldest runs go.

Nothing here asks the clock which run is the latest or the oldest: latest is a link, and runs count up (run.json, ``number``).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transforms.errors import Refusal, RunHeld, UsageError

FOLDER_MODE, FILE_MODE = 0o750, 0o640
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
WORK = ".zm001-work"
POLL_SECONDS = 0.25


def apart(extract: Path, out: Path) -> None:
    """UsageError where OUT lies in the extract or the extract in OUT."""
    inner, outer = extract.resolve(), out.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise UsageError(f"OUT {out} and the extract {extract}: one lies inside the other; name an OUT beside the extract")


@contextmanager
def held(out: Path, *, wait: float = 0, tell: Callable[[str], None] = lambda _: None) -> Iterator[Path]:
    """Hold OUT for one run and give it a work folder, removed at the end; where another run holds it, wait so many seconds.

    The lock belongs to the process: a killed run does not keep it. What killed runs left in the work folder is removed first.
    Errors: RunHeld where another run still holds OUT; Refusal where OUT is not as a run needs it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        lock = os.open(out / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
    except OSError as error:
        raise Refusal(f"OUT {out}: not writable ({error.strerror})") from error
    try:
        _acquire(lock, out, wait, tell)
        work = _work_folder(out)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(lock)


def _acquire(lock: int, out: Path, wait: float, tell: Callable[[str], None]) -> None:
    until = time.monotonic() + wait
    is_told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= until:
                waited = f" after {wait:.0f} s" if wait else ""
                raise RunHeld(f"OUT {out}: another run holds it{waited}; wait for it (--wait), or choose another OUT") from error
        if not is_told:
            tell(f"another run holds {out}: waiting for it to end, at most {wait:.0f} s")
            is_told = True
        time.sleep(min(POLL_SECONDS, wait))


def _work_folder(out: Path) -> Path:
    """An empty work folder, when OUT is seen to be able to take a run at its end."""
    runs, latest, work = out / "runs", out / "latest", out / WORK
    try:
        runs.mkdir(exist_ok=True, mode=FOLDER_MODE)
        if work.exists() or work.is_symlink():
            shutil.rmtree(work)
        work.mkdir(mode=FOLDER_MODE)
    except OSError as error:
        raise Refusal(f"OUT {out}: not writable ({error.strerror}: {Path(error.filename or out).name})") from error
    if runs.is_symlink() or not os.access(runs, os.W_OK | os.X_OK) or runs.stat().st_dev != out.stat().st_dev:
        raise Refusal(f"OUT {out}: runs must be a folder in OUT itself that can be written to")
    if latest.exists() and not latest.is_symlink():
        raise Refusal(f"OUT {out}: latest is no symbolic link; move it away, or choose another OUT")
    return work


def publish(run: Path, out: Path, run_id: str) -> Path:
    """Move a finished run to OUT/runs/RUN_ID and point OUT/latest to it; every file is flushed first.

    The link is made beforehand and the move taken back where the link cannot be put in place, so that a failure leaves nothing.
    """
    for path in run.rglob("*"):
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
        _flush(path)
    run.chmod(FOLDER_MODE)
    _flush(run)
    target = out / "runs" / run_id
    link = run.with_name("latest")
    link.symlink_to(Path("runs") / run_id)
    run.rename(target)
    try:
        _flush(out / "runs")
        link.replace(out / "latest")
    except OSError:
        target.rename(run)
        raise
    _flush(out)
    return target


def latest(out: Path) -> Path | None:
    """The folder of the run that OUT/latest points to, None where there is none."""
    link = out / "latest"
    run = out / "runs" / link.readlink().name if link.is_symlink() else None
    return run if run and run.is_dir() else None


def record_of(run: Path) -> dict[str, Any]:
    """run.json of a published run, {} where it has none that is its own."""
    try:
        record = json.loads((run / "run.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and record.get("run_id") == run.name else {}


def contents(run: Path) -> list[dict[str, Any]]:
    """path and sha256 of every file of a run but run.json, ordered by path; sha256 is None for what is no regular file."""
    files = sorted(path for path in run.rglob("*") if path.is_symlink() or not path.is_dir())
    return [{"path": path.relative_to(run).as_posix(), "sha256": _sha256(path)} for path in files if path != run / "run.json"]


def published(out: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The runs in OUT with their run.json, in the order in which they were published; what is no run of ours is left out."""
    with os.scandir(out / "runs") as entries:
        folders = [out / "runs" / entry.name for entry in entries if RUN_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]
    runs = [(folder, record) for folder in folders if (record := record_of(folder))]
    return sorted(runs, key=lambda run: (run[1].get("number", 0), run[0].name))


def next_number(out: Path) -> int:
    """The number of the next run: one more than the greatest of the runs in OUT."""
    return max((record.get("number", 0) for _, record in published(out)), default=0) + 1


def prune(out: Path, work: Path, keep: int, previous: Path | None) -> list[str]:
    """Move all but the latest run and the ``keep`` before it into the work folder; never the latest, nor the ``previous`` latest.

    Returns what an operator should know, one line each: a run that is not as it was published (somebody's notes in it, a filled
    worklist) is not removed, nor one that cannot be.
    """
    now = latest(out)
    earlier = [run for run in published(out) if run[0] != now]
    told = []
    for folder, record in earlier[: max(0, len(earlier) - keep)]:
        if folder == previous:
            continue
        try:
            if contents(folder) != record.get("published"):
                told.append(f"run {folder.name}: changed since it was published, so it is not removed")
            else:
                folder.rename(work / folder.name)
        except OSError as error:
            told.append(f"run {folder.name}: cannot be removed ({error.strerror})")
    return told


def _sha256(path: Path) -> str | None:
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
