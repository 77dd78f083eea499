"""run.json: what a run read, did and found, without a value of any patient."""

from __future__ import annotations

import json
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rules import engine
from rules.version import book_version, code_list_versions, events_version, messages_version, rule_versions

LIBRARIES = ("duckdb", "polars", "great-expectations", "prefect", "pyarrow")


@dataclass
class RunRecord:
    """The content of run.json as it grows, step by step."""

    run_id: str
    content: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add a step with its seconds, CPU seconds and the process's peak memory so far, in MB."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.steps.append(
            {
                "step": step,
                "seconds": round(time.perf_counter() - wall, 3),
                "cpu_seconds": round(time.process_time() - cpu, 3),
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )

    def body(self) -> dict[str, Any]:
        """What run.json holds so far."""
        return {"run_id": self.run_id, "versions": versions(), "command": sys.argv, **self.content, "steps": self.steps}

    def write(self, path: Path) -> None:
        """Write run.json."""
        path.write_text(json.dumps(self.body(), ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")


def versions() -> dict[str, Any]:
    """Versions of the project, Python, the main libraries, the trial and its book, and hashes of what decides verdicts and texts.

    ``rules``: item -> hash; ``code_lists``: list or map -> hash; ``events``: hash of how events.parquet is made.
    """
    return {
        "zm001": version("zm001"),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "trial": engine.trial()["version"],
        "book": book_version(),
        "messages": messages_version(),
        "events": events_version(),
        "rules": rule_versions(),
        "code_lists": code_list_versions(),
    }
