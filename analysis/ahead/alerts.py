"""Forecasts, explained changes and what was told before in; which alerts are due, one message for all lines with one reason, out.

An alert is due once: of a change, once a change; of what is likely, again only when the chance fell under half of the level in
between, when the main driver is another, or after ``alert_again_hours``. What was told is what the sender confirmed: a delivery
that failed is due again. How right such alerts would have been is in ``alerted.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from analysis.explain.words import count, in_100, plural
from analysis.schema import ALERTS, SEVERITY, Explanation
from analysis.settings import Settings

KINDS = ("changed", "likely", "recovered")
"""Most urgent first."""
AT_ONCE = ("CRITICAL", "FLAGGED")
"""Changes that are told in quiet hours too."""
CALM = 0.5
"""Under this share of the level a line is calm: what was told of it may be told again."""
REASONS = {
    "engagement": "few replies",
    "deliverability": "failed sends",
    "new_conversations": "many new conversations",
    "recipient_spread": "many recipients at once",
    "send_pace": "high volume",
    "opt_outs": "sends after opt-outs",
    "flagged": "the carrier's flag",
    "repeated_content": "the same text to many",
    "unexplained": "nothing that the data explains",
}
STATES = {"HEALTHY": "healthy", "AT_RISK": "at risk", "CRITICAL": "critical", "ACTIVE": "active", "FLAGGED": "flagged"}


@dataclass(frozen=True)
class Message:
    """What one group says: a title, and its lines, the worst first."""

    group: str
    kind: str
    main_driver: str
    title: str
    lines: list[str]

    @property
    def text(self) -> str:
        """The whole, a line of the fleet in each row."""
        return "\n".join([self.title, *(f"  {told}" for told in self.lines)])


@dataclass(frozen=True)
class Due:
    """Alerts due at one time."""

    at: datetime
    level: float
    """The chance within 24 h from which a line is told."""
    rows: pl.DataFrame
    """ALERTS."""
    waiting: int
    """Alerts that quiet hours hold back."""
    calmed: list[str]
    """Lines told before whose chance is under half of the level now."""

    @property
    def messages(self) -> list[Message]:
        """One message a group, the most urgent first."""
        parts = self.rows.partition_by("group", maintain_order=True)
        return [_message(part.rows(named=True)) for part in parts]


def in_force(settings: Settings, rests_on: dict[str, Any]) -> tuple[float, str]:
    """Return the level from which a line is told, and where it comes from: setting, own past, or gate_risk.

    Args:
        settings: ``alert_from``, ``gate_risk``.
        rests_on: what the forecasts rest on, with their ``record``.
    """
    if settings.alert_from > 0:
        return settings.alert_from, "setting"
    alarm = (rests_on.get("record") or {}).get("alarm")
    return (float(alarm["from_p"]), "own past") if alarm else (settings.gate_risk, "gate_risk")


def is_quiet(at: datetime, settings: Settings) -> bool:
    """Say whether an instant (UTC) lies in the quiet hours of the store's zone; its end is not quiet."""
    if settings.quiet is None:
        return False
    begin, end = settings.quiet
    hour = at.replace(tzinfo=UTC).astimezone(settings.zone).hour
    return begin <= hour < end if begin < end else hour >= begin or hour < end


def due(
    forecast: pl.DataFrame,
    changes: Iterable[Explanation],
    alerted: pl.DataFrame,
    *,
    at: datetime,
    newest: datetime | None,
    level: float,
    settings: Settings,
) -> Due:
    """Return the alerts that are due at a time.

    Args:
        forecast: FORECAST and ``drivers`` as JSON, as known then.
        changes: explained transitions; those later than ``at`` are not looked at.
        alerted: ALERTED as known then.
        at: UTC, the time of sending.
        newest: the newest event known then; older than ``gate_stale_hours`` nothing is said of what is likely.
        level: the chance within 24 h from which a line is told.
        settings: ``alert_*``, the zone of the quiet hours.
    """
    known = [e for e in changes if _instant(e.at) <= at]
    fresh = newest is not None and at - newest <= timedelta(hours=settings.gate_stale_hours)
    chances = list(forecast.iter_rows(named=True)) if fresh else []
    found = [*_changed(known, alerted, at, settings), *_likely(chances, alerted, at, level, settings)]
    quiet = is_quiet(at, settings)
    now = [row for row in found if not quiet or row["new"] in AT_ONCE]
    return Due(at, level, _ordered(now, at), len(found) - len(now), _calmed(chances, alerted, level))


def _likely(
    chances: list[dict[str, Any]], alerted: pl.DataFrame, at: datetime, level: float, settings: Settings
) -> list[dict[str, Any]]:
    since = at - timedelta(hours=settings.alert_again_hours)
    standing = alerted.filter(pl.col("kind") == "likely", pl.col("calm_at").is_null(), pl.col("at") > since)
    known = set(standing.select("line", "main_driver").rows())
    found = []
    for row in chances:
        p, drivers = row["p_worse_24h"], json.loads(row["drivers"] or "[]")
        main = drivers[0]["driver"] if drivers else "unexplained"
        if p is None or p < level or (row["line"], main) in known:
            continue
        low, high = (round(100 * row[f"p_worse_24h_{end}"]) for end in ("low", "high"))
        chance = f"{in_100(p)} ({low} to {high})"
        told = f"{row['line']}: {chance}" + "".join(f"; {d['summary']}" for d in drivers[:2])
        found.append(
            {
                "kind": "likely", "line": row["line"], "main_driver": main, "p_worse_24h": p,
                "changed": None, "changed_at": None, "new": None, "told": told,
            }
        )  # fmt: skip
    return found


def _changed(
    changes: list[Explanation], alerted: pl.DataFrame, at: datetime, settings: Settings
) -> list[dict[str, Any]]:
    known = set(alerted.filter(pl.col("changed_at").is_not_null()).select("line", "changed", "changed_at").rows())
    since = at - timedelta(hours=settings.alert_news_hours)
    now = {(e.line, e.kind): e.new for e in sorted(changes, key=lambda e: e.at)}
    found = []
    for e in changes:
        when, step = _instant(e.at), SEVERITY.get(e.new, 0) - SEVERITY.get(e.previous or "", 0)
        wanted = step > 0 or (step < 0 and e.new in ("HEALTHY", "ACTIVE") and settings.alert_recovered == 1)
        if not wanted or when <= since or (e.line, e.kind, when) in known:
            continue
        found.append(
            {
                "kind": "changed" if step > 0 else "recovered", "line": e.line, "main_driver": e.drivers[0].driver if e.drivers else "unexplained",
                "p_worse_24h": None, "changed": e.kind, "changed_at": when, "new": e.new, "told": _told(e, now[e.line, e.kind], settings),
            }
        )  # fmt: skip
    return found


def _told(e: Explanation, now: str, settings: Settings) -> str:
    local = _instant(e.at).replace(tzinfo=UTC).astimezone(settings.zone)
    was = f", was {STATES[e.previous]}" if e.previous in STATES else ""
    since = f", {STATES[now]} now" if now != e.new else ""
    first = f" First: {e.actions[0]['action']}" if e.actions and since == "" else ""
    when = f"{local.day} {local:%b %H:%M %Z}"
    return f"{e.line}: {STATES[e.new]} {'on' if since else 'since'} {when}{was}{since}. {e.headline}{first}"


def _calmed(chances: list[dict[str, Any]], alerted: pl.DataFrame, level: float) -> list[str]:
    standing = set(alerted.filter(pl.col("kind") == "likely", pl.col("calm_at").is_null())["line"])
    calm = {r["line"] for r in chances if r["p_worse_24h"] is not None and r["p_worse_24h"] < CALM * level}
    return sorted(standing & calm)


def _ordered(found: list[dict[str, Any]], at: datetime) -> pl.DataFrame:
    """Return ALERTS: kinds by urgency, groups by their size, in each the worst line first."""
    size: dict[tuple[str, str], int] = {}
    for row in found:
        size[row["kind"], row["main_driver"]] = size.get((row["kind"], row["main_driver"]), 0) + 1
    order = sorted(
        found,
        key=lambda r: (
            KINDS.index(r["kind"]),
            -size[r["kind"], r["main_driver"]],
            r["main_driver"],
            -SEVERITY.get(r["new"] or "", 0),
            -(r["p_worse_24h"] or 0),
            r["changed_at"] or at,
            r["line"],
        ),
    )
    rows = [{**r, "at": at, "group": f"{r['kind']} {r['main_driver']} {at:%Y%m%dT%H%M%S}"} for r in order]
    return pl.DataFrame(rows, schema=ALERTS, orient="row")


def _message(rows: list[dict[str, Any]]) -> Message:
    first, lines = rows[0], plural(len({r["line"] for r in rows}), "line")
    one = lines.startswith("1 ")
    said = {
        "likely": f"{lines} {'is' if one else 'are'} likely to turn worse within 24 h",
        "changed": f"{lines} turned worse",
        "recovered": f"{lines} {'is' if one else 'are'} well again",
    }[first["kind"]]
    about = "" if first["kind"] == "recovered" else f": {REASONS[first['main_driver']]}"
    return Message(first["group"], first["kind"], first["main_driver"], said + about, [r["told"] for r in rows])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def record_sentence(record: dict[str, Any]) -> str:
    """Return how right such alerts would have been, in a sentence with its counts.

    Args:
        record: ``levels`` (None with too few falls), ``weeks``, ``worsenings``.
    """
    past = f"the last {plural(record['weeks'], 'week')}" if record["weeks"] else "the past"
    if not record["levels"]:
        n = record["worsenings"]
        return f"Too few changes to say how right such alerts are here: {plural(n, 'fall') if n else 'no fall'} could be tried in {past}."
    row = next(r for r in record["levels"] if r["in_force"])
    lead = f", {round(row['lead_hours'])} h ahead at the median" if row["lead_hours"] is not None else ""
    false = f"{count(round(row['false_a_month'], 1))} false alarms a line and month"
    counts = f"{plural(row['alerts'], 'alert')}, {count(row['right'])} followed by a fall within 3 days"
    return f"Of {past}' {plural(row['worsenings'], 'fall')} these alerts would have told {count(row['told'])}{lead}, with {false} ({counts})."
