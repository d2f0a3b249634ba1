"""Times as people write them in, instants without a zone (UTC) out; and the clock, which only the pipeline reads."""

from __future__ import annotations

from datetime import UTC, date, datetime

from analysis.errors import UsageError

When = str | date | datetime | None


def now() -> datetime:
    """Return this second, UTC."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def millisecond() -> datetime:
    """Return this instant, UTC, cut to the millisecond."""
    at = datetime.now(UTC).replace(tzinfo=None)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def iso(at: datetime | None) -> str | None:
    """Return an instant as every JSON shows it: ISO 8601, UTC, milliseconds, Z."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def instant(text: str) -> datetime:
    """Return the instant that JSON text names."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def moment(when: When) -> datetime | None:
    """Return a moment given as text, date or datetime as UTC without a zone."""
    if when is None:
        return None
    if isinstance(when, str):
        text = when
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(
                "not a date or time", where=text, fix="write it like 2026-03-01 or 2026-03-01T12:00:00Z"
            ) from None
    if isinstance(when, datetime):
        return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    return datetime(when.year, when.month, when.day)  # UTC by convention of this package
