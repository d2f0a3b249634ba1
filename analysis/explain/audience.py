"""A transition in, who was written to before it and since, out: and how much of a change in replies is "others" and how much "less"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any

import numpy as np

from analysis.explain.constants import CONSTANTS, HOUR, KINDS
from analysis.explain.evidence import Case
from analysis.explain.history import RECORDS, record_of
from analysis.explain.running import Array
from analysis.explain.window import ANSWER, NEW, window_of
from analysis.explain.words import iso, plural

KIND_NAMES = {"new": "opens a chat", "answer": "answers", "followup": "follows up", "touch": "takes up again"}
RECORD_NAMES = ("answered the last", "left one unanswered", "left two or three", "left four or more")
_DAY_PARTS = ("night", "morning", "afternoon", "evening")
_QUARTER = HOUR // 4
"""Zones differ by quarters of an hour."""
_PARTS = ((0, 7, "night"), (7, 12, "morning"), (12, 17, "afternoon"), (17, 22, "evening"), (22, 24, "night"))


@dataclass(frozen=True)
class Part:
    """Asks of one time: their class, their chat's record, hour of the day, service, share of replies due by now, and replies."""

    kind: Array
    record: Array
    hour: Array
    service: Array
    due: Array
    replied: Array


def audience_of(case: Case, since: float) -> dict[str, Any] | None:
    """Return the audience since a time against the usual one, and the split of the change in replies.

    The reply rate is the mean over cells (class of the ask × record of its chat) of their rates, weighed by their share of
    replies due. Its change is split into the part at equal cells ("rate": the same chats answer less) and the part of other
    cells ("mix": other chats are written to), each at the mean of before and after, so that both add up exactly
    (Kitagawa 1955; METHOD.md, Audience).

    Args:
        case: the transition, with its usual.
        since: ms; asks from then to the transition are "after".

    Returns:
        None where there is no usual or nothing to compare. Else since, asks and rates before and after, change, by_rate, by_mix, text, and
        groups: rows by kind, record, part of the day and service, each with its share of the asks and its rate, before and after.
    """
    if not case.usual.own:
        return None
    before, after = _usual_part(case), _part_since(case, since)
    least = CONSTANTS.least_asks_shown
    if before.due.sum() < least or after.due.sum() < least:
        return None
    cells = len(KINDS) * (len(RECORDS) + 1)
    weights, rates = zip(*(_cells(part, _cell(part), cells) for part in (before, after)), strict=True)
    by_rate, by_mix = split(weights[0], rates[0], weights[1], rates[1])
    totals = [float(weight @ rate) for weight, rate in zip(weights, rates, strict=True)]
    found = {
        "since": iso(int(since)),
        "asks_before": len(before.due),
        "asks_after": len(after.due),
        "rate_before": round(totals[0], 4),
        "rate_after": round(totals[1], 4),
        "change": round(totals[1] - totals[0], 4),
        "by_rate": round(by_rate, 4),
        "by_mix": round(by_mix, 4),
        "groups": [
            *_rows("kind", before, after, "kind", [KIND_NAMES[kind] for kind in KINDS]),
            *_rows("record", before, after, "record", RECORD_NAMES, known=True),
            *_rows("hour", before, after, "hour", _DAY_PARTS),
            *_rows("service", before, after, "service", [s or "unknown" for s in case.history.services]),
        ],
    }
    return found | {"text": told(found)}


def told(audience: dict[str, Any]) -> str:
    """Return in a sentence which part of a change in replies is the same kinds of chats, and which part is other chats."""
    before, after = (round(100 * audience[key]) for key in ("rate_before", "rate_after"))
    change, mix = after - before, round(100 * audience["by_mix"])
    rate = change - mix  # so that what is read adds up
    seen = f"Replies went from {before} to {after} in 100 sends"
    if not change:
        return f"{seen}: no change to split."
    if audience["asks_after"] < CONSTANTS.spoken_rate:
        return f"{seen} ({audience['asks_after']} sends, too few to split)."
    less, other = f"the same kinds of chats answering {'less' if rate < 0 else 'more'}", "other kinds of chats"
    if not mix:
        return f"{seen}: all of it comes from {less}."
    if not rate:
        return f"{seen}: all of it comes from writing to {other}."
    if rate * mix > 0:
        word = "fall" if change < 0 else "rise"
        come = "comes" if abs(rate) == 1 else "come"
        return f"{seen}: of the {word}, {plural(abs(rate), 'point')} {come} from {less}, {abs(mix)} from writing to {other}."
    if change * rate > 0:
        return f"{seen}: {less} makes {plural(abs(rate), 'point')}, writing to {other} takes {abs(mix)} off."
    return f"{seen}: writing to {other} makes {plural(abs(mix), 'point')}, {less} takes {abs(rate)} off."


def split(w0: Array, r0: Array, w1: Array, r1: Array) -> tuple[float, float]:
    """Return the part of a change in a weighed mean that is due to rates, and the part due to weights; they add up exactly.

    Args:
        w0: weights before, summing to 1.
        r0: rates before; a cell without weight has the rate of the other side.
        w1: weights after.
        r1: rates after.
    """
    r0, r1 = np.where(w0 > 0, r0, r1), np.where(w1 > 0, r1, np.where(w0 > 0, r0, r1))
    return float(((r1 - r0) * (w0 + w1) / 2).sum()), float(((w1 - w0) * (r0 + r1) / 2).sum())


def _cell(part: Part) -> Array:
    """Return the cell of each ask: its class, and for asks the line began in known chats the record of the chat."""
    begun = (part.kind != NEW) & (part.kind != ANSWER)
    return part.kind * (len(RECORDS) + 1) + np.where(begun, part.record + 1, 0)


def _cells(part: Part, cell: Array, count: int) -> tuple[Array, Array]:
    """Return each cell's share of the replies due, and its rate; where more came than were due by now, all of them came."""
    due = np.bincount(cell, weights=part.due, minlength=count)
    came = np.bincount(cell, weights=part.replied, minlength=count)
    return due / due.sum(), came / np.maximum(due, 1e-9) * min(1.0, due.sum() / max(came.sum(), 1.0))


def _usual_part(case: Case) -> Part:
    h, spans = case.history, case.usual.spans
    inside = np.zeros(len(h.first), dtype=bool)
    for a, b in spans:
        inside |= (h.first >= a) & (h.first < b)
    rows = np.flatnonzero(inside & ~h.opted_out & ~h.dead & ~h.blind)
    return _part(case, rows, np.ones(len(rows)), h.replied[rows].astype(float))


def _part_since(case: Case, since: float) -> Part:
    h = case.history
    w = window_of(h, case.usual, since - 1, case.t)
    low = int(np.searchsorted(h.first, since - 1, side="right"))
    kept = np.flatnonzero(w.measured)
    return _part(case, low + kept, w.share[kept], w.replied[kept].astype(float))


def _part(case: Case, rows: Array, due: Array, replied: Array) -> Part:
    h = case.history
    return Part(h.kind[rows], record_of(h.streak[rows]), _day_part(h.first[rows], case), h.service[rows], due, replied)


def _day_part(at: Array, case: Case) -> Array:
    """Return the part of the local day (night, morning, afternoon, evening) of instants in ms."""
    if not len(at):
        return np.zeros(0, dtype=np.int64)
    quarters = at // _QUARTER
    days = quarters // 96
    first = int(days.min())
    parts = np.zeros((int(days.max()) - first + 1, 96), dtype=np.int64)
    for day in np.flatnonzero(np.bincount(days - first)).tolist():
        parts[day] = _parts_of_day(first + day, case.settings.zone)
    return parts.ravel()[quarters - first * 96]


@lru_cache(maxsize=4096)
def _parts_of_day(day: int, zone: tzinfo) -> Array:
    """Return the part of the local day of every quarter of an hour of a UTC day (since 1970): lines are asked for the same days."""
    local = [datetime.fromtimestamp((day * 96 + q) * _QUARTER / 1000, tz=zone).hour for q in range(96)]
    return np.array([_DAY_PARTS.index(next(name for a, b, name in _PARTS if a <= hour < b)) for hour in local])


def _rows(by: str, before: Part, after: Part, column: str, names: Any, *, known: bool = False) -> list[dict[str, Any]]:
    """Return a row for every group that has asks: shares of the asks and rates with their counts, before and after."""
    found = []
    masks = [
        (part.kind != NEW) & (part.kind != ANSWER) if known else np.ones(len(part.due), bool)
        for part in (before, after)
    ]
    wholes = [max(int(mask.sum()), 1) for mask in masks]
    for place, name in enumerate(names):
        row: dict[str, Any] = {"by": by, "name": name}
        for word, part, mask, whole in zip(("before", "after"), (before, after), masks, wholes, strict=True):
            of = mask & (getattr(part, column) == place)
            asks, due, replied = int(np.count_nonzero(of)), float(part.due[of].sum()), float(part.replied[of].sum())
            row |= {
                f"asks_{word}": asks,
                f"share_{word}": round(asks / whole, 4),
                f"answered_{word}": int(replied),
                f"rate_{word}": round(min(1.0, replied / due), 4) if due >= 5 else None,
            }
        if row["asks_before"] or row["asks_after"]:
            found.append(row)
    return found


def colder(audience: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the share of the line's own sends that went to chats with two or more unanswered, before and since, where it grew."""
    if audience is None:
        return None
    rows = [row for row in audience["groups"] if row["by"] == "record"]
    cold = [row for row in rows if row["name"] in RECORD_NAMES[2:]]
    before, after = (sum(row[f"share_{word}"] for row in cold) for word in ("before", "after"))
    asks = sum(row["asks_after"] for row in cold)
    if after - before < CONSTANTS.audience_grown or asks < CONSTANTS.least_asks_shown:
        return None
    return {"before": round(before, 4), "after": round(after, 4), "asks": asks}


def mix_weighs(audience: dict[str, Any] | None) -> bool:
    """Say whether a fall in replies is mostly one of the audience, not of the chats' own answers."""
    return bool(audience and audience["change"] < 0 and audience["by_mix"] < 0.5 * audience["change"])
