"""A transition with its shares and figures in, concrete steps for this line out, by expected effect, each with a number from the evidence.

The steps follow the vendor's guides: stop what must never happen, fix the chats, slow down, hold back new conversations, let the
line recover; and never move its chats to another line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analysis.explain.attribution import Scale, pressure_range
from analysis.explain.constants import CONSTANTS
from analysis.explain.evidence import Case, Figures
from analysis.explain.found import Effects
from analysis.explain.steps import Step, steps_of
from analysis.explain.whatif import effects_without, least_easing
from analysis.explain.words import count, plural, times

Action = dict[str, Any]
STEPS = ("stop", "fix chats", "slow down", "hold new conversations", "recover", "keep")
"""What a step is for, in the guides' order."""

KEEP: Action = {
    "action": "Keep these chats on this line: moving them to another one spreads the problem.",
    "expected_effect": "Moving chats eases nothing in this model; the vendor's guide warns of it.",
    "step": "keep",
}


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
            steps += steps_of(driver, case, figures[driver], audience)
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
