"""Frames of the store in, one Explanation per transition out: START HERE; every step is named once, in order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from analysis.explain.actions import KEEP, actions_of, after_recovery
from analysis.explain.attribution import Scale, Scales, confidence_of, eased_shares, rounded, shares_of
from analysis.explain.baseline import Fleet, Usual, usual_of
from analysis.explain.constants import CONSTANTS, DAY, HOUR
from analysis.explain.drift import ScoringChange, scoring_change, scoring_changed
from analysis.explain.effects import Effects, effects_at
from analysis.explain.evidence import Case, Figures, chats_to_fix, figures_of
from analysis.explain.headline import no_usual, not_enough, recovered, worsening
from analysis.explain.history import LineHistory, Troubles, histories, troubles
from analysis.explain.onset import Onset, onset_of
from analysis.explain.quiet import QuietTimes
from analysis.explain.recovery import eased_at, figures_now
from analysis.explain.summary import eased_text, summary_of
from analysis.explain.words import count, iso, plural
from analysis.schema import VENDOR_DRIVERS, Driver, Explanation
from analysis.settings import Settings

_UNEXPLAINED = "What the data does not explain"
_NEEDS_USUAL = ("engagement", "new_conversations", "recipient_spread", "send_pace", "repeated_content")


@dataclass(frozen=True)
class Change:
    """One row of TRANSITIONS, its time in ms."""

    line: str
    at: int
    kind: str
    previous: str | None
    new: str
    worsening: bool
    missed_before: bool


def explain(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
) -> list[Explanation]:
    """Explain every change of health or status, worsening or recovery.

    Args:
        messages: MESSAGES of all lines, key message_id, any order.
        chats: CHATS, key chat_id.
        chat_health: CHAT_HEALTH, key (chat_id, at).
        spells: SPELLS, key (line, kind, start_at).
        transitions: TRANSITIONS, key (line, at, kind).
        as_of: latest event time in the store; nothing after it is read.
        settings: thresholds (``explain_*`` and the shared ones).

    Returns:
        One Explanation per transition up to as_of, ordered by (at, line, kind). Nothing later than a transition is
        used for it. Source: contract.md, section 7; METHOD.md, "Explanations".
    """
    rows = (
        transitions.filter(pl.col("at") <= as_of)
        .with_columns(pl.col("at").cast(pl.Int64))
        .sort("at", "line", "kind")
        .select("line", "at", "kind", "previous", "new", "worsening", "missed_before")
    )
    changes = [Change(*row) for row in rows.iter_rows()]
    if not changes:
        return []
    known = histories(messages.filter(pl.col("at") <= as_of), chats, chat_health, settings)
    of_line: dict[str, Troubles] = defaultdict(lambda: Troubles([]), troubles(spells))
    fleet = Fleet(known, of_line, settings)
    quiet = QuietTimes(known, of_line.__getitem__, fleet, settings)
    by_line: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_line[change.line].append(change)
    cases = {
        change: case_of(change, known[change.line], of_line[change.line], fleet, settings)
        for change in changes
        if change.line in known and known[change.line].first_at <= change.at
    }
    told = [(c.at, case.effects) for c, case in cases.items() if c.worsening and tells(case)]
    scales = Scales(quiet, told)
    shares = {c: rounded(shares_of(case.effects, scales.at(c.line, c.at))) for c, case in cases.items() if c.worsening}
    unexplained = [(c.at, c.line, dict(of)["unexplained"]) for c, of in shares.items()]
    starts = {line: history.first_at for line, history in known.items()}
    drifts = {c: scoring_change(unexplained, c.at, starts) for c, of in shares.items() if of[0][0] == "unexplained"}
    measured = Measured(cases, shares, drifts, scales)
    found = [e for line, own in by_line.items() for e in explain_line(own, measured, of_line[line])]
    return sorted(found, key=lambda e: (e.at, e.line, e.kind))


@dataclass(frozen=True)
class Measured:
    """All changes of a fleet as measured: cases, shares of worsenings, and what the fleet as a whole shows at each."""

    cases: dict[Change, Case]
    shares: dict[Change, list[tuple[str, float]]]
    drifts: dict[Change, ScoringChange | None]
    scales: Scales


def explain_line(changes: list[Change], measured: Measured, of_line: Troubles) -> list[Explanation]:
    """Explain the changes of one line, oldest first.

    Args:
        changes: its transitions in order of time.
        measured: what was measured at each; a change before the line's first message has no case.
        of_line: its unhealthy and flagged times.
    """
    found, cases, scales = [], measured.cases, measured.scales
    for i, change in enumerate(changes):
        case = cases.get(change)
        if case is None:
            text = not_enough(0, young_days=None, any_message=False)
            found.append(_unexplained(change, text, _change_notes(change)))
        elif change.worsening:
            found.append(_worsening(change, case, scales.at(change.line, change.at), measured))
        elif change.previous is None:
            text = f"First known state: {_word(change.new)}. Nothing before it to compare with."
            found.append(_unexplained(change, text, _change_notes(change)))
        else:
            episode = _episode(changes[:i], change)
            worst = [cases[c] for c in episode if c in cases]
            found.append(_recovery(change, case, episode, worst, of_line, scales.at(change.line, change.at)))
    return found


def tells(case: Case) -> bool:
    """Say whether a worsening can teach how much each driver weighs: enough data, a usual, and no carrier's flag."""
    thin = case.effects.sends_week < case.settings.explain_thin_sends
    return case.usual.own and not thin and not case.effects.x["flagged"]


def case_of(change: Change, history: LineHistory, of_line: Troubles, fleet: Fleet, settings: Settings) -> Case:
    """Measure one transition: what is usual, what was not, and since when."""
    usual = usual_of(history, of_line, fleet, change.at, settings)
    effects = effects_at(history, of_line, usual, change.at, settings)
    if change.new == "FLAGGED" and not effects.x["flagged"]:
        effects.x["flagged"], effects.windows["flagged"] = 1.0, (change.at, change.at)
    if effects.sends_week < settings.explain_thin_sends:
        effects.x |= dict.fromkeys(_NEEDS_USUAL, 0.0)
    spans = {driver: onset_of(driver, effects, history, usual) for driver, x in effects.x.items() if x > 0}
    return Case(history, usual, effects, settings, spans)


def _worsening(change: Change, case: Case, scale: Scale, measured: Measured) -> Explanation:
    settings = case.settings
    shares, drift = measured.shares[change], measured.drifts.get(change)
    figures = {d: figures_of(d, case) for d, _ in shares if d != "unexplained"}
    began = {d: span[0] for d, span in case.spans.items()}
    thin = case.effects.sends_week < settings.explain_thin_sends
    first = shares[0][0]
    unknown = first == "unexplained" and (thin or not case.usual.own)
    if unknown:
        age = (change.at - case.history.first_at) / DAY if case.usual.young else None
        sends = case.effects.sends_week
        headline = not_enough(sends, young_days=age, any_message=True) if thin or case.usual.young else no_usual(sends)
    else:
        headline = worsening(shares, figures, began, change.at, settings.zone)
    if drift is not None and not thin:
        headline = scoring_changed(drift, settings.zone)
    onset = began.get(first)
    dated = case.onsets.get(first, Onset())
    p = confidence_of(shares, 0 if unknown else case.effects.asks_week)
    return Explanation(
        line=change.line,
        at=iso(change.at),
        kind=change.kind,
        previous=change.previous,
        new=change.new,
        onset=iso(onset) if onset is not None else None,
        lead_hours=round((change.at - onset) / HOUR, 2) if onset is not None else None,
        onset_earliest=iso(dated.earliest) if dated.earliest is not None else None,
        onset_latest=iso(dated.latest) if dated.latest is not None else None,
        drivers=[_driver(d, share, figures.get(d), case, scale) for d, share in shares],
        headline=headline,
        chats_to_fix=chats_to_fix(case, dict(shares)),
        actions=actions_of(case, scale, shares, figures),
        confidence=_level(p),
        confidence_p=p,
        notes=[*_change_notes(change), *_data_notes(case, change)],
    )


def _episode(before: list[Change], change: Change) -> list[Change]:
    """Return the worsenings of the same kind since the line was last healthy (or active), oldest first."""
    found: list[Change] = []
    for earlier in reversed(before):
        if earlier.kind != change.kind:
            continue
        if earlier.new in ("HEALTHY", "ACTIVE"):
            break
        if earlier.worsening:
            found.append(earlier)
    return found[::-1]


def _recovery(
    change: Change,
    case: Case,
    episode: list[Change],
    worst: list[Case],
    of_line: Troubles,
    scale: Scale,
) -> Explanation:
    """Explain a recovery by the drivers of its worsening that eased, measured before and after."""
    settings, zone = case.settings, case.settings.zone
    notes = [*_change_notes(change), *_data_notes(case, change)]
    back = change.new in ("HEALTHY", "ACTIVE")
    after = change.at - episode[0 if back else -1].at if episode else None
    if not worst:
        notes.append("The worsening before this recovery is not loaded, so there is nothing to compare with.")
        return _unexplained(change, recovered(_better(change), after, [], change.at, zone), notes)
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
                summary=_UNEXPLAINED
                if d == "unexplained"
                else _capital(texts[d]) or "Eased, too few sends to say by how much",
                evidence=_unexplained_figures(then.effects, scale) if d == "unexplained" else evidence[d],
            )
            for d, share in shares
        ],
        headline=recovered(_better(change), after, reasons, change.at, zone),
        chats_to_fix=[],
        actions=after_recovery(case),
        confidence=_level(p),
        confidence_p=p,
        notes=notes,
    )


def _peak(worst: list[Case]) -> Case:
    """Return the case of the last worsening with each driver's largest effect over the episode."""
    x = {driver: max(c.effects.x.get(driver, 0.0) for c in worst) for driver in worst[-1].effects.x}
    return replace(worst[-1], effects=replace(worst[-1].effects, x=x))


def _driver(name: str, share: float, figures: Figures | None, case: Case, scale: Scale) -> Driver:
    if figures is None:
        return Driver(
            driver=name,
            vendor_driver=VENDOR_DRIVERS[name],
            share=share,
            summary=_UNEXPLAINED,
            evidence=_unexplained_figures(case.effects, scale),
        )
    onset = case.onsets.get(name, Onset())
    return Driver(
        driver=name,
        vendor_driver=VENDOR_DRIVERS[name],
        share=share,
        summary=summary_of(name, figures),
        evidence=figures,
        onset=iso(onset.began) if onset.began is not None else None,
    )


def _unexplained_figures(effects: Effects, scale: Scale) -> Figures:
    pressure = sum(scale.z(effects).values())
    return {
        "observed": round(pressure, 3),
        "quiet_share": round(scale.tail(pressure), 4),
        "quiet_times": len(scale.quiet),
    }


def _unexplained(change: Change, headline: str, notes: list[str]) -> Explanation:
    p = confidence_of([("unexplained", 1.0)], 0)
    return Explanation(
        line=change.line,
        at=iso(change.at),
        kind=change.kind,
        previous=change.previous,
        new=change.new,
        onset=None,
        lead_hours=None,
        drivers=[Driver("unexplained", VENDOR_DRIVERS["unexplained"], 1.0, _UNEXPLAINED, {"observed": None})],
        headline=headline,
        chats_to_fix=[],
        actions=[
            {
                "action": "Load the messages of the weeks before this change, then look again.",
                "expected_effect": "None by itself: it shows what this model could not see.",
            },
            KEEP,
        ],
        confidence=_level(p),
        confidence_p=p,
        notes=notes,
    )


def _level(p: float) -> str:
    return "high" if p >= 0.75 else "medium" if p >= 0.5 else "low"


def _word(state: str) -> str:
    return state.replace("_", " ").lower()


def _better(change: Change) -> str:
    if change.new in ("HEALTHY", "ACTIVE"):
        return f"{_word(change.new).capitalize()} again"
    return f"No longer {_word(change.previous or 'critical')}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _change_notes(change: Change) -> list[str]:
    notes = []
    if change.missed_before:
        notes.append("A change before this one was not reported to us: the previous state is the vendor's word.")
    if change.previous is None:
        notes.append("The state before this change is not known.")
    return notes


def _data_notes(case: Case, change: Change) -> list[str]:
    """Say what the data could not show."""
    usual: Usual = case.usual
    settings, history = case.settings, case.history
    notes = []
    age = (change.at - history.first_at) / DAY
    if usual.young:
        notes.append(
            f"Young line: {plural(int(age), 'day')} of history, under {settings.young_line_days}; chats begun before it look new, and no usual is claimed."
        )
    elif not usual.own:
        notes.append("No quiet days before the change to take a usual from; only what needs no usual is judged.")
    elif not usual.quiet:
        notes.append("The line was hardly ever healthy before this change: its usual comes from unhealthy days too.")
    elif usual.days < settings.explain_baseline_days / 2:
        notes.append(
            f"The usual comes from {count(usual.days)} quiet days only: the history is short, cut or full of trouble."
        )
    if history.states.first_at() > change.at:
        notes.append("No chat health is loaded for this line: opt-outs cannot be seen.")
    week = history.sends_in(change.at - 7 * DAY, change.at)
    if week and not any(usual.receipts_usual(r.service) for r in week):
        notes.append("No delivery receipts are usual on this line: silence is not judged, only reported failures.")
    if len(week) < settings.explain_thin_sends:
        notes.append(f"Only {plural(len(week), 'send')} in the week before the change.")
    return notes
