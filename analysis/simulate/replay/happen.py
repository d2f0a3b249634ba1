"""A line and the incidents left in its life in, the beginnings of its conversations out: what incidents add to the usual ones, and redirect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.simulate.replay.line import (
    INCOMING,
    OPEN,
    TOUCH,
    Line,
    Sessions,
    office_draws,
    pick,
    sessions,
    together,
)
from analysis.simulate.replay.weather import Weather
from analysis.simulate.shared.draws import DAY, draw, keys, mixed
from analysis.simulate.shared.incidents import Incident
from analysis.simulate.shared.lines import People
from analysis.simulate.shared.turns import NEVER, Turns, plain_turns

_COLD_SHARE = 0.85
_COLD_SCALE = 0.06


def fresh_chats(i: Incident, openers_a_day: float) -> tuple[np.ndarray, float]:
    """Return when an incident opens new chats, and which share of their people would never answer."""
    count = int(
        i.size
        * max(
            26,
            5.5 * openers_a_day,
        )
    )
    u = draw(keys(i.seed, count), 1)
    return np.sort(i.start + (u * (i.stop - i.start)).astype(np.int64)), 0.45


def happen(line: Line, left: frozenset[int]) -> Sessions:
    """Return the beginnings of all conversations when these incidents (by number) happen."""
    base, extra = line.base, []
    for i in line.incidents:
        if i.number not in left:
            continue
        if i.kind == "cold_list":
            base = _redirected(line, base, i)
        elif i.kind in _ADDS:
            extra.append(_ADDS[i.kind](line, i))
    return together([base, *extra]) if extra else base


def _redirected(line: Line, base: Sessions, i: Incident) -> Sessions:
    """Return the same conversations, most of them with people who never answer."""
    hit = i.inside(base.at) & (base.kind != INCOMING) & (draw(base.key, 801) < min(0.95, _COLD_SHARE * i.size))
    cold = _silent(line, i.start)
    chat = np.where(hit & (base.kind == TOUCH), cold[(draw(base.key, 802) * len(cold)).astype(np.int64)], base.chat)
    return base.but(chat=chat, tag=np.where(hit, i.number, base.tag), scale=np.where(hit, _COLD_SCALE, base.scale))


def _silent(line: Line, at: int) -> np.ndarray:
    """Return the chats known by then whose people never answer; where there are few, also those who seldom do."""
    folk = line.people
    known = (
        (np.arange(len(folk.created)) < folk.old) & (folk.created < at) & (folk.stopped_before == NEVER) & ~folk.group
    )
    order = np.argsort(folk.warmth + draw(folk.key, 803) * 0.05, kind="stable")
    ranked = order[known[order]]
    return ranked[: max(8, int(known.sum() * (line.role.silent + 0.08)))]


def _blast(line: Line, i: Incident) -> Sessions:
    cold = _silent(line, i.start)
    count = min(len(cold), int(i.size * max(50, 2.2 * line.asks_a_day)))
    key = keys(i.seed, count)
    chosen = cold[np.argsort(draw(line.people.key[cold], i.seed % 1000), kind="stable")[:count]]
    return sessions(key, chosen, i.start + (draw(key, 1) * (i.stop - i.start)).astype(np.int64), TOUCH, i.number, 0.4)


def _openers(line: Line, i: Incident) -> Sessions:
    chat = line.fresh[i.number]
    return sessions(keys(i.seed, len(chat)), chat, line.people.created[chat], OPEN, i.number, 0.45)


def _loop(line: Line, i: Incident) -> Sessions:
    """Return a few long runs of messages a few seconds apart, each into one chat."""
    lively = _lively(line, i.start)
    count = min(len(lively), 1 + i.seed % 3)
    key = keys(i.seed, count)
    gap = (6 + 9 * draw(key, 2)) * 1000
    made = sessions(
        key,
        lively[(draw(key, 3) * len(lively)).astype(np.int64)],
        i.start + (draw(key, 1) * 90_000).astype(np.int64),
        TOUCH,
        i.number,
        0.15,
    )
    length = np.maximum(3, min(1.4, i.size) * (i.stop - i.start) / gap)
    return made.but(size=length.astype(np.int64), gap=gap.astype(np.int64))


def _lively(line: Line, at: int) -> np.ndarray:
    folk = line.people
    known = np.flatnonzero((folk.created < at - DAY) & (folk.stopped_before == NEVER) & ~folk.silent & ~folk.group)
    known = known[known < len(folk.created) - sum(len(c) for c in line.fresh.values())]
    return known[np.argsort(-folk.weight[known], kind="stable")[: max(6, len(known) // 3)]]


def _growth(line: Line, i: Incident) -> Sessions:
    count = int(min(1.6, i.size) * 1.7 * line.asks_a_day * (i.stop - i.start) / DAY)
    return _more(line, i, count, 1.0, line.people.weight)


def _busy(line: Line, i: Incident) -> Sessions:
    count = int(min(1.6, i.size) * 1.3 * line.asks_a_day * (i.stop - i.start) / DAY)
    warm = np.where(line.people.warmth > 0.9, line.people.weight, 0.0) + 1e-9
    asked = _more(line, i, count, 5.0 if line.role.replies < 0.3 else 2.0, warm)
    kind = np.where(draw(asked.key, 5) < 0.45, INCOMING, TOUCH)
    return asked.but(kind=kind)


def _more(line: Line, i: Incident, count: int, scale: float, weight: np.ndarray) -> Sessions:
    at = office_draws(line, i.start, count, i.stop - i.start, i.seed)
    key = keys(i.seed, count)
    mine = sum(len(c) for c in line.fresh.values())
    folk = line.people
    usual = weight[: len(weight) - mine]
    chat = pick(folk, at, draw(key, 4), usual) if not mine else pick(_without(line, mine), at, draw(key, 4), usual)
    return sessions(key, chat, at, TOUCH, i.number, scale)


def _without(line: Line, mine: int) -> People:
    return replace(line.people, created=line.people.created[:-mine])


def _wave(line: Line, i: Incident) -> Sessions:
    """Return a send to people who know the line, after which many of them opt out."""
    lively = _lively(line, i.start)
    count = min(len(lively), int(i.size * max(30, 0.6 * line.asks_a_day)))
    key = keys(i.seed, count)
    chosen = lively[np.argsort(draw(line.people.key[lively], i.seed % 1000), kind="stable")[:count]]
    made = sessions(key, chosen, i.start + (draw(key, 1) * 0.5 * (i.stop - i.start)).astype(np.int64), TOUCH, i.number)
    return made.but(leaves=np.full(count, 0.45))


_ADDS = {
    "silent_blast": _blast, "opener_burst": _openers, "loop": _loop, "growth": _growth, "busy_answered": _busy,
    "opt_out_wave": _wave,
}  # fmt: skip


def ignored(
    line: Line, weather: Weather, said: Turns, late: np.ndarray, stopped: np.ndarray, returned: np.ndarray
) -> list[Turns]:
    """Return what is sent to people who had opted out: the usual sends nobody held back, and a list that never took them off."""
    found = []
    for i in weather.ignoring:
        kept = late & said.outbound & (said.column == 0) & i.inside(said.at) & (said.at < returned[said.chat])
        rows = said.take(np.flatnonzero(kept))
        found.append(_silenced(rows, i.number))
        gone = np.flatnonzero(stopped < i.stop)
        count = int(i.size * (6 + 0.12 * line.asks_a_day) * (i.stop - i.start) / DAY)
        if len(gone):
            key = keys(i.seed, count)
            at = office_draws(line, i.start, count, i.stop - i.start, i.seed)
            chat = gone[(draw(key, 1) * len(gone)).astype(np.int64)]
            fits = (stopped[chat] < at) & (at < returned[chat])
            found.append(plain_turns(chat[fits], at[fits], mixed(key, 9)[fits], outbound=True, tag=i.number))
    return found


def _silenced(rows: Turns, tag: int) -> Turns:
    n = len(rows.at)
    no = np.zeros(n, dtype=bool)
    return Turns(**(vars(rows) | {"answered": no, "answer_at": np.full(n, NEVER), "tag": np.full(n, tag)}))
