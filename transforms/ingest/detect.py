"""Which kind of extract a folder holds."""

from pathlib import Path

from data_contracts import contract
from transforms.errors import UsageError
from transforms.ingest.native import ENDINGS, table_of

FORMATS = ("native", "mimiciv", "omop", "fhir")
READABLE = ("native", "mimiciv")
MIMIC_TABLES = frozenset({"patients", "admissions", "labevents"})
OMOP_TABLES = frozenset({"person", "observation_period", "condition_occurrence"})


def names_in(folder: Path) -> set[str]:
    """Lower-case names of the tables that a folder seems to hold, whatever their format."""
    names = set()
    for entry in folder.iterdir():
        name = table_of(entry.name)
        if name is not None or entry.is_dir():
            names.add((name or entry.name).lower())
    return names


def detect(folder: Path, forced: str | None = None) -> str:
    """The format of the extract in `folder`: 'native' or 'mimiciv'; `forced` is the user's word for it.

    Errors: UsageError where the folder is none, nothing or more than one format is recognised, or it cannot be read yet.
    """
    if forced is not None and forced not in FORMATS:
        raise UsageError(f"--format {forced}: no such format; allowed: {', '.join(FORMATS)}")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; an extract is a folder of tables")
    found = [forced] if forced is not None else formats_of(folder)
    if len(found) > 1:
        raise UsageError(f"{folder}: looks like {' and like '.join(found)}; say which with --format")
    if not found:
        wanted = ", ".join(table.name for table in contract.load().values() if table.is_required)
        raise UsageError(f"{folder}: no table of a known format; a native extract has {wanted}, each as {ENDINGS} or folder")
    if found[0] not in READABLE:
        raise UsageError(f"{folder}: the format {found[0]} cannot be read yet; it can: {', '.join(READABLE)}")
    return found[0]


def formats_of(folder: Path) -> list[str]:
    """The formats that the names in a folder speak for."""
    names = names_in(folder)
    hosp = names | (names_in(folder / "hosp") if (folder / "hosp").is_dir() else set())
    found = []
    if names & set(contract.load()) - MIMIC_TABLES or (names & {"patients"} and not hosp >= MIMIC_TABLES):
        found.append("native")
    if "hosp" in names or names >= MIMIC_TABLES:
        found.append("mimiciv")
    if names & OMOP_TABLES:
        found.append("omop")
    if any(entry.suffix.lower() == ".ndjson" or entry.name == "Patient.json" for entry in folder.iterdir()):
        found.append("fhir")
    return found
