"""Actions as people write them in (words on the command line, a form, a CSV file), checked rows or refusals with a reason out.

A label is typed by a person, so it is the one place where a message, a number or an address could slip in: such labels are refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import polars as pl

from analysis.errors import SourceError, UsageError
from analysis.schema import ACTION_KINDS, ACTIONS
from analysis.settings import Settings
from analysis.sources.pseudonym import canonical_line
from analysis.sources.times import instants

LONGEST_LABEL = 80
"""Characters: a few words, not a message."""
PHONE_DIGITS = 7
"""So many digits with nothing but punctuation between them may be a phone number: the shortest subscriber numbers have seven."""
MOST_WORDS = 12
"""A longer label reads like a message."""
COLUMNS = ("line", "at", "kind", "label")
_DATE = re.compile(r"(?<!\d)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)")
_PHONE = re.compile(rf"(?:\d[\W_]*){{{PHONE_DIGITS}}}")
_ADDRESS = re.compile(r"@|://|\bwww\.", re.IGNORECASE)
_SENTENCES = re.compile(r"[.!?…]+\s+\S")


@dataclass(frozen=True)
class Refusal:
    """A row that cannot be used: its line in the file (from 1, the header is line 1), why, and what to do. No value of it."""

    position: int
    reason: str
    fix: str


def label_of(text: str | None) -> str | None:
    """Return a label with its blanks tidied; None where there are no words.

    Raises:
        UsageError: too long, or it may be a message, a phone number or an address. The label is not repeated.
    """
    label = " ".join((text or "").split())
    if not label:
        return None
    if len(label) > LONGEST_LABEL or len(label.split()) > MOST_WORDS:
        raise UsageError(
            f"the label is too long (at most {LONGEST_LABEL} characters and {MOST_WORDS} words)",
            where="label",
            fix="name the action in a few words, such as “copy B”",
        )
    if not label.isprintable() or _ADDRESS.search(label) or _PHONE.search(_DATE.sub("d", label)):
        raise UsageError(
            "the label may hold a phone number or an address",
            where="label",
            fix="labels hold nobody's number or address: write a few words, and dates like 2026-03-01",
        )
    if _SENTENCES.search(label):
        raise UsageError(
            "the label reads like a message", where="label", fix="name the action in a few words; no text of a message"
        )
    return label


def action_of(line: str | None, at: datetime, kind: str, label: str | None, *, source: str) -> dict[str, object]:
    """Return one action as a row of ACTIONS.

    Raises:
        UsageError: no such kind, or a label that is refused.
    """
    if kind not in ACTION_KINDS:
        raise UsageError("no such kind of action", where="kind", fix=f"choose one of {', '.join(ACTION_KINDS)}")
    known = canonical_line(line) if line else None
    name = sha256(f"{known or ''}|{at.isoformat(timespec='milliseconds')}|{kind}".encode()).hexdigest()[:8]
    return {"action_id": name, "line": known, "at": at, "kind": kind, "label": label_of(label), "source": source}


def read_actions(path: Path, lines: frozenset[str], settings: Settings) -> tuple[pl.DataFrame, list[Refusal]]:
    """Return the actions of a CSV file with the columns line, at, kind and label, and the rows that cannot be used.

    Args:
        path: the file, UTF-8; ``line`` may be empty for the whole fleet, ``label`` may be left out.
        lines: of the store; a row of another line is refused, so that no recipient's number can come in.
        settings: earliest and latest day of a time.

    Returns:
        ACTIONS, the last of equal (line, at, kind); refusals in order of the file.

    Raises:
        SourceError: the file cannot be read, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(rows, [])]
            missing = [name for name in COLUMNS[:3] if name not in header]
            if missing:
                raise SourceError(
                    f"no column {', '.join(missing)}", where=str(path), fix="its first line must be line,at,kind,label"
                )
            numbered = [(rows.line_num, cells) for cells in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        problem = e.strerror if isinstance(e, OSError) else "it is not a CSV file in UTF-8"
        raise SourceError(f"cannot be read ({problem})", where=str(path), fix="give a CSV file in UTF-8") from None
    return _checked(numbered, header, lines, settings)


def _checked(
    rows: Iterable[tuple[int, list[str]]], header: list[str], lines: frozenset[str], settings: Settings
) -> tuple[pl.DataFrame, list[Refusal]]:
    found: dict[object, dict[str, object]] = {}
    refused: list[Refusal] = []
    for position, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            refused.append(
                Refusal(position, "more cells than columns", "put a label that holds a comma in double quotes")
            )
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        line = canonical_line(row["line"]) if row.get("line") else None
        if line is not None and line not in lines:
            refused.append(
                Refusal(position, "not a line of this store", "correct it, or load the line's messages first")
            )
            continue
        at = time_of(row.get("at", ""), settings)
        if at is None:
            refused.append(Refusal(position, "at is not a time", "write it like 2026-03-01T12:00:00Z"))
            continue
        try:
            action = action_of(line, at, row.get("kind", "").lower(), row.get("label"), source="csv")
        except UsageError as e:
            refused.append(Refusal(position, e.problem, e.fix))
            continue
        found[action["action_id"]] = action
    return pl.DataFrame(list(found.values()), schema=ACTIONS).sort("at", "line", "kind"), refused


def time_of(text: str, settings: Settings) -> datetime | None:
    """Return the instant that a text names (UTC where it names no zone), None where it names none or one out of range."""
    at = instants(pl.Series("at", [text], dtype=pl.String))[0]
    low, high = datetime.fromisoformat(settings.earliest), datetime.fromisoformat(settings.latest)
    return at if at is not None and low <= at <= high else None
