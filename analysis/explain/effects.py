"""A line's history and its usual in, effects out: per driver a lower confidence bound of how far it was out of the usual."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import log, log2, sqrt
from typing import NamedTuple

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS, MINUTE
from analysis.explain.history import LineHistory, Span, Troubles
from analysis.settings import Settings


class Seen(NamedTuple):
    """One ask as of t: expected and observed replies, sends so far, and what became of it."""

    first: int
    chat: str
    kind: str
    deep: bool
    streak: int
    sends: int
    measured: bool
    expected: float
    replied: bool
    judged: bool
    undelivered: bool
    opted_out: bool


@dataclass
class Effects:
    """Effects per driver at one time, with the window in which each was largest."""

    t: int
    x: dict[str, float]
    windows: dict[str, Span] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    sends_week: int = 0
    asks_week: int = 0
    nagging: bool = False
    limit: str = ""
    """Which published limit a burst is above, where that is what counts ("new" or "messages")."""


def seen_asks(history: LineHistory, usual: Usual, since: float, t: int) -> list[Seen]:
    """Return the asks begun in (since, t] as of t.

    Expected replies are the usual rate of the ask's class times the share of replies that come by now; asks that were
    not delivered, or went to opted-out chats, expect none (else failures look like disengagement).
    """
    settled = t - CONSTANTS.settle_seconds * 1000
    judged_from = t - CONSTANTS.receipt_minutes * MINUTE
    found = []
    for ask in history.recent(since, t):
        usual_receipts = usual.receipts_usual(ask.sends[0].service)
        if ask.final_at < t:
            state, replied, share, sends = ask.final[usual_receipts], ask.reply_at is not None, 1.0, len(ask.times)
        else:
            state, replied = ask.delivery_by(t, usual_receipts), ask.replied_by(t)
            share, sends = usual.curve.share(settled - ask.last_by(t)), ask.sends_by(t)
        undelivered = state in ("failed", "silent")
        measured = not undelivered and not ask.opted_out
        found.append(
            Seen(
                ask.first,
                ask.chat,
                ask.kind,
                ask.deep,
                ask.streak,
                sends,
                measured,
                usual.reply[ask.kind] * share if measured else 0.0,
                measured and replied,
                (ask.first <= judged_from or undelivered) and not ask.opted_out,
                undelivered and not ask.opted_out,
                ask.opted_out,
            )
        )
    return found


def effects_at(
    history: LineHistory,
    troubles: Troubles,
    usual: Usual,
    t: int,
    settings: Settings,
    *,
    flags: bool = True,
    fresh: bool = False,
) -> Effects:
    """Return the effects of all drivers on a line at t (method sheet, 2.5 and 4b).

    Args:
        history: the line.
        troubles: its status spells, for the carrier's flag.
        usual: what is usual for it at t.
        t: ms; nothing later is used.
        settings: published limits.
        flags: look for the flag (quiet times do not).
        fresh: measure the last day or two only: what a recovery is compared by.

    Returns:
        Effects >= 0, keyed by driver; 0 where the driver is within the usual or cannot be measured. A line without a
        usual keeps only what needs none: flags, sends after opt-outs, explicit failures and published limits.
    """
    seen = seen_asks(history, usual, t - 7 * DAY, t)
    found = Effects(t, {}, seen=seen, asks_week=len(seen))
    found.sends_week = len(history.sends_in(t - 7 * DAY, t))
    ends = [t] if fresh else _ends(t)
    _volume(found, history, usual, settings, ends)
    _new(found, usual, settings, ends)
    _engagement(found, usual, CONSTANTS.engagement_days[:1] if fresh else CONSTANTS.engagement_days)
    _deliverability(found, usual, ends)
    _opt_outs(found, history, usual, t - (DAY if fresh else 7 * DAY))
    _repeated(found, history, usual)
    since = troubles.flagged_since(t) if flags else None
    found.x["flagged"] = 1.0 if since is not None else 0.0
    if since is not None:
        found.windows["flagged"] = (since, t)
    return found


def _ends(t: int) -> Sequence[float]:
    k = CONSTANTS
    return [t - i * k.scan_step_hours * HOUR for i in range(int(k.scan_back_hours / k.scan_step_hours) + 1)]


class _Sums:
    """Counts, expected and observed replies of some asks over any window.

    A reply counts for at most ``loop_replies`` of an ask's weight: one answer does not make a loop an answered one.
    """

    def __init__(self, asks: list[Seen], weights: list[float]) -> None:
        most = CONSTANTS.loop_replies
        self.times = [a.first for a in asks]
        self._n = [0.0, *accumulate(weights)]
        self._e = [0.0, *accumulate(w * a.expected for a, w in zip(asks, weights, strict=True))]
        self._o = [0.0, *accumulate(min(w, most) * a.replied for a, w in zip(asks, weights, strict=True))]

    def over(self, a: float, b: float) -> tuple[float, float]:
        """Return the weight of the asks in (a, b] and their answered share of what was expected (prior 3 of 3)."""
        i, j = bisect_right(self.times, a), bisect_right(self.times, b)
        n, e, o = (s[j] - s[i] for s in (self._n, self._e, self._o))
        return n, (o + 3) / (e + 3)


def _unanswered(eng: float) -> float:
    """Return how much volume weighs when this part of the usual replies comes: nothing from 0.95 on, all of it up to 0.45."""
    low, high = CONSTANTS.volume_replies
    return _clip(1.5 - 1.1 * eng, 0.2, 1.0) * _clip((high - eng) / (high - low), 0.0, 1.0)


def in_volume(s: Seen) -> bool:
    """Say whether an ask's messages count as volume: not an opener (unless a loop), not a late follow-up, not opted out."""
    return (s.kind != "new" or s.sends > 3) and (not s.deep or s.sends > 3) and not s.opted_out


def _clip(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def _volume(found: Effects, history: LineHistory, usual: Usual, settings: Settings, ends: Sequence[float]) -> None:
    """Set recipient_spread or send_pace: volume far above usual, the more so the fewer answer.

    Asks and messages are both scanned: a loop hides inside one ask. The excess counts as recipient_spread where more
    of it (in doublings) is different recipients than messages to each, else as send_pace.
    """
    k, window = CONSTANTS, CONSTANTS.window_hours * HOUR
    found.x["recipient_spread"] = found.x["send_pace"] = 0.0
    kept = [s for s in found.seen if s.kind != "new" and not s.deep and not s.opted_out]
    asks = _Sums(kept, [1.0] * len(kept))
    loops = [s for s in found.seen if in_volume(s)]
    messages = _Sums(loops, [float(s.sends) for s in loops])
    per_day = sum(usual.per_day[kind] for kind in ("answer", "touch", "followup"))
    best, where = 0.0, (0.0, 0.0)
    if usual.own:
        for end in ends:
            a, b = end - window, end
            n, eng = asks.over(a, b)
            low = n - k.count_margin * sqrt(n)
            v = log2(max(low + 5, 1.0) / (per_day + 5)) * _unanswered(eng)
            m, eng_m = messages.over(a, b)
            low_m = m - k.count_margin * sqrt(k.message_spread * m)
            v_m = log2(max(low_m + 5, 1.0) / (usual.sends_per_day + 5)) * _unanswered(eng_m)
            if max(v, v_m) - k.volume_floor > best:
                best, where = max(v, v_m) - k.volume_floor, (a, b)
    if best > 0:
        inside = [s for s in loops if where[0] < s.first <= where[1]]
        chats, sends = len({s.chat for s in inside}), sum(s.sends for s in inside)
        per_chat = usual.sends_per_day / usual.recipients_per_day
        spread = log2((chats + 3) / (usual.recipients_per_day + 3))
        pace = log2(max(sends / max(chats, 1), 1.0) / max(per_chat, 1.0)) if chats else 0.0
        driver = "recipient_spread" if spread >= pace else "send_pace"
        found.x[driver], found.windows[driver] = best, where
    total, window_at = 0, (0.0, 0.0)
    for end in ends:
        n_total = bisect_right(history.totals.times, end) - bisect_right(history.totals.times, end - window)
        if n_total > total:
            total, window_at = n_total, (end - window, end)
    limit = settings.ref_messages_per_day
    if total > limit and total > 1.3 * usual.total_per_day:
        over = k.unit_volume * (1 + log2(total / limit))
        if over > found.x["send_pace"]:
            found.x["send_pace"], found.windows["send_pace"], found.limit = over, window_at, "messages"


def _new(found: Effects, usual: Usual, settings: Settings, ends: Sequence[float]) -> None:
    """Set new_conversations: openers far above usual in a day, the more so the fewer answer."""
    k, window = CONSTANTS, CONSTANTS.window_hours * HOUR
    new = [s for s in found.seen if s.kind == "new"]
    sums = _Sums(new, [1.0] * len(new))
    best, where = 0.0, (0.0, 0.0)
    for end in ends:
        n, eng = sums.over(end - window, end)
        if usual.own:
            low = n - k.count_margin * sqrt(n)
            v = log2(max(low + 5, 1.0) / (usual.per_day["new"] + 5)) * _clip(1.3 - 0.5 * eng, 0.4, 1.1) - k.new_floor
        else:
            v = k.unit_new * log2(n / settings.ref_new_per_day) if n > settings.ref_new_per_day else 0.0
        if v > best:
            best, where = v, (end - window, end)
            found.limit = found.limit if usual.own else "new"
    found.x["new_conversations"] = best
    if best > 0:
        found.windows["new_conversations"] = where


def _engagement(found: Effects, usual: Usual, lengths: Sequence[float]) -> None:
    """Set engagement: replies missing at usual exposure, and follow-ups into silence beyond usual.

    Asks of a class beyond 1.8 × usual, over the window or over the day of a burst, belong to the burst and not to a
    fall in replies (the rate step of a rate-and-mix split); deep follow-ups count as silence unless from a blast, and
    as many more are usual as the line has grown.
    """
    k = CONSTANTS
    found.x["engagement"] = 0.0
    if not usual.own:
        return
    blast = max(found.x["recipient_spread"], found.x["send_pace"])
    keep_burst = _kept_in_bursts(found, usual)
    bursts = any(d in found.windows for d in ("new_conversations", "recipient_spread", "send_pace"))
    times = [s.first for s in found.seen]
    best = 0.0
    for days in lengths:
        inside = found.seen[bisect_left(times, found.t - days * DAY) :]
        bad = var = kept = expected = answered = 0.0
        for kind in KINDS:
            asks = [s for s in inside if s.kind == kind and s.measured and not s.deep]
            allowed = k.exposure_allowed * (usual.per_day[kind] * days + 2) / max(len(asks), 1)
            keep = 1.0 if kind == "answer" else min(1.0, allowed)
            for s in asks:
                weight = min(keep, keep_burst(s)) if bursts else keep
                bad += weight * (s.expected - s.replied)
                var += weight * s.expected * (1 - s.expected)
                kept += weight
                expected += weight * s.expected
                answered += weight * s.replied
        deep = sum(s.deep and not s.opted_out for s in inside)
        grown = sum(not s.deep for s in inside) / (days * sum(usual.per_day[kind] for kind in KINDS))
        usual_deep = usual.per_day["deep"] * days * _clip(grown, 1.0, 3.0)
        silence = max(0.0, deep - 1.4 * usual_deep - 2) * (1 - min(1.0, blast / 1.2))
        x = (bad + 0.8 * silence - k.rate_margin * sqrt(1.6 * var + 1)) / (kept + silence + 8)
        if x > best:
            best = x
            found.windows["engagement"] = (found.t - days * DAY, found.t)
            found.nagging = 0.8 * silence > bad and answered >= k.nagging_replies * expected
    found.x["engagement"] = best


def _kept_in_bursts(found: Effects, usual: Usual) -> Callable[[Seen], float]:
    """Return the weight of an ask's missing reply: below 1 within a day of volume or of openers far beyond usual."""
    drivers = {
        "new_conversations": ("new",),
        "recipient_spread": ("touch", "followup"),
        "send_pace": ("touch", "followup"),
    }
    windows = [(*found.windows[d], kinds) for d, kinds in drivers.items() if d in found.windows]
    weights: dict[tuple[float, str], float] = {}
    for a, b, kinds in windows:
        for kind in kinds:
            n = sum(s.kind == kind and a < s.first <= b for s in found.seen)
            allowed = CONSTANTS.exposure_allowed * (usual.per_day[kind] * (b - a) / DAY + 2)
            weights[a, kind] = min(1.0, allowed / max(n, 1))
    return lambda s: min(
        (weights[a, s.kind] for a, b, kinds in windows if s.kind in kinds and a < s.first <= b), default=1.0
    )


def _deliverability(found: Effects, usual: Usual, ends: Sequence[float]) -> None:
    """Set deliverability: undelivered asks beyond the usual share, in the worst day."""
    k, window = CONSTANTS, CONSTANTS.window_hours * HOUR
    judged = [s for s in found.seen if s.judged]
    times = [s.first for s in judged]
    dead = [0, *accumulate(int(s.undelivered) for s in judged)]
    best = 0.0
    for end in ends:
        i, j = bisect_right(times, end - window), bisect_right(times, end)
        n, bad = j - i, dead[j] - dead[i]
        x = (bad - usual.failed * n - k.rate_margin * sqrt(bad * (1 - bad / n) + 0.5)) / (n + 4) if n else 0.0
        if x > best:
            best, found.windows["deliverability"] = x, (end - window, end)
    found.x["deliverability"] = best


def _opt_outs(found: Effects, history: LineHistory, usual: Usual, since: float) -> None:
    """Set opt_outs: sends after an opt-out, recent ones weighing more, and opt-outs beyond usual."""
    k, t = CONSTANTS, found.t
    times = history.after_opt_out_times[
        bisect_right(history.after_opt_out_times, since) : bisect_right(history.after_opt_out_times, t)
    ]
    pressure = sum(2 ** (-(t - at) / (k.pressure_half_days * DAY)) for at in times)
    wave = bisect_right(history.opt_outs, t) - bisect_right(history.opt_outs, t - 3 * DAY)
    if usual.own:
        pressure += k.wave_weight * max(0.0, wave - k.count_margin * sqrt(wave) - 3 * usual.opt_outs_per_day - 1)
    found.x["opt_outs"] = log(1 + pressure / 4)
    if found.x["opt_outs"] > 0:
        found.windows["opt_outs"] = (t - 7 * DAY, t)


def top_fingerprint(history: LineHistory, a: float, b: float) -> tuple[str | None, int, int, int]:
    """Return the commonest fingerprint of the sends in (a, b] with its sends, recipients, and all sends with one."""
    chats: dict[str, list[str]] = {}
    for row in history.sends_in(a, int(b)):
        if row.fingerprint:
            chats.setdefault(row.fingerprint, []).append(row.chat)
    if not chats:
        return None, 0, 0, 0
    top = max(chats, key=lambda f: (len(chats[f]), f))
    return top, len(chats[top]), len(set(chats[top])), sum(len(c) for c in chats.values())


def usual_repetition(history: LineHistory, usual: Usual) -> float:
    """Return the usual largest share of a day's sends with one fingerprint, over the quiet past."""
    shares = []
    for a, b in usual.spans:
        for i in range(int((b - a) // DAY)):
            _, n, _, of = top_fingerprint(history, a + i * DAY, a + (i + 1) * DAY)
            if of >= 5:
                shares.append(n / of)
    return sum(shares) / len(shares) if shares else 0.0


def _repeated(found: Effects, history: LineHistory, usual: Usual) -> None:
    """Set repeated_content: one fingerprint's share of a day's sends beyond usual, where fingerprints exist."""
    found.x["repeated_content"] = 0.0
    if not (history.fingerprinted and usual.own):
        return
    best, where = 0.0, (0.0, 0.0)
    before = None
    for back in (0, 12, 24, 36, 48):
        b = found.t - back * HOUR
        _, n, recipients, of = top_fingerprint(history, b - DAY, b)
        if recipients <= CONSTANTS.fingerprint_recipients:
            continue
        before = usual_repetition(history, usual) if before is None else before
        share = n / of
        x = share - before - CONSTANTS.rate_margin * sqrt(share * (1 - share) / of + 0.5 / of)
        if x > best:
            best, where = x, (b - DAY, b)
    found.x["repeated_content"] = best
    if best > 0:
        found.windows["repeated_content"] = where
