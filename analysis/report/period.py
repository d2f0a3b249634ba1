"""Dates that a person names and the newest data in; the period that a report tells of, and the one before it to compare with, out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from analysis.errors import UsageError
from analysis.pages import _words as words
from analysis.pipeline import When, iso
from analysis.pipeline.moments import moment
from analysis.settings import Settings

MARK = "linehealth-until"
"""Name under which a report says where it ends, for the next one to begin there."""
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Period:
    """What a report tells of: [start, end), UTC. The one before it is as long and ends where it starts."""

    start: datetime
    end: datetime

    @property
    def before(self) -> datetime:
        """Start of the period that it is compared with."""
        return self.start - (self.end - self.start)

    def told(self, settings: Settings) -> str:
        """Return "7 days, Sun 15 Nov, 00:00 to Sun 22 Nov 2026, 00:00 UTC"."""
        first = words.moment(self.start, settings.zone).rsplit(" ", 1)[0]
        return f"{self.length}, {first} to {words.moment(self.end, settings.zone, year=True)}"

    @property
    def length(self) -> str:
        """How long it is, in words."""
        hours = (self.end - self.start) / _HOUR
        return words.plural(round(hours / 24), "day") if hours % 24 == 0 else words.lasting(hours)


def period_of(as_of: datetime, settings: Settings, *, since: When, until: When, last: Path | None) -> Period:
    """Return the period of a report.

    Args:
        as_of: newest event of the store. No clock is read: it ends with the hour of this event where ``until`` is not given.
        settings: ``report_days``, its length where nothing says where it starts.
        since: its first instant.
        until: its end, not included.
        last: the report before it: it starts where that one ended.

    Raises:
        UsageError: it ends before it starts, both ``since`` and ``last`` are given, or ``last`` is no report.
    """
    if since is not None and last is not None:
        raise UsageError("two beginnings", where="report", fix="give --since or --since-last, not both")
    end = moment(until) or as_of.replace(minute=0, second=0, microsecond=0) + _HOUR
    start = moment(since) or (end_of(last) if last else None) or end - timedelta(days=settings.report_days)
    if start >= end:
        raise UsageError(
            f"the period ends ({iso(end)}) before it starts ({iso(start)})",
            where="report",
            fix="load newer data, or name another --since and --until",
        )
    return Period(start, end)


def end_of(last: Path) -> datetime:
    """Return where a report ended, as it says of itself (HTML or Markdown)."""
    try:
        text = last.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            "the last report cannot be read", where=str(last), fix="name its HTML or Markdown file"
        ) from None
    found = re.search(rf'{MARK}["\w =]*?[=:" ]+(\d{{4}}-\d\d-\d\dT[\d:.]+)Z', text)
    if found is None:
        raise UsageError(
            "not a report of this program", where=str(last), fix="name its HTML or Markdown file, or give --since"
        )
    return datetime.fromisoformat(found[1])
