"""The kinds of lines and of incidents of the drawn family: rates, chances and lengths, each in its unit."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.simulate.shared.incidents import Kind


@dataclass(frozen=True)
class LineKind:
    """One kind of line. Rates are asks a weekday; chances are per ask."""

    name: str
    touches: float
    openers: float
    incoming: float
    replies: float
    opener_replies: float
    answers: float  # chance that the line answers what a person wrote
    talks_on: float  # chance that a person answers the answer
    patience: float  # chance of a follow-up where nobody answered
    stops: float  # chance that an ignored ask makes a person opt out
    sms: float  # chance that a chat is on SMS, without receipts
    weekend: float  # share of a weekday's asks on a weekend day
    chats: int
    cold: float  # share of known chats that seldom answer


LINE_KINDS = (
    LineKind("outreach", 34, 16, 8, 0.42, 0.34, 0.9, 0.35, 0.22, 0.004, 0.10, 0.35, 420, 0.35),
    LineKind("service", 16, 3, 26, 0.62, 0.45, 0.95, 0.45, 0.10, 0.001, 0.08, 0.55, 300, 0.25),
    LineKind("reminder", 70, 2, 4, 0.24, 0.20, 0.6, 0.10, 0.04, 0.003, 0.20, 0.75, 620, 0.40),
    LineKind("sales", 24, 9, 14, 0.50, 0.38, 0.9, 0.50, 0.30, 0.003, 0.05, 0.20, 360, 0.30),
    LineKind("small", 9, 2, 6, 0.55, 0.45, 0.85, 0.40, 0.15, 0.002, 0.10, 0.40, 90, 0.25),
)
"""In the order in which a fleet is filled."""

ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles", "Europe/London", "Australia/Sydney")

KINDS = {
    k.name: k
    for k in (
        Kind("collapse", "engagement", (60, 170)),
        Kind("growth_collapse", "engagement", (60, 150)),
        Kind("mix_shift", "engagement", (110, 260)),
        Kind("nagging", "engagement", (110, 260)),
        Kind("blast", "recipient_spread", (0.4, 2.5)),
        Kind("burst", "new_conversations", (1.0, 6.0)),
        Kind("opening_days", "new_conversations", (40, 80)),
        Kind("loop", "send_pace", (0.2, 0.6)),
        Kind("after_stop", "opt_outs", (20, 110)),
        Kind("failures", "deliverability", (6, 60)),
        Kind("carrier_flag", "flagged", (26, 60)),
        Kind("good_growth", "", (60, 160)),
        Kind("pause", "", (40, 100)),
        Kind("sms_days", "", (40, 120)),
    )
}
DECK = (
    "collapse", "growth_collapse", "mix_shift", "nagging", "blast", "burst", "burst", "blast", "loop", "after_stop", "failures",
    "carrier_flag", "collapse", "opening_days", "failures", "nagging", "mix_shift", "after_stop", "collapse",
    "mix_shift", "loop", "collapse",
)  # fmt: skip
CONFOUNDERS = ("good_growth", "pause", "sms_days", "small")
SMALL = ("collapse", "blast", "burst", "failures", "after_stop")
SMALL_SIZE = 0.25
