"""Effects of one transition in, the time a driver left its usual range out; one way of looking per driver (method: onset)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, sqrt

import numpy as np

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.effects import top_fingerprint
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory, record_of
from analysis.explain.running import Array
from analysis.explain.window import ANSWER, FOLLOWUP, NEW, TOUCH, Window, window_of

_BIN = HOUR // 2


@dataclass(frozen=True)
class Onset:
    """When a driver left its usual range and when its excess last showed (ms), and between which times it began."""

    began: int | None = None
    last: int | None = None
    earliest: int | None = None
    latest: int | None = None
    clearness: float = 0.0
    """Log likelihood of this beginning against none."""


_UNKNOWN = Onset()


def onset_of(driver: str, effects: Effects, history: LineHistory, usual: Usual) -> Onset:
    """Return when a driver left its usual range before the transition.

    Args:
        driver: one of contract.md, section 5.
        effects: of the transition; nothing later than its time is used.
        history: the line.
        usual: its usual at the transition.

    Returns:
        The likeliest beginning, and the earliest and latest that are almost as likely (within 2 of the log likelihood);
        unknown where the driver cannot be dated (``unexplained``). Source: method sheet, 2.7.
    """
    k, t = CONSTANTS, effects.t
    if driver == "flagged":
        window = effects.windows.get(driver)
        return _point(int(window[0]), t) if window else _UNKNOWN
    if driver == "opt_outs":
        return _opt_out_run(history, t)
    if driver == "repeated_content":
        return _repeated_run(effects, history)
    if driver == "deliverability":
        return _failures(window_of(history, usual, t - k.onset_days_rates * DAY, t), usual)
    if driver == "engagement" and not effects.nagging:
        w = window_of(history, usual, t - k.onset_days_audience * DAY, t)
        late = w.of(w.first >= t - k.onset_days_rates * DAY)
        fall = max(_fall(late), _fall(late.of(late.kind != ANSWER)), key=lambda onset: onset.clearness)
        return _clearer(fall, _colder(w, history, usual), w)
    slow = driver == "engagement"
    days = k.onset_days_rates if slow else k.onset_days_counts
    w = window_of(history, usual, t - days * DAY, t)
    if driver == "new_conversations":
        wanted, per_day = w.kind == NEW, usual.per_day["new"]
    elif driver == "recipient_spread":
        wanted = (w.kind != NEW) & (w.kind != FOLLOWUP) & ~w.opted_out
        per_day = usual.per_day["answer"] + usual.per_day["touch"]
    elif driver == "send_pace":
        wanted, per_day = w.volume, usual.sends_per_day
    elif slow:
        wanted = (w.kind == FOLLOWUP) & ~w.opted_out
        per_day = usual.per_day["followup"] + usual.per_day["deep"]
    else:
        return _UNKNOWN
    weights = w.sends[wanted].astype(float) if driver == "send_pace" else np.ones(int(wanted.sum()))
    found = _burst(w.first[wanted], weights, rhythm(history, usual), per_day, t - days * DAY, t)
    return replace(found, began=found.earliest) if slow else found


def _point(at: int, last: int | None = None) -> Onset:
    return Onset(at, at if last is None else last, at, at)


def rhythm(history: LineHistory, usual: Usual) -> list[float]:
    """Return the usual share of a day's asks in each half hour of the UTC day, drawn a little to an even day."""
    found = np.zeros(48)
    for a, b in usual.spans:
        low, high = np.searchsorted(history.first, (a, b), side="right")
        found += np.bincount(history.first[low:high] % DAY // _BIN, minlength=48)
    smooth = found + np.roll(found, 1) + np.roll(found, -1)
    total, even = smooth.sum(), CONSTANTS.onset_even
    shares: list[float] = ((smooth + even * total / 48 + 1) / ((1 + even) * total + 48)).tolist()
    return shares


def _burst(events: Array, weights: Array, profile: list[float], per_day: float, since: float, t: int) -> Onset:
    """Return the interval with most events beyond 1.6 × usual (two-sided scan of all intervals of half-hour bins)."""
    if not len(events):
        return _UNKNOWN
    start, n_bins = int(since // _BIN), int(t // _BIN) - int(since // _BIN) + 1
    counts = np.bincount(events // _BIN - start, weights=weights, minlength=n_bins)
    usual = CONSTANTS.onset_excess * per_day * np.array(profile)[(start + np.arange(n_bins)) % 48]
    came, expected = (np.concatenate(([0.0], np.cumsum(v))) for v in (counts, usual))
    busy = counts.nonzero()[0]  # an interval begins and ends with an event
    n = came[busy + 1] - came[busy, None]  # row: first bin, column: last bin
    e = expected[busy + 1] - expected[busy, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(n > e, n * np.log(n / np.maximum(e, 0.1)) - (n - e), 0.0)
    score = np.triu(score)
    i, j = np.unravel_index(int(np.argmax(score)), score.shape)
    if score[i, j] <= 0:
        return _UNKNOWN
    bins = events // _BIN - start
    near = busy[(score[:, j] > 0) & (score[:, j] >= score[i, j] - CONSTANTS.onset_likelihood)]
    inside = events[(bins >= busy[i]) & (bins <= busy[j])]

    def first_in(row: int) -> int:
        return int(events[bins == row].min())

    return Onset(int(inside.min()), int(inside.max()), first_in(int(near[0])), first_in(int(near[-1])))


def _fall(w: Window) -> Onset:
    """Return the start that makes "fewer replies from here on" likeliest: at 0.4 of usual, then at the ratio so found."""
    asks = w.of(w.measured & ~w.deep & (w.expected > CONSTANTS.onset_least_expected))
    start = _likeliest(asks, CONSTANTS.onset_reply_ratio, 1.0)
    if start is None:
        return _UNKNOWN
    after = asks.of(asks.first >= start.began)
    least, most = CONSTANTS.onset_ratios
    ratio = float(after.replied.sum() / after.expected.sum())
    start = _likeliest(asks, min(most, max(least, ratio)), 1.0) or start
    return replace(start, last=int(asks.first.max()))


def _clearer(fall: Onset, colder: Onset, w: Window) -> Onset:
    """Return the beginning of writing to chats that do not answer, where the others go on answering; else of fewer replies.

    Chats fall silent when replies fall, too: a colder audience is a cause only where the chats that had answered still do.
    """
    k = CONSTANTS
    if colder.began is None or colder.clearness < max(fall.clearness, k.onset_likelihood):
        return fall
    warm = (w.first >= (fall.began or colder.began)) & (w.streak < k.deep_streak) & w.measured
    expected = float(w.expected[warm].sum())
    still = float(w.replied[warm].sum()) >= k.audience_answers * expected - sqrt(expected)
    return colder if still else fall


def _colder(w: Window, history: LineHistory, usual: Usual) -> Onset:
    """Return the start from which the asks in known chats likeliest go to chats with a worse record of answering.

    A single change of shares over RECORDS: log likelihood of the shares since a start against the usual ones; the shares
    are estimated from the start found, twice.
    """
    k = CONSTANTS
    asks = w.of(((w.kind == TOUCH) | (w.kind == FOLLOWUP)) & ~w.opted_out)
    counts = np.array([running.count(usual.spans) for running in history.begun_to], dtype=float)
    if len(asks) < CONSTANTS.least_asks_shown or counts.sum() < CONSTANTS.least_usual_asks:
        return _UNKNOWN
    record, found = record_of(asks.streak), _UNKNOWN
    before = (counts + 1) / (counts.sum() + len(counts))
    after = before * np.linspace(0.5, 1.5, len(before))
    for _ in range(3):
        gain = np.log(after / after.sum() / before)[record]
        total = np.cumsum(gain[::-1])[::-1]
        total[1:][asks.first[1:] == asks.first[:-1]] = -np.inf
        best = int(np.argmax(total))
        if total[best] <= 0:
            return found
        near = np.flatnonzero(total >= total[best] - CONSTANTS.onset_likelihood)
        times = asks.first
        found = Onset(int(times[best]), int(times[-1]), int(times[near[0]]), int(times[near[-1]]), float(total[best]))
        seen = np.bincount(record[best:], minlength=len(before))
        after = seen + k.onset_drawn * before
    worse = float(after @ np.arange(len(after)) / after.sum()) > float(before @ np.arange(len(before)))
    return found if worse else _UNKNOWN


def _likeliest(asks: Window, ratio: float, sign: float) -> Onset | None:
    """Return the start from which "ratio of the expected replies" beats "as expected" most (sign -1: the reverse)."""
    if not len(asks):
        return None
    e = np.minimum(asks.expected, CONSTANTS.onset_certain)
    gain = sign * np.where(asks.replied, log(ratio), np.log((1 - ratio * e) / (1 - e)))
    total = np.cumsum(gain[::-1])[::-1]  # of everything from each ask on
    total[1:][asks.first[1:] == asks.first[:-1]] = -np.inf  # a start takes all asks of its instant
    best = int(np.argmax(total))
    if total[best] <= 0:
        return None
    near = np.flatnonzero(total >= total[best] - CONSTANTS.onset_likelihood)
    times = asks.first
    return Onset(int(times[best]), None, int(times[near[0]]), int(times[near[-1]]), float(total[best]))


def replies_back(history: LineHistory, usual: Usual, since: int, t: int) -> int | None:
    """Return since when, after a fall that began at ``since``, replies are likelier as usual than at 0.4 of it."""
    w = window_of(history, usual, since - 1, t)
    back = _likeliest(
        w.of(w.measured & ~w.deep & (w.expected > CONSTANTS.onset_least_expected)), CONSTANTS.onset_reply_ratio, -1.0
    )
    return back.began if back else None


def _failures(w: Window, usual: Usual) -> Onset:
    """Return the run in which undelivered sends are likeliest beyond usual, from its first failure to its last."""
    judged = w.of(w.judged)
    if not judged.undelivered.any():
        return _UNKNOWN
    p0 = min(max(usual.failed, 0.001), 0.5)
    p1 = max(CONSTANTS.onset_fail_rate, float(judged.undelivered.mean()), 1.5 * p0)
    p1 = min(p1, CONSTANTS.onset_certain)
    gain = np.where(judged.undelivered, log(p1 / p0), log((1 - p1) / (1 - p0)))
    sums = np.concatenate(([0.0], np.cumsum(gain)))
    lowest = np.minimum.accumulate(sums[:-1])
    stop = int(np.argmax(sums[1:] - lowest))
    score = sums[stop + 1] - sums[: stop + 1]
    begin = int(np.argmax(score))
    if score[begin] <= 0:
        return _UNKNOWN
    dead = np.flatnonzero(judged.undelivered[: stop + 1])
    run = judged.first[dead[dead >= begin]]
    # the interval at the share that fails in the run itself: where few do, some sends got through before the first failed
    p1 = min(max(p1, float(judged.undelivered[begin : stop + 1].mean())), CONSTANTS.onset_certain)
    gain = np.where(judged.undelivered[: stop + 1], log(p1 / p0), log((1 - p1) / (1 - p0)))
    score = np.cumsum(gain[::-1])[::-1]
    near = np.flatnonzero(score >= score.max() - CONSTANTS.onset_likelihood)
    last_near = int(judged.first[dead[dead >= min(int(near[-1]), int(dead[-1]))]].min())
    began = int(run.min())
    return Onset(began, int(run.max()), min(began, int(judged.first[near[0]])), max(began, last_near))


def _opt_out_run(history: LineHistory, t: int) -> Onset:
    """Return first and last send of the current run of sends after opt-outs (gaps under 36 h)."""
    times = history.out_at[history.out_at <= t]
    if not len(times):
        waves = history.left_at[(history.left_at > t - CONSTANTS.wave_days * DAY) & (history.left_at <= t)]
        return _point(int(waves[0]), int(waves[-1])) if len(waves) else _UNKNOWN
    breaks = np.flatnonzero(np.diff(times) > CONSTANTS.opt_out_gap_hours * HOUR)
    return _point(int(times[breaks[-1] + 1 if len(breaks) else 0]), int(times[-1]))


def _repeated_run(effects: Effects, history: LineHistory) -> Onset:
    window = effects.windows.get("repeated_content")
    if window is None:
        return _UNKNOWN
    top, *_ = top_fingerprint(history, *window)
    rows = history.rows.sends_in(effects.t - CONSTANTS.onset_days_counts * DAY, effects.t)
    times = [r.at for r in rows if r.fingerprint == top]
    return _point(times[0], times[-1]) if times else _UNKNOWN
