"""Effects of one transition in, figures out: what each driver shows in counts against the usual."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import cast

import numpy as np

from analysis.explain.baseline import Usual
from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS, MINUTE
from analysis.explain.effects import top_fingerprint, usual_repetition
from analysis.explain.found import Effects
from analysis.explain.history import LineHistory
from analysis.explain.onset import Onset, rhythm
from analysis.explain.rows import Row
from analysis.explain.volume import in_volume
from analysis.explain.window import NEW, Seen, Window, seen_asks, window_of
from analysis.settings import Settings

Figures = dict[str, float | int | str | None]


@dataclass(frozen=True)
class Case:
    """One transition under study: everything that figures, words and actions are made from."""

    history: LineHistory
    usual: Usual
    effects: Effects
    settings: Settings
    onsets: dict[str, Onset]
    """Per driver: when it left its usual range, between which times that was, and when its excess last showed."""

    @property
    def spans(self) -> dict[str, tuple[int | None, int | None]]:
        """Per driver: when it left its usual range, and when its excess last showed."""
        return {driver: (onset.began, onset.last) for driver, onset in self.onsets.items()}

    @property
    def week(self) -> Window:
        """The asks of the 7 days before it, as of it."""
        return cast(Window, self.effects.window)

    @property
    def t(self) -> int:
        """The transition's time (ms)."""
        return self.effects.t


def figures_of(driver: str, case: Case) -> Figures:
    """Return the figures behind one driver: observed and usual with their counts, and the window in hours.

    Args:
        driver: one of contract.md, section 5, but unexplained.
        case: the transition.

    Returns:
        Numbers (and a code or limit source) only; ``observed`` and ``usual`` are in the driver's own unit: a share for
        engagement, deliverability and repeated_content, else a count. Empty where nothing was seen.
    """
    began = case.spans.get(driver, (None, None))[0]
    if driver == "engagement":
        if case.effects.nagging:
            return _follow_ups(case, began)
        if case.effects.ill:
            return _unhealthy(case)
        figures = replies(case, start_of(case, driver, began))
        few = int(figures["observed_of"] or 0) < CONSTANTS.least_asks_shown
        return replies(case, start_of(case, driver, None)) if few else figures
    if driver == "deliverability":
        return failures(case, start_of(case, driver, began))
    if driver == "new_conversations":
        return _openers(case)
    if driver in ("recipient_spread", "send_pace"):
        return _volume(case, driver)
    if driver == "opt_outs":
        return _opt_outs(case)
    if driver == "flagged":
        return _flag(case, began)
    return _repeated(case)


def start_of(case: Case, driver: str, began: int | None) -> float:
    """Return where a driver's own window begins: its onset, else the window of its largest effect."""
    if began is not None:
        return began - 1
    return case.effects.windows.get(driver, (case.t - 7 * DAY, case.t))[0]


def replies(case: Case, since: float) -> Figures:
    """Return replies to the asks of (since, t] against what is usual for these asks.

    ``observed`` is matured: answered over the share of replies that come by now; ``usual_by_now`` is the count that
    the usual rates give for the same asks at the same age.
    """
    usual, t = case.usual, case.t
    w = window_of(case.history, usual, since, t)
    seen = w.of(w.measured & ~w.deep)
    answered, expected = int(np.count_nonzero(seen.replied)), sum(seen.expected.tolist())
    rate = np.array([usual.reply[kind] for kind in KINDS])[seen.kind]
    ripe, rates = sum((seen.expected[rate > 0] / rate[rate > 0]).tolist()), sum(rate.tolist())
    past = case.history.sums.over(usual.spans)
    return {
        "observed": round(min(1.0, answered / ripe), 4) if ripe >= 1 else None,
        "usual": round(rates / len(seen), 4) if seen else None,
        "observed_count": answered,
        "observed_of": len(seen),
        "usual_by_now": round(expected, 1),
        "usual_count": int(sum(past["replied", kind] for kind in KINDS)),
        "usual_of": int(sum(past["measured", kind] for kind in KINDS)),
        "ripe": round(ripe / len(seen), 3) if seen else 0.0,
        "window_hours": round((t - since) / HOUR, 1),
        "limit": case.settings.ref_reply_floor,
        "limit_source": "Linq help centre, 7 days",
    }


def _follow_ups(case: Case, began: int | None) -> Figures:
    since = start_of(case, "engagement", began)
    deep = [s for s in seen_asks(case.history, case.usual, since, case.t) if s.deep and not s.opted_out]
    days = max((case.t - since) / DAY, 1.0)
    return {
        "observed": round(len(deep) / days, 1),
        "usual": round(case.usual.per_day["deep"], 1),
        "observed_count": len(deep),
        "follow_ups": len(deep),
        "chats": len({s.chat for s in deep}),
        "answered": sum(s.replied for s in deep),
        "window_hours": round((case.t - since) / HOUR, 1),
        "limit": CONSTANTS.deep_streak,
        "limit_source": "Linq help centre: drop after 2-3 unanswered (medium confidence)",
    }


def _unhealthy(case: Case) -> Figures:
    bad, n = case.history.unhealthy(case.t)
    return {
        "observed": round(bad / max(n, 1), 4),
        "usual": round(case.usual.unhealthy, 4),
        "observed_count": bad,
        "observed_of": n,
        "unhealthy_chats": bad,
        "window_hours": 24 * CONSTANTS.unhealthy_days,
    }


def fate(row: Row, case: Case) -> str:
    """Return what is known of a send at the transition: "failed", "silent" (a receipt is usual and none came), "young" or "fine"."""
    t = case.t
    got = row.receipt_at is not None and row.receipt_at <= t
    if row.failed_at is not None and row.failed_at <= t and not got:
        return "failed"
    if row.at + CONSTANTS.receipt_minutes * MINUTE > t and not got:
        return "young"
    lost = row.lost is not None and row.lost <= t
    return "silent" if not got and case.usual.receipts_usual(row.service) and not lost else "fine"


def failures(case: Case, since: float) -> Figures:
    """Return failed and silent sends of (since, t] against the usual share; silence counts only where receipts are usual."""
    t, usual = case.t, case.usual
    failed = silent = judged = 0
    codes: Counter[str] = Counter()
    chats: set[str] = set()
    for row in case.history.rows.sends_in(since, t):
        became = fate(row, case)
        failed += became == "failed"
        silent += became == "silent"
        judged += became != "young"
        if became == "failed":
            codes[row.code or "unknown"] += 1
        if became in ("failed", "silent"):
            chats.add(row.chat)
    top = min(codes, key=lambda c: (-codes[c], c), default=None)
    return {
        "observed": round((failed + silent) / judged, 4) if judged else None,
        "usual": round(usual.failed, 4),
        "observed_count": failed + silent,
        "observed_of": judged,
        "usual_count": usual.failed_count,
        "usual_of": usual.failed_of,
        "failed": failed,
        "without_receipt": silent,
        "chats": len(chats),
        "top_code": top,
        "top_code_count": codes[top] if top else 0,
        "window_hours": round((t - since) / HOUR, 1),
    }


def _openers(case: Case) -> Figures:
    a, b = case.effects.windows["new_conversations"]
    week = case.week
    inside = week.of((week.kind == NEW) & (week.first > a) & (week.first <= b)).seen
    times = [s.first for s in inside]
    peak = max((sum(at - HOUR < other <= at for other in times) for at in times), default=0)
    own = case.usual.own and case.usual.days_new >= CONSTANTS.least_usual_days
    return {
        "observed": len(inside),
        "first_seen_before": case.effects.first_seen,
        "usual": round(case.usual.per_day["new"], 1) if own else None,
        "observed_count": len(inside),
        "usual_count": int(case.history.sums.over(case.usual.spans)["new"]) if own else None,
        "line_days": round((case.t - case.history.first_at) / DAY, 1),
        "usual_days": round(case.usual.days, 1) if own else None,
        "answered": sum(s.replied for s in inside),
        "answered_of": sum(s.measured for s in inside),
        "peak_1h": peak,
        "window_hours": CONSTANTS.window_hours,
        "limit": case.settings.ref_new_per_day,
        "limit_source": "Sendblue, Photon, Tuco (other vendors; reference only)",
    }


def volume_asks(case: Case, driver: str) -> tuple[float, float, list[Seen]]:
    """Return from when to when a burst of volume lasted, and its asks."""
    began, last = case.spans.get(driver, (None, None))
    a, b = case.effects.windows[driver]
    if began is not None and last is not None:
        a, b = began - 1, max(last, began + HOUR, *_last_sends(case, began, last))
    inside = [s for s in seen_asks(case.history, case.usual, a, case.t) if s.first <= b and in_volume(s)]
    return a, b, inside


def _volume(case: Case, driver: str) -> Figures:
    history, usual = case.history, case.usual
    if case.effects.limit == "messages" and driver == "send_pace":
        a, b = case.effects.windows[driver]
        total = history.totals.count([(a + 1, b + 1)])
        return {
            "observed": total,
            "usual": round(usual.total_per_day) if usual.own else None,
            "observed_count": total,
            "window_hours": CONSTANTS.window_hours,
            "limit": case.settings.ref_messages_per_day,
            "limit_source": "Linq guide, rate limits",
        }
    a, b, inside = volume_asks(case, driver)
    sends = sum(s.sends for s in inside)
    profile = rhythm(history, usual)
    half = HOUR // 2
    part = sum(profile[i % 48] for i in range(int(a) // half, int(b) // half + 1))
    per_chat: Counter[str] = Counter()
    for s in inside:
        per_chat[s.chat] += s.sends
    silent = sum(s.sends for s in inside if s.streak > 0)
    looping = [n for n in per_chat.values() if n >= CONSTANTS.loop_each]
    return {
        "observed": sends,
        "usual": round(usual.sends_per_day * part, 1),
        "observed_count": sends,
        "recipients": len(per_chat),
        "usual_recipients": round(usual.recipients_per_day * part, 1),
        "to_silent_chats": silent,
        "top_chat_sends": max(per_chat.values(), default=0),
        "loop_chats": len(looping),
        "loop_sends": sum(looping),
        "answered": sum(s.replied for s in inside),
        "answered_of": sum(s.measured for s in inside),
        "window_hours": round((b - a) / HOUR, 1),
    }


def _last_sends(case: Case, began: int, last: int) -> list[int]:
    """Return the last send up to the transition of each ask begun in [began, last]: a loop is one long ask."""
    w = window_of(case.history, case.usual, began - 1, case.t)
    return [int(at) for at in w.last[w.first <= last]]


def _opt_outs(case: Case) -> Figures:
    history, t = case.history, case.t
    sends = [r for r in history.rows.after_opt_out if t - 7 * DAY < r.at <= t]
    left = int(np.count_nonzero((history.left_at > t - CONSTANTS.wave_days * DAY) & (history.left_at <= t)))
    return {
        "observed": len(sends),
        "usual": 0,
        "observed_count": len(sends),
        "people": len({r.chat for r in sends}),
        "refused": sum(r.code == CONSTANTS.refused_code for r in sends),
        "opted_out_3d": left,
        "usual_opted_out_3d": round(3 * case.usual.opt_outs_per_day, 1) if case.usual.own else None,
        "window_hours": round((sends[-1].at - sends[0].at) / HOUR, 1) if sends else 72.0,
        "limit": 0,
        "limit_source": "Linq SDK: no message after an opt-out",
    }


def _flag(case: Case, began: int | None) -> Figures:
    if began is None:
        return {}
    after = failures(case, began)
    return {
        "observed": 1,
        "usual": 0,
        "failed_after": after["observed_count"],
        "sends_after": after["observed_of"],
        "window_hours": round((case.t - began) / HOUR, 1),
    }


def _repeated(case: Case) -> Figures:
    _, sends, recipients, total = top_fingerprint(case.history, *case.effects.windows["repeated_content"])
    return {
        "observed": round(sends / total, 4),
        "usual": round(usual_repetition(case.history, case.usual), 4),
        "observed_count": sends,
        "observed_of": total,
        "recipients": recipients,
        "window_hours": CONSTANTS.window_hours,
        "limit": CONSTANTS.fingerprint_recipients,
        "limit_source": "LoopMessage help (reference only)",
    }
