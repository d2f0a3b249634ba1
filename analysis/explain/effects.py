"""A line's history and its usual in, effects out: per driver a lower confidence bound of how far it was out of the usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot, log, log2, sqrt

import numpy as np

from analysis.explain.amounts import amounts_of, unwelcome
from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS
from analysis.explain.history import Array, LineHistory, Span, Troubles
from analysis.explain.window import ANSWER, FOLLOWUP, NEW, TOUCH, Seen, Window, window_of
from analysis.settings import Settings


@dataclass
class Effects:
    """Effects per driver at one time, with the window in which each was largest."""

    t: int
    x: dict[str, float]
    windows: dict[str, Span] = field(default_factory=dict)
    window: Window | None = None
    sends_week: int = 0
    asks_week: int = 0
    nagging: bool = False
    amount: dict[str, float] = field(default_factory=dict)
    limit: str = ""
    """Which published limit a burst is above, where that is what counts ("new" or "messages")."""

    @property
    def seen(self) -> list[Seen]:
        """The asks of the 7 days up to t, as of t."""
        return self.window.seen if self.window is not None else []


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
    window = window_of(history, usual, t - 7 * DAY, t)
    found = Effects(t, {}, window=window, asks_week=len(window))
    low, high = np.searchsorted(history.send_at, (t - 7 * DAY, t), side="right")
    found.sends_week = int(high - low)
    ends = [t] if fresh else _ends(t)
    _volume(found, window, history, usual, settings, ends)
    _new(found, window, usual, settings, ends)
    _engagement(found, window, usual, CONSTANTS.engagement_days[:1] if fresh else CONSTANTS.engagement_days)
    _deliverability(found, window, usual, ends)
    _opt_outs(found, history, usual, t - (DAY if fresh else 7 * DAY))
    _repeated(found, history, usual)
    if usual.own and len(window):
        lately = window.first > t - (2 if fresh else 7) * DAY
        found.amount = amounts_of(window.of(lately), history, usual, kept_in_bursts(found, window, usual)[lately])
    since = troubles.flagged_since(t) if flags else None
    found.x["flagged"] = 1.0 if since is not None else 0.0
    if since is not None:
        found.windows["flagged"] = (since, t)
    return found


def _ends(t: int) -> Sequence[float]:
    k = CONSTANTS
    return [t - i * k.scan_step_hours * HOUR for i in range(int(k.scan_back_hours / k.scan_step_hours) + 1)]


def _days(ends: Sequence[float]) -> list[tuple[float, float]]:
    return [(end, CONSTANTS.window_hours) for end in ends]


def _faded(t: int, stops: Array) -> Array:
    """Return how much a window that ended then still weighs at t: all of it for a day, then half as much every ``fade_hours``."""
    k = CONSTANTS
    return np.asarray(0.5 ** (np.maximum(0.0, (t - stops) / HOUR - k.window_hours) / k.fade_hours))


def _short_ends(t: int, ends: Sequence[float]) -> Array:
    """Return an end an hour from the first day scanned up to t: the short window slides in steps of an hour."""
    return t - np.arange(0, t - min(ends) + DAY - CONSTANTS.short_hours * HOUR, HOUR)


class _Scan:
    """Counts, expected and observed replies of some asks over windows (end - hours, end], each given as (end, hours).

    A reply counts for at most ``loop_replies`` of an ask's weight: one answer does not make a loop an answered one.
    """

    def __init__(self, asks: Window, weights: Array, spans: Sequence[tuple[float, float]]) -> None:
        k, (stops, hours) = CONSTANTS, np.asarray(spans, dtype=float).T
        low = np.searchsorted(asks.first, stops - hours * HOUR, side="right")
        high = np.searchsorted(asks.first, stops, side="right")

        def over(values: Array) -> Array:
            sums = np.concatenate(([0.0], np.cumsum(values)))
            return sums[high] - sums[low]

        self.n = over(weights)
        expected, came = over(weights * asks.expected), over(np.minimum(weights, k.loop_replies) * asks.replied)
        self.engaged = (came + k.engaged_prior * k.engaged_replies) / (expected + k.engaged_replies)
        """The answered share of the replies expected by now; drawn to ``engaged_prior`` while few are expected."""
        self.rate = over(asks.replied.astype(float)) / np.maximum(over(asks.share), 1.0)


def _unanswered(engaged: Array) -> Array:
    """Return how much volume weighs when this part of the usual replies comes: nothing from 0.95 on, all of it up to 0.45."""
    low, high = CONSTANTS.volume_replies
    return np.clip(1.5 - 1.1 * engaged, 0.2, 1.0) * np.clip((high - engaged) / (high - low), 0.0, 1.0)


def in_volume(s: Seen) -> bool:
    """Say whether an ask's messages count as volume: it answers or takes up a known chat again; a loop always counts."""
    return (s.kind not in ("new", "followup") or s.sends >= CONSTANTS.loop_sends) and not s.opted_out


def counts_as_volume(w: Window) -> Array:
    """Say the same of every ask of a window."""
    return ((w.kind != NEW) & (w.kind != FOLLOWUP) | (w.sends >= CONSTANTS.loop_sends)) & ~w.opted_out


def _volume(
    found: Effects, w: Window, history: LineHistory, usual: Usual, settings: Settings, ends: Sequence[float]
) -> None:
    """Set recipient_spread or send_pace: volume far above usual, the more so the fewer answer.

    Asks and messages are both scanned: a loop hides inside one ask. The excess counts as recipient_spread where more
    of it (in doublings) is different recipients than messages to each, else as send_pace.
    """
    k = CONSTANTS
    found.x["recipient_spread"] = found.x["send_pace"] = 0.0
    if usual.own and len(w):
        kept, loops = w.of((w.kind != NEW) & (w.kind != FOLLOWUP) & ~w.opted_out), w.of(counts_as_volume(w))
        spans = [(end, k.window_hours) for end in ends] + [(end, k.short_hours) for end in _short_ends(found.t, ends)]
        long = np.array([hours == k.window_hours for _, hours in spans])
        asks, messages = _Scan(kept, np.ones(len(kept)), spans), _Scan(loops, loops.sends.astype(float), spans)
        low = asks.n - k.count_margin * np.sqrt(asks.n)
        v = np.log2(np.maximum(low + 5, 1.0) / (np.where(long, usual.busy["known"], usual.peaks["known"]) + 5))
        low = messages.n - k.count_margin * np.sqrt(k.message_spread * messages.n)
        v_m = np.log2(np.maximum(low + 5, 1.0) / (np.where(long, usual.busy["sends"], usual.peaks["sends"]) + 5))
        over = np.maximum(v * _unanswered(asks.engaged), v_m * _unanswered(messages.engaged)) - k.volume_floor
        over -= np.where(long, 0.0, k.short_floor)
        over *= _faded(found.t, np.array([end for end, _ in spans]))
        best = int(np.argmax(over))
        if over[best] > 0:
            a, b = spans[best][0] - spans[best][1] * HOUR, spans[best][0]
            inside = loops.of((loops.first > a) & (loops.first <= b))
            chats, sends = len(np.unique(inside.chat)), int(inside.sends.sum())
            per_chat = usual.sends_per_day / usual.recipients_per_day
            spread = log2((chats + 3) / (usual.recipients_per_day + 3))
            pace = log2(max(sends / max(chats, 1), 1.0) / max(per_chat, 1.0)) if chats else 0.0
            lasts = spread >= pace and _goes_on(kept, usual, b, found.t)
            driver = "recipient_spread" if spread >= pace and not lasts else "send_pace"
            found.x[driver] = float(over[best]) * (k.unit_pace / k.unit_spread if lasts else 1.0)
            found.windows[driver] = _day_around(spans[best], found.t)
        _loop(found, loops, usual, ends)
    _published_limit(found, history, usual, settings, ends)


def _goes_on(w: Window, usual: Usual, end: float, t: int) -> bool:
    """Say whether volume above the busy day lasts for more than a day: then it is pace, not many recipients in a short window."""
    k = CONSTANTS
    days = [end + i * DAY for i in range(-int(k.scan_back_hours // 24), int((t - end) // DAY) + 1)]
    over = np.maximum(0.0, _Scan(w, np.ones(len(w)), _days(days)).n - usual.busy["known"])
    return bool(over.sum() > 0 and over.max() < k.pace_lasts * over.sum())


def _loop(found: Effects, w: Window, usual: Usual, ends: Sequence[float]) -> None:
    """Set send_pace where one chat got far more sends in a row than the line's largest usual run: a loop hides in any volume."""
    k = CONSTANTS
    w = w.of(w.first >= ends[-1] - k.window_hours * HOUR)
    if not len(w):
        return
    size = w.sends - k.loop_replies * w.replied
    run = np.log2((np.maximum(size, 0) + 5) / (usual.busy["run"] + 5))
    best = int(np.argmax(run * _faded(found.t, w.first)))
    over = (k.loop_worth * float(run[best]) - k.loop_floor) * float(_faded(found.t, w.first[best]))
    if over > found.x["send_pace"]:
        found.x["send_pace"] = over
        a = float(w.first[best])
        stop = min(float(found.t), a + k.window_hours / 2 * HOUR)
        found.windows["send_pace"] = (stop - k.window_hours * HOUR, stop)


def _published_limit(
    found: Effects, history: LineHistory, usual: Usual, settings: Settings, ends: Sequence[float]
) -> None:
    """Set send_pace where all messages of a day are above the vendor's published limit, and above the line's usual."""
    k, length = CONSTANTS, CONSTANTS.window_hours * HOUR
    times, stops = history.totals.times, np.asarray(ends, dtype=float)
    totals = np.searchsorted(times, stops, side="right") - np.searchsorted(times, stops - length, side="right")
    best, limit = int(np.argmax(totals)), settings.ref_messages_per_day
    if totals[best] > limit and totals[best] > 1.3 * usual.total_per_day:
        over = k.unit_pace * (1 + log2(totals[best] / limit))
        if over > found.x["send_pace"]:
            found.x["send_pace"], found.limit = over, "messages"
            found.windows["send_pace"] = (ends[best] - length, ends[best])


def _new(found: Effects, w: Window, usual: Usual, settings: Settings, ends: Sequence[float]) -> None:
    """Set new_conversations: openers far above usual in a day, the more so the fewer answer."""
    k = CONSTANTS
    found.x["new_conversations"] = 0.0
    new = w.of(w.kind == NEW)
    if not len(new):
        return
    own = usual.own and usual.days_new >= k.least_usual_days
    spans = _days(ends) + [(end, k.short_hours) for end in _short_ends(found.t, ends) if own]
    scan, long = _Scan(new, np.ones(len(new)), spans), np.array([hours == k.window_hours for _, hours in spans])
    if own:
        low = scan.n - k.count_margin * np.sqrt(scan.n)
        v = np.log2(np.maximum(low + 5, 1.0) / (np.where(long, usual.busy["new"], usual.peaks["new"]) + 5))
        over = v * np.clip(1.3 - 0.5 * scan.engaged, 0.4, 1.1) - k.new_floor - np.where(long, 0.0, k.short_floor)
    else:
        over = k.unit_new * np.log2(np.maximum(scan.n, 1) / settings.ref_new_per_day)
    over = over * _faded(found.t, np.array([end for end, _ in spans]))
    best = int(np.argmax(over))
    if over[best] > 0:
        found.x["new_conversations"] = float(over[best])
        # a burst is told by the day around it
        found.windows["new_conversations"] = _day_around(spans[best], found.t)
        found.limit = found.limit if own else "new"


def _day_around(span: tuple[float, float], t: int) -> Span:
    """Return the day that ends with a window given as (end, hours), or for a short one the day around it, up to t."""
    k, (end, hours) = CONSTANTS, span
    stop = end if hours == k.window_hours else min(float(t), end + (k.window_hours - hours) / 2 * HOUR)
    return stop - k.window_hours * HOUR, stop


def _engagement(found: Effects, w: Window, usual: Usual, lengths: Sequence[float]) -> None:
    """Set engagement: replies missing at usual exposure, and follow-ups into silence beyond usual.

    Asks of a class beyond 1.8 × usual, over the window or over the day of a burst, belong to the burst and not to a
    fall in replies (the rate step of a rate-and-mix split); deep follow-ups count as silence unless from a blast, and
    as many more are usual as the line has grown.
    """
    k = CONSTANTS
    found.x["engagement"] = 0.0
    if not usual.own or not len(w):
        return
    burst, begun = kept_in_bursts(found, w, usual), ("new", "answer", "touch")
    best = 0.0
    for days in lengths:
        inside = w.first >= found.t - days * DAY
        tells = inside & w.measured & ~w.deep
        weight = np.where(tells, 1.0, 0.0)
        for code, kind in enumerate(KINDS):
            if code != ANSWER:
                of = tells & (w.kind == code)
                allowed = k.exposure_allowed * (usual.per_day[kind] * days + 2) / max(int(of.sum()), 1)
                weight[of] = min(1.0, allowed)
        weight = np.minimum(weight, np.where(tells, burst, 0.0))
        deep = int((inside & w.deep & ~w.opted_out).sum())
        grown = int((inside & (w.kind != FOLLOWUP)).sum()) / (days * sum(usual.per_day[kind] for kind in begun))
        usual_deep = usual.per_day["deep"] * days * min(max(grown, 1.0), 3.0)
        silence = max(0.0, deep - 1.4 * usual_deep - 2) * unwelcome(w, inside & w.deep & ~w.opted_out, usual)
        silence *= usual.days_new >= k.least_usual_days
        for part, worth, margin in (
            (weight, 1.0, k.reply_margin),
            (np.where(w.kind == ANSWER, 0.0, weight), k.started_worth, k.started_margin),
        ):
            expected, answered = float(part @ w.expected), float(part @ w.replied)
            bad = expected - answered
            var = float(part @ (w.expected * (1 - w.expected)))
            below = bad + 0.8 * silence - margin * sqrt(1.6 * var + 1)
            x = worth * below / (expected + 0.5 * silence + k.engagement_replies)
            if x > best:
                best = x
                found.windows["engagement"] = (found.t - days * DAY, found.t)
                found.nagging = 0.8 * silence > bad and answered >= k.nagging_replies * expected
    ends = _ends(found.t) if len(lengths) > 1 else [found.t]
    again = _follow_ups(found, w, usual, ends) * k.unit_engagement / k.unit_follow_ups
    found.nagging = found.nagging or again > best
    found.x["engagement"] = hypot(best, again)


def _follow_ups(found: Effects, w: Window, usual: Usual, ends: Sequence[float]) -> float:
    """Return how far late follow-ups into silence are above the line's busy days, in doublings, the less the more of them are answered; as many more are usual as the line has grown."""
    k = CONSTANTS
    deep = w.of(w.deep & ~w.opted_out)
    if not len(deep) or usual.days_new < k.least_usual_days:
        return 0.0
    scan = _Scan(deep, np.ones(len(deep)), _days(ends))
    begun = w.of((w.kind != FOLLOWUP) & ~w.opted_out)
    known = sum(usual.per_day[kind] for kind in ("new", "answer", "touch"))
    grown = np.clip(_Scan(begun, np.ones(len(begun)), _days(ends)).n / (known + 3), 1.0, k.follow_ups_grow)
    low = scan.n - k.count_margin * np.sqrt(scan.n)
    over = np.log2((np.maximum(low, 0) + 5) / (grown * usual.busy["deep"] + 5)) * (1 - np.minimum(1.0, scan.rate)) - 0.1
    over *= _faded(found.t, np.asarray(ends, dtype=float))
    return max(0.0, float(over.max()))


def kept_in_bursts(found: Effects, w: Window, usual: Usual) -> Array:
    """Return the weight of each ask's missing reply: below 1 within a day of volume or of openers far beyond usual."""
    kinds = {"new_conversations": (NEW,), "recipient_spread": (TOUCH, FOLLOWUP), "send_pace": (TOUCH, FOLLOWUP)}
    weight = np.ones(len(w))
    for driver, codes in kinds.items():
        if driver not in found.windows:
            continue
        a, b = found.windows[driver]
        for code in codes:
            of = (w.kind == code) & (w.first > a) & (w.first <= b)
            allowed = CONSTANTS.exposure_allowed * (usual.per_day[KINDS[code]] * (b - a) / DAY + 2)
            weight[of] = np.minimum(weight[of], min(1.0, allowed / max(int(of.sum()), 1)))
    return weight


def _deliverability(found: Effects, w: Window, usual: Usual, ends: Sequence[float]) -> None:
    """Set deliverability: undelivered asks beyond the usual share, in the worst day."""
    k = CONSTANTS
    judged = w.of(w.judged)
    found.x["deliverability"] = 0.0
    if not judged.undelivered.any():
        return
    spans = [(end, hours) for hours in k.failure_hours for end in _failure_ends(found.t, ends, hours)]
    stops, hours = np.asarray(spans, dtype=float).T
    n, bad = _Scan(judged, np.ones(len(judged)), spans).n, _Scan(judged, judged.undelivered.astype(float), spans).n
    share = bad / np.maximum(n, 1)
    over = (bad - usual.failed * n - k.rate_margin * np.sqrt(bad * (1 - share) + 0.5)) / (n + 4)
    over *= _faded(found.t, stops)
    best = int(np.argmax(over))
    if over[best] > 0:
        found.x["deliverability"] = float(over[best])
        found.windows["deliverability"] = (stops[best] - hours[best] * HOUR, stops[best])


def _failure_ends(t: int, ends: Sequence[float], hours: float) -> Array:
    """Return the ends of windows of this length from the first day scanned up to t."""
    step = min(CONSTANTS.scan_step_hours, hours / 2) * HOUR
    return t - np.arange(0, t - min(ends) + 1, step)


def _opt_outs(found: Effects, history: LineHistory, usual: Usual, since: float) -> None:
    """Set opt_outs: sends after an opt-out, recent ones weighing more, and opt-outs beyond usual."""
    k, t = CONSTANTS, found.t
    low, high = np.searchsorted(history.out_at, (since, t), side="right")
    pressure = float((2.0 ** (-(t - history.out_at[low:high]) / (k.pressure_half_days * DAY))).sum())
    low, high = np.searchsorted(history.left_at, (t - 3 * DAY, t), side="right")
    wave = int(high - low)
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
