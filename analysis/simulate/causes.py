"""The size of a fleet and its span in, the plan of every line out: its story, and the episodes of behaviour planted in it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from analysis.simulate.rhythm import DAY, HOUR, Calendar


@dataclass
class Episode:
    """One planted behaviour: while it lasts it changes what the line does.

    ``driver`` is the cause it plants (contract.md, section 5; empty for a confounder). It ends at ``stop``, or ``notice`` after
    the line got worse, when somebody saw it. ``onset`` is filled with the first message (or event) that it touched.
    """

    kind: str
    driver: str
    start: int
    stop: int
    notice: int = 10_000 * DAY
    strength: float = 1.0
    onset: int | None = None

    def active(self, at: int) -> bool:
        """Return whether it goes on now."""
        return self.start <= at < self.stop

    def touch(self, at: int) -> None:
        """Note the first message it touched."""
        if self.onset is None:
            self.onset = at

    def noticed(self, at: int) -> None:
        """Somebody saw the line get worse: stop soon, where it is not over already."""
        if self.active(at):
            self.stop = min(self.stop, at + self.notice)


@dataclass(frozen=True)
class Plan:
    """Everything decided about one line before its first message."""

    line: str
    story: str
    source: str  # "webhooks" | "tables" | "both"
    generation: int  # of phone_number.status_updated, api.md section 5
    version: str  # of the payloads: "2026-02-03", "2025-01-01", or "mixed" (old first)
    zone: str
    start: int
    volume: float  # conversations taken up by the line on a full weekday
    openers: float  # share of these that are brand-new conversations
    replies: float  # mean chance that a person answers
    old_chats: int
    healthy_busy: bool = False
    episodes: list[Episode] = field(default_factory=list)


@dataclass(frozen=True)
class _Story:
    source: str
    generation: int
    version: str
    volume: float
    planted: tuple[tuple[str, str, float, float, float, float], ...]
    """(kind, driver, when, local hour, longest days, hours until noticed); when < 0: days before the end, else share of the span."""
    old_chats: int = 90
    young: bool = False


_NEW, _OLD, _MIXED = "2026-02-03", "2025-01-01", "mixed"
_STORIES = {
    "growth with good replies": _Story("tables", 4, _NEW, 41, (("growth", "", 0.5, 8, 900, 0),), old_chats=260),
    "a campaign that people ignore": _Story("webhooks", 2, _NEW, 22, (("ignored", "engagement", 0.4, 9, 9, 30),)),
    "a morning of openers, later failures": _Story(
        "both", 3, _NEW, 14, (("burst", "new_conversations", 0.34, 9, 0.14, 0), ("failures", "deliverability", 0.76, 9, 6, 16))
    ),
    "stop requests ignored": _Story("webhooks", 4, _NEW, 17, (("opt_outs", "opt_outs", 0.6, 9, 8, 60),)),
    "a wave of failures": _Story("tables", 4, _NEW, 19, (("failures", "deliverability", -2.6, 9, 900, 900),)),
    "flagged without warning": _Story("webhooks", 1, _NEW, 17, (("flag", "flagged", 0.55, 13.4, 1.3, 900),)),
    "growth while replies fall": _Story("webhooks", 4, _NEW, 18, (("growth_ignored", "engagement", -4.7, 9, 900, 900),)),
    "nagging silent people": _Story("webhooks", 3, _NEW, 18, (("nagging", "engagement", 0.46, 9, 14, 24),)),
    "a blast to known people": _Story(
        "tables", 4, _NEW, 14, (("blast", "recipient_spread", -1.6, 10, 0.04, 0),), old_chats=230
    ),
    "a loop gone wild": _Story("webhooks", 2, _MIXED, 17, (("loop", "send_pace", 0.7, 10.5, 0.03, 0),)),
    "a change nothing explains": _Story("webhooks", 2, _OLD, 17, (("spontaneous", "unexplained", 0.48, 15, 2.2, 900),)),
    "a young line in a hurry": _Story(
        "webhooks", 4, _NEW, 12, (("burst", "new_conversations", -4.6, 9.5, 0.14, 0),), old_chats=0, young=True
    ),
}  # fmt: skip
_DEFAULT_ORDER = tuple(_STORIES)
_FIRST_FEW = (2, 1, 0, 6, 4, 3, 5, 8, 7, 9, 11, 10)
"""Which stories a small fleet shows, by place in the default order."""
_ZONES = (("America/Los_Angeles", 415), ("America/New_York", 212), ("America/Chicago", 312), ("America/Denver", 602))
_YOUNG_DAYS = 9


def _number(place: int, area: int) -> str:
    # 96 numbers an area block; 96 is a multiple of the four zones, so no two lines share a number
    return f"+1{area + place // 96}555{101 + place % 96:04d}"


def plans(lines: int, *, start: int, end: int, seed: int) -> list[Plan]:
    """Return the plan of every line of a fleet; equal arguments give equal plans."""
    order = _DEFAULT_ORDER if lines >= len(_DEFAULT_ORDER) else tuple(_DEFAULT_ORDER[i] for i in _FIRST_FEW[:lines])
    return [_plan(place, order[place % len(order)], place // len(order), start, end, seed) for place in range(lines)]


def _plan(place: int, name: str, cycle: int, start: int, end: int, seed: int) -> Plan:
    rng = random.Random(f"{seed}/plan/{place}")
    story = _STORIES[name]
    zone, area = _ZONES[place % len(_ZONES)]
    calendar = Calendar(zone)
    begins = max(start, end - _YOUNG_DAYS * DAY) if story.young else start
    shift = rng.uniform(-0.02, 0.02) if cycle == 0 else rng.uniform(-0.1, 0.1)
    episodes = []
    for kind, driver, when, hour, longest, notice in story.planted:
        if when < 0:
            at = end + int(when * DAY) - (0 if cycle == 0 else rng.randrange(0, 15)) * DAY
            at = max(at, begins + int(0.4 * (end - begins)))
        else:
            at = begins + int((when + shift) * (end - begins))
        first = calendar.weekday_at(at, hour, until=end - DAY) + rng.randrange(0, 20) * 60_000
        episodes.append(
            Episode(kind, driver, first, first + int(longest * DAY), int(notice * HOUR), rng.uniform(0.92, 1.12))
        )
    return Plan(
        line=_number(place, area),
        story=name,
        source="webhooks" if story.source == "both" and cycle else story.source,
        generation=story.generation,
        version=story.version,
        zone=zone,
        start=begins,
        volume=story.volume * rng.uniform(0.9, 1.15),
        openers=rng.uniform(0.26, 0.34),
        replies=rng.uniform(0.58, 0.66) + (0.08 if "good replies" in name else 0.0),
        old_chats=story.old_chats,
        healthy_busy="good replies" in name,
        episodes=episodes,
    )
