"""Shares and figures of a transition in, concrete steps out: what to do for this line, each with a number from the evidence."""

from __future__ import annotations

from analysis.explain.attribution import Scale
from analysis.explain.evidence import Case, Figures
from analysis.explain.headline import num
from analysis.explain.words import count, plural

KEEP = {
    "action": "Keep these chats on this line: moving them to another one spreads the problem.",
    "expected_effect": "Moving chats eases nothing in this model; the vendor's guide warns of it.",
}


def actions_of(
    case: Case, scale: Scale, shares: list[tuple[str, float]], figures: dict[str, Figures]
) -> list[dict[str, str]]:
    """Return steps for the drivers that have at least 5 % of the change, largest first, and what not to do.

    Each effect is what the model gives for the line at the transition with that driver back within its usual:
    text "in this model", never "would have".
    """
    steps = [
        {"action": _step(driver, case, figures[driver]), "expected_effect": _effect(driver, case, scale)}
        for driver, share in shares
        if driver != "unexplained" and share >= 0.05
    ]
    if not steps:
        steps = [
            {
                "action": "Change nothing for a day, then look again; ask the vendor for a reputation audit of this line.",
                "expected_effect": "None in this model: no driver was out of its usual.",
            }
        ]
    return [*steps, KEEP]


def after_recovery(case: Case) -> list[dict[str, str]]:
    """Return the steps after a recovery: keep to the usual, whose figures are named where there are any."""
    usual = case.usual
    pace = "the pace of the last days"
    if usual.own:
        people, new = max(1, round(usual.recipients_per_day)), max(1, round(usual.per_day["new"]))
        pace = f"its usual, about {plural(people, 'recipient')} and {plural(new, 'new conversation')} a day"
    return [
        {
            "action": f"Keep to {pace}; raise it slowly, those who answer first.",
            "expected_effect": "In this model the line stays within its quiet times while what eased stays down.",
        },
        KEEP,
    ]


def _effect(driver: str, case: Case, scale: Scale) -> str:
    z = scale.z(case.effects)
    pressure = sum(z.values())
    if driver == "flagged" or pressure <= 0:
        return "The vendor lifts a flag after at least 24 h; this model has no figure for it."
    left = pressure - z.get(driver, 0.0)
    usual = scale.ordinary()
    back = "back within" if left <= usual else "still above"
    return f"In this model the pressure on the line falls from {pressure:.1f} to {left:.1f}, {back} its quiet times (up to {usual:.1f} on 19 days in 20)."


def _step(driver: str, case: Case, f: Figures) -> str:
    usual = max(1, round(num(f, "usual")))
    if driver == "engagement" and "follow_ups" in f:
        return (
            f"Stop follow-ups to the {plural(num(f, 'chats'), 'chat')} that left two or more unanswered: "
            f"{count(num(f, 'follow_ups'))} sends, {count(num(f, 'answered'))} answered."
        )
    if driver == "engagement":
        silent = {s.chat for s in case.effects.seen if s.measured and not s.replied and s.streak > 0}
        missing = max(0.0, num(f, "usual_by_now") - num(f, "observed_count"))
        return (
            f"Pause sends to the {plural(len(silent), 'chat')} that did not answer the last two; about "
            f"{count(round(missing))} replies are missing. Answer whoever writes first."
        )
    if driver == "deliverability":
        code = f" (most with code {f['top_code']}: {count(num(f, 'top_code_count'))})" if f.get("top_code") else ""
        return f"Stop sending to the chats behind the {plural(num(f, 'observed_count'), 'undelivered send')}{code} until one gets through."
    if driver == "new_conversations":
        if f.get("usual") is None:
            return f"Open fewer than {count(num(f, 'limit'))} new conversations a day and spread them; {count(num(f, 'observed'))} were opened in one."
        return f"Open at most {usual} new conversations a day, its usual, and spread them: {count(num(f, 'observed'))} were opened in one day, {count(num(f, 'peak_1h'))} in its busiest hour."
    if driver == "recipient_spread":
        return f"Spread the list: at most {max(1, round(case.usual.recipients_per_day))} recipients a day, its usual, where {count(num(f, 'recipients'))} were written to; those who answered first."
    if driver == "send_pace":
        if f.get("limit") is not None:
            return f"Stay below {count(num(f, 'limit'))} messages a day; {count(num(f, 'observed'))} went over the line in one."
        return f"Look for a loop and slow down: {count(num(f, 'observed'))} sends, {count(num(f, 'top_chat_sends'))} of them to one chat, where {count(num(f, 'usual'))} are usual."
    if driver == "opt_outs":
        if not num(f, "observed"):
            return f"Find which campaign made {plural(num(f, 'opted_out_3d'), 'person', 'people')} opt out in 3 days, and stop it."
        return f"Stop all sends to the {plural(num(f, 'people'), 'person', 'people')} who opted out; {count(num(f, 'observed'))} went out after it."
    if driver == "flagged":
        return "Stop sending until the flag is lifted, at least 24 h; answer the vendor's support."
    return f"Vary the text: one and the same went to {plural(num(f, 'recipients'), 'recipient')}."
