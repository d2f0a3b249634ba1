"""A recovery and the worsening before it in, what eased out: the same drivers, measured then and now."""

from __future__ import annotations

from bisect import bisect_right

from analysis.explain.constants import DAY, HOUR
from analysis.explain.effects import top_fingerprint
from analysis.explain.evidence import Case, Figures, failures, replies
from analysis.explain.history import Troubles
from analysis.explain.onset import replies_back


def eased_at(driver: str, case: Case, troubles: Troubles, began: int) -> int | None:
    """Return when a driver's excess last showed after it began and before the recovery (ms), where it can be dated."""
    t = case.t
    if driver == "engagement":
        return replies_back(case.history, case.usual, began, t)
    if driver == "flagged":
        ends = [int(b) for _, b, _, state in troubles.spells if state == "FLAGGED" and began <= b <= t]
        return max(ends, default=None)
    if driver == "opt_outs":
        i = bisect_right(case.history.after_opt_out_times, t)
        return case.history.after_opt_out_times[i - 1] if i else None
    if driver == "deliverability":
        dead = [s.first for s in case.effects.seen if s.undelivered]
        return max(dead, default=None)
    return None


def figures_now(driver: str, then: Figures, case: Case, since: int | None) -> Figures:
    """Return a driver's figures in the time up to a recovery: since it eased, else the last day or two."""
    t, day = case.t, case.t - DAY
    if driver == "engagement" and "follow_ups" in then:
        deep = sum(s.deep for s in case.effects.seen if s.first > day)
        return {"observed": deep, "observed_count": deep, "window_hours": 24.0}
    if driver == "engagement":
        return replies(case, since - 1 if since is not None else t - 2 * DAY)
    if driver == "deliverability":
        return failures(case, since if since is not None else t - 2 * DAY)
    if driver == "new_conversations":
        n = sum(s.kind == "new" and s.first > day for s in case.effects.seen)
        return {"observed": n, "observed_count": n, "window_hours": 24.0}
    if driver == "opt_outs":
        n = sum(day < at <= t for at in case.history.after_opt_out_times)
        return {"observed": n, "observed_count": n, "window_hours": 24.0}
    if driver == "flagged":
        hours = round((t - since) / HOUR, 1) if since is not None else None
        return {"observed": 0, "observed_count": 0, "window_hours": hours}
    if driver == "repeated_content":
        _, n, _, total = top_fingerprint(case.history, day, t)
        return {"observed": round(n / total, 4) if total else 0.0, "observed_count": n, "observed_of": total}
    n = len(case.history.sends_in(day, t))
    return {"observed": n, "observed_count": n, "window_hours": 24.0}
