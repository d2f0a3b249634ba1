"""A line's history and its usual in, effects out: per driver a lower confidence bound of how far it was out of the usual."""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from analysis.explain.amounts import amounts_of
from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.engagement import engagement, kept_in_bursts
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.scan import DOUBLINGS, Scan, Scanned, Spans, days_before, discounted, doublings, scanned
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
    window = week_of(history, usual, t)
    found = effects_in(window, history, usual, settings, fresh=fresh)
    since = troubles.flagged_since(t) if flags else None
    found.x["flagged"] = 1.0 if since is not None else 0.0
    if since is not None:
        found.windows["flagged"] = (since, t)
    return found


def week_of(history: LineHistory, usual: Usual, t: int) -> Window:
    """Return the asks of the week up to t, as of t: what effects are measured on."""
    return window_of(history, usual, t - 7 * DAY, t)


def effects_in(
    window: Window, history: LineHistory, usual: Usual, settings: Settings, *, fresh: bool = False
) -> Effects:
    """Return the effects of what a window holds, but flags; arguments as ``effects_at``.

    The window may hold fewer asks than there were: what is left out did not happen, in this model.
    """
    t = window.t
    found = Effects(t, {}, window=window, asks_week=len(window))
    low, high = history.send_at.searchsorted((t - 7 * DAY, t), side="right").tolist()
    found.sends_week = high - low
    over_all = scanned(fresh=fresh)
    places = over_all.every.up_to(t).among(window.first_ms)
    volume(found, window, history, usual, settings, over_all, places)
    _new(found, window, history, usual, settings, over_all, places)
    burst = kept_in_bursts(found, window, usual)
    lengths = CONSTANTS.engagement_days[:1] if fresh else CONSTANTS.engagement_days
    engagement(found, window, history, usual, burst, lengths, over_all, places)
    _deliverability(found, window, usual, over_all)
    _opt_outs(found, history, usual, t - (DAY if fresh else 7 * DAY))
    _repeated(found, history, usual)
    if usual.own and len(window):
        lately = window.first > t - (2 if fresh else 7) * DAY
        found.amount = amounts_of(window.of(lately), history, usual, burst[lately])
        for volume_driver in ("recipient_spread", "send_pace"):  # no amount of it where replies came
            found.amount[volume_driver] *= min(1.0, found.x[volume_driver] / CONSTANTS.amount_shows)
    return found


def first_seen_before(history: LineHistory, spans: Spans) -> Array:
    """Return for each window the most chats first written to in a window of that length up to a day before its end.

    Windows of one length end a step of their scan apart, the latest first: what was before one was before those after it.

    A line under two weeks old has no usual of openers, for its known chats look new too. But those only add: what was never
    exceeded while they were still coming in bounds the usual from above. The hours about a week before count whatever the line's
    age: a weekly mailing is no burst. NaN where all of it is under ``least_usual_days``.
    """
    k, seen = CONSTANTS, history.first_seen_ms
    begin, found = history.first_at + k.first_seen_after * DAY, np.full(len(spans.stops), np.nan)
    told, lengths = spans.stops - DAY - begin >= k.least_usual_days * DAY, spans.stops - spans.starts
    for length in np.unique(lengths[told]).tolist():
        of = told & (lengths == length)
        stops = spans.stops[of][:, None]
        step = k.scan_step_hours * HOUR if length > k.short_hours * HOUR else HOUR
        ends = np.arange(stops[0, 0] - DAY, history.first_at + length - 1, -step)
        low, high = (seen.searchsorted(at, side="right") for at in (ends - length, ends))
        counts = (ends >= begin + length) | (np.abs(ends - stops + 7 * DAY) <= DAY / 2)
        found[of] = ((high - low) * (counts & (ends <= stops - DAY))).max(axis=1, initial=0)
    return found


def _new(
    found: Effects,
    w: Window,
    history: LineHistory,
    usual: Usual,
    settings: Settings,
    over_all: Scanned,
    places: tuple[Array, Array],
) -> None:
    """Set new_conversations: openers far above usual in a day, the more so the fewer answer."""
    k = CONSTANTS
    found.x["new_conversations"] = 0.0
    opens = w.kind == NEW
    if not opens.any():
        return
    own = usual.own and usual.days_new >= k.least_usual_days
    back = over_all.every if usual.own else over_all.days
    scan, long = Scan(w, opens.astype(float), (places[0][: len(back)], places[1][: len(back)])), back.long
    low = scan.n - k.count_margin * np.sqrt(scan.n)
    if own:
        busy = np.where(long, usual.busy["new"], usual.peaks["new"])
        over = doublings(low, busy) * discounted(scan.engaged, k.new_discount) - k.new_floor - back.floor
    else:
        busy = first_seen_before(history, back.up_to(found.t)) if usual.own else np.full(len(back), np.nan)
        over = doublings(low, np.nan_to_num(busy)) * discounted(scan.engaged, k.new_discount) - k.new_floor - back.floor
        over[np.isnan(busy)] = 0.0
        published = k.unit_new * np.log2(np.maximum(scan.n, 1) / settings.ref_new_per_day)
        over = np.maximum(over, np.where(long, published, 0.0))
    over = over * back.faded
    best = int(over.argmax())
    if over[best] > 0:
        found.x["new_conversations"] = float(over[best])
        found.spread["new_conversations"] = DOUBLINGS / sqrt(max(float(scan.n[best]), 1.0))
        # a burst is told by the day around it
        found.windows["new_conversations"] = back.around(best, found.t)
        if not own:
            day = days_before(found.t - back.stops[best : best + 1])
            seen = first_seen_before(history, day)[0] if usual.own else np.nan
            found.first_seen = None if np.isnan(seen) else int(seen)
            found.limit = "new" if scan.n[long].max() > settings.ref_new_per_day else found.limit


def _deliverability(found: Effects, w: Window, usual: Usual, over_all: Scanned) -> None:
    """Set deliverability: undelivered asks beyond the usual share, in the worst day."""
    k, failed = CONSTANTS, w.judged & w.undelivered
    found.x["deliverability"] = 0.0
    if not failed.any():
        return
    spans = over_all.failures.up_to(found.t)
    n, bad = Scan(w, w.judged, spans.among(w.first_ms)).over(w.judged, failed)
    share = bad / np.maximum(n, 1)
    over = (bad - usual.failed * n - k.rate_margin * np.sqrt(bad * (1 - share) + 0.5)) / (n + k.share_prior)
    over *= over_all.failures.faded
    best = int(over.argmax())
    if over[best] > 0:
        found.x["deliverability"] = float(over[best])
        found.spread["deliverability"] = sqrt(bad[best] * (1 - share[best]) + 0.5) / (n[best] + k.share_prior)
        found.windows["deliverability"] = spans.span(best)


def _opt_outs(found: Effects, history: LineHistory, usual: Usual, since: float) -> None:
    """Set opt_outs: sends after an opt-out, recent ones weighing more, and opt-outs beyond usual."""
    k, t = CONSTANTS, found.t
    low, high = history.out_at.searchsorted((since, t), side="right").tolist()
    pressure = float((2.0 ** (-(t - history.out_at[low:high]) / (k.pressure_half_days * DAY))).sum())
    low, high = history.left_at.searchsorted((t - k.wave_days * DAY, t), side="right").tolist()
    wave = high - low
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
    for row in history.rows.sends_in(a, int(b)):
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
    if not (history.rows.fingerprinted and usual.own):
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
