"""Effects in, sentences out: one verdict an action, with counts, interval and what it was compared with."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from analysis.explain.constants import HOUR
from analysis.explain.words import count, day, lasting, milliseconds, percent, plural
from analysis.helped.effect import LEAST_COUNT, LEAST_RATE, Effect
from analysis.helped.grid import MEASURES, RATES
from analysis.helped.near import NEAR, Beside

LEAST_USEFUL = 0.05
"""Points of replies: where a gain of this size can be ruled out, an action did not help."""
HELPED, NOT, UNKNOWN = "helped", "did not help", "can't tell"
VERDICTS = (HELPED, NOT, UNKNOWN)
KIND_WORDS = {
    "slower": "Slower pace",
    "pause": "Pause",
    "new_copy": "New copy",
    "new_list": "New list",
    "campaign": "Campaign",
    "deploy": "Deploy",
    "other": "Other",
}
"""What people did, in the order in which they are offered it."""
NAMES = {
    "replies": "replies",
    "failures": "failures",
    "chats": "chats at risk or critical",
    "followups": "unanswered follow-ups",
    "openers": "new conversations",
}
NEAR_HOURS = round(NEAR / timedelta(hours=1))
_MINUS = "−"


def signed(value: float) -> str:
    """Return "+22", "−9" or, below one, "−0.4"."""
    n = f"{abs(value):.1f}" if abs(value) < 0.95 else f"{abs(value):.0f}"
    return f"{'' if n == '0.0' else _MINUS if value < 0 else '+'}{n.removesuffix('.0')}"


def verdict_of(effects: list[Effect]) -> tuple[str, str]:
    """Return the verdict (one of VERDICTS) and its sentence; the effects are in the order of MEASURES."""
    told = [e for e in effects if e.effect is not None]
    better, worse = [e for e in told if e.better], [e for e in told if e.worse]
    if not told:
        return UNKNOWN, f"Can't tell: {_why_not(effects)}."
    if better and worse:
        return UNKNOWN, f"Can't tell: {changed(better[0])}, but {changed(worse[0])}.{tail([better[0], worse[0]])}"
    if better:
        what = changed(better[0])
        return HELPED, f"{what[0].upper()}{what[1:]}: it helped.{tail(better[:1])}"
    if worse:
        return NOT, f"It did not help: {changed(worse[0])}.{tail(worse[:1])}"
    replies = next((e for e in told if e.measure == "replies"), None)
    if replies is not None and replies.most < LEAST_USEFUL:
        points = round(100 * LEAST_USEFUL)
        return NOT, f"It did not help: {changed(replies)}; a gain of {points} points can be ruled out.{tail([replies])}"
    first = told[0]
    return UNKNOWN, f"Can't tell: {changed(first)}; chance alone does as much.{tail([first])}"


def changed(e: Effect) -> str:
    """Return what a measure did, with its counts, its effect and the interval of it."""
    return f"{went(e)} ({amount(e)}, {beyond(e)})"


def went(e: Effect) -> str:
    """Return "replies rose from 31 of 180 to 74 of 190 sends answered"."""
    rate = MEASURES.index(e.measure) < RATES
    before = e.top_before / max(e.bottom_before, 1e-9) if rate else e.top_before
    after = e.top_after / max(e.bottom_after, 1e-9) if rate else e.top_after
    verb = "rose" if after > before else "fell" if after < before else "stayed:"
    if not rate:
        return f"{NAMES[e.measure]} {verb} from {count(e.top_before)} to {count(e.top_after)}"
    noun = {"replies": "sends answered", "failures": "sends", "chats": "active chats"}[e.measure]
    a, b, c, d = (count(round(v)) for v in (e.top_before, e.bottom_before, e.top_after, e.bottom_after))
    return f"{NAMES[e.measure]} {verb} from {a} of {b} to {c} of {d} {noun}"


def amount(e: Effect) -> str:
    """Return "+22 points, +9 to +34" or "−92 %, −97 to −80 %"."""
    value, low, high = (100 * float(v or 0.0) for v in (e.effect, e.low, e.high))
    unit = " points" if MEASURES.index(e.measure) < RATES else "\u2009%"
    end = "" if unit == " points" else unit
    return f"{signed(value)}{unit}, {signed(low)} to {signed(high)}{end}"


def beyond(e: Effect) -> str:
    """Return what an effect is beyond of."""
    if e.against == "lines":
        return f"beyond what {e.compared} other healthy lines did"
    if e.against == "weeks":
        return f"beyond what {plural(e.compared, 'earlier week')} of its own did"
    if e.against == "spells":
        return f"beyond what {e.compared} equally bad spells without an action did"
    return "beyond a return to its usual"


def tail(of: list[Effect]) -> str:
    """Return what has to be said of a comparison that had nothing equally bad in it."""
    if any(e.against == "usual" for e in of):
        return " Too few spells were as bad and left alone, so a return to the usual does not count."
    return ""


def _why_not(effects: list[Effect]) -> str:
    reasons = {e.against for e in effects}
    if not effects:
        return "nothing was sent"
    if reasons == {"too few"}:
        first = effects[0]
        if first.measure == "replies":
            sides = f"{plural(round(first.bottom_before), 'send')} before and {count(round(first.bottom_after))} after"
            return f"{sides} are too few (at least {LEAST_RATE} each, or {LEAST_COUNT} follow-ups or openers before)"
        return "too few sends before or after"
    if "no usual" in reasons:
        return "the line was in trouble and has no usual yet, so a change cannot be told from a return to it"
    if "nothing as bad" in reasons:
        return "the line was in trouble, and too few weeks of lines of its size, as bad or healthy, are there to compare with"
    return "no other healthy lines of its size, and too few earlier weeks of its own, to compare with"


def spread_sentence(row: dict[str, object], *, zone: ZoneInfo) -> str:
    """Return one row of SPREAD in words."""
    first, second = (f"…{str(row[name])[-4:]}" for name in ("from_line", "to_line"))
    at: datetime = row["at"]  # type: ignore[assignment]
    when = day(milliseconds(at), zone)
    moved = (
        f"{second} opened {count(row['to_after'])} conversations in the 7 days after {first} {row['what']} on {when} "  # type: ignore[arg-type]
        f"({count(row['to_before'])} in the 7 before), while {first} went from {count(row['from_before'])} to {count(row['from_after'])}"  # type: ignore[arg-type]
    )
    chance = f"in {percent(float(row['by_chance']))} of {count(float(row['pairs']))} pairs of lines and weeks here"  # type: ignore[arg-type]
    if row["by"] == "recipients":
        why = f"{count(row['shared'])} of {count(row['of'])} new recipients had a chat on {first} before; as many are shared {chance}"  # type: ignore[arg-type]
    else:
        why = f"their busiest days are alike, and recipients are not known; so much looks alike {chance}"
    return f"{moved}: {why}. {_became(row, second)}"


def _became(row: dict[str, object], second: str) -> str:
    worse: datetime | None = row["to_worse_at"]  # type: ignore[assignment]
    if worse is not None:
        state = "critical" if row["to_worse"] == "CRITICAL" else "at risk"
        return f"{second} turned {state} {lasting(milliseconds(worse) - milliseconds(row['at']))} later."  # type: ignore[arg-type]
    return f"{second} did not turn worse in {plural(round(float(row['watched_days'])), 'day')}."  # type: ignore[arg-type]


def near_text(what: str, near: Beside, at: datetime, line: str | None) -> str:
    """Return whether a burst, or a fall in replies, began within a day of an action, beside how often one is so near by itself."""
    if near.at is None:
        return f"No {what} began within {NEAR_HOURS} h of it."
    where = "any line" if line is None else "this line"
    part = f"{percent(near.by_chance)} of all hours of {where} are so near to one"
    hours = abs(milliseconds(near.at) - milliseconds(at))
    order = "at the same hour" if hours < HOUR else f"{lasting(hours)} {'later' if near.at > at else 'before'}"
    of = f" on …{str(near.line)[-4:]}" if line is None else ""
    return f"A {what} began {order}{of} ({part})."
