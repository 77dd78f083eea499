"""Direct identity in an extract: names of columns and contents of cells that must not be there (identity_patterns.csv)."""

import re
from functools import cache

from data_contracts.contract import Column, Table, rows_of

KINDS = {row["pattern"]: row["meaning"] for row in rows_of("identity_patterns.csv") if row["kind"] == "cell"}


@cache
def name_patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Patterns of column names and what a match means."""
    rows = [row for row in rows_of("identity_patterns.csv") if row["kind"] == "column"]
    return tuple((re.compile(row["pattern"]), row["meaning"]) for row in rows)


def identity_in_name(name: str) -> str | None:
    """What direct identity a column's name speaks of, None for none: `PatientName` and `patient name` -> a person's name."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    plain = re.sub(r"[\W_]+", "_", words).strip("_").lower()
    return next((meaning for pattern, meaning in name_patterns() if pattern.search(plain)), None)


def is_id(column: Column) -> bool:
    """Whether a column holds ids, which are searched for resident-id numbers alone."""
    return column.identity == ("resident_id",)


def hint(column: Column, text: str) -> str:
    """SQL that is null or false where a cell of a searched column (SQL of its text) cannot hold identity.

    Ids of 32 signs and more are digests and UUIDs; of those the gate looks at the least and the greatest alone.
    """
    if is_id(column):
        return f"case when strlen({text}) between 18 and 31 then gate.has_resident_id_as_id({text}) else false end"
    return f"coalesce(gate.may_hold_identity({text}), false)"


def search(column: Column, kind: str, text: str) -> str:
    """SQL that is true where a cell of a searched column holds a kind of identity."""
    return f"gate.has_{kind}_as_id({text})" if is_id(column) else f"gate.has_{kind}({text})"


def searched(table: Table) -> list[Column]:
    """The columns of a table whose cells are searched."""
    return [column for column in table.columns if column.identity]
