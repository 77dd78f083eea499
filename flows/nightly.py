"""The main job: from an extract to a published list, in the order in which it happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows import steps
from flows.progress import Progress
from flows.settings import Settings
from flows.troubles import explained
from transforms.publish.folder import apart, held


def nightly(settings: Settings, progress: Progress | None = None) -> tuple[Path, dict[str, Any]]:
    """Run the main job; returns the published folder and the content of its run.json.

    Errors: UsageError, ContractBroken, RunHeld, Refusal; nothing is then published.
    """
    progress = progress or Progress(quiet=True)
    apart(settings.extract, settings.out)
    with held(settings.out, wait=settings.wait, tell=progress.note) as work, explained(settings.extract, f"OUT {settings.out}"):
        run = steps.begin(settings, work, progress)
        steps.read(run)
        steps.check(run)
        steps.select(run)
        steps.read_events(run)
        steps.judge(run)
        steps.write(run)
        steps.prove(run)
        return steps.finish(run), run.record.content


def nightly_flow() -> Any:
    """The same function as a Prefect flow; Prefect is imported only here."""
    from prefect import flow

    return flow(name="zm001-nightly", validate_parameters=False, persist_result=False)(nightly)
