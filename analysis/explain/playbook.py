"""A transition with its shares and figures in, concrete steps for this line out, by expected effect, each with a number from the evidence.

The steps follow the vendor's guides: stop what must never happen, fix the chats, slow down, hold back new conversations, let the
line recover; and never move its chats to another line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.explain.attribution import Scale, pressure_range
from analysis.explain.audience import colder, mix_weighs
from analysis.explain.constants import CONSTANTS
from analysis.explain.evidence import Case, Figures
from analysis.explain.found import Effects
from analysis.explain.headline import num
from analysis.explain.running import Array
from analysis.explain.volume import counts_as_volume
from analysis.explain.whatif import beyond_day, effects_without, least_easing
from analysis.explain.window import ANSWER, FOLLOWUP, NEW, Window
from analysis.explain.words import count, percent, plural, times

Action = dict[str, Any]
STEPS = ("stop", "fix chats", "slow down", "hold new conversations", "recover", "keep")
"""What a step is for, in the guides' order."""

KEEP: Action = {
    "action": "Keep these chats on this line: moving them to another one spreads the problem.",
    "expected_effect": "Moving chats eases nothing in this model; the vendor's guide warns of it.",
    "step": "keep",
}


@dataclass(frozen=True)
class Step:
    """One thing to do, and the asks that it would have prevented."""

    driver: str
    step: str
    text: str
    prevented: Array | None = None
    """A mask over the week's window; None: the driver itself is taken as gone."""
    numbers: tuple[tuple[str, float | int], ...] = ()


def actions_of(
    case: Case,
    scale: Scale,
    shares: list[tuple[str, float]],
    figures: dict[str, Figures],
    audience: dict[str, Any] | None = None,
) -> list[Action]:
    """Return steps for the drivers that have at least ``step_share`` of the change, the most effective first, and what not to do.

    Each effect is what the model gives for the line at the transition without the asks that the step prevents:
    "in this model", never "would have".

    Args:
        case: the transition.
        scale: units and weights at it.
        shares: of its drivers.
        figures: per driver.
        audience: of ``audience_of``.

    Returns:
        action and expected_effect (text), step (of STEPS), driver, pressure_before, pressure_after (with low and high), and the
        numbers of the step.
    """
    unclear = shares[0][0] == "unexplained"
    least = CONSTANTS.two_causes_share if unclear else CONSTANTS.step_share
    steps: list[Step] = []
    for driver, share in shares:
        if driver != "unexplained" and share >= least:
            steps += _steps(driver, case, figures[driver], audience)
    if not steps:
        return [_wait(case), KEEP]
    before = pressure_range(case.effects, scale)
    told = [_told(step, case, scale, before) for step in steps]
    # while a line is flagged nothing else can be done first
    order = sorted(
        range(len(told)), key=lambda i: (steps[i].driver != "flagged", told[i].get("pressure_after", before[0]), i)
    )
    kept = [
        told[i]
        for i in order
        if told[i].get("pressure_after", 0.0) < before[0] - least_easing(before[0]) or steps[i].driver == "flagged"
    ]
    if unclear:  # below the ordinary pressure there is nothing to ease
        return [*(kept if before[0] >= 1 else []), _wait(case), KEEP]
    return [*(kept or [told[order[0]]]), _recover(case, shares), KEEP]


def after_recovery(case: Case) -> list[Action]:
    """Return the steps after a recovery: keep to the usual, whose figures are named where there are any."""
    return [
        {
            "action": f"Keep to {_pace_of(case)}; raise it slowly, those who answer first.",
            "expected_effect": "In this model the line stays within its quiet times while what eased stays down.",
            "step": "recover",
        },
        KEEP,
    ]


def _pace_of(case: Case) -> str:
    usual = case.usual
    if not usual.own:
        return "the pace of the last days"
    people, new = max(1, round(usual.recipients_per_day)), max(1, round(usual.per_day["new"]))
    return f"its usual, about {plural(people, 'recipient')} and {plural(new, 'new conversation')} a day"


def _wait(case: Case) -> Action:
    """Return the step where nothing explains the change: slowing a healthy line down helps nobody."""
    why = "nothing out of the usual explains the change" if case.usual.own else "the line has no usual to be out of"
    return {
        "action": f"Keep to {_pace_of(case)}, and look again after a day. Ask the vendor for a reputation audit of this line, and keep it: it "
        "expires after 24 hours.",
        "expected_effect": f"None in this model: {why}, so nothing to stop is known.",
        "step": "recover",
    }


def _recover(case: Case, shares: list[tuple[str, float]]) -> Action:
    """Return the step of patience: what to send meanwhile, and when to look again."""
    if any(driver == "flagged" for driver, _ in shares):
        text, when = "Send nothing until the flag is lifted", "a flag lasts at least 24 h"
    else:
        answers = case.usual.per_day["answer"]
        some = f" (usually {count(answers)} a day)" if case.usual.own and answers >= 1 else ""
        text, when = (
            f"Then only answer who writes{some} for a day, and raise the rest step by step",
            "better days show in 3 to 7",
        )
    return {
        "action": f"{text}; look again after a day.",
        "expected_effect": f"Not in this model. Linq's help centre: {when} (medium confidence).",
        "step": "recover",
    }


def _told(step: Step, case: Case, scale: Scale, before: tuple[float, float, float]) -> Action:
    found: Action = {"action": step.text, "step": step.step, "driver": step.driver, **dict(step.numbers)}
    if step.driver == "flagged":
        return found | {
            "expected_effect": "The vendor lifts a flag after at least 24 h; this model has no figure for it."
        }
    after = pressure_range(without(case, step), scale)
    range_ = f"between {times(after[1])} and {times(after[2])}"
    text = (
        f"In this model the pressure falls from {times(before[0])} to {times(after[0])} times the ordinary ({range_})."
    )
    if after[0] > before[0] - least_easing(before[0]):
        text = f"In this model too little by itself: the pressure stays at {times(before[0])} times the ordinary."
    return found | {
        "expected_effect": text,
        "pressure_before": round(before[0], 2),
        "pressure_after": round(min(after[0], before[0]), 2),
        "pressure_after_low": round(after[1], 2),
        "pressure_after_high": round(after[2], 2),
    }


def without(case: Case, step: Step) -> Effects:
    """Return the effects on the line at the transition without what a step prevents."""
    effects = case.effects
    if step.prevented is None and step.driver == "engagement":  # the unhealthy chats are gone, the rest of it stays
        return replace(effects, x=effects.x | {"engagement": effects.but_ill})
    if step.prevented is None:
        return replace(effects, x=effects.x | {step.driver: 0.0}, amount=effects.amount | {step.driver: 0.0})
    return effects_without(case, step.prevented)


def _steps(driver: str, case: Case, f: Figures, audience: dict[str, Any] | None) -> list[Step]:
    made = {
        "engagement": _engagement,
        "deliverability": _deliverability,
        "new_conversations": _new,
        "recipient_spread": _spread,
        "send_pace": _pace,
    }
    if driver in made and case.effects.window is not None:
        return made[driver](case, f, audience)
    if driver == "opt_outs":
        return [_opt_outs(f)]
    if driver == "flagged":
        return [
            Step(driver, "stop", "Stop sending until the flag is lifted, at least 24 h; answer the vendor's support.")
        ]
    if driver == "repeated_content":
        return [
            Step(
                driver,
                "fix chats",
                f"Vary the text: one and the same went to {plural(num(f, 'recipients'), 'recipient')}.",
            )
        ]
    return []


def silent_chats(w: Window, turns: int) -> tuple[Array, Array]:
    """Return the chats that have left at least so many asks unanswered, and a mask of the asks from that one on."""
    chats = np.unique(w.chat[_last_asks(w) & ~w.replied & (w.streak + 1 >= turns)])
    return chats, np.isin(w.chat, chats) & (w.streak >= turns - 1) & (w.kind != ANSWER)


def _last_asks(w: Window) -> Array:
    """Return which ask of the window is the last one of its chat."""
    place = np.full(len(w.names), -1, dtype=np.int64)
    place[w.chat] = np.arange(len(w))  # later rows overwrite
    return place[w.chat] == np.arange(len(w))


def _engagement(case: Case, f: Figures, audience: dict[str, Any] | None) -> list[Step]:
    w = case.effects.window
    assert w is not None
    turns = case.settings.late_turn
    chats, late = silent_chats(w, turns)
    by_chat = np.maximum(
        np.bincount(w.chat, weights=(w.expected - w.replied) * w.measured, minlength=len(w.names)), 0.0
    )
    total = float(by_chat.sum())
    part = float(by_chat[chats].sum()) / total if total > 0 else 0.0
    steps = [_unhealthy(f)] if case.effects.ill else []
    if len(chats):
        of = f"; they are {percent(part)} of the missing replies" if total >= 1 else ""
        steps.append(
            Step(
                "engagement",
                "fix chats",
                f"Pause follow-ups to the {plural(len(chats), 'chat')} that left {turns} or more unanswered in a row{of}.",
                late,
                (("chats", len(chats)), ("share_of_missing", round(part, 4)), ("sends", int(w.sends[late].sum()))),
            )
        )
    cold = colder(audience)
    if (
        cold is not None
        and audience is not None
        and (mix_weighs(audience) or cold["after"] >= CONSTANTS.step_colder * cold["before"])
    ):
        begun = (w.kind != NEW) & (w.kind != ANSWER) & (w.streak >= CONSTANTS.deep_streak)
        steps.append(
            Step(
                "engagement",
                "fix chats",
                f"Write first to chats that answer: {percent(cold['after'])} of the line's own sends went to chats that had left two or more "
                f"unanswered, usually {percent(cold['before'])}.",
                _beyond(w, begun, cold["before"] / max(cold["after"], 1e-9)),
                (("share_after", cold["after"]), ("share_before", cold["before"])),
            )
        )
    # what pausing a chat after an unanswered ask leaves out: its next asks
    next_ = (w.streak >= 1) & (w.kind != ANSWER) & ~late
    silent = _last_asks(w) & w.measured & ~w.replied & (w.kind != ANSWER) & (w.share > CONSTANTS.due)
    silent &= ~np.isin(w.chat, chats)
    people = np.unique(w.chat[silent])
    if len(people) and not case.effects.nagging and not case.effects.ill:
        missing = num(f, "usual_by_now") - num(f, "observed_count")
        steps.append(
            Step(
                "engagement",
                "fix chats",
                f"Leave alone for a day or more the {plural(len(people), 'chat')} whose last send is unanswered; then ask what can be answered "
                f"in a word. {_missing(missing)}",
                next_,
                (("chats", len(people)), ("missing", round(missing, 1))),
            )
        )
    return steps


def _unhealthy(f: Figures) -> Step:
    bad, whole = int(num(f, "unhealthy_chats")), int(num(f, "observed_of"))
    return Step(
        "engagement",
        "fix chats",
        f"Begin nothing in the {plural(bad, 'chat')} that {'is' if bad == 1 else 'are'} at risk or critical, of {count(whole)} active ones; "
        "answer who writes there.",
        None,
        (("unhealthy_chats", bad), ("active_chats", whole)),
    )


def _missing(replies: float) -> str:
    n = max(1, round(replies))
    return f"About {plural(n, 'reply is', 'replies are')} missing in all."


def _beyond(w: Window, mask: Array, share: float) -> Array:
    """Return the latest of the masked asks beyond this share of them."""
    places = np.flatnonzero(mask)
    kept = round(share * len(places))
    found = np.zeros(len(w), dtype=bool)
    found[places[kept:]] = True
    return found


def _deliverability(case: Case, f: Figures, audience: dict[str, Any] | None) -> list[Step]:
    w = case.effects.window
    assert w is not None
    bad = w.undelivered & w.judged
    chats = int(num(f, "chats"))
    code = f" (most with code {f['top_code']}: {count(num(f, 'top_code_count'))})" if f.get("top_code") else ""
    text = f"Stop sending to the {plural(chats, 'chat')} behind the {plural(num(f, 'observed_count'), 'undelivered send')}{code} until one gets through."
    return [Step("deliverability", "stop", text, bad, (("chats", chats), ("sends", int(num(f, "observed_count")))))]


def _new(case: Case, f: Figures, audience: dict[str, Any] | None) -> list[Step]:
    w = case.effects.window
    assert w is not None
    new, opened, peak = w.kind == NEW, num(f, "observed"), num(f, "peak_1h")
    numbers = (("opened", int(opened)), ("peak_1h", int(peak)))
    if f.get("usual") is None:
        limit = int(num(f, "limit"))
        text = f"Open fewer than {count(limit)} new conversations a day and spread them; {count(opened)} were opened in one. New recipients go to HEALTHY lines."
        return [
            Step(
                "new_conversations",
                "hold new conversations",
                text,
                beyond_day(w.first, new, limit),
                (("a_day", limit), *numbers),
            )
        ]
    usual = max(1, round(num(f, "usual")))
    text = (
        f"Open at most {usual} new conversations a day, its usual, hours apart: {count(opened)} were opened in one day, {count(peak)} in its "
        "busiest hour. New recipients go to HEALTHY lines."
    )
    return [
        Step(
            "new_conversations",
            "hold new conversations",
            text,
            beyond_day(w.first, new, usual),
            (("a_day", usual), *numbers),
        )
    ]


def _spread(case: Case, f: Figures, audience: dict[str, Any] | None) -> list[Step]:
    w = case.effects.window
    assert w is not None
    people = max(1, round(case.usual.recipients_per_day))
    known = (w.kind != NEW) & (w.kind != FOLLOWUP) & ~w.opted_out
    text = f"Spread the list: at most {people} recipients a day, its usual, where {count(num(f, 'recipients'))} were written to; those who answered first."
    mask = beyond_day(w.first, known, case.usual.busy["known"])
    return [
        Step(
            "recipient_spread", "slow down", text, mask, (("a_day", people), ("recipients", int(num(f, "recipients"))))
        )
    ]


def _pace(case: Case, f: Figures, audience: dict[str, Any] | None) -> list[Step]:
    w = case.effects.window
    assert w is not None
    if f.get("limit") is not None:
        text = f"Stay below {count(num(f, 'limit'))} messages a day; {count(num(f, 'observed'))} went over the line in one."
        return [
            Step(
                "send_pace",
                "slow down",
                text,
                None,
                (("a_day", int(num(f, "limit"))), ("sends", int(num(f, "observed")))),
            )
        ]
    counted = counts_as_volume(w)
    loops = counted & (w.sends >= CONSTANTS.loop_sends)
    numbers = (("sends", int(num(f, "observed"))), ("to_one_chat", int(num(f, "top_chat_sends"))))
    chats, most = max(1, int(num(f, "loop_chats"))), max(num(f, "loop_sends"), num(f, "top_chat_sends"))
    if most > CONSTANTS.loop_share * num(f, "observed") and loops.any():
        to = "one chat" if chats == 1 else f"{chats} chats"
        text = f"Look for a loop: {count(most)} of {plural(num(f, 'observed'), 'send')} went to {to}, where {count(num(f, 'usual'))} are usual in all."
        return [Step("send_pace", "stop", text, loops, numbers)]
    usual = max(1, round(case.usual.sends_per_day))
    text = f"Slow down: at most {count(usual)} sends a day, its usual; {count(num(f, 'observed'))} went out where {count(num(f, 'usual'))} are usual."
    return [
        Step(
            "send_pace",
            "slow down",
            text,
            beyond_day(w.first, counted, case.usual.busy["known"]),
            (("a_day", usual), *numbers),
        )
    ]


def _opt_outs(f: Figures) -> Step:
    if not num(f, "observed"):
        people = plural(num(f, "opted_out_3d"), "person", "people")
        return Step(
            "opt_outs",
            "stop",
            f"Find which campaign made {people} opt out in 3 days, and stop it.",
            None,
            (("people", int(num(f, "opted_out_3d"))),),
        )
    text = f"Stop all sends to the {plural(num(f, 'people'), 'person', 'people')} who opted out; {count(num(f, 'observed'))} went out after it."
    return Step("opt_outs", "stop", text, None, (("people", int(num(f, "people"))), ("sends", int(num(f, "observed")))))
