"""The zm001 command: match, validate, explain, reviews, sample."""

from __future__ import annotations

import os
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

from transforms.errors import ContractBroken, Refusal, UsageError

app = typer.Typer(
    name="zm001",
    help="Nightly patient matching for the ZM001 trial: from a hospital's extract to a ranked list of candidates.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


WAIT_SECONDS = 3600


class Phase(StrEnum):
    """Which windows the blood counts and the washouts before collection use."""

    prescreen = "prescreen"
    collection = "collection"


class Format(StrEnum):
    """The formats of an extract."""

    native = "native"
    mimiciv = "mimiciv"


class Lang(StrEnum):
    """Languages of everything that a nurse reads."""

    en = "en"
    zh = "zh"


def a_date(text: str) -> date:
    """A date as the command line takes it, for example 2026-03-01."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-03-01") from error


Extract = Annotated[Path, typer.Argument(help="The folder of the extract.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Where runs are published: OUT/runs/RUN_ID, OUT/latest.", show_default=False)]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        parser=a_date,
        metavar="DATE",
        help="Day D; default: extract.json's as_of, else every patient's index_date.",
    ),
]
Params = Annotated[Path | None, typer.Option("--params", metavar="FILE.toml", help="Parameters that differ from the defaults.")]
FormatOption = Annotated[Format | None, typer.Option("--format", help="Default: recognised from the folder.")]


def parameters_help() -> str:
    """The parameters with defaults and ranges, for --help."""
    from rules.parameters import known_parameters

    lines = [
        f"- `{p.name}` = {p.default}"
        + (f" ({p.least:g} to {p.greatest:g} {p.unit})" if p.least is not None else f" ({p.unit})")
        + f": {p.meaning}"
        for p in known_parameters().values()
    ]
    return "\n".join(lines)


def match(
    extract: Extract,
    out: Out,
    as_of: AsOf = None,
    phase: Annotated[Phase, typer.Option(help="Which windows apply.")] = Phase.prescreen,
    collection_date: Annotated[
        date | None,
        typer.Option("--collection-date", parser=a_date, metavar="DATE", help="Day of cell collection; not before day D."),
    ] = None,
    params: Params = None,
    format: FormatOption = None,
    lang: Annotated[Lang, typer.Option(help="Language of what a nurse reads.")] = Lang.en,
    memory_limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="For example 2GB; default: 60 % of the machine's memory.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: all cores.")] = None,
    keep: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many runs before the latest stay in OUT; older ones are removed.")
    ] = 30,
    wait: Annotated[
        int,
        typer.Option(min=0, metavar="[SECONDS]", show_default=False, help="Wait where another run holds OUT; alone: at most an hour."),
    ] = 0,
    keep_store: Annotated[bool, typer.Option("--keep-store", help="Keep the run's DuckDB file, to try rules on.")] = False,
    dossiers: Annotated[int, typer.Option(min=0, help="Dossiers to write, from the first of the list on; 0: none.")] = 50,
    prefect: Annotated[bool, typer.Option("--prefect", help="As a Prefect flow run; so too where PREFECT_API_URL is set.")] = False,
) -> None:
    from flows.nightly import nightly, nightly_flow
    from flows.progress import Progress, summary
    from flows.settings import Settings

    if phase is Phase.collection and collection_date is None:
        raise UsageError("--phase collection needs --collection-date")
    settings = Settings(
        extract=extract,
        out=out,
        as_of=as_of,
        phase=phase.value,
        collection_date=collection_date,
        params=params,
        format=format.value if format else None,
        lang=lang.value,
        memory_limit=memory_limit,
        threads=threads,
        keep_store=keep_store,
        keep=keep,
        wait=wait,
        dossiers=dossiers,
    )
    job = nightly_flow() if prefect or os.environ.get("PREFECT_API_URL") else nightly
    folder, record = job(settings, Progress())
    summary(folder, out, record)


match.__doc__ = f"""Match an extract to the trial and publish the ranked list.

Examples:

    zm001 match sample_data/native --out out

    zm001 match /data/extract --out /data/out --as-of 2026-03-01 --lang zh

    zm001 match /data/mimic-iv --out out --params all.toml      (all.toml: cohort = "all")

Parameters (FILE.toml, one `name = value` a line):

{parameters_help()}
"""
app.command()(match)


@app.command()
def validate(
    extract: Extract,
    as_of: AsOf = None,
    params: Params = None,
    format: FormatOption = None,
    docs: Annotated[Path | None, typer.Option("--docs", metavar="DIR", help="Write the contract's results as a page.")] = None,
) -> None:
    """Check an extract against the data contract alone.

    Example:

        zm001 validate /data/extract --docs contract-results
    """
    from flows.validation import validated

    report = validated(extract, as_of=as_of, params=params, form=format.value if format else None, docs=docs)
    if report.failures:
        raise ContractBroken(report.failures[0])


@app.command()
def explain(
    out: Annotated[Path, typer.Argument(help="OUT of a run, or one run's folder.", show_default=False)],
    patient_id: Annotated[str, typer.Argument(help="The patient.", show_default=False)],
    item: Annotated[str | None, typer.Option("--item", help="One item or criterion, for example E13a.")] = None,
) -> None:
    """Print a patient's verdicts with reasons and rows, scores, doses and drugs; with --item, one item and every row it considered.

    Example:

        zm001 explain out ZS000012 --item E13a
    """
    from transforms.publish.explanation import explain as print_patient

    print_patient(out, patient_id, item)


@app.command()
def book(
    page: Annotated[Path, typer.Argument(metavar="FILE.html", help="The page to write.", show_default=False)],
    lang: Annotated[Lang, typer.Option(help="Language of the book.")] = Lang.en,
    params: Params = None,
) -> None:
    """Write the criteria book, with a site's parameters, as a page to print and sign.

    Example:

        zm001 book criteria.html --lang zh --params site.toml
    """
    from rules.parameters import parameters, read_toml
    from rules.version import book_version
    from transforms.publish.book_page import book_page

    page.write_text(book_page(lang.value, parameters(read_toml(params) if params else None)), encoding="utf-8")
    typer.echo(f"{page}: book version {book_version()}")


@app.command()
def reviews(
    worklist: Annotated[Path, typer.Argument(help="A worklist.xlsx with answers in its sheet reviews.", show_default=False)],
    into: Annotated[
        Path, typer.Option("--into", metavar="EXTRACT_OR_CSV", help="A native extract, or a CSV of chart reviews.", show_default=False)
    ],
) -> None:
    """Take the answers of a worklist into the chart reviews.

    Lines that cannot be read are refused one by one (exit code 2); the others are taken. Taking a worklist twice adds nothing.

    Example:

        zm001 reviews out/latest/worklist.xlsx --into /data/extract
    """
    from transforms.reviews.answers import read_answers
    from transforms.reviews.delivery import deliver

    answers = read_answers(worklist)
    delivery = deliver(answers.taken, into)
    typer.echo(f"added     {delivery.added} to {delivery.file}" if delivery.file else "added     none")
    typer.echo(f"there     {delivery.known} already")
    for note in delivery.notes:
        typer.echo(f"note      {note}")
    if lines := answers.without_answer:
        shown = ", ".join(str(line) for line in lines[:20]) + (", ..." if len(lines) > 20 else "")
        typer.echo(f"note      a date or note without an answer, not taken: rows {shown}")
    refused = [*answers.refused, *delivery.refused]
    for what in refused:
        typer.echo(f"refused   {worklist}, {what}", err=True)
    if refused:
        raise UsageError(f"{worklist}: {len(refused)} lines refused, the others are taken; mend them and call again")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    csv: Annotated[bool, typer.Option("--csv", help="CSV instead of Parquet.")] = False,
    sle_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, show_default=False, help="Share of patients with SLE; default 0.3, from 5,000 patients on 0.01."),
    ] = None,
) -> None:
    """Write a synthetic extract of a hospital with a lupus clinic.

    Example:

        zm001 sample /tmp/extract --patients 2000 --seed 7 --csv
    """
    from sample_data.make_sample import make_sample

    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: not empty; name a new folder")
    rows = make_sample(folder, patients, seed, csv=csv, sle_share=sle_share)
    typer.echo(f"{folder}: " + ", ".join(f"{table} {count:,}" for table, count in rows.items()))


def spelt_out(words: list[str]) -> list[str]:
    """``--wait`` alone means an hour; Typer knows no option whose value may be left out."""
    following = [*words[1:], ""]
    return [
        f"--wait={WAIT_SECONDS}" if word == "--wait" and not after.isdigit() else word for word, after in zip(words, following, strict=True)
    ]


def main() -> Any:
    """Run the command; a refusal prints one line and exits with its code."""
    try:
        return app(args=spelt_out(sys.argv[1:]), standalone_mode=True)
    except Refusal as refusal:
        print(f"zm001: {refusal}", file=sys.stderr)
        sys.exit(refusal.exit_code)
    except OSError as error:
        print(f"zm001: {error.strerror}: {error.filename or ''}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # a library's message may hold values of patients, so only its kind is shown
        if os.environ.get("ZM001_DEBUG"):
            raise
        print(f"zm001: {type(error).__name__}: nothing was published; ZM001_DEBUG=1 shows where (may show data)", file=sys.stderr)
        sys.exit(1)
