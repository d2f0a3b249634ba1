"""A recovery and the worsening before it in, what eased out: the same drivers, measured then and now."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

import numpy as np

from analysis.explain.attribution import Scale, confidence_of, eased_shares, rounded
from analysis.explain.change import Change
from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.effects import effects_at, top_fingerprint
from analysis.explain.evidence import Case, Figures, failures, figures_of, replies
from analysis.explain.headline import recovered
from analysis.explain.onset import replies_back
from analysis.explain.playbook import after_recovery
from analysis.explain.summary import eased_text
from analysis.explain.telling import (
    UNEXPLAINED,
    better,
    capital,
    change_notes,
    data_notes,
    level_of,
    unexplained,
    unexplained_figures,
)
from analysis.explain.troubles import Troubles
from analysis.explain.window import NEW
from analysis.explain.words import iso
from analysis.schema import VENDOR_DRIVERS, Driver, Explanation


def eased_at(driver: str, case: Case, troubles: Troubles, began: int) -> int | None:
    """Return when a driver's excess last showed after it began and before the recovery (ms), where it can be dated."""
    t = case.t
    if driver == "engagement":
        return replies_back(case.history, case.usual, began, t)
    if driver == "flagged":
        ends = [int(b) for _, b, _, state in troubles.spells if state == "FLAGGED" and began <= b <= t]
        return max(ends, default=None)
    if driver == "opt_outs":
        i = bisect_right(case.history.out_at, t)
        return int(case.history.out_at[i - 1]) if i else None
    if driver == "deliverability":
        dead = case.week.first[case.week.undelivered]
        return int(dead.max()) if len(dead) else None
    return None


def figures_now(driver: str, then: Figures, case: Case, since: int | None) -> Figures:
    """Return a driver's figures in the time up to a recovery: since it eased, else the last day or two."""
    t, day = case.t, case.t - DAY
    if driver == "engagement" and "unhealthy_chats" in then:
        bad, n = case.history.unhealthy(t)
        return {"observed": round(bad / max(n, 1), 4), "observed_count": bad, "observed_of": n}
    if driver == "engagement" and "follow_ups" in then:
        deep = int(np.count_nonzero(case.week.deep & (case.week.first > day)))
        return {"observed": deep, "observed_count": deep, "window_hours": 24.0}
    if driver == "engagement":
        return replies(case, since - 1 if since is not None else t - 2 * DAY)
    if driver == "deliverability":
        return failures(case, since if since is not None else t - 2 * DAY)
    if driver == "new_conversations":
        n = int(np.count_nonzero((case.week.kind == NEW) & (case.week.first > day)))
        return {"observed": n, "observed_count": n, "window_hours": 24.0}
    if driver == "opt_outs":
        n = int(np.count_nonzero((case.history.out_at > day) & (case.history.out_at <= t)))
        return {"observed": n, "observed_count": n, "window_hours": 24.0}
    if driver == "flagged":
        hours = round((t - since) / HOUR, 1) if since is not None else None
        return {"observed": 0, "observed_count": 0, "window_hours": hours}
    if driver == "repeated_content":
        _, n, _, total = top_fingerprint(case.history, day, t)
        return {"observed": round(n / total, 4) if total else 0.0, "observed_count": n, "observed_of": total}
    n = int(np.diff(case.history.send_at.searchsorted((day, t), side="right"))[0])
    return {"observed": n, "observed_count": n, "window_hours": 24.0}


def recovery_of(
    change: Change,
    case: Case,
    episode: list[Change],
    worst: list[Case],
    of_line: Troubles,
    scale: Scale,
) -> Explanation:
    """Explain a recovery by the drivers of its worsening that eased, measured before and after."""
    settings, zone = case.settings, case.settings.zone
    notes = [*change_notes(change), *data_notes(case, change)]
    back = change.new in ("HEALTHY", "ACTIVE")
    after = change.at - episode[0 if back else -1].at if episode else None
    if not worst:
        notes.append("The worsening before this recovery is not loaded, so there is nothing to compare with.")
        return unexplained(change, recovered(better(change), after, [], change.at, zone), notes)
    then = _peak(worst)
    now = effects_at(case.history, of_line, case.usual, change.at, settings, flags=False, fresh=True)
    started = {
        d: min((c.spans[d][0] or c.t for c in worst if d in c.spans), default=worst[0].t) for d in then.effects.x
    }
    lifted = (
        then.effects.x.get("flagged", 0.0) > 0 and eased_at("flagged", case, of_line, started["flagged"]) is not None
    )
    shares = rounded(eased_shares(then.effects, now, scale, flag_lifted=lifted))
    evidence: dict[str, Figures] = {}
    texts: dict[str, str] = {}
    since: dict[str, int | None] = {}
    for driver, _ in shares:
        if driver == "unexplained":
            continue
        since[driver] = eased_at(driver, case, of_line, worst[-1].t if driver == "engagement" else started[driver])
        if since[driver] is None:
            since[driver] = next((c.spans[driver][1] for c in reversed(worst) if driver in c.spans), None)
        before = next(figures_of(driver, c) for c in reversed(worst) if c.effects.x.get(driver, 0.0) > 0)
        measured = figures_now(driver, before, case, since[driver])
        text = eased_text(driver, before, measured, since[driver], change.at, zone)
        evidence[driver] = {**measured, "usual": before.get("usual"), "before": before.get("observed")}
        texts[driver] = text or ""
    named = [(d, share) for d, share in shares if d != "unexplained"]
    least = max(CONSTANTS.two_causes_share, named[0][1] / 2) if named else 1.0
    reasons = [texts[d] for i, (d, share) in enumerate(named) if texts[d] and (share >= least or not i)][:2]
    if shares[0][0] == "unexplained" and named and named[0][1] < CONSTANTS.two_causes_share:
        reasons = []
    p = confidence_of(shares, case.effects.asks_week)
    if not reasons:  # what eased was not measured
        p = min(p, CONSTANTS.confidence_unmeasured)
    onset = since.get(shares[0][0])
    return Explanation(
        line=change.line,
        at=iso(change.at),
        kind=change.kind,
        previous=change.previous,
        new=change.new,
        onset=iso(onset) if onset is not None else None,
        lead_hours=round((change.at - onset) / HOUR, 2) if onset is not None else None,
        drivers=[
            Driver(
                driver=d,
                vendor_driver=VENDOR_DRIVERS[d],
                share=share,
                summary=UNEXPLAINED
                if d == "unexplained"
                else capital(texts[d]) or "Eased, too few sends to say by how much",
                evidence=unexplained_figures(then.effects, scale) if d == "unexplained" else evidence[d],
            )
            for d, share in shares
        ],
        headline=recovered(better(change), after, reasons, change.at, zone),
        chats_to_fix=[],
        actions=after_recovery(case),
        confidence=level_of(p),
        confidence_p=p,
        notes=notes,
    )


def _peak(worst: list[Case]) -> Case:
    """Return the case of the last worsening with each driver's largest effect over the episode."""
    x = {driver: max(c.effects.x.get(driver, 0.0) for c in worst) for driver in worst[-1].effects.x}
    return replace(worst[-1], effects=replace(worst[-1].effects, x=x))
