"""Effects of one transition in, the time a driver left its usual range out; one way of looking per driver (method: onset)."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.effects import Effects, in_volume, top_fingerprint
from analysis.explain.history import LineHistory
from analysis.explain.window import Seen, seen_asks

_BIN = HOUR // 2
_LEAST_EXPECTED = 0.005
"""Asks too young to expect this much of a reply say nothing about when a fall began."""


def onset_of(driver: str, effects: Effects, history: LineHistory, usual: Usual) -> tuple[int | None, int | None]:
    """Return when a driver left its usual range before the transition, and when its excess last showed, in ms.

    Args:
        driver: one of contract.md, section 5.
        effects: of the transition; nothing later than its time is used.
        history: the line.
        usual: its usual at the transition.

    Returns:
        (began, last), both None where the driver cannot be dated (``unexplained``).
    """
    k, t = CONSTANTS, effects.t
    if driver == "flagged":
        window = effects.windows.get(driver)
        return (int(window[0]), t) if window else (None, None)
    if driver == "opt_outs":
        return _opt_out_run(history, t)
    if driver == "repeated_content":
        return _repeated_run(effects, history)
    if driver == "deliverability":
        return _failures(seen_asks(history, usual, t - k.onset_days_rates * DAY, t), usual)
    if driver == "engagement" and not effects.nagging:
        return _fall(seen_asks(history, usual, t - k.onset_days_rates * DAY, t))
    chosen = _events(driver, effects)
    if chosen is None:
        return None, None
    wanted, per_day, days, weigh = chosen
    seen = seen_asks(history, usual, t - days * DAY, t)
    events = [(s.first, weigh(s)) for s in seen if wanted(s)]
    return _burst(events, rhythm(history, usual), per_day(usual), t - days * DAY, t)


def _events(
    driver: str, effects: Effects
) -> tuple[Callable[[Seen], bool], Callable[[Usual], float], float, Callable[[Seen], float]] | None:
    """Return which asks make up a driver's excess, their usual a day, how far back to look, and each one's weight."""
    k = CONSTANTS
    if driver == "new_conversations":
        return lambda s: s.kind == "new", lambda u: u.per_day["new"], k.onset_days_counts, lambda _: 1.0
    if driver == "recipient_spread":
        return (
            lambda s: s.kind != "new" and not s.deep and not s.opted_out,
            lambda u: sum(u.per_day[kind] for kind in ("answer", "touch", "followup")),
            k.onset_days_counts,
            lambda _: 1.0,
        )
    if driver == "send_pace":
        return in_volume, lambda u: u.sends_per_day, k.onset_days_counts, _sends
    if driver == "engagement":
        return lambda s: s.deep and not s.opted_out, lambda u: u.per_day["deep"], k.onset_days_rates, lambda _: 1.0
    return None


def _sends(s: Seen) -> float:
    return float(s.sends)


def rhythm(history: LineHistory, usual: Usual) -> list[float]:
    """Return the usual share of a day's asks in each half hour of the UTC day, drawn a little to an even day."""
    found = np.zeros(48)
    for a, b in usual.spans:
        low, high = np.searchsorted(history.first, (a, b), side="right")
        found += np.bincount(history.first[low:high] % DAY // _BIN, minlength=48)
    counts = found.tolist()
    smooth = [counts[i - 1] + counts[i] + counts[(i + 1) % 48] for i in range(48)]
    total = sum(smooth)
    return [(s + 0.15 * total / 48 + 1) / (1.15 * total + 48) for s in smooth]


def _burst(
    events: list[tuple[int, float]], profile: list[float], per_day: float, since: float, t: int
) -> tuple[int | None, int | None]:
    """Return first and last event of the interval with most events beyond 1.6 × usual (two-sided scan, half-hour bins)."""
    if not events:
        return None, None
    start, n_bins = int(since // _BIN), int(t // _BIN) - int(since // _BIN) + 1
    counts, usual = [0.0] * n_bins, [0.0] * n_bins
    for at, weight in events:
        counts[at // _BIN - start] += weight
    for i in range(n_bins):
        usual[i] = CONSTANTS.onset_excess * per_day * profile[(start + i) % 48]
    best, where = 0.0, None
    for i in range(n_bins):
        if not counts[i]:
            continue
        n = expected = 0.0
        for j in range(i, n_bins):
            n, expected = n + counts[j], expected + usual[j]
            if counts[j] and n > expected:
                score = n * log(n / max(expected, 0.1)) - (n - expected)
                if score > best:
                    best, where = score, (i, j)
    if where is None:
        return None, None
    low, high = (start + where[0]) * _BIN, (start + where[1] + 1) * _BIN
    inside = [at for at, _ in events if low <= at < high]
    return min(inside), max(inside)


def _fall(seen: list[Seen]) -> tuple[int | None, int | None]:
    """Return the start that makes "fewer replies from here on" likeliest: at 0.4 of usual, then at the ratio so found."""
    asks = [s for s in seen if s.measured and not s.deep and s.expected > _LEAST_EXPECTED]
    start = _likeliest(asks, CONSTANTS.onset_reply_ratio, 1.0)
    if start is None:
        return None, None
    after = [s for s in asks if s.first >= start]
    ratio = sum(s.replied for s in after) / sum(s.expected for s in after)
    start = _likeliest(asks, min(0.6, max(0.05, ratio)), 1.0) or start
    return start, max(s.first for s in asks)


def _likeliest(asks: list[Seen], ratio: float, sign: float) -> int | None:
    """Return the start from which "ratio of the expected replies" beats "as expected" most (sign -1: the reverse)."""
    total, best, where = 0.0, 0.0, None
    for s in reversed(asks):
        e = min(s.expected, 0.95)
        total += sign * (log(ratio) if s.replied else log((1 - ratio * e) / (1 - e)))
        if total > best:
            best, where = total, s.first
    return where


def replies_back(history: LineHistory, usual: Usual, since: int, t: int) -> int | None:
    """Return since when, after a fall that began at ``since``, replies are likelier as usual than at 0.4 of it."""
    seen = seen_asks(history, usual, since - 1, t)
    asks = [s for s in seen if s.measured and not s.deep and s.expected > _LEAST_EXPECTED]
    return _likeliest(asks, CONSTANTS.onset_reply_ratio, -1.0)


def _failures(seen: list[Seen], usual: Usual) -> tuple[int | None, int | None]:
    """Return first and last failure of the run in which undelivered sends are likeliest beyond usual."""
    judged = [s for s in seen if s.judged]
    if not any(s.undelivered for s in judged):
        return None, None
    p0 = min(max(usual.failed, 0.001), 0.5)
    p1 = max(CONSTANTS.onset_fail_rate, sum(s.undelivered for s in judged) / len(judged), 1.5 * p0)
    p1 = min(p1, 0.95)
    total = best = 0.0
    start, where = 0, None
    for i, s in enumerate(judged):
        if total <= 0:
            total, start = 0.0, i
        total += log(p1 / p0) if s.undelivered else log((1 - p1) / (1 - p0))
        if total > best:
            best, where = total, (start, i)
    if where is None:
        return None, None
    dead = [s.first for s in judged[where[0] : where[1] + 1] if s.undelivered]
    return min(dead), max(dead)


def _opt_out_run(history: LineHistory, t: int) -> tuple[int | None, int | None]:
    """Return first and last send of the current run of sends after opt-outs (gaps under 36 h)."""
    times = [int(at) for at in history.out_at if at <= t]
    if not times:
        waves = [at for at in history.opt_outs if t - 3 * DAY < at <= t]
        return (waves[0], waves[-1]) if waves else (None, None)
    first = last = times[-1]
    for at in reversed(times):
        if first - at > CONSTANTS.opt_out_gap_hours * HOUR:
            break
        first = at
    return first, last


def _repeated_run(effects: Effects, history: LineHistory) -> tuple[int | None, int | None]:
    window = effects.windows.get("repeated_content")
    if window is None:
        return None, None
    top, *_ = top_fingerprint(history, *window)
    rows = history.sends_in(effects.t - CONSTANTS.onset_days_counts * DAY, effects.t)
    times = [r.at for r in rows if r.fingerprint == top]
    return (times[0], times[-1]) if times else (None, None)
