"""changes.csv: what is different from the run before, a line per flipped item or patient come or gone, each with its cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from rules.reads import reads
from transforms.publish.causes import EDITS, Decision, Flip, RowChange, differences
from transforms.publish.flips import PACKAGE, Night, all_reads, decide, read_flips
from transforms.publish.previous import EVENTS, FEATURES, VERDICTS, Previous
from transforms.publish.tables import write_csv
from transforms.store import run_sql

COLUMNS = ("patient_id", "from_tier", "to_tier", "item_id", "from_verdict", "to_verdict", "reason", "cause", "rows")
CITED, SAID = 20, 5  # rows named in the column rows, and in a sentence
FACTORS = (  # as they are named, in this order
    *(f"{how} {what}" for what in ("rows", "review", "disposition") for how in EDITS),
    *("day", "parameters", "phase", "code lists", "rules", "tables", "unknown"),
)
WORDS = {"rows": "{how}_rows", "review": "chart_review", "disposition": "disposition"}  # of factors that are rows
LEADS = {"withdrawn": "withdrawn_rows", "changed": "changed_rows", "over": "chart_review", "late": "calendar"}  # of pub.gone


@dataclass(frozen=True)
class Cause:
    """One cause of a line: its word in the column cause, its sentence, the rows that it names."""

    word: str
    sentence: str
    refs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line of changes.csv without the tiers; ``now`` is the reason of today's verdict."""

    patient_id: str
    item_id: str
    from_verdict: str | None
    to_verdict: str | None
    causes: list[Cause]
    now: str | None


@dataclass(frozen=True)
class Speaker:
    """The catalogue of messages in the run's language."""

    words: Mapping[str, str]

    def __call__(self, key: str, *args: str) -> str:
        """A sentence of the catalogue."""
        text = self.words[f"change.{key}"]
        for place, argument in enumerate(args, 1):
            text = text.replace(f"{{{place}}}", argument)
        return text


def write_changes(con: duckdb.DuckDBPyConnection, into: Path, previous: Previous | None, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write changes.csv; returns what run.json says of it. Needs pub.verdict_rows, pub.features and pub.events.

    Without a run before, or where its verdicts cannot be read, the file has its header alone.
    """
    rows = lines(con, previous, record) if previous else []
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String))
    write_csv(frame, into / "changes.csv")
    by_cause = Counter(word for row in rows for word in str(row["cause"]).split("; "))
    return {"lines": frame.height, "patients": frame["patient_id"].n_unique(), "causes": dict(sorted(by_cause.items()))}


def lines(con: duckdb.DuckDBPyConnection, previous: Previous, record: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """The rows of changes.csv, ordered by patient, then in protocol order."""
    has_features = previous.open_table(con, "pub.before_features", "features.parquet", FEATURES)
    if not previous.open_table(con, "pub.before_verdicts", "verdicts.parquet", VERDICTS) or not has_features:
        return []
    run_sql(con, PACKAGE, "changes.sql")
    in_question = "patient_id in (select patient_id from pub.flips union select patient_id from pub.moves where not is_assessed)"
    has_rows = previous.open_table(con, "pub.before_events", "events.parquet", EVENTS, in_question)
    night = Night(con, previous.record, record, differences(previous.record, record) if has_rows else None)
    say = Speaker(dict(con.sql("select key, text from run.messages").fetchall()))
    moves = {move["patient_id"]: move for move in con.sql("from pub.moves").pl().iter_rows(named=True)}
    told = sorted([*came(night, say), *went(night, say), *flipped(night, say)], key=lambda line: line.patient_id)
    return [as_row(line, moves[line.patient_id], say) for line in told]


def as_row(line: Line, move: Mapping[str, Any], say: Speaker) -> dict[str, str | None]:
    """A line as the columns of changes.csv."""
    sentences = "; ".join(cause.sentence for cause in line.causes)
    return {
        "patient_id": line.patient_id,
        "from_tier": move["from_tier"],
        "to_tier": move["to_tier"],
        "item_id": line.item_id or None,
        "from_verdict": line.from_verdict,
        "to_verdict": line.to_verdict,
        "reason": say("now", sentences, line.now) if line.now else sentences,
        "cause": "; ".join(dict.fromkeys(cause.word for cause in line.causes)),
        "rows": "; ".join(list(dict.fromkeys(ref for cause in line.causes for ref in cause.refs))[:CITED]) or None,
    }


def flipped(night: Night, say: Speaker) -> Iterator[Line]:
    """A line for each flipped item, in protocol order."""
    flips = read_flips(night)
    decided = decide(night, flips)
    for flip in flips:
        decision = decided[flip.key]
        causes = [cause for factor in FACTORS if factor in decision.causes for cause in causes_of(night, flip, factor, decision, say)]
        yield Line(flip.patient_id, flip.item_id, flip.from_verdict, flip.to_verdict, causes, flip.to_reason)


def causes_of(night: Night, flip: Flip, factor: str, decision: Decision, say: Speaker) -> Iterator[Cause]:
    """The causes that a factor is told as."""
    how, _, what = factor.partition(" ")
    read, differ = all_reads()[flip.item_id], night.differ
    if what in WORDS:
        rows = flip.rows_of(factor)
        yield Cause(WORDS[what].format(how=how), say(f"{how}_{what}", named(rows)), refs(rows))
    elif factor == "day":
        yield from causes_of_day(flip, decision, say)
    elif factor == "parameters" and differ:
        yield Cause("parameters", say("parameters", parameters(differ.parameters, read.parameters)))
    elif factor == "phase" and differ and differ.phase:
        yield Cause("phase", say("phase", *differ.phase))
    elif factor == "code lists" and differ:
        yield Cause("code_lists", say("code_lists", ", ".join(sorted(differ.code_lists & read.code_lists))))
    elif factor == "rules":
        yield Cause("rules", say("rules"))
    elif factor == "tables" and differ:
        yield from (Cause("tables", say(f"table_{differ.tables[table]}", table)) for table in sorted(read.tables & set(differ.tables)))
    else:
        yield Cause("unknown", say("libraries", ", ".join(differ.libraries)) if differ and differ.libraries else say("unknown"))


def causes_of_day(flip: Flip, decision: Decision, say: Speaker) -> Iterator[Cause]:
    """What the move of day D did: ended a chart review, made rows count, ended a window; and rows that may have had a part in it."""
    days = str(flip.from_day), str(flip.to_day)
    expired = [row for row in flip.rows if row.how == "expired" and row.was_evidence]
    known = [row for row in flip.rows if row.how == "known" and row.is_evidence]
    if expired:
        yield Cause("chart_review", say("expired_review", *days, named(expired)), refs(expired))
        if flip.from_basis == "chart":
            return
    if known:
        yield Cause("calendar", say("known_rows", *days, named(known)), refs(known))
    elif flip.is_foretold:
        yield Cause("calendar", say("foretold", *days, str(flip.from_next_date)))
    elif flip.to_day < flip.from_day:
        yield Cause("calendar", say("day_back", *days))
    else:
        yield Cause("calendar", say("day_alone" if decision.is_day_alone and not expired else "day", *days))
    if doubtful := [row for row in flip.rows if row.is_named and row.factor in decision.doubtful]:
        yield Cause("calendar", say("part", named(doubtful)), refs(doubtful))


def came(night: Night, say: Speaker) -> Iterator[Line]:
    """A line for each listed patient whom the run before did not assess: what leads into the cohort now."""
    rows = night.con.sql(
        "select m.patient_id, v.reason, v.evidence from pub.moves as m inner join pub.verdict_rows as v on m.patient_id = v.patient_id"
        " where not m.was_assessed and v.item_id = 'I01'"
    ).fetchall()
    for patient_id, reason, evidence in rows:
        yield Line(patient_id, "", None, None, [Cause("cohort", say("came"), tuple(evidence)), *cohort_causes(night, say)], reason)


def went(night: Night, say: Speaker) -> Iterator[Line]:
    """A line for each patient who was listed and is not assessed any more."""
    if not night.con.sql("select 1 from pub.moves where not is_assessed limit 1").fetchall():
        return
    run_sql(night.con, PACKAGE, "gone.sql")
    for patient_id, state, leads in night.con.sql("select patient_id, state, leads from pub.gone").fetchall():
        patient = (f"patients:{patient_id}",)
        causes = cohort_causes(night, say)
        for how, word in LEADS.items():
            if rows := [lead for lead in leads if lead["how"] == how]:
                causes.append(Cause(word, say(f"left_{how}", "; ".join(row["said"] for row in rows)), tuple(row["ref"] for row in rows)))
        if state == "withdrawn":
            causes = [Cause("withdrawn_rows", say("left_extract"), patient)]
        elif state == "quarantined":
            causes = [Cause("changed_rows", say("left_quarantined"), patient)]
        yield Line(patient_id, "", None, None, causes or [Cause("cohort", say("left_cohort"))], None)


def cohort_causes(night: Night, say: Speaker) -> list[Cause]:
    """What differs as a whole and bears on the cohort: its parameter, and the code lists and rule of the classification."""
    if night.differ is None:
        return []
    lists = sorted(night.differ.code_lists & reads()["I01"].code_lists)
    cohort = parameters(night.differ.parameters, {"cohort"})
    return [
        *([Cause("parameters", say("parameters", cohort))] if cohort else []),
        *([Cause("code_lists", say("code_lists", ", ".join(lists)))] if lists else []),
        *([Cause("rules", say("rules"))] if "I01" in night.differ.rules else []),
    ]


def parameters(differing: Mapping[str, tuple[str, str]], names: Iterable[str]) -> str:
    """The named parameters that differ, as a sentence names them."""
    return ", ".join(f"{name} {' → '.join(differing[name])}" for name in sorted({*names} & {*differing}))


def named(rows: Iterable[RowChange]) -> str:
    """Rows as a sentence names them, with what they say and their date."""
    texts = [f"{row.ref} ({', '.join(str(part) for part in (row.said, row.event_date) if part)})" for row in rows]
    return "; ".join(texts[:SAID]) + (f"; +{len(texts) - SAID}" if len(texts) > SAID else "")


def refs(rows: Iterable[RowChange]) -> tuple[str, ...]:
    """Rows as evidence names them."""
    return tuple(row.ref for row in rows)
