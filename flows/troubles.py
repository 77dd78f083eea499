"""What a run's failure means, in one line: OUT is full, the extract changed under the run, memory is short."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from duckdb import OutOfMemoryException

from transforms.errors import ExtractChanged, Refusal
from transforms.ingest.native import shown

CANNOT_WRITE = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)]
MAY_BE_READ = (".csv", ".gz", ".parquet", ".json", ".ndjson")

Lying = dict[str, tuple[int, int, int]]


@contextmanager
def explained(extract: Path, room: str) -> Iterator[None]:
    """Turn a failure into the refusal that says what to do, where it is one of those that nights bring.

    ``room``: what is written to, for the message. Libraries wrap errors in their own, each in other words, but all quote the
    system's text for what happened.
    """
    before = lying(extract)
    try:
        yield
    except Exception as error:
        causes = list(chain_of(error))
        for text in CANNOT_WRITE:
            if any(text in str(cause) for cause in causes):
                raise Refusal(f"{room}: cannot be written ({text}); nothing was published") from error
        if changed := difference(before, lying(extract)):
            raise ExtractChanged.by(changed) from error
        if any(isinstance(cause, MemoryError | OutOfMemoryException) for cause in causes):
            raise Refusal(
                "memory: what is allowed (--memory-limit; default 60 % of the machine's) is too little, or there is no room in "
                f"{room} for what does not fit; nothing was published"
            ) from error
        raise


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An error and those it came from."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def lying(extract: Path) -> Lying:
    """The files that an extract may be read from, as they lie: path -> size, time of the last write, inode."""
    found: Lying = {}
    for folder, _, names in os.walk(extract):
        for name in names:
            if name.lower().endswith(MAY_BE_READ):
                path = Path(folder, name)
                try:
                    state = path.stat()
                except OSError:
                    continue
                if stat.S_ISREG(state.st_mode):
                    found[path.relative_to(extract).as_posix()] = (state.st_size, state.st_mtime_ns, state.st_ino)
    return found


def difference(before: Lying, after: Lying) -> str | None:
    """The first file, by path, that is not as it was, and what happened to it; None where all are."""
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            return f"{shown(path)} has {'come' if path not in before else 'gone' if path not in after else 'changed'}"
    return None
