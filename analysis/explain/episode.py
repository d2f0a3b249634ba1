"""The changes of one line in, its spells of trouble out: escalations told as one story."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from analysis.explain.change import Change
from analysis.explain.measure import Measured
from analysis.explain.words import after, iso, moment

_NAMES = {
    "engagement": "replies",
    "deliverability": "delivery",
    "new_conversations": "new conversations",
    "recipient_spread": "many recipients at once",
    "send_pace": "pace",
    "opt_outs": "opt-outs",
    "flagged": "the carrier's flag",
    "repeated_content": "repeated text",
    "unexplained": "no clear cause",
}


def story_of(change: Change, episode: list[Change], measured: Measured, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return the spell of trouble that a worsening belongs to, as far as it is known at it.

    Args:
        change: the worsening.
        episode: the worsenings before it since the line was last healthy (of ``episode_of``).
        measured: for the main drivers of these.
        zone: for dates.

    Returns:
        began (first worsening), step (1 for it), and story: one sentence; None for a first step: it is its own story.
    """
    if not episode:
        return None
    first = episode[0]
    now, then = _main(change, measured), _main(first, measured)
    begin = f"{_state(first.new)} since {moment(first.at, zone)} ({_NAMES[then]})"
    then_worse = f"worse {after(change.at - first.at)}"
    if now == then == "unexplained":
        going = f"{then_worse}, still without a clear cause"
    elif now == then:
        going = f"{then_worse} for the same reason"
    elif now == "unexplained":
        going = f"{then_worse} without a new cause in the data"
    else:
        going = f"{then_worse} with {_NAMES[now]} on top"
    return {"began": iso(first.at), "step": len(episode) + 1, "story": f"{begin}; {going}."}


def _main(change: Change, measured: Measured) -> str:
    shares = measured.shares.get(change)
    return shares[0][0] if shares else "unexplained"


def _state(state: str) -> str:
    return state.replace("_", " ").lower().capitalize()
