"""Pieces of an explanation: one driver, one without a cause, levels of confidence, and notes on what the data could not show."""

from __future__ import annotations

from analysis.explain.attribution import Scale, confidence_of
from analysis.explain.change import Change
from analysis.explain.constants import CONSTANTS, DAY
from analysis.explain.detail import detail_of
from analysis.explain.evidence import Case, Figures
from analysis.explain.found import Effects
from analysis.explain.headline import num
from analysis.explain.onset import Onset
from analysis.explain.playbook import KEEP
from analysis.explain.summary import summary_of
from analysis.explain.words import count, iso, lasting, moment, plural
from analysis.schema import VENDOR_DRIVERS, Driver, Explanation

UNEXPLAINED = "What the data does not explain"


def driver_of(
    name: str,
    share: float,
    figures: Figures | None,
    case: Case,
    scale: Scale,
    interval: tuple[float, float] | None = None,
) -> Driver:
    """Return one driver with its share, words, figures and rows; "unexplained" where there are no figures."""
    if figures is None:
        return Driver(
            driver=name,
            vendor_driver=VENDOR_DRIVERS[name],
            share=share,
            summary=UNEXPLAINED,
            evidence=unexplained_figures(case.effects, scale),
        )
    onset = case.onsets.get(name, Onset())
    return Driver(
        driver=name,
        vendor_driver=VENDOR_DRIVERS[name],
        share=share,
        summary=summary_of(name, figures),
        evidence=figures,
        onset=iso(onset.began) if onset.began is not None else None,
        share_low=round(min(interval[0], share), 4) if interval else None,
        share_high=round(max(interval[1], share), 4) if interval else None,
        basis=basis_of(name, figures, case),
        detail=detail_of(name, case),
    )


def basis_of(name: str, figures: Figures, case: Case) -> str:
    """Return how sure a driver's own figures are: counted facts, a difference from the usual, or too little of either.

    "verified": events that need no usual (the carrier's flag, sends after an opt-out, reported failures, a published limit);
    "correlated": a difference from the line's usual; "guessed": one that rests on few asks or on inference. That it made
    the vendor change the line's health is never more than correlated.
    """
    few = case.effects.asks_week < CONSTANTS.basis_asks or not case.usual.own
    if name == "flagged" or (name == "opt_outs" and num(figures, "observed") > 0):
        return "verified"
    if name == "deliverability" and num(figures, "failed") >= num(figures, "without_receipt"):
        return "verified"
    if name in ("send_pace", "new_conversations") and case.effects.limit:
        return "verified"
    return "guessed" if few or name == "opt_outs" else "correlated"


def unexplained_figures(effects: Effects, scale: Scale) -> Figures:
    """Return the pressure on the line, and how often quiet times had as much."""
    pressure = round(sum(scale.z(effects).values()), 3)
    return {"observed": pressure, **quiet_figures(pressure, scale)}


def quiet_figures(pressure: float, scale: Scale) -> Figures:
    """Return how often quiet times had at least so much pressure, and how many there are."""
    return {"quiet_share": round(scale.tail(pressure), 4), "quiet_times": len(scale.quiet)}


def unexplained(change: Change, headline: str, notes: list[str]) -> Explanation:
    """Return the explanation of a change that could not be measured at all."""
    p = confidence_of([("unexplained", 1.0)], 0)
    return Explanation(
        line=change.line,
        at=iso(change.at),
        kind=change.kind,
        previous=change.previous,
        new=change.new,
        onset=None,
        lead_hours=None,
        drivers=[Driver("unexplained", VENDOR_DRIVERS["unexplained"], 1.0, UNEXPLAINED, {"observed": None})],
        headline=headline,
        chats_to_fix=[],
        actions=[
            {
                "action": "Load the messages of the weeks before this change, then look again.",
                "expected_effect": "None by itself: it shows what this model could not see.",
                "step": "recover",
            },
            KEEP,
        ],
        confidence=level_of(p),
        confidence_p=p,
        notes=notes,
    )


def level_of(p: float) -> str:
    """Return a probability as a word: high from ``high_from``, medium from ``medium_from``."""
    return "high" if p >= CONSTANTS.high_from else "medium" if p >= CONSTANTS.medium_from else "low"


def word(state: str) -> str:
    """Return a state as words."""
    return state.replace("_", " ").lower()


def better(change: Change) -> str:
    """Return how a recovery begins its sentence."""
    if change.new in ("HEALTHY", "ACTIVE"):
        return f"{word(change.new).capitalize()} again"
    return f"No longer {word(change.previous or 'critical')}"


def capital(text: str) -> str:
    """Return text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def change_notes(change: Change) -> list[str]:
    """Say what the reports of a change leave open."""
    notes = []
    if change.missed_before:
        notes.append("A change before this one was not reported to us: the previous state is the vendor's word.")
    if change.previous is None:
        notes.append("The state before this change is not known.")
    return notes


def data_notes(case: Case, change: Change) -> list[str]:
    """Say what the data could not show."""
    usual, settings, history = case.usual, case.settings, case.history
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
        notes.append("No chat health is loaded for this line: opt-outs show only where the vendor refused a send.")
    week = history.rows.sent_in(change.at - 7 * DAY, change.at)
    if len(week.at) and not any(map(usual.receipts_usual, week.services)):
        notes.append("No delivery receipts are usual on this line: silence is not judged, only reported failures.")
    unsure = week.at[week.lost <= change.at].tolist()
    if unsure:
        notes.append(
            f"Receipts were missing on most lines when {plural(len(unsure), 'send')} of the week went out (the last on {moment(unsure[-1], settings.zone)}): "
            "they are not counted as undelivered."
        )
    lost = [(a, b) for a, b in history.gaps if a <= change.at and b > change.at - 7 * DAY]
    if lost:
        hours = sum(min(b, change.at) - max(a, change.at - 7 * DAY) for a, b in lost)
        times_ = "a time" if len(lost) == 1 else f"{len(lost)} times"
        notes.append(
            f"Deliveries were probably lost in {times_} of the week before ({lasting(hours)} in all, the last from {moment(int(lost[-1][0]), settings.zone)}): "
            "sends then are not counted as unanswered, and counts may be too low."
        )
    if len(week.at) < settings.explain_thin_sends:
        notes.append(f"Only {plural(len(week.at), 'send')} in the week before the change.")
    return notes
