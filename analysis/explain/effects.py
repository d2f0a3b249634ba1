"""A line's history and its usual in, effects out: per driver a lower confidence bound of how far it was out of the usual."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

import numpy as np

from analysis.explain.amounts import amounts_of
from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.engagement import engagement, kept_in_bursts
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.scan import (
    DOUBLINGS,
    Scan,
    day_around,
    days_of,
    discounted,
    doublings,
    ends_of,
    faded,
    failure_ends,
    short_ends,
)
from analysis.explain.troubles import Troubles
from analysis.explain.volume import volume
from analysis.explain.window import NEW, Window, window_of
from analysis.settings import Settings


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
    found = effects_in(window, history, usual, settings, fresh=fresh)
    since = troubles.flagged_since(t) if flags else None
    found.x["flagged"] = 1.0 if since is not None else 0.0
    if since is not None:
        found.windows["flagged"] = (since, t)
    return found


def effects_in(
    window: Window, history: LineHistory, usual: Usual, settings: Settings, *, fresh: bool = False
) -> Effects:
    """Return the effects of what a window holds, but flags; arguments as ``effects_at``.

    The window may hold fewer asks than there were: what is left out did not happen, in this model.
    """
    t = window.t
    found = Effects(t, {}, window=window, asks_week=len(window))
    low, high = np.searchsorted(history.send_at, (t - 7 * DAY, t), side="right")
    found.sends_week = int(high - low)
    ends = [t] if fresh else ends_of(t)
    volume(found, window, history, usual, settings, ends)
    _new(found, window, history, usual, settings, ends)
    engagement(found, window, history, usual, CONSTANTS.engagement_days[:1] if fresh else CONSTANTS.engagement_days)
    _deliverability(found, window, usual, ends)
    _opt_outs(found, history, usual, t - (DAY if fresh else 7 * DAY))
    _repeated(found, history, usual)
    if usual.own and len(window):
        lately = window.first > t - (2 if fresh else 7) * DAY
        found.amount = amounts_of(window.of(lately), history, usual, kept_in_bursts(found, window, usual)[lately])
        for volume_driver in ("recipient_spread", "send_pace"):  # no amount of it where replies came
            found.amount[volume_driver] *= min(1.0, found.x[volume_driver] / CONSTANTS.amount_shows)
    return found


def first_seen_before(history: LineHistory, spans: Sequence[tuple[float, float]]) -> Array:
    """Return for each window (end, hours) the most chats first written to in a window of that length up to a day before its end.

    A line under two weeks old has no usual of openers, for its known chats look new too. But those only add: what was never
    exceeded while they were still coming in bounds the usual from above. The hours about a week before count whatever the line's
    age: a weekly mailing is no burst. NaN where all of it is under ``least_usual_days``.
    """
    k, seen = CONSTANTS, history.first_seen_ms
    begin, found = history.first_at + k.first_seen_after * DAY, np.full(len(spans), np.nan)
    for i, (end, hours) in enumerate(spans):
        if end - DAY - begin < k.least_usual_days * DAY:
            continue
        step = k.scan_step_hours * HOUR if hours > k.short_hours else HOUR
        ends = np.arange(end - DAY, history.first_at + hours * HOUR - 1, -step)
        ends = ends[(ends >= begin + hours * HOUR) | (np.abs(ends - end + 7 * DAY) <= DAY / 2)]
        low, high = (np.searchsorted(seen, at, side="right") for at in (ends - hours * HOUR, ends))
        found[i] = (high - low).max(initial=0)
    return found


def _new(
    found: Effects, w: Window, history: LineHistory, usual: Usual, settings: Settings, ends: Sequence[float]
) -> None:
    """Set new_conversations: openers far above usual in a day, the more so the fewer answer."""
    k = CONSTANTS
    found.x["new_conversations"] = 0.0
    new = w.of(w.kind == NEW)
    if not len(new):
        return
    own = usual.own and usual.days_new >= k.least_usual_days
    spans = days_of(ends) + [(end, k.short_hours) for end in short_ends(found.t, ends) if usual.own]
    scan, long = Scan(new, np.ones(len(new)), spans), np.array([hours == k.window_hours for _, hours in spans])
    busy = np.where(long, usual.busy["new"], usual.peaks["new"]) if own else np.full(len(spans), np.nan)
    if usual.own and not own:
        busy = first_seen_before(history, spans)
    low = scan.n - k.count_margin * np.sqrt(scan.n)
    v = doublings(low, np.nan_to_num(busy)) * discounted(scan.engaged, k.new_discount)
    over = v - k.new_floor - np.where(long, 0.0, k.short_floor)
    over[np.isnan(busy)] = 0.0
    published = k.unit_new * np.log2(np.maximum(scan.n, 1) / settings.ref_new_per_day)
    over = over if own else np.maximum(over, np.where(long, published, 0.0))
    over = over * faded(found.t, np.array([end for end, _ in spans]))
    best = int(np.argmax(over))
    if over[best] > 0:
        found.x["new_conversations"] = float(over[best])
        found.spread["new_conversations"] = DOUBLINGS / sqrt(max(float(scan.n[best]), 1.0))
        # a burst is told by the day around it
        found.windows["new_conversations"] = day_around(spans[best], found.t)
        if not own:
            seen = first_seen_before(history, [(spans[best][0], k.window_hours)])[0] if usual.own else np.nan
            found.first_seen = None if np.isnan(seen) else int(seen)
            found.limit = "new" if scan.n[long].max() > settings.ref_new_per_day else found.limit


def _deliverability(found: Effects, w: Window, usual: Usual, ends: Sequence[float]) -> None:
    """Set deliverability: undelivered asks beyond the usual share, in the worst day."""
    k = CONSTANTS
    judged = w.of(w.judged)
    found.x["deliverability"] = 0.0
    if not judged.undelivered.any():
        return
    spans = [(end, hours) for hours in k.failure_hours for end in failure_ends(found.t, ends, hours)]
    stops, hours = np.asarray(spans, dtype=float).T
    scan = Scan(judged, np.ones(len(judged)), spans)
    n, bad = scan.n, scan.over(judged.undelivered.astype(float))
    share = bad / np.maximum(n, 1)
    over = (bad - usual.failed * n - k.rate_margin * np.sqrt(bad * (1 - share) + 0.5)) / (n + k.share_prior)
    over *= faded(found.t, stops)
    best = int(np.argmax(over))
    if over[best] > 0:
        found.x["deliverability"] = float(over[best])
        found.spread["deliverability"] = sqrt(bad[best] * (1 - share[best]) + 0.5) / (n[best] + k.share_prior)
        found.windows["deliverability"] = (stops[best] - hours[best] * HOUR, stops[best])


def _opt_outs(found: Effects, history: LineHistory, usual: Usual, since: float) -> None:
    """Set opt_outs: sends after an opt-out, recent ones weighing more, and opt-outs beyond usual."""
    k, t = CONSTANTS, found.t
    low, high = np.searchsorted(history.out_at, (since, t), side="right")
    pressure = float((2.0 ** (-(t - history.out_at[low:high]) / (k.pressure_half_days * DAY))).sum())
    low, high = np.searchsorted(history.left_at, (t - k.wave_days * DAY, t), side="right")
    wave = int(high - low)
    if usual.own:
        pressure += k.wave_weight * max(
            0.0, wave - k.count_margin * sqrt(wave) - k.wave_days * usual.opt_outs_per_day - 1
        )
    found.x["opt_outs"] = log(1 + pressure / k.opt_out_unit)
    if found.x["opt_outs"] > 0:
        found.spread["opt_outs"] = sqrt(pressure + 0.5) / (k.opt_out_unit + pressure)
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
            if of >= CONSTANTS.repetition_sends:
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
            found.spread["repeated_content"] = sqrt(share * (1 - share) / of + 0.5 / of)
    found.x["repeated_content"] = best
    if best > 0:
        found.windows["repeated_content"] = where
