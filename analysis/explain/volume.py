"""A line's last week and its usual in, volume far above usual out: many recipients in a short window, pace, loops, published limits."""

from __future__ import annotations

from math import log2, sqrt

import numpy as np

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.scan import DOUBLINGS, Scan, Scanned, days_before, doublings, fading, scanned, unheard
from analysis.explain.window import Seen, Window
from analysis.settings import Settings


def in_volume(s: Seen) -> bool:
    """Say whether an ask's messages count as volume: it answers or takes up a known chat again; a loop always counts."""
    return (s.kind not in ("new", "followup") or s.sends >= CONSTANTS.loop_sends) and not s.opted_out


def volume(
    found: Effects,
    w: Window,
    history: LineHistory,
    usual: Usual,
    settings: Settings,
    over_all: Scanned,
    places: tuple[Array, Array],
) -> None:
    """Set recipient_spread or send_pace: volume far above usual, the more so the fewer answer.

    Asks and messages are both scanned: a loop hides inside one ask. The excess counts as recipient_spread where more
    of it (in doublings) is different recipients than messages to each, else as send_pace.
    """
    k = CONSTANTS
    found.x["recipient_spread"] = found.x["send_pace"] = 0.0
    if usual.own and len(w):
        every = over_all.every
        long = every.long
        asks, messages = Scan(w, w.begun.astype(float), places), Scan(w, np.where(w.volume, w.sends, 0.0), places)
        low = asks.n - k.count_margin * np.sqrt(asks.n)
        v = doublings(low, np.where(long, usual.busy["known"], usual.peaks["known"]))
        low = messages.n - k.count_margin * np.sqrt(k.message_spread * messages.n)
        v_m = doublings(low, np.where(long, usual.busy["sends"], usual.peaks["sends"]))
        alone = [unheard(scan.engaged, scan.chance, k.volume_discount) for scan in (asks, messages)]
        over = np.maximum(v * alone[0], v_m * alone[1]) - k.volume_floor
        over -= every.floor
        over *= every.faded
        best = int(over.argmax())
        if over[best] > 0:
            a, b = every.up_to(found.t).span(best)
            inside = w.of(w.volume & (w.first > a) & (w.first <= b))
            chats, sends = len(np.unique(inside.chat)), int(inside.sends.sum())
            per_chat = usual.sends_per_day / usual.recipients_per_day
            spread = log2((chats + 3) / (usual.recipients_per_day + 3))
            pace = log2(max(sends / max(chats, 1), 1.0) / max(per_chat, 1.0)) if chats else 0.0
            # what shows most within hours is a burst, whatever the days around it hold
            of_days = float(over[long].max()) >= k.pace_of_days * float(over[best])
            lasts = spread >= pace and of_days and _goes_on(w, usual, b, found.t)
            driver = "recipient_spread" if spread >= pace and not lasts else "send_pace"
            scale = k.unit_pace / k.unit_spread if lasts else 1.0
            found.x[driver] = float(over[best]) * scale
            found.spread[driver] = scale * DOUBLINGS / sqrt(max(float(asks.n[best]), 1.0))
            found.windows[driver] = every.around(best, found.t)
        _loop(found, w, usual, over_all)
    _published_limit(found, history, usual, settings, over_all)


def risen(w: Window, usual: Usual) -> dict[str, float] | None:
    """Return the fullest day before a change where it is well above a busy day, and how its sends were answered; else None.

    What is told where nothing explains a change: more volume is not "within its usual", however well it is answered.
    """
    k = CONSTANTS
    if not usual.own or not len(w):
        return None
    days = scanned(fresh=False).days.up_to(w.t)
    n = Scan(w, w.begun.astype(float), days.among(w.first_ms)).n
    best = int(n.argmax())
    if n[best] <= k.rise_told * max(usual.busy["known"], 1.0):
        return None
    a, b = days.span(best)
    day = w.of(w.begun & (w.first > a) & (w.first <= b))
    return {
        "observed": int(day.sends.sum()),
        "usual": round(usual.sends_per_day, 1),
        "answered": int(day.replied.sum()),
        "answered_of": int(day.measured.sum()),
        "usual_by_now": round(float(day.expected.sum()), 1),
    }


def _goes_on(w: Window, usual: Usual, end: float, t: int) -> bool:
    """Say whether volume above the busy day lasts for more than a day: then it is pace, not many recipients in a short window."""
    k = CONSTANTS
    days = days_before(end + np.arange(-int(k.scan_back_hours // 24), int((t - end) // DAY) + 1) * DAY)
    over = np.maximum(0.0, Scan(w, w.begun.astype(float), days.among(w.first_ms)).n - usual.busy["known"])
    return bool(over.sum() > 0 and over.max() < k.pace_lasts * over.sum())


def _loop(found: Effects, w: Window, usual: Usual, over_all: Scanned) -> None:
    """Set send_pace where one chat got far more sends in a row than the line's largest usual run: a loop hides in any volume."""
    k = CONSTANTS
    since = found.t - over_all.days.stops[-1] - k.window_hours * HOUR
    rows = (w.volume & (w.first >= since)).nonzero()[0]
    if not len(rows):
        return
    size = w.sends[rows] - k.loop_replies * w.replied[rows]
    if k.loop_worth * float(doublings(max(float(size.max()), 0.0), usual.busy["run"])) <= k.loop_floor:
        return  # not even the largest is one
    first = w.first[rows]
    run, fades = doublings(np.maximum(size, 0), usual.busy["run"]), fading(found.t - first)
    best = int(np.argmax(run * fades))
    over = (k.loop_worth * float(run[best]) - k.loop_floor) * float(fades[best])
    if over > found.x["send_pace"]:
        found.x["send_pace"], found.spread["send_pace"] = (
            over,
            k.loop_worth * DOUBLINGS / sqrt(max(float(size[best]), 0.0) + k.doublings_prior),
        )
        a = float(first[best])
        stop = min(float(found.t), a + k.window_hours / 2 * HOUR)
        found.windows["send_pace"] = (stop - k.window_hours * HOUR, stop)


def _published_limit(found: Effects, history: LineHistory, usual: Usual, settings: Settings, over_all: Scanned) -> None:
    """Set send_pace where all messages of a day are above the vendor's published limit, and above the line's usual."""
    k, days, limit = CONSTANTS, over_all.days.up_to(found.t), settings.ref_messages_per_day
    low, high = days.among(history.totals.times)
    totals = high - low
    best = int(totals.argmax())
    if totals[best] > limit and totals[best] > k.limit_usual * usual.total_per_day:
        over = k.unit_pace * (1 + log2(totals[best] / limit))
        if over > found.x["send_pace"]:
            found.x["send_pace"], found.limit = over, "messages"
            found.spread["send_pace"] = k.unit_pace * DOUBLINGS / sqrt(float(totals[best]))
            found.windows["send_pace"] = days.span(best)
