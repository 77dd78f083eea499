"""Is expected_pass a good order? Values of patients whose full truth is known are hidden at random, and the list is judged.

    python -m bench.ranking [--pool 6000] [--others 1400] [--rates 0.1 0.3 0.5] [--seeds 5] [--work DIR]

The truth: a pool of worked-up lupus patients is generated and matched with nothing hidden. A patient with no undecided item (judgement
items left out) and no fail is truly eligible; one with a fail is not; one without a fail but with something undecided has no known
truth and is left out, as are those who are never listed. All eligible and --others ineligible ones make the extract.

Hidden, each with the rate's probability and for good: every result of one test of one patient (labs and observations); with a third of it
a patient's diagnoses, and a patient's medications. The patients who then are ready or check are put in order by expected_pass (as the list
has them), by the number of undecided items (fewest first), at random (its expected value), and, to find out why, by what expected_pass
would be if p also counted the verdicts that absence decides.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import duckdb
import polars as pl

from flows.nightly import nightly
from flows.settings import Settings
from rules import engine
from sample_data.make_sample import make_sample

BY_TEST, BY_TABLE = ("labs", "observations"), ("diagnoses", "medications")
TABLES = (*BY_TEST, *BY_TABLE, "patients", "procedures", "immunizations", "chart_reviews", "dispositions")


@dataclass(frozen=True)
class Judged:
    """How high the eligible stand in one order: their share among the first 10 and 50, and their mean rank."""

    at_10: float
    at_50: float
    mean_rank: float

    def __str__(self) -> str:
        return f"{self.at_10:.2f} | {self.at_50:.2f} | {self.mean_rank:.1f}"


def precision(is_eligible: Sequence[bool], k: int) -> float:
    """The share of eligible patients among the first k, or among all where the list is shorter."""
    return sum(is_eligible[:k]) / min(k, len(is_eligible))


def mean_rank(is_eligible: Sequence[bool]) -> float:
    """The mean rank, from 1, of the eligible patients."""
    ranks = [rank for rank, eligible in enumerate(is_eligible, 1) if eligible]
    return sum(ranks) / len(ranks)


def judged(is_eligible: Sequence[bool]) -> Judged:
    """An order, judged; it holds the truth of each patient from the first to the last."""
    return Judged(precision(is_eligible, 10), precision(is_eligible, 50), mean_rank(is_eligible))


def at_random(is_eligible: Sequence[bool]) -> Judged:
    """What a random order of the same patients gives on average."""
    share = sum(is_eligible) / len(is_eligible)
    return Judged(share, share, (len(is_eligible) + 1) / 2)


def matched(extract: Path, work: Path) -> Path:
    """The folder of a run that assesses everyone and writes no dossiers."""
    (work / "all.toml").write_text('cohort = "all"\n', encoding="utf-8")
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    return nightly(Settings(extract, out, params=work / "all.toml", dossiers=0))[0]


def truths(run: Path) -> pl.DataFrame:
    """patient_id, is_eligible: one row per listed or excluded patient whose truth a run with nothing hidden settles."""
    features = pl.read_parquet(run / "features.parquet", columns=["patient_id", "tier", "listed"])
    known = features.filter((pl.col("tier") == "excluded") | (pl.col("listed") & (pl.col("tier") != "check")))
    return known.select("patient_id", is_eligible=pl.col("tier") == "ready").sort("patient_id")


def without(extract: Path, into: Path, kept: pl.DataFrame, rate: float, seed: int) -> None:
    """Write the extract of the patients kept, with values hidden; the same seed hides the same, and a higher rate hides more."""
    into.mkdir(parents=True)
    con = duckdb.connect()
    con.register("kept", kept)
    chance = "hash({}) % 1000000 / 1000000.0"
    for table in TABLES:
        files = [*extract.glob(f"{table}.parquet"), *extract.glob(f"{table}/*.parquet")]
        what, bound = "true", 0.0
        if table in BY_TEST:
            what, bound = chance.format(f"'{seed} test ' || t.patient_id || ' ' || t.code"), rate
        elif table in BY_TABLE:
            what, bound = chance.format(f"'{seed} {table} ' || t.patient_id"), rate / 3
        con.execute(
            f"copy (select t.* from read_parquet({[str(file) for file in files]}) as t semi join kept as k on t.patient_id = k.patient_id"
            f" where {what if what == 'true' else f'{what} >= {bound}'}) to '{into / f'{table}.parquet'}' (format parquet)"
        )
    (into / "extract.json").write_text('{"as_of": "2026-03-01"}', encoding="utf-8")


def chances(run: Path, *bases: str) -> pl.DataFrame:
    """item_id, p: as protocol.md §6 counts p of an item that is no judgement, over its verdicts of these bases."""
    decided = verdicts(run / "verdicts.parquet").filter(pl.col("basis").is_in(bases))
    passing, failing = ((pl.col("verdict") == verdict).sum() for verdict in ("pass", "fail"))
    return decided.group_by("item_id").agg(p=(passing + 1) / (passing + failing + 2))


def verdicts(file: Path) -> pl.DataFrame:
    """patient_id, item_id, verdict, basis of the items that are no judgement and no criteria with sub-items."""
    leaves = [item.item_id for item in engine.items() if not item.is_judgement]
    rows = pl.read_parquet(file, columns=["patient_id", "item_id", "verdict", "basis"])
    return rows.filter(pl.col("item_id").is_in(leaves))


def undecided(run: Path) -> pl.DataFrame:
    """The undecided ones of these verdicts."""
    return verdicts(run / "verdicts.parquet").filter(pl.col("verdict").is_in(["review", "unknown"]))


def with_absence(run: Path) -> pl.DataFrame:
    """patient_id, with_absence: expected_pass as it would be if p counted what absence decides, too."""
    factors = undecided(run).join(chances(run, "data", "chart", "absence"), on="item_id", how="left").sort("patient_id", "item_id")
    factor = pl.col("p").fill_null(0.5) * pl.when(pl.col("verdict") == "review").then(0.5).otherwise(1.0)
    return factors.group_by("patient_id", maintain_order=True).agg(with_absence=factor.product().round(6))


def calibration(run: Path, truth: Path) -> pl.DataFrame:
    """One row per item that is undecided in 20 listed patients or more in whom nothing fails: p, p with absence, and how often it passes.

    ``truth``: the verdicts with nothing hidden; what is undecided there is left out.
    """
    listed = pl.read_csv(run / "candidates.csv", infer_schema=False).filter(pl.col("tier") != "watch").select("patient_id")
    true = (
        verdicts(truth)
        .filter(pl.col("verdict").is_in(["pass", "fail"]))
        .select("patient_id", "item_id", passes=pl.col("verdict") == "pass")
    )
    return (
        undecided(run)
        .join(listed, on="patient_id")
        .join(true, on=["patient_id", "item_id"])
        .group_by("item_id")
        .agg(pl.len().alias("n"), truly=pl.col("passes").mean())
        .filter(pl.col("n") >= 20)
        .join(chances(run, "data", "chart"), on="item_id", how="left")
        .join(chances(run, "data", "chart", "absence"), on="item_id", how="left", suffix="_with_absence")
        .sort((pl.col("p") - pl.col("truly")).abs(), "item_id", descending=[True, False])
    )


def orders(run: Path, truth: pl.DataFrame) -> dict[str, list[bool]]:
    """The truth of the patients in whom nothing fails, from the first to the last: as listed, and by two other measures.

    Ties are broken as the list breaks them.
    """
    listed = (
        pl.read_csv(run / "candidates.csv", infer_schema=False)
        .filter(pl.col("tier") != "watch")
        .join(truth, on="patient_id", maintain_order="left")
        .join(with_absence(run), on="patient_id", how="left", maintain_order="left")
        .with_columns(
            undecided=pl.concat_str(pl.col("to_review", "unknown").fill_null("")).str.count_matches(r"[IE]\d\d"),
            activity=pl.coalesce("sledai_recorded", "sledai_low").cast(pl.Int64),
            against=-pl.col("with_absence").fill_null(1.0),
        )
    )
    found = {"expected_pass": listed["is_eligible"].to_list()}
    for name, measure in (("undecided items", "undecided"), ("absence counted", "against")):
        ordered = listed.sort(measure, "activity", "patient_id", descending=[False, True, False], nulls_last=True)
        found[name] = ordered["is_eligible"].to_list()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=int, default=6000)
    parser.add_argument("--others", type=int, default=1400)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 0.3, 0.5])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="where extracts and runs are kept; default: a temporary folder")
    chosen = parser.parse_args()
    work = chosen.work or Path(tempfile.mkdtemp(prefix="zm001-ranking-"))
    try:
        pool = work / "pool"
        if not pool.exists():
            make_sample(pool, chosen.pool, 5, sle_share=1.0, worked_up_share=1.0, history_years=2.0)
        whole = matched(pool, work)
        shutil.copyfile(whole / "verdicts.parquet", work / "truth.parquet")
        known = truths(whole)
        others = known.filter(~pl.col("is_eligible")).sample(chosen.others, seed=1)
        kept = pl.concat([known.filter("is_eligible"), others])
        print(f"{kept['is_eligible'].sum()} truly eligible and {others.height} not, of {known.height} with a known truth")
        print("| hidden | patients | eligible | order | precision at 10 | at 50 | mean rank | better than by undecided items |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for rate in chosen.rates:
            found: dict[str, list[Judged]] = {}
            lists: list[list[bool]] = []
            for seed in range(1, chosen.seeds + 1):
                hidden = work / "hidden"
                shutil.rmtree(hidden, ignore_errors=True)
                without(pool, hidden, kept, rate, seed)
                run = matched(hidden, work)
                ordered = orders(run, kept)
                for name, order in ordered.items():
                    found.setdefault(name, []).append(judged(order))
                found.setdefault("random", []).append(at_random(ordered["expected_pass"]))
                lists.append(ordered["expected_pass"])
            sizes = f"{fmean(map(len, lists)):.0f} | {fmean(map(sum, lists)):.0f}"
            for name, results in found.items():
                print(f"| {rate:.0%} | {sizes} | {name} | {mean_of(results)} | {wins(results, found['undecided items'])} |", flush=True)
        print("| item | undecided | p | p with absence | truly pass |")
        print("| --- | --- | --- | --- | --- |")
        for row in calibration(run, work / "truth.parquet").head(16).iter_rows(named=True):
            print(f"| {row['item_id']} | {row['n']} | {row['p']:.2f} | {row['p_with_absence']:.2f} | {row['truly']:.2f} |")
    finally:
        if chosen.work is None:
            shutil.rmtree(work)


def mean_of(results: Sequence[Judged]) -> Judged:
    """The mean over several lists."""
    return Judged(fmean(r.at_10 for r in results), fmean(r.at_50 for r in results), fmean(r.mean_rank for r in results))


def wins(results: Sequence[Judged], others: Sequence[Judged]) -> str:
    """In how many of the lists the mean rank is lower than the other order's."""
    return f"{sum(a.mean_rank < b.mean_rank for a, b in zip(results, others, strict=True))} of {len(results)}"


if __name__ == "__main__":
    main()
