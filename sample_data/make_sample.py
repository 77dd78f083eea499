"""Writes a synthetic native extract of a hospital with a lupus clinic: no real person, same call, same bytes.

    python -m sample_data.make_sample DIR --patients 2000 --seed 7 [--csv]
    python -m sample_data.make_sample --shipped        # writes sample_data/native anew

The first patients are those of showcase.csv, designed by hand; the others come from correlated courses (courses.py), in
blocks of patients that are made and written one after the other, so that memory does not grow with their number.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sample_data.courses import make_patients, make_visits
from sample_data.measured import make_findings, measure
from sample_data.mess import as_text, finished
from sample_data.recorded import diagnose, dispose, list_patients, operate, review_charts, vaccinate
from sample_data.showcase import showcase, showcase_tables
from sample_data.treated import medicate
from sample_data.vocabulary import ID_COLUMN, ID_LETTER, TABLES
from transforms.errors import UsageError

LARGE = 5_000
BLOCK_LABS = 1_000_000
SCATTER, SPACE = np.uint64(0x9E3779B97F4A7C15), np.uint64(2**49)  # odd, so that no number comes twice below SPACE
IN_PARTS = ("diagnoses", "medications", "labs", "observations")
SHIPPED: dict[str, Any] = {
    "patients": 117,
    "seed": 12,
    "csv": True,
    "sle_share": 0.4,
    "history_years": 1.25,
    "worked_up_share": 0.5,
}


def make_sample(
    into: Path,
    patients: int,
    seed: int,
    *,
    csv: bool = False,
    as_of: date = date(2026, 3, 1),
    sle_share: float | None = None,
    history_years: float = 5.0,
    worked_up_share: float = 0.2,
) -> dict[str, int]:
    """Writes the extract into the new or empty folder `into` and returns the rows per table.

    `sle_share`: lupus patients among those not designed by hand; by default 0.01 from 5,000 patients on, 0.3 below.
    `worked_up_share`: lupus patients whom the clinic has prepared for a trial. Raises UsageError where the folder holds
    something.
    """
    if patients < 1:
        raise UsageError(f"sample: patients = {patients}, allowed are 1 and more")
    if into.is_dir() and any(into.iterdir()):
        raise UsageError(f"sample: the folder {into} is not empty; a sample is written into a new one")
    into.mkdir(parents=True, exist_ok=True)
    share = sle_share if sle_share is not None else 0.01 if patients >= LARGE else 0.3
    designed = min(patients, len(showcase()))
    by_hand = showcase_tables(as_of, designed)
    size = max(500, int(BLOCK_LABS / (70 + 700 * share)))
    others = patients - designed
    starts = list(range(0, others, size)) or [0]  # a block without patients where all are designed by hand
    written: dict[str, dict[str, int]] = {table: {} for table in TABLES}
    held: dict[str, list[pl.DataFrame]] = {table: [] for table in TABLES}
    counters = dict.fromkeys(TABLES, 0)
    suffix = "csv" if csv else "parquet"
    for number, start in enumerate(starts):
        block = make_block([seed, number], start + 1, min(size, others - start), share, as_of, history_years, worked_up_share)
        for table, rows in block:
            rng = np.random.default_rng([seed, number, 100 + list(TABLES).index(table)])
            ready = finished(table, with_ids(table, rows, counters, scattered=patients >= LARGE), csv=csv, is_first=number == 0, rng=rng)
            if number == 0:
                ready = pl.concat([as_text(table, by_hand[table], rng, 0) if csv else by_hand[table], ready])
            if table in IN_PARTS and len(starts) > 1:
                name = f"{table}/part-{number:03d}.{suffix}"
                written[table][name] = write(into / name, ready)
            else:
                held[table].append(ready)
    for table, frames in held.items():
        if frames:
            written[table] = {f"{table}.{suffix}": write(into / f"{table}.{suffix}", pl.concat(frames))}
    described = {
        table: {"rows": sum(files.values()), "sha256": {name: sha256(into / name) for name in files}} for table, files in written.items()
    }
    source = f"synthetic hospital with a lupus clinic, seed {seed}, {patients} patients"
    text = json.dumps({"as_of": as_of.isoformat(), "source": source, "tables": described}, ensure_ascii=False, indent=1)
    (into / "extract.json").write_text(text + "\n", encoding="utf-8")
    return {table: sum(files.values()) for table, files in written.items()}


def make_block(
    seed: list[int],
    first_number: int,
    n: int,
    sle_share: float,
    as_of: date,
    history_years: float,
    worked_up_share: float,
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The tables of `n` patients one after the other, clean and without row ids; each from its own stream of chance."""
    if n == 0:
        yield from ((table, pl.DataFrame(schema=columns)) for table, columns in TABLES.items())
        return
    streams = [np.random.default_rng([*seed, stream]) for stream in range(12)]
    people = make_patients(first_number, n, round(sle_share * n), worked_up_share, streams[0])
    visits = make_visits(people, int(history_years * 365.25), streams[1])
    today = (as_of - date(1970, 1, 1)).days
    yield "patients", list_patients(people, visits, today, streams[2])
    yield "diagnoses", diagnose(people, visits, today, streams[3])
    yield "medications", medicate(people, visits, today, streams[4])
    found = make_findings(people, visits, streams[5])
    yield "labs", measure("labs", people, visits, found, today, streams[6])
    yield "procedures", operate(people, visits, today, streams[7])
    yield "observations", measure("observations", people, visits, found, today, streams[8])
    yield "immunizations", vaccinate(people, visits, today, streams[9])
    yield "chart_reviews", review_charts(people, visits, today, streams[10])
    yield "dispositions", dispose(people, visits, today, streams[11])


def with_ids(table: str, rows: pl.DataFrame, counters: dict[str, int], *, scattered: bool) -> pl.DataFrame:
    """The rows with ids in the types of the contract: running ones (letter and nine digits), or as pseudonyms look, scattered."""
    if table != "patients":
        first = counters[table] + 1
        counters[table] += rows.height
        numbers = pl.int_range(first, first + rows.height, eager=True)
        if scattered:
            numbers = pl.Series(numbers.to_numpy().astype(np.uint64) * SCATTER % SPACE)
        numbers = numbers.cast(pl.String).str.zfill(15 if scattered else 9)
        rows = rows.with_columns((ID_LETTER[table] + numbers).alias(ID_COLUMN[table]))
    return rows.select(pl.col(name).cast(kind) for name, kind in TABLES[table].items())


def write(file: Path, rows: pl.DataFrame) -> int:
    """Writes one file and returns its rows."""
    file.parent.mkdir(exist_ok=True)
    if file.suffix == ".csv":
        rows.write_csv(file)
    else:
        rows.write_parquet(file, compression="zstd", row_group_size=122_880, statistics=True)
    return rows.height


def sha256(file: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("into", type=Path, nargs="?", metavar="DIR")
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--sle-share", type=float)
    parser.add_argument("--shipped", action="store_true", help="write the extract that the project ships, into an empty folder")
    asked = parser.parse_args()
    into = asked.into or Path(__file__).parent / "native"
    if asked.shipped:
        counts = make_sample(into, **SHIPPED)
    else:
        counts = make_sample(into, asked.patients, asked.seed, csv=asked.csv, sle_share=asked.sle_share)
    for table, rows in counts.items():
        print(f"{table:15}{rows:12,}")


if __name__ == "__main__":
    main()
