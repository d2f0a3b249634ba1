"""A transition and one of its drivers in, the rows behind its figures out: hours, opening sends, codes, chats written to after an opt-out."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY, HOUR, MINUTE
from analysis.explain.evidence import Case
from analysis.explain.onset import rhythm
from analysis.explain.volume import counts_as_volume
from analysis.explain.window import NEW, window_of
from analysis.explain.words import iso

Rows = dict[str, list[dict[str, Any]]]


def detail_of(driver: str, case: Case) -> Rows:
    """Return the rows behind one driver, each list in order of time (codes: most first); empty where there are none.

    Args:
        driver: one of contract.md, section 5.
        case: the transition.

    Returns:
        new_conversations: hours (count, usual), openings (at, chat_id, answered), gaps (smallest and mean gap in minutes);
        recipient_spread, send_pace: hours (sends, recipients, usual); deliverability, flagged: hours (failed, sends), codes (code, count);
        opt_outs: after_opt_out (chat_id, opted_out_at, sends, first_at, last_at).
    """
    if driver == "new_conversations":
        return _openers(case)
    if driver in ("recipient_spread", "send_pace"):
        return _volume(case, driver)
    if driver in ("deliverability", "flagged"):
        return _failures(case, driver)
    if driver == "opt_outs":
        return _after_opt_out(case)
    return {}


def _span(case: Case, driver: str, longest_days: float) -> tuple[int, int]:
    """Return from when to when a driver shows: its onset to its last excess, whole hours, at most so many days."""
    began, last = case.spans.get(driver, (None, None))
    a, b = case.effects.windows.get(driver, (case.t - DAY, case.t))
    start = int(began if began is not None else a)
    stop = int(max(last or b, start + 1))
    start = max(start, stop - int(longest_days * DAY))
    return start // HOUR * HOUR, min(case.t, (stop // HOUR + 1) * HOUR)


def _openers(case: Case) -> Rows:
    start, stop = _span(case, "new_conversations", 3)
    w = window_of(case.history, case.usual, start - 1, case.t)
    mine = w.of((w.kind == NEW) & (w.first <= stop))
    hours = Counter(int(at // HOUR) for at in mine.first)
    usual, profile = case.usual.per_day["new"], rhythm(case.history, case.usual)
    own = case.usual.own and case.usual.days_new >= CONSTANTS.least_usual_days
    times = np.sort(mine.first)
    gaps = np.diff(times) / MINUTE
    opened = [
        {"at": iso(int(at)), "chat_id": mine.names[chat], "answered": bool(replied)}
        for at, chat, replied in zip(mine.first, mine.chat, mine.replied, strict=True)
    ]
    found: Rows = {
        "hours": [
            {"hour": iso(h * HOUR), "count": n, "usual": round(usual * _of_hour(profile, h), 2) if own else None}
            for h, n in sorted(hours.items())
        ],
        "openings": opened[: CONSTANTS.openings_shown],
    }
    if len(gaps):
        found["gaps"] = [
            {
                "smallest_min": round(float(gaps.min()), 2),
                "mean_min": round(float(gaps.mean()), 2),
                "openers": len(times),
            }
        ]
    return found


def _of_hour(profile: list[float], hour: int) -> float:
    half = hour * 2 % 48
    return profile[half] + profile[half + 1]


def _volume(case: Case, driver: str) -> Rows:
    start, stop = _span(case, driver, 3)
    w = window_of(case.history, case.usual, start - 1, case.t)
    mine = w.of(counts_as_volume(w) & (w.first <= stop))
    sends: Counter[int] = Counter()
    people: dict[int, set[int]] = defaultdict(set)
    for at, n, chat in zip(mine.first, mine.sends, mine.chat, strict=True):
        sends[int(at // HOUR)] += int(n)
        people[int(at // HOUR)].add(int(chat))
    profile, own = rhythm(case.history, case.usual), case.usual.own
    return {
        "hours": [
            {"hour": iso(h * HOUR), "sends": n, "recipients": len(people[h]),
             "usual": round(case.usual.sends_per_day * _of_hour(profile, h), 2) if own else None}
            for h, n in sorted(sends.items())
        ]
    }  # fmt: skip


def _failures(case: Case, driver: str) -> Rows:
    start, _ = _span(case, driver, 7)
    sends: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    codes: Counter[str] = Counter()
    for row in case.history.sends_in(start - 1, case.t):
        hour = row.at // HOUR
        sends[hour] += 1
        got = row.receipt_at is not None and row.receipt_at <= case.t
        if row.failed_at is not None and row.failed_at <= case.t and not got:
            failed[hour] += 1
            codes[row.code or "unknown"] += 1
    return {
        "hours": [{"hour": iso(h * HOUR), "failed": failed[h], "sends": sends[h]} for h in sorted(failed)],
        "codes": [
            {"code": code, "count": n} for code, n in sorted(codes.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


def _after_opt_out(case: Case) -> Rows:
    by_chat: dict[str, list[int]] = defaultdict(list)
    for row in case.history.after_opt_out:
        if case.t - 7 * DAY < row.at <= case.t:
            by_chat[row.chat].append(row.at)
    found = []
    for chat, times in sorted(by_chat.items(), key=lambda item: (-len(item[1]), item[0])):
        states = case.history.states.get(chat)
        since = states.since(times[-1]) if states is not None else None
        found.append(
            {"chat_id": chat, "opted_out_at": iso(since) if since is not None else None, "sends": len(times), "first_at": iso(times[0]), "last_at": iso(times[-1])}
        )  # fmt: skip
    return {"after_opt_out": found[: CONSTANTS.openings_shown]}
