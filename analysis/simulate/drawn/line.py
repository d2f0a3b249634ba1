"""Seed and size in, the lines of a drawn fleet out: who they are, their people, their usual asks, and what is planned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.simulate.drawn.kinds import CONFOUNDERS, DECK, KINDS, LINE_KINDS, SMALL, SMALL_SIZE, ZONES, LineKind
from analysis.simulate.shared.draws import DAY, HOUR, draw, keys, local_hours
from analysis.simulate.shared.incidents import Incident
from analysis.simulate.shared.lines import SILENT_WARMTH, People

TOUCH, OPEN, INCOMING, FOLLOW = range(4)
_PEAK, _WIDTH = 13.5, 3.2
"""Local hour around which asks lie, and by how many hours they spread."""
_YOUNG = 0.12
_AREAS = (209, 319, 409, 509, 619, 709, 819)


@dataclass(frozen=True)
class Asks:
    """Beginnings of exchanges, a row each."""

    key: np.ndarray
    chat: np.ndarray
    at: np.ndarray
    kind: np.ndarray
    tag: np.ndarray  # number of the incident that made it, else -1
    scale: np.ndarray  # factor on the chance of an answer
    size: np.ndarray  # messages of the ask where fixed, else 0
    rank: np.ndarray  # ignored asks before it in a row

    def take(self, rows: np.ndarray) -> Asks:
        """Return these rows."""
        return Asks(**{name: value[rows] for name, value in vars(self).items()})

    def but(self, **columns: np.ndarray) -> Asks:
        """Return the same rows with other columns."""
        return replace(self, **columns)


def asks(seed: int, chat: np.ndarray, at: np.ndarray, kind: int, tag: int = -1, scale: float = 1.0) -> Asks:
    """Return asks of one kind."""
    n, key = len(at), keys(seed, len(at))
    whole = np.zeros(n, dtype=np.int64)
    return Asks(key, chat.astype(np.int64), at.astype(np.int64), whole + kind, whole + tag, whole + scale, whole, whole)


def joined(parts: list[Asks]) -> Asks:
    """Return all rows of these."""
    return Asks(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])})


@dataclass(frozen=True)
class Line:
    """One line before anything happens to it."""

    number: str
    kind: LineKind
    zone: str
    seed: int
    start: int
    end: int
    people: People
    base: Asks
    shape: np.ndarray  # share of a weekday's asks by UTC hour of its life
    incidents: tuple[Incident, ...]
    fresh: dict[int, np.ndarray]
    """Chats that an incident (by number) would open."""

    @property
    def type_name(self) -> str:
        """Its kind's name."""
        return self.kind.name

    @property
    def asks_a_day(self) -> float:
        """Asks that it begins on a usual day, openers among them."""
        return float((self.base.kind != INCOMING).sum()) / ((self.end - self.start) / DAY)


def fleet(*, seed: int, lines: int, days: int, end: int, strength: float) -> list[Line]:
    """Return the lines of a fleet; equal arguments give equal fleets."""
    streams = np.random.SeedSequence([seed, 77123]).spawn(lines)
    deck: list[str] = []
    return [
        _line(np.random.default_rng(stream), place, deck, end - days * DAY, end, strength)
        for place, stream in enumerate(streams)
    ]


def _line(rng: np.random.Generator, place: int, deck: list[str], start: int, end: int, strength: float) -> Line:
    kind, zone = LINE_KINDS[place % len(LINE_KINDS)], ZONES[int(rng.integers(len(ZONES)))]
    young = end - start > 25 * DAY and rng.random() < _YOUNG
    if young:
        start += int(rng.uniform(0.3, 0.6) * (end - start) // DAY) * DAY
    seed = int(rng.integers(2**62))
    shape = _rhythm(kind, zone, start, end, rng)
    incidents = _plan(rng, deck, shape, start, end, strength)
    own = float(rng.lognormal(0, 0.3))
    touch_at, open_at, in_at = (
        _moments(rng, shape, own * rate, start) for rate in (kind.touches, kind.openers, kind.incoming)
    )
    old = max(15, int(kind.chats * own * (0.15 if young else 1.0)))
    stranger = rng.random(len(in_at)) < (0.5 if young else 0.22)
    born = np.concatenate([open_at, in_at[stranger]])
    fresh_at = {}
    for i in incidents:
        if i.kind in ("burst", "opening_days"):
            at = _opened(i, kind.openers * own)
            fresh_at[i.number] = at if i.kind == "burst" else _moved(at, shape, start)
    created = np.concatenate(
        [np.sort(start - (rng.random(old) * 150 * DAY).astype(np.int64)), np.sort(born), *fresh_at.values()]
    )
    people = _people(rng, kind, created, old, start)
    order = np.argsort(born, kind="stable")
    where = np.empty(len(born), dtype=np.int64)
    where[order] = np.arange(len(born)) + old
    taken, fresh = old + len(born), {}
    for place_of, at in fresh_at.items():
        fresh[place_of] = np.arange(taken, taken + len(at))
        taken += len(at)
    usual = old + len(born)
    base = joined(
        [
            asks(seed + 1, pick(people, touch_at, rng.random(len(touch_at)), usual), touch_at, TOUCH),
            asks(seed + 2, where[: len(open_at)], open_at, OPEN),
            asks(seed + 3, where[len(open_at) :], in_at[stranger], INCOMING),
            asks(seed + 4, pick(people, in_at[~stranger], rng.random(int((~stranger).sum())), usual, warm=True), in_at[~stranger], INCOMING),
        ]
    )  # fmt: skip
    number = f"+1{_AREAS[place % len(_AREAS)]}555{1000 + place // len(_AREAS) % 9000:04d}"
    return Line(number, kind, zone, seed, start, end, people, base, shape, tuple(incidents), fresh)


def _rhythm(kind: LineKind, zone: str, start: int, end: int, rng: np.random.Generator) -> np.ndarray:
    """Return for each UTC hour its share of a weekday's asks: a bell around early afternoon, quieter weekends, uneven days."""
    local = local_hours(zone, start // HOUR, (end - start) // HOUR)
    day, hour = local // 24, local % 24
    bell = np.exp(-0.5 * ((hour - _PEAK) / _WIDTH) ** 2) * ((hour >= 7) & (hour < 22))
    uneven = rng.gamma(9.0, 1 / 9.0, len(local) // 24 + 1)[np.arange(len(local)) // 24]
    return bell / (_WIDTH * np.sqrt(2 * np.pi)) * np.where(day >= 5, kind.weekend, 1.0) * uneven


def _moments(rng: np.random.Generator, shape: np.ndarray, a_day: float, start: int) -> np.ndarray:
    hours = np.repeat(np.arange(len(shape)), rng.poisson(shape * a_day))
    return start + hours * HOUR + rng.integers(0, HOUR, len(hours))


def _moved(at: np.ndarray, shape: np.ndarray, start: int) -> np.ndarray:
    """Return instants moved from the night into the hours in which the line works."""
    low, high = (at.min() - start) // HOUR, (at.max() - start) // HOUR + 1
    hours = np.arange(low, min(high, len(shape)))
    weight = np.cumsum(shape[hours]) if len(hours) else np.zeros(0)
    if not len(hours) or weight[-1] <= 0:
        return at
    u = (np.arange(len(at)) + 0.5) / len(at)
    place = np.searchsorted(weight, u * weight[-1])
    return np.sort(start + hours[place] * HOUR + (draw(keys(int(at[0]) % 2**31, len(at)), 4) * HOUR).astype(np.int64))


def _opened(i: Incident, usual: float) -> np.ndarray:
    days = max(1.0, (i.stop - i.start) / DAY)
    count = int(i.size * max(34, (7 if i.kind == "burst" else 4) * usual) * days ** (0 if i.kind == "burst" else 1))
    return np.sort(i.start + (draw(keys(i.seed, count), 1) * (i.stop - i.start)).astype(np.int64))


def _people(rng: np.random.Generator, kind: LineKind, created: np.ndarray, old: int, start: int) -> People:
    n = len(created)
    cold = rng.random(n) < np.where(np.arange(n) < old, kind.cold, 0.3)
    warmth = np.where(cold, rng.beta(1, 9, n), 1.25 * rng.beta(5, 1.6, n))
    warmth = np.where(cold & (rng.random(n) < 0.5), SILENT_WARMTH, warmth)
    gone = (np.arange(n) < old) & (rng.random(n) < 0.03 + 5 * kind.stops)
    group = rng.random(n) < 0.03
    return People(
        created=created, warmth=warmth, weight=rng.gamma(0.8, 1.0, n) * np.where(cold, 0.35, 1.0), cares=rng.gamma(2.5, 0.4, n), group=group,
        sms=rng.random(n) < kind.sms, stopped_before=np.where(gone & ~group, start - DAY, np.iinfo(np.int64).max), key=keys(int(rng.integers(2**62)), n), old=old,
    )  # fmt: skip


def pick(people: People, at: np.ndarray, u: np.ndarray, usual: int, *, warm: bool = False) -> np.ndarray:
    """Return for each instant one of the first ``usual`` chats that exists by then, by weight."""
    weight = people.weight[:usual] * (people.warmth[:usual] if warm else 1.0)
    heap, created = np.cumsum(weight), people.created[:usual]
    known = np.maximum(1, np.searchsorted(created, at))
    return np.minimum(np.searchsorted(heap, u * heap[known - 1], side="right"), known - 1)


def _plan(
    rng: np.random.Generator, deck: list[str], shape: np.ndarray, start: int, end: int, strength: float
) -> list[Incident]:
    days = (end - start) / DAY
    wanted = [(_dealt(deck, rng), float(rng.lognormal(0.0, 0.2)) * strength) for _ in range(1 + rng.poisson(days / 22))]
    for _ in range(rng.poisson(days / 40)):
        name = CONFOUNDERS[int(rng.integers(len(CONFOUNDERS)))]
        small = name == "small"
        wanted.append(
            (SMALL[int(rng.integers(len(SMALL)))] if small else name, SMALL_SIZE * strength if small else 1.0)
        )
    found: list[Incident] = []
    for name, size in wanted:
        hour = int(rng.integers(min(9 * 24, int(0.3 * len(shape))), max(10 * 24, len(shape) - 12)))
        working = np.flatnonzero(shape[hour:] > 0.04)
        at = start + (hour + (int(working[0]) if len(working) else 0)) * HOUR + int(rng.integers(HOUR))
        at = min(at, end - HOUR)
        length, of = int(rng.uniform(*KINDS[name].hours) * HOUR), KINDS[name]
        found.append(Incident(len(found), name, at, at + length, size, int(rng.integers(2**62)), of.driver, of.slow))
    return sorted((i for i in found if i.size), key=lambda i: (i.start, i.number))


def _dealt(deck: list[str], rng: np.random.Generator) -> str:
    if not deck:
        deck += [str(name) for name in rng.permutation(np.array(DECK))]
    return deck.pop()
