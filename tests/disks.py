"""Runs on a disk that is full, or read-only: ``unshare --map-root-user --mount python -m tests.disks FOLDER``.

The disk is a tmpfs on FOLDER in a mount namespace of its own, which ends with the process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.killed import prove_whole
from tests.runs import NATIVE, match
from transforms.errors import Refusal


def disk(folder: Path, options: str) -> None:
    """Mount the disk, or mount it again with other options."""
    again = "remount," if folder.is_mount() else ""
    subprocess.run(["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", folder], check=True)


def refused(out: Path) -> str:
    """What a run in OUT is refused with; it must leave OUT as it was."""
    before = prove_whole(out)
    try:
        match(NATIVE, out, keep=1)
    except Refusal as refusal:
        told = str(refusal)
    else:
        return "published"
    assert prove_whole(out) == before
    assert sorted(entry.name for entry in out.iterdir()) == [".lock", "latest", "runs"]
    return told


def main(folder: Path) -> None:
    """Print what runs are told with some room in KB beyond what the first run took, and on a read-only disk."""
    out = folder / "out"
    disk(folder, "size=64m")
    first = match(NATIVE, out)
    used = int(subprocess.run(["du", "-sk", folder], capture_output=True, text=True, check=True).stdout.split()[0])
    work, run = 350, sum(path.stat().st_size for path in first.rglob("*")) // 1024
    for room in (8, work // 2, work + run // 4, work + run // 2):
        disk(folder, f"size={used + room}k")
        print(room, refused(out))
    disk(folder, "size=64m,ro")
    print("ro", refused(out))
    disk(folder, "size=64m,rw")
    print("rw", refused(out))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
