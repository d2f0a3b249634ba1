"""The kinds of lines a fleet has: who speaks first, how often, how people answer them, and by what route messages go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """One kind of line. Rates are conversations a day; chances are per first message unless said otherwise."""

    name: str
    touches: float  # taken up by the line with somebody it knows
    openers: float  # opened by the line with somebody new
    incoming: float  # begun by the other side
    newcomers: float  # share of ``incoming`` from people never seen
    replies: float  # mean chance that a touch is answered
    opener_replies: float
    answers: float  # chance that the line answers a person's turn
    talkative: float  # log-odds added to the real chance that a conversation goes on
    pace: float  # the line's own delay, as a share of real people's
    patience: float  # chance of one more message where nobody answered
    stops: float  # chance that an unanswered message makes a person opt out
    batch: float  # share of touches that go out in a few large sends a week
    groups: float  # share of chats with more than one person
    sms: float  # chance that the whole line is on SMS, without receipts
    old_chats: int
    silent: float  # share of known people who practically never answer
    office: bool  # office hours instead of the source's evenings
    bursty: float  # power on the real day-to-day factor


ROLES = (
    Role("agent", 20, 5, 24, 0.3, 0.58, 0.42, 0.96, 0.15, 0.01, 0.12, 0.001, 0.0, 0.02, 0.08, 420, 0.30, False, 0.35),
    Role("campaign", 85, 9, 5, 0.3, 0.19, 0.16, 0.75, -0.8, 0.15, 0.05, 0.006, 0.85, 0.0, 0.15, 1300, 0.34, True, 0.30),
    Role("support", 12, 3, 30, 0.45, 0.60, 0.48, 0.97, 0.0, 0.06, 0.25, 0.0006, 0.0, 0.01, 0.08, 380, 0.28, True, 0.40),
    Role("peer", 26, 2, 22, 0.05, 0.52, 0.40, 0.72, 0.25, 0.6, 0.10, 0.0003, 0.0, 0.22, 0.0, 130, 0.25, False, 0.85),
    Role("alert", 120, 4, 2, 0.2, 0.075, 0.07, 0.5, -1.6, 0.3, 0.0, 0.0015, 0.3, 0.0, 0.30, 900, 0.40, True, 0.25),
    Role("community", 24, 3, 22, 0.12, 0.42, 0.30, 0.6, 0.35, 0.4, 0.05, 0.0012, 0.25, 0.5, 0.0, 240, 0.30, False, 0.6),
)  # fmt: skip
"""In the order in which a fleet is filled."""

ZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "Europe/Berlin",
    "America/Chicago",
    "Europe/London",
    "America/Phoenix",
)
