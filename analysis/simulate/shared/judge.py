"""Scores in, states of health out: limits set on the population, noise of observation, a change of the vendor's mind; and why each state changed, by living again without each cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.simulate.shared.draws import DAY, HOUR, draw, keys
from analysis.simulate.shared.incidents import Incident
from analysis.simulate.shared.lines import MadeLine
from analysis.simulate.shared.scores import Score, leaky, ticks
from analysis.simulate.shared.turns import NEVER, Life

VENDOR, ORGANIC = -2, -3
"""Causes that are no incident of the line: the vendor changed its scoring, or its score of this line, for reasons of its own."""
_LATER = 96
"""Hours within which a cause's removal must delay a change to count as preventing it."""
_ENOUGH = 6
"""Least delay in hours that makes a cause of it."""
_EASES = 0.3
"""Where no single absence prevents a change (two causes, each enough), the one that eases this part of the room is the cause."""
_POPULATION = 0.9992
"""Share of the hours of lines to which nothing happens that stay below the limit of AT_RISK."""
_SAME = 0.5
"""A second cause of at least this part of the first one's effect may be named as well."""


@dataclass(frozen=True)
class Change:
    """One change of a line, with its cause."""

    at: int
    kind: str  # "health" | "status"
    previous: int  # severity
    new: int
    driver: str
    also_ok: tuple[str, ...]
    cause: str
    planted: bool
    onset: int | None


@dataclass(frozen=True)
class _Limits:
    usual: float
    risk: float
    critical: float

    @property
    def room(self) -> float:
        return self.risk - self.usual


@dataclass
class Judge:
    """A hidden vendor for one fleet."""

    lines: Sequence[MadeLine]
    quiet: list[Life]
    """Their lives without any incident: the population that limits are set on."""
    live: Callable[[Any, frozenset[int]], Life]
    """A line and the incidents left in its life in, that life out."""
    score: Score
    seed: int
    noise: float
    tightens: bool
    """The vendor tightens its limits for good, midway; else only for some days, or not at all."""
    drift: float = 1.0
    """Over 0. Factor on the room that every limit leaves above the usual score, from the middle day on; 1 leaves the limits alone."""
    limits: _Limits = field(init=False)
    turn: tuple[int, int] = field(init=False)
    """When the vendor's limits are tighter than before."""
    middle: int = field(init=False)
    """The midnight from which ``drift`` holds."""

    def __post_init__(self) -> None:
        every = np.concatenate([self.score(p, life)[72:] for p, life in enumerate(self.quiet)])
        usual, risk = float(np.median(every)), float(np.quantile(every, _POPULATION))
        self.limits = _Limits(usual, risk, risk + 0.8 * (risk - usual))
        rng = np.random.default_rng([self.seed, 17])
        start, end = min(line.start for line in self.lines), self.lines[0].end
        self.middle = start + (end - start) // 2 // DAY * DAY
        if self.tightens:
            self.turn = (int(start + rng.uniform(0.48, 0.62) * (end - start)), NEVER)
        elif rng.random() < 0.6:
            at = int(start + rng.uniform(0.35, 0.9) * (end - start))
            self.turn = (at, at + int(rng.uniform(3, 6) * DAY))
        else:
            self.turn = (NEVER, NEVER)

    def observed(self, place: int, life: Life, left: frozenset[int]) -> np.ndarray:
        """Return the score as the vendor's judge sees it, hour by hour, raised by what moves its limits."""
        line, room = self.lines[place], self.limits.room
        hours, n = line.start + HOUR * np.arange(1, ticks(line) + 1), ticks(line)
        y = self.score(place, life).copy()
        z = keys(line.seed ^ 4242, n)
        u = draw(z, 1)
        y += self.noise * 0.10 * room * leaky(np.sqrt(3) * (2 * u - 1) * np.sqrt(1 - 0.25 ** (1 / 7)), 7)
        if ORGANIC in left:
            shock = draw(z, 2) < self.noise * 0.0012 / 4
            y += leaky(shock * room * (0.7 + 0.8 * draw(z, 3)), 34)
        if VENDOR in left:
            y += (0.24 if self.tightens else 0.4) * room * ((hours >= self.turn[0]) & (hours < self.turn[1]))
        for i in line.incidents:
            if i.kind == "carrier_flag" and i.number in left:
                y += 2.2 * room * ((hours >= i.start + HOUR) & (hours < i.stop + 9 * HOUR))
        if self.drift != 1 and VENDOR in left:
            # a score so much farther from the usual meets the old limits where the score itself meets the tighter ones
            y = np.where(hours > self.middle, self.limits.usual + (y - self.limits.usual) / self.drift, y)
        y[:48] = np.minimum(y[:48], self.limits.usual)  # too new to be judged
        return y

    def moved_at(self, at: int) -> int:
        """Return when the vendor made the move of its limits that holds at an instant, or held last; NEVER where it made none yet."""
        own = self.turn[0] if self.turn[0] <= at else NEVER
        if self.drift == 1 or at < self.middle:
            return own
        return own if self.middle < own and at < self.turn[1] else self.middle

    def states(self, y: np.ndarray) -> np.ndarray:
        """Return the severity by hour: up after two hours beyond a limit, down after twelve clearly below it."""
        up = np.array([-np.inf, self.limits.risk, self.limits.critical])
        down = up - 0.22 * self.limits.room
        level, above, below = 0, 0, 0
        found = np.zeros(len(y), dtype=np.int64)
        for k, value in enumerate(y.tolist()):
            above = above + 1 if level < 2 and value > up[level + 1] else 0
            below = below + 1 if level and value < down[level] else 0
            if above >= 2:
                level, above = (2 if value > up[2] and level == 1 else level + 1), 0
            elif below >= 12:
                level, below = level - 1, 0
            found[k] = level
        return found


@dataclass
class _Run:
    y: np.ndarray
    states: np.ndarray


def judged(judge: Judge, place: int) -> tuple[Life, list[Change]]:
    """Return what happened on one line and how its health changed, with the truth found by living again without each cause."""
    line = judge.lines[place]
    every = frozenset(i.number for i in line.incidents) | {VENDOR, ORGANIC}
    life = judge.live(line, every)
    y = judge.observed(place, life, every)
    full = _Run(y, judge.states(y))
    moved = np.flatnonzero(np.diff(full.states, prepend=0))
    without: dict[int, _Run] = {}
    if (np.diff(full.states, prepend=0) > 0).any():
        for n in every:
            other = life if n < 0 else judge.live(line, every - {n})
            y = judge.observed(place, other, every - {n})
            without[n] = _Run(y, judge.states(y))
    changes: list[Change] = []
    spell: Change | None = None
    jitter = draw(keys(line.seed ^ 99, len(full.y)), 1)
    for k in moved:
        previous, new = int(full.states[k - 1]) if k else 0, int(full.states[k])
        at = int(line.start + k * HOUR + jitter[k] * 0.98 * HOUR)
        at -= at % 1000
        if new > previous:
            spell = _worse(line, life, full, without, int(k), at, previous, new, judge)
            changes.append(spell)
        elif spell is not None:
            changes.append(_better(line, spell, at, previous, new))
    changes += _flags(line)
    return life, sorted(changes, key=lambda c: (c.at, c.kind))


def _worse(
    line: MadeLine,
    life: Life,
    full: _Run,
    without: dict[int, _Run],
    k: int,
    at: int,
    previous: int,
    new: int,
    judge: Judge,
) -> Change:
    """Return a worsening with the cause whose absence delays it most, or where none does, eases the score most."""
    vendor, found, eases = judge.moved_at(at), [], []
    for n, run in without.items():
        began = vendor if n == VENDOR else life.first_touch.get(n, NEVER) if n >= 0 else line.start
        if n >= 0 and line.incidents and _incident(line, n).kind == "carrier_flag":
            began = _incident(line, n).start
        if began > at:
            continue
        ahead = np.flatnonzero(run.states[k : k + _LATER] >= new)
        delay = int(ahead[0]) if len(ahead) else _LATER
        span = slice(max(0, k - 2), k + 1)
        eased = float((full.y[span] - run.y[span]).mean())
        if delay >= _ENOUGH:
            found.append((delay, eased, n))
        elif eased >= _EASES * judge.limits.room:
            eases.append((delay, eased, n))
    found = sorted(found, reverse=True) or sorted(eases, key=lambda item: (item[1], item[2]), reverse=True)
    if not found:
        return Change(at, "health", previous, new, "unexplained", (), "chance", False, None)
    delay, eased, n = found[0]
    driver, cause = _named(line, n)
    also = {_named(line, m)[0] for d, e, m in found[1:] if d >= _SAME * delay and e >= _SAME * eased}
    planted = n >= 0 or n == VENDOR
    return Change(
        at,
        "health",
        previous,
        new,
        driver,
        tuple(sorted(also - {driver})),
        cause,
        planted,
        _onset(line, life, full, without[n], n, k, vendor),
    )


def _incident(line: MadeLine, number: int) -> Incident:
    return next(i for i in line.incidents if i.number == number)


def _named(line: MadeLine, n: int) -> tuple[str, str]:
    if n < 0:
        return "unexplained", "vendor_side" if n == VENDOR else "organic"
    incident = _incident(line, n)
    return incident.driver or "unexplained", incident.kind


def _onset(line: MadeLine, life: Life, full: _Run, other: _Run, n: int, k: int, vendor: int) -> int | None:
    """Return when the cause began: its first event, or for what grows slowly the hour its effect on the score began to show."""
    if n < 0:
        return vendor if n == VENDOR else None
    incident = _incident(line, n)
    if incident.kind == "carrier_flag":
        return incident.start
    if not incident.slow:
        return life.first_touch[n]
    effect = full.y[: k + 1] - other.y[: k + 1]
    weak = np.flatnonzero(effect < 0.1 * max(effect[-1], 1e-9))
    first = line.start + (int(weak[-1]) + 1 if len(weak) else 0) * HOUR
    return min(max(first, life.first_touch[n]), int(line.start + k * HOUR))


def _better(line: MadeLine, spell: Change, at: int, previous: int, new: int) -> Change:
    """Return a recovery: its cause is that what made the line worse has ended."""
    stops = [i.stop for i in line.incidents if i.kind == spell.cause and i.start <= at]
    ended = min(max(stops), at) if stops else None
    return Change(at, "health", previous, new, spell.driver, spell.also_ok, spell.cause, spell.planted, ended)


def _flags(line: MadeLine) -> list[Change]:
    found = []
    for i in line.incidents:
        if i.kind == "carrier_flag":
            start, stop = i.start - i.start % 1000, i.stop - i.stop % 1000
            found.append(Change(start, "status", 0, 1, "flagged", (), i.kind, True, start))
            if stop < line.end:
                found.append(Change(stop, "status", 1, 0, "flagged", (), i.kind, True, stop))
    return [c for c in found if c.at < line.end]
