"""A run's file operations in OUT without its matching: made in tests, and killed between any two of them.

``python -m tests.killed OUT`` kills a child of its own before its first, second, ... file operation until one comes through, proves
after each that OUT is whole, and prints at how many moments. It starts no thread, so that forking is safe and takes milliseconds.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path

from transforms.publish import folder

OPERATIONS = {"open", "shutil.rmtree", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.chmod", "os.scandir"}


def fake_run(out: Path, run_id: str, keep: int = 30) -> Path:
    """Publish a run with two files and a folder, as the last step of a run does; returns its folder."""
    with folder.held(out) as work:
        previous = folder.latest(out)
        run = work / "run"
        (run / "patients").mkdir(parents=True)
        (run / "list.csv").write_text(f"list of {run_id}\n")
        (run / "patients" / "1.html").write_text(f"patient of {run_id}\n")
        record = {"run_id": run_id, "number": folder.next_number(out), "published": folder.contents(run)}
        (run / "run.json").write_text(json.dumps(record))
        target = folder.publish(run, out, run_id)
        folder.prune(out, work, keep, previous)
    return target


def prove_whole(out: Path) -> list[str]:
    """The names of the runs in OUT, each proved to be as it was published, as is what latest points to."""
    names = sorted(entry.name for entry in (out / "runs").iterdir())
    for name in names:
        record = folder.record_of(out / "runs" / name)
        assert record, f"{name} has no run.json"
        assert record["published"] == folder.contents(out / "runs" / name), f"{name} is not whole"
    latest = folder.latest(out)
    assert latest is not None, "latest points to no run"
    assert latest.name in names, "latest points elsewhere"
    return names


def kill_at(moment: int) -> None:
    """Kill this process before its file operation of that number."""
    count = itertools.count(1)

    def hook(event: str, _: object) -> None:
        if event in OPERATIONS and next(count) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(out: Path) -> None:
    """See the module."""
    run_ids = (f"20260301T020000Z-{number:08x}" for number in itertools.count(1))
    for _ in range(3):
        fake_run(out, next(run_ids), keep=2)
    for moment in itertools.count(1):
        before, latest = prove_whole(out), folder.latest(out)
        killed = next(run_ids)
        child = os.fork()
        if child == 0:
            kill_at(moment)
            fake_run(out, killed, keep=2)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        after = prove_whole(out)
        assert folder.latest(out) in (latest, out / "runs" / killed), "latest is neither the run before nor this one"
        assert set(after) - set(before) <= {killed}, "a run came that was not started"
        assert len(set(before) - set(after)) <= 1, "more than the oldest run went"
        if status == 0:
            print(moment - 1, "moments")
            return
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "the run failed on its own"
        following = next(run_ids)
        fake_run(out, following, keep=2)
        prove_whole(out)
        assert folder.latest(out) == out / "runs" / following, "the next run is not the latest"
        assert sorted(entry.name for entry in out.iterdir()) == [".lock", "latest", "runs"], "something was left"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
