"""One driver with its figures in, the steps for this line out: what to do, and which asks it would have prevented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.explain.audience import colder, mix_weighs
from analysis.explain.constants import CONSTANTS
from analysis.explain.evidence import Case, Figures
from analysis.explain.headline import num
from analysis.explain.running import Array
from analysis.explain.whatif import beyond_day
from analysis.explain.window import ANSWER, FOLLOWUP, NEW, Window
from analysis.explain.words import count, percent, plural


@dataclass(frozen=True)
class Step:
    """One thing to do, and the asks that it would have prevented."""

    driver: str
    step: str
    text: str
    prevented: Array | None = None
    """A mask over the week's window; None: the driver itself is taken as gone."""
    numbers: tuple[tuple[str, float | int], ...] = ()


def steps_of(driver: str, case: Case, f: Figures, audience: dict[str, Any] | None) -> list[Step]:
    """Return the steps for one driver, each with a number from its figures.

    Args:
        driver: of DRIVERS, unexplained apart.
        case: the transition.
        f: figures of the driver.
        audience: of ``audience_of``.
    """
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
        most = f.get("first_seen_before")
        limit = max(1, int(num(f, "limit") if most is None else min(num(f, "limit"), float(most))))
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
    counted = w.volume
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
