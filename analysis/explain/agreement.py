"""The vendor's own audits and our explanations in, where they agree out; and, from many of them, what our stated confidence is worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from analysis.explain.constants import CONSTANTS
from analysis.explain.running import Array
from analysis.explain.telling import level_of
from analysis.explain.words import iso, milliseconds
from analysis.schema import SEVERITY, Explanation

AGREE, DIFFER, CANNOT_TELL = "agree", "differ", "cannot tell"
KEYS = ("overall_conversation_health", "volume_spike", "new_conversation_rate", "opt_out_handling", "flagged", "other")
"""The vendor's drivers of a line, api.md, section 3."""


class _Driver(msgspec.Struct):
    key: str = ""


class _Chat(msgspec.Struct):
    chat_id: str = ""


class _Evidence(msgspec.Struct):
    unhealthy_chats: list[_Chat] = []
    opt_out_chats: list[_Chat] = []


class _Report(msgspec.Struct):
    severity: str | None = None
    primary_driver: str | None = None
    drivers: list[_Driver] = []
    evidence: _Evidence = msgspec.field(default_factory=_Evidence)


class _Answer(msgspec.Struct):
    status: str = ""
    generated_at: str | None = None
    report: _Report | None = None


@dataclass(frozen=True)
class Audit:
    """One complete answer of the vendor: when it looked, and what it named, highest impact first."""

    audit_id: str
    line: str
    at: datetime
    severity: str | None
    primary: str
    keys: tuple[str, ...]
    chats: tuple[str, ...]


def audit_of(audit_id: str, line: str, answered_at: datetime | None, document: str | None) -> Audit | None:
    """Return an archived answer as it is compared; None where it is not complete or cannot be read.

    Only keys, severity, time and chat ids are decoded: free text is not looked at.
    """
    if document is None:
        return None
    try:
        answer = msgspec.json.decode(document, type=_Answer)
    except (msgspec.DecodeError, ValueError):
        return None
    if answer.status != "complete" or answer.report is None:
        return None
    at = made_at(answer.generated_at) or answered_at
    if at is None:
        return None
    report = answer.report
    keys = tuple(dict.fromkeys(d.key for d in report.drivers if d.key))
    primary = report.primary_driver or (keys[0] if keys else "")
    chats = tuple(c.chat_id for c in (*report.evidence.unhealthy_chats, *report.evidence.opt_out_chats))
    return Audit(audit_id, line, at, report.severity, primary, keys, tuple(dict.fromkeys(chats)))


def made_at(text: object) -> datetime | None:
    """Return when an answer says it was made, UTC; None where it does not, or not as a time."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def matched(explanations: Iterable[Explanation], audits: Iterable[Audit]) -> list[tuple[Explanation, Audit]]:
    """Return each worsening of health with the first audit of its spell: after it, before the next change, within some days.

    Args:
        explanations: of one or all lines, oldest first.
        audits: any order.
    """
    reach = timedelta(days=CONSTANTS.audit_days)
    found: list[tuple[Explanation, Audit]] = []
    by_line: dict[str, list[Explanation]] = {}
    for e in explanations:
        if e.kind == "health":
            by_line.setdefault(e.line, []).append(e)
    for audit in sorted(audits, key=lambda a: (a.at, a.audit_id)):
        before = [e for e in by_line.get(audit.line, []) if _instant(e.at) <= audit.at]
        if not before:
            continue
        e = before[-1]
        worse = SEVERITY.get(e.new, 0) > SEVERITY.get(e.previous or "", 0)
        taken = any(other.line == e.line and other.at == e.at for other, _ in found)
        if worse and not taken and audit.at - _instant(e.at) <= reach:
            found.append((e, audit))
    return sorted(found, key=lambda pair: (pair[0].at, pair[0].line))


def compared(e: Explanation, audit: Audit) -> list[dict[str, Any]]:
    """Return a row per driver that the vendor or we name: its rank in the audit, our share, and agree, differ or cannot tell.

    Args:
        e: our explanation.
        audit: the vendor's, of the same spell.
    """
    shares = dict.fromkeys(KEYS, 0.0)
    for d in e.drivers:
        if d.driver != "unexplained":
            shares[d.vendor_driver] += d.share
    blind = any(note.startswith("No chat health") for note in e.notes)
    thin = e.headline.startswith("Not enough data")
    rows = []
    for key in KEYS:
        rank = audit.keys.index(key) + 1 if key in audit.keys else None
        ours = shares[key]
        if rank is None and ours < CONSTANTS.audit_ours:
            continue
        if thin or (key == "opt_out_handling" and blind) or key == "other":
            verdict = CANNOT_TELL
        elif rank is not None:
            verdict = AGREE if ours >= CONSTANTS.audit_named else DIFFER
        else:
            verdict = DIFFER if audit.keys else CANNOT_TELL
        rows.append({"vendor_driver": key, "vendor_rank": rank, "our_share": round(ours, 4), "verdict": verdict})
    return rows


def agreement_of(e: Explanation, audit: Audit) -> dict[str, Any]:
    """Return the comparison of one explanation with the vendor's audit: its rows, the main driver, and the chats both name."""
    ours = {c["chat_id"] for c in e.chats_to_fix}
    return {
        "audit_id": audit.audit_id,
        "at": iso(milliseconds(audit.at)),
        "severity": audit.severity,
        "main": _main(e, audit),
        "rows": compared(e, audit),
        "chats_both": len(ours & set(audit.chats)),
        "chats_vendor": len(audit.chats),
    }


def _main(e: Explanation, audit: Audit) -> str:
    """Say whether both name the same main driver."""
    first = e.drivers[0]
    if first.driver == "unexplained" or not audit.primary or audit.primary == "other":
        return CANNOT_TELL
    return AGREE if first.vendor_driver == audit.primary else DIFFER


def recalibrated(explanations: list[Explanation], audits: list[Audit]) -> list[Explanation]:
    """Return explanations with their confidence corrected by the audits before each, once there are enough of them.

    The correction is the isotonic regression of "the vendor named the same main driver" on our stated confidence, over matched
    audits answered before the transition; it counts as much as there are audits against ``audit_prior`` of our own.
    """
    pairs = [(audit.at, e.confidence_p, agreed == AGREE) for e, audit in matched(explanations, audits) if (agreed := _main(e, audit)) != CANNOT_TELL]  # fmt: skip
    if len(pairs) < CONSTANTS.audit_least:
        return explanations
    found = []
    for e in explanations:
        at = _instant(e.at)
        known = [(p, hit) for when, p, hit in pairs if when < at]
        if len(known) < CONSTANTS.audit_least or e.drivers[0].driver == "unexplained":
            found.append(e)
            continue
        p, hit = np.array([k for k, _ in known]), np.array([float(h) for _, h in known])
        level = float(np.interp(e.confidence_p, *isotonic(p, hit)))
        weight = len(known) / (len(known) + CONSTANTS.audit_prior)
        told = round(weight * level + (1 - weight) * e.confidence_p, 3)
        word = level_of(told)
        found.append(msgspec.structs.replace(e, confidence_p=told, confidence=word))
    return found


def isotonic(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the non-decreasing step function closest to y in the order of x (pool adjacent violators): places and levels."""
    order = np.argsort(x, kind="stable")
    levels: list[list[float]] = []  # sum, count, sum of x
    for place in order:
        levels.append([float(y[place]), 1.0, float(x[place])])
        while len(levels) > 1 and levels[-2][0] / levels[-2][1] >= levels[-1][0] / levels[-1][1]:
            last = levels.pop()
            levels[-1] = [a + b for a, b in zip(levels[-1], last, strict=True)]
    return np.array([sx / n for _, n, sx in levels]), np.array([sy / n for sy, n, _ in levels])
