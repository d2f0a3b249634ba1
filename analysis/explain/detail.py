"""A transition and one of its drivers in, the rows behind its figures out: hours, opening sends, codes, chats written to after an opt-out."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from analysis.explain.constants import CONSTANTS, DAY, HOUR, MINUTE
from analysis.explain.evidence import Case, fate, start_of, volume_asks
from analysis.explain.onset import rhythm
from analysis.explain.window import NEW, window_of
from analysis.explain.words import iso

Rows = dict[str, list[dict[str, Any]]]


def detail_of(driver: str, case: Case) -> Rows:
    """Return the rows behind one driver, each list in order of time (codes: most first); empty where there are none.

    Args:
        driver: one of contract.md, section 5.
        case: the transition.

    Returns:
        new_conversations: hours (count, usual) and openings (at, chat_id, answered) of the day that is told, gaps (smallest and mean
        gap in minutes) of the burst in it; recipient_spread, send_pace: hours (sends, recipients, usual); deliverability, flagged: hours
        (failed, without_receipt, sends), codes (code, count); opt_outs: after_opt_out (chat_id, opted_out_at, sends, first_at, last_at).
        Counts add up to the driver's figures, as far as ``openings_shown`` rows reach.
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
    a, b = case.effects.windows["new_conversations"]
    w = window_of(case.history, case.usual, a, case.t)
    mine = w.of((w.kind == NEW) & (w.first <= b))
    hours = Counter(int(at // HOUR) for at in mine.first)
    usual, profile = case.usual.per_day["new"], rhythm(case.history, case.usual)
    own = case.usual.own and case.usual.days_new >= CONSTANTS.least_usual_days
    start, stop = _span(case, "new_conversations", 3)
    times = np.sort(mine.first[(mine.first >= start) & (mine.first <= stop)])
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
    sends: Counter[int] = Counter()
    people: dict[int, set[str]] = defaultdict(set)
    for chat, at in _sends_of(case, driver):
        sends[at // HOUR] += 1
        people[at // HOUR].add(chat)
    profile, own = rhythm(case.history, case.usual), case.usual.own
    return {
        "hours": [
            {"hour": iso(h * HOUR), "sends": n, "recipients": len(people[h]),
             "usual": round(case.usual.sends_per_day * _of_hour(profile, h), 2) if own else None}
            for h, n in sorted(sends.items())
        ]
    }  # fmt: skip


def _sends_of(case: Case, driver: str) -> list[tuple[str, int]]:
    """Return the sends of a burst of volume, each at its own time: a loop is one ask that may last for hours."""
    if case.effects.limit == "messages" and driver == "send_pace":  # all messages count, either way
        a, b = case.effects.windows[driver]
        return case.history.rows.times_in(a, b)
    found = []
    for s in volume_asks(case, driver)[2]:
        at, outbound, *_ = case.history.rows.arrays_of(s.chat)
        found += [(s.chat, time) for time in at[outbound & (at >= s.first)][: s.sends].tolist()]
    return found


def _failures(case: Case, driver: str) -> Rows:
    began = case.spans.get(driver, (None, None))[0]
    since = began if driver == "flagged" and began is not None else start_of(case, driver, began)
    sends: Counter[int] = Counter()
    lost: dict[str, Counter[int]] = {"failed": Counter(), "silent": Counter()}
    codes: Counter[str] = Counter()
    for row in case.history.rows.sends_in(since, case.t):
        hour, became = row.at // HOUR, fate(row, case)
        sends[hour] += 1
        if became in lost:
            lost[became][hour] += 1
        if became == "failed":
            codes[row.code or "unknown"] += 1
    return {
        "hours": [
            {
                "hour": iso(h * HOUR),
                "failed": lost["failed"][h],
                "without_receipt": lost["silent"][h],
                "sends": sends[h],
            }
            for h in sorted({*lost["failed"], *lost["silent"]})
        ],
        "codes": [
            {"code": code, "count": n} for code, n in sorted(codes.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


def _after_opt_out(case: Case) -> Rows:
    by_chat: dict[str, list[int]] = defaultdict(list)
    for row in case.history.rows.after_opt_out:
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
