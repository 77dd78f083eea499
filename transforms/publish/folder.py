"""OUT: a run appears whole by one rename, latest points to it, and one run at a time holds the folder."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transforms.errors import Refusal, RunHeld

FOLDER_MODE, FILE_MODE = 0o750, 0o640


@contextmanager
def held(out: Path) -> Iterator[Path]:
    """Hold OUT for one run and give it a work folder, removed at the end.

    The lock belongs to the process: a killed run does not keep it. What killed runs left in the work folder is removed first.
    Errors: RunHeld where another run holds OUT; Refusal where OUT is not writable.
    """
    try:
        out.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        (out / "runs").mkdir(exist_ok=True, mode=FOLDER_MODE)
        lock = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        raise Refusal(f"OUT {out}: not writable ({error.strerror})") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunHeld(f"OUT {out}: another run holds it; wait for it to end, or choose another OUT") from error
        work = out / ".work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=FOLDER_MODE)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(lock)


def publish(run: Path, out: Path, run_id: str) -> Path:
    """Move a finished run to OUT/runs/RUN_ID and point OUT/latest to it; every file is flushed first."""
    for path in run.rglob("*"):
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
        _flush(path)
    run.chmod(FOLDER_MODE)
    _flush(run)
    target = out / "runs" / run_id
    run.rename(target)
    _flush(out / "runs")
    link = out / f".latest-{run_id}"
    link.symlink_to(Path("runs") / run_id)
    link.replace(out / "latest")
    _flush(out)
    return target


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
