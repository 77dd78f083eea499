"""The steps of a run, a few lines each; inside a Prefect flow run each is a task, elsewhere a plain call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from secrets import token_hex

import duckdb

from data_contracts import gate, suites
from flows.progress import Progress
from flows.run_record import RunRecord
from flows.settings import Settings
from rules import engine
from rules.parameters import parameter_frame, parameters, read_toml
from transforms import cohort, store
from transforms.errors import UsageError
from transforms.features.build import derive
from transforms.features.items import load_items
from transforms.ingest.doors import Opened, open_extract
from transforms.normalise.build import load_maps, normalise
from transforms.publish import folder, tables
from transforms.publish.changes import write_changes
from transforms.publish.dossier import write_dossiers
from transforms.publish.previous import read_previous
from transforms.publish.report import write_report


@dataclass
class Run:
    """One run under way: its settings, store, folders and record."""

    settings: Settings
    work: Path
    progress: Progress
    record: RunRecord
    con: duckdb.DuckDBPyConnection
    parameters: dict[str, str]
    opened: Opened | None = None
    previous: Path | None = None  # the folder of the run that was the latest when this one began

    @property
    def folder(self) -> Path:
        """Where the run's files are written before it is published."""
        return self.work / "run"


Step = Callable[[Run], None]


def step(title: str) -> Callable[[Step], Step]:
    """A step with its progress line and its entry in run.json; a Prefect task where a flow run is under way."""

    def decorate(body: Step) -> Step:
        @wraps(body)
        def timed(run: Run) -> None:
            with run.progress.step(title), run.record.timed(body.__name__):
                body(run)

        @wraps(body)
        def call(run: Run) -> None:
            if not in_flow_run():
                return timed(run)
            from prefect import task

            task(timed, name=title, persist_result=False, cache_policy=None)(run)  # type: ignore[call-overload]

        return call

    return decorate


def in_flow_run() -> bool:
    """Whether a Prefect flow run is under way; does not import Prefect."""
    if "prefect" not in sys.modules:
        return False
    from prefect.context import FlowRunContext

    return FlowRunContext.get() is not None


def begin(settings: Settings, work: Path, progress: Progress) -> Run:
    """A run with its parameters checked and an empty store. UsageError: wrong parameters."""
    values = parameters(read_toml(settings.params) if settings.params else None)
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{token_hex(4)}"  # a name: which run is the latest is never read from it
    run = Run(
        settings,
        work,
        progress,
        RunRecord(run_id),
        store.connect(
            work / "run" / "store.duckdb" if settings.keep_store else None,
            spill=work / "spill",
            memory_limit=settings.memory_limit,
            threads=settings.threads,
        ),
        values,
    )
    run.record.content["settings"] = {name: value for name, value in vars(settings).items() if value is not None}
    run.record.content["parameters"] = values
    run.previous = folder.latest(settings.out)
    run.record.content["previous"] = run.previous.name if run.previous else None
    return run


@step("read the extract")
def read(run: Run) -> None:
    """Recognise the format, open its door, check every file."""
    run.opened = open_extract(run.settings.extract, run.work, run.settings.format)
    run.opened.load_lists(run.con)
    run.record.content["format"] = run.opened.format
    run.record.content["not_mapped"] = run.opened.counts
    run.record.content["files"] = files = [vars(file) for file in run.opened.files]
    same = run.previous and folder.record_of(run.previous).get("files") == files
    run.record.content["same_extract_as"] = run.previous.name if run.previous and same else None


@step("check the contract")
def check(run: Run) -> None:
    """Refuse the extract, or open it as raw.* with its quarantine and pull the rows of whoever may be assessed."""
    assert run.opened is not None
    report = gate.check(
        run.con,
        run.opened.extract,
        as_of=run.settings.as_of,
        max_rejected_share=float(run.parameters["max_rejected_share"]),
        min_rejected_rows=int(run.parameters["min_rejected_rows"]),
        choose=lambda con: choose(con, run.parameters, run.settings),
    )
    run.record.content["as_of"] = report.as_of
    run.record.content["contract"] = suites.judge(report)
    run.record.content["tables"] = {
        name: {
            "rows": t.rows_read,
            "rejected": t.rows_rejected,
            "duplicates": t.duplicates,
            "causes": [{"column": column, "cause": cause, "rows": rows} for (column, cause), rows in t.rejected.items()],
        }
        for name, t in report.tables.items()
        if t.is_present
    }


@step("find the cohort")
def select(run: Run) -> None:
    """Say who is assessed, or may be once classified, and leave their rows alone."""
    cohort.pull(run.con)


@step("normalise")
def read_events(run: Run) -> None:
    """Rows as events: concepts, analytes, ingredients, values, units, cut at day D."""
    normalise(run.con)
    engine.load_table_macros(run.con)
    derive(run.con)
    run.record.content["cohort"] = cohort.size(run.con, "run.cohort")
    copies = run.con.sql("select table_name, count(*) from pulled.copies where is_usable group by table_name order by table_name")
    for table, rows in copies.fetchall():
        run.record.content["tables"][table]["duplicates"] = rows


@step("apply the criteria")
def judge(run: Run) -> None:
    """Verdicts of every item and criterion, tiers and ranks."""
    engine.evaluate(run.con)
    engine.combine(run.con)
    run.record.content["not_evaluated"] = engine.not_evaluated()
    run.record.content["tiers"] = dict(run.con.sql("select tier, count(*) from pub.candidates group by tier order by tier").fetchall())
    run.record.content["listed"] = dict(
        run.con.sql("select tier, count(*) from pub.candidates where is_listed group by tier order by tier").fetchall()
    )


@step("publish")
def write(run: Run) -> None:
    """Write the run's files and make it the latest by one rename."""
    run.folder.mkdir(exist_ok=True)
    gate.rejects(run.con, "run.cohort")
    previous = read_previous(run.previous)
    tables.write_tables(
        run.con,
        run.folder,
        criteria=list(dict.fromkeys(engine.protocol_items().values())),
        previous=previous,
    )
    run.record.content["changes"] = write_changes(run.con, run.folder, previous, run.record.body())
    run.record.content["not_compared"] = previous.problems if previous else []
    write_dossiers(run.con, run.folder, run.settings.dossiers)
    write_report(run.con, run.folder, run.record.body())


@step("hash the files again")
def prove(run: Run) -> None:
    """Refuse what was read where a file of the extract came, went or changed since the run began."""
    assert run.opened is not None
    run.opened.prove_unchanged()


def finish(run: Run) -> Path:
    """Close the store, write run.json, publish, let the oldest runs go; returns the run's folder."""
    run.con.close()
    out = run.settings.out
    run.record.content["number"] = folder.next_number(out)
    run.record.content["published"] = folder.contents(run.folder)
    run.record.write(run.folder / "run.json")
    published = folder.publish(run.folder, out, run.record.run_id)
    for note in folder.prune(out, run.work, run.settings.keep, run.previous):
        run.progress.note(note)
    return published


def choose(con: duckdb.DuckDBPyConnection, values: dict[str, str], settings: Settings) -> None:
    """Prepare the store and say whose rows the contract's pass shall pull. UsageError: collection before day D."""
    prepare(con, values, settings)
    cohort.choose(con)


def prepare(con: duckdb.DuckDBPyConnection, values: dict[str, str], settings: Settings) -> None:
    """Fill run.parameters, run.settings, maps, macros and the message catalogue. UsageError: collection before day D."""
    store.load(con, "run.parameters", parameter_frame(values))
    con.execute(
        "create or replace table run.settings as select ?::varchar as phase, ?::date as collection_date",
        [settings.phase, settings.collection_date],
    )
    if settings.collection_date is not None:
        late = con.execute("select count(*) from raw.patients where as_of > ?", [settings.collection_date]).fetchall()[0][0]
        if late:
            raise UsageError(f"--collection-date {settings.collection_date}: before day D of {late} patients")
    load_maps(con)
    load_items(con)
    engine.load_trial(con, settings.lang)
