"""One line's role and seed in, all that is fixed about it out: its people, its rhythm, and the conversations somebody begins when nothing happens to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.simulate.replay.roles import Role
from analysis.simulate.replay.tables import tables
from analysis.simulate.shared.draws import DAY, HOUR, draw, keys, local_hours
from analysis.simulate.shared.incidents import Incident
from analysis.simulate.shared.lines import SILENT_WARMTH, People

TOUCH, OPEN, INCOMING, FOLLOW = 0, 1, 2, 3
"""How a conversation begins: with somebody known, with somebody new, from the other side, after an unanswered message."""


@dataclass(frozen=True)
class Sessions:
    """Beginnings of conversations, a row each."""

    key: np.ndarray
    chat: np.ndarray
    at: np.ndarray
    kind: np.ndarray
    tag: np.ndarray  # number of the incident that made it, else -1
    scale: np.ndarray  # factor on the chance of an answer
    size: np.ndarray  # messages of the first turn where fixed, else 0
    gap: np.ndarray  # ms between these
    leaves: np.ndarray  # chance to opt out where fixed, else -1
    rank: np.ndarray  # how many unanswered ones came before it

    def take(self, rows: np.ndarray) -> Sessions:
        """Return these rows."""
        return Sessions(**{name: value[rows] for name, value in vars(self).items()})

    def but(self, **columns: np.ndarray) -> Sessions:
        """Return the same rows with other columns."""
        return replace(self, **columns)


def sessions(
    key: np.ndarray, chat: np.ndarray, at: np.ndarray, kind: int, tag: int = -1, scale: float = 1.0
) -> Sessions:
    """Return beginnings of one kind."""
    n = len(key)
    whole = np.zeros(n, dtype=np.int64)
    return Sessions(
        key=key, chat=chat.astype(np.int64), at=at.astype(np.int64), kind=whole + kind, tag=whole + tag, scale=np.full(n, scale),
        size=whole, gap=whole, leaves=np.full(n, -1.0), rank=whole,
    )  # fmt: skip


def together(parts: list[Sessions]) -> Sessions:
    """Return all rows of these."""
    return Sessions(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])})


@dataclass(frozen=True)
class Line:
    """One line before anything happens to it."""

    number: str
    role: Role
    zone: str
    seed: int
    start: int
    end: int
    sms: bool
    quality: float  # its own share of the role's replies
    office: np.ndarray  # by UTC hour: somebody is at work
    people: People
    base: Sessions
    incidents: tuple[Incident, ...]
    fresh: dict[int, np.ndarray]  # chats that an incident (by number) would open

    @property
    def type_name(self) -> str:
        """Its role's name."""
        return self.role.name

    @property
    def days(self) -> float:
        """Its span."""
        return (self.end - self.start) / DAY

    @property
    def asks_a_day(self) -> float:
        """Conversations that it begins on a usual day."""
        return float((self.base.kind != INCOMING).sum()) / self.days


def rhythm(role: Role, zone: str, start: int, end: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return for each UTC hour of a span its share of an average day's conversations, and whether somebody is at work."""
    t = tables()
    local = local_hours(zone, start // HOUR, (end - start) // HOUR)
    day, hour = local // 24, local % 24
    work = (hour >= 9) & (hour < 19) & (day < 5)
    if role.office:
        shape = np.where(work, 0.6 + 0.4 * t.hour_of_week[(local + 9) % 168], 0.0) + 0.25 * (
            (hour >= 10) & (hour < 17) & (day >= 5)
        )
    else:
        awake = (hour >= 8) & (hour < 23)
        shape = (
            0.75 * t.hour_of_week[local] + 0.25 * awake
            if role.name in ("peer", "community")
            else 0.35 * t.hour_of_week[local] + awake
        )
    days = len(local) // 24 + 1
    noise = rng.standard_normal(days)
    for d in range(1, days):
        noise[d] = t.day_memory * noise[d - 1] + np.sqrt(1 - t.day_memory**2) * noise[d]
    factor = t.at("day_factor", _normal_share(noise)) ** role.bursty
    shape = shape * factor[np.arange(len(local)) // 24]
    return shape / shape.sum() * (len(local) / 24), work | ((hour >= 9) & (hour < 21) & (not role.office))


def _normal_share(z: np.ndarray) -> np.ndarray:
    # logistic approximation of the normal distribution's area (Bowling et al. 2009): within 0.0002
    return 1 / (1 + np.exp(-(0.07056 * z**3 + 1.5976 * z)))


def moments(rng: np.random.Generator, shape: np.ndarray, a_day: float, start: int) -> np.ndarray:
    """Return instants that follow a rhythm, so many on an average day."""
    counts = rng.poisson(shape * a_day)
    hours = np.repeat(np.arange(len(shape)), counts)
    return np.sort(start + hours * HOUR + rng.integers(0, HOUR, len(hours)))


def batches(rng: np.random.Generator, office: np.ndarray, total: float, start: int) -> np.ndarray:
    """Return instants of large sends: about three a week, an hour or two each."""
    weeks = len(office) / 168
    count = max(1, round(3 * weeks))
    at_work = np.flatnonzero(office)
    begins = np.sort(rng.choice(at_work, count)) * HOUR + rng.integers(0, HOUR, count)
    sizes = rng.poisson(total / count * rng.lognormal(-0.06, 0.35, count))
    spans = rng.uniform(0.7, 2.2, count) * HOUR
    return np.concatenate(
        [start + b + np.sort(rng.random(n)) * s for b, n, s in zip(begins, sizes, spans, strict=True)]
    ).astype(np.int64)


def people(
    rng: np.random.Generator, role: Role, created: np.ndarray, old: int, *, sms: bool, cold: np.ndarray, start: int
) -> People:
    """Return the people behind chats created at these instants; ``cold`` marks those on a bad list."""
    t, n = tables(), len(created)
    warmth = t.at("person_replies", rng.random(n))
    silent = rng.random(n) < np.where(np.arange(n) < old, role.silent, 0.2)
    warmth = np.where(silent | cold, SILENT_WARMTH, warmth)
    group = (rng.random(n) < role.groups) & ~cold
    gone = (rng.random(n) < 0.04 + 4 * role.stops) & (np.arange(n) < old)
    long_ago = start - (rng.random(n) * 60 * DAY).astype(np.int64)
    return People(
        created=created, warmth=warmth, weight=t.at("chat_weight", rng.random(n)) * (0.12 + np.minimum(warmth, 1.2)),
        cares=rng.gamma(3.0, 1 / 3.0, n) * np.where(silent, 1.3, 1.0), group=group, sms=sms | (rng.random(n) < 0.08),
        stopped_before=np.where(gone & ~group, long_ago, np.iinfo(np.int64).max), key=keys(int(rng.integers(2**62)), n), old=old,
    )  # fmt: skip


def pick(line_people: People, at: np.ndarray, u: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return for each instant a chat that exists by then, by weight; chats are in order of creation."""
    heap = np.cumsum(weight)
    known = np.maximum(1, np.searchsorted(line_people.created, at))
    return np.minimum(np.searchsorted(heap, u * heap[known - 1], side="right"), known - 1)


def _spaced(chat: np.ndarray, at: np.ndarray, hours: float) -> np.ndarray:
    """Return which rows come at least so long after the one before in their chat."""
    order = np.lexsort((at, chat))
    near = (np.diff(chat[order]) == 0) & (np.diff(at[order]) < hours * HOUR)
    keep = np.ones(len(chat), dtype=bool)
    keep[order[1:][near]] = False
    return keep


def build(
    *, number: str, role: Role, zone: str, seed: int, start: int, end: int, incidents: tuple[Incident, ...],
    shape: np.ndarray, office: np.ndarray, fresh: dict[int, tuple[np.ndarray, float]],
) -> Line:  # fmt: skip
    """Return a line with its people and its usual conversations.

    Args:
        number: E.164.
        role: kind of line.
        zone: of its owner.
        seed: equal seeds give equal lines.
        start: first instant, ms, a full hour.
        end: instant after the last.
        incidents: what is planned.
        shape: share of a day's conversations by UTC hour.
        office: when somebody is at work, by UTC hour.
        fresh: for each incident that opens chats, when it does, and the share of them that would never answer.
    """
    rng = np.random.default_rng(seed)
    own = float(rng.lognormal(0, 0.25))
    young = start > end - 40 * DAY
    touch_at = moments(rng, shape, role.touches * (1 - role.batch) * own, start)
    batch_at = (
        batches(rng, office, role.touches * role.batch * own * len(shape) / 24, start)
        if role.batch
        else np.zeros(0, np.int64)
    )
    open_at = moments(rng, shape, role.openers * own * (2.0 if young else 1.0), start)
    in_at = moments(rng, shape, role.incoming * own, start)
    strange = rng.random(len(in_at)) < role.newcomers * (1.6 if young else 1.0)
    old = int(role.old_chats * own * (0.12 if young else 1.0)) + 12
    ages = np.sort(start - (rng.random(old) ** 1.5 * 200 * DAY).astype(np.int64) - DAY)
    new_at = np.concatenate([open_at, in_at[strange]])
    order = np.argsort(new_at, kind="stable")
    places = np.empty(len(new_at), dtype=np.int64)
    places[order] = np.arange(len(new_at)) + old
    extra = [at for at, _ in fresh.values()]
    created = np.concatenate([ages, new_at[order], *extra])
    cold = np.zeros(len(created), dtype=bool)
    taken, chats = old + len(new_at), {}
    for incident, (at, share) in fresh.items():
        chats[incident] = np.arange(taken, taken + len(at))
        cold[chats[incident]] = rng.random(len(at)) < share
        taken += len(at)
    sms = bool(rng.random() < role.sms)
    folk = people(rng, role, created, old, sms=sms, cold=cold, start=start)
    usual = replace(folk, created=created[: old + len(new_at)])
    width = old + len(new_at)
    touched = pick(usual, touch_at, rng.random(len(touch_at)), folk.weight[:width])
    listed = pick(usual, batch_at, rng.random(len(batch_at)), np.where(folk.silent, 0.3, 1.0)[:width])
    known_in = pick(
        usual, in_at[~strange], rng.random(int((~strange).sum())), (folk.weight * (0.02 + folk.warmth))[:width]
    )
    parts = [
        (touched, touch_at, TOUCH), (listed, batch_at, TOUCH), (places[: len(open_at)], open_at, OPEN),
        (places[len(open_at) :], in_at[strange], INCOMING), (known_in, in_at[~strange], INCOMING),
    ]  # fmt: skip
    made = [sessions(keys(seed + 11 * n + 1, len(at)), chat, at, kind) for n, (chat, at, kind) in enumerate(parts)]
    base = together(made)
    spaced = _spaced(base.chat, base.at, 18 if role.batch else 3)
    return Line(
        number=number, role=role, zone=zone, seed=seed, start=start, end=end, sms=sms, quality=float(np.clip(rng.lognormal(0, 0.12), 0.75, 1.25)),
        office=office, people=folk, base=base.take(np.flatnonzero(spaced | (base.kind != TOUCH))), incidents=incidents, fresh=chats,
    )  # fmt: skip


def office_draws(line: Line, at: int, count: int, span: int, slot: int) -> np.ndarray:
    """Return instants in a span after ``at`` that keep to working hours where there are any."""
    u = draw(keys(line.seed ^ slot, count), 3)
    hours = np.arange(max(0, (at - line.start) // HOUR), min(len(line.office), (at + span - line.start) // HOUR + 1))
    open_hours = hours[line.office[hours]] if len(hours) else hours
    if not len(open_hours):
        return at + (u * span).astype(np.int64)
    place = u * len(open_hours)
    found = line.start + open_hours[place.astype(np.int64)] * HOUR + ((place % 1) * HOUR).astype(np.int64)
    return np.clip(found, at, at + span)
