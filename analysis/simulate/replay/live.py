"""A line and the incidents that are left in its life in, every turn of every conversation out; draws depend on keys only, so two lives differ only by the incidents."""

from __future__ import annotations

import numpy as np

from analysis.simulate.replay.happen import happen, ignored
from analysis.simulate.replay.line import FOLLOW, INCOMING, OPEN, Line, Sessions, together
from analysis.simulate.replay.tables import tables
from analysis.simulate.replay.weather import Weather
from analysis.simulate.shared.draws import DAY, HOUR, draw, mixed
from analysis.simulate.shared.turns import NEVER, Life, Turns, joined, plain_turns

_TURNS = 12
_FOLLOW_DISCOUNT = 0.55
_NAGS = 7
_RETURNS = 0.06
"""Share of those who opted out and write again a few days later."""


def live(line: Line, left: frozenset[int]) -> Life:
    """Return the life of a line in which only these incidents (by number) happen."""
    weather = Weather(line, left)
    first = happen(line, left)
    parts, asks = [], first
    touch: dict[int, int] = {}
    turns = []
    offset = 0
    for rank in range(_NAGS + 1):
        made = _conversations(line, asks, weather, touch, offset)
        turns.append(made)
        parts.append(asks)
        offset += len(asks.at)
        asks = _unanswered(line, asks, made, weather, offset - len(asks.at), rank)
        if not len(asks.at):
            break
    every = together(parts)
    said = joined(turns)
    return _stops(line, every, said, weather, touch)


def _crowding(asks: Sessions) -> np.ndarray:
    """Return how many sessions the chat had in the 48 h before each."""
    order = np.lexsort((asks.at, asks.chat))
    chat, at = asks.chat[order], asks.at[order]
    line = chat * (1 << 45) + (at - at.min() if len(at) else at)
    before = np.arange(len(at)) - np.searchsorted(line, line - 48 * HOUR)
    start = np.searchsorted(chat, chat)
    count = np.empty(len(at), dtype=np.int64)
    count[order] = np.minimum(before, np.arange(len(at)) - start)
    return count


def _conversations(line: Line, asks: Sessions, weather: Weather, touch: dict[int, int], offset: int) -> Turns:
    """Return the turns of these conversations, column by column; those that ended are left behind."""
    role, t, folk = line.role, tables(), line.people
    talk = np.log(t.going_on / (1 - t.going_on)) + role.talkative
    goes_on = 1 / (1 + np.exp(-talk))
    usual = np.where(asks.kind == OPEN, role.opener_replies, role.replies) * line.quality
    crowd = 0.85 ** np.minimum(_crowding(asks), 6) if len(asks.at) else np.ones(0)
    chance = np.clip(usual * folk.warmth[asks.chat] * asks.scale * crowd * _FOLLOW_DISCOUNT**asks.rank, 0.0, 0.97)
    group = folk.group[asks.chat]
    alive = np.arange(len(asks.at))
    at = asks.at.copy()
    rows: list[dict[str, np.ndarray]] = []
    for column in range(_TURNS):
        outbound = (column % 2 == 0) != (asks.kind[alive] == INCOMING)
        key, when = asks.key[alive], at[alive]
        if column:
            u = draw(key, 10 * column)
            theirs = chance[alive] if column == 1 else goes_on[min(column, len(goes_on) - 1)] * np.ones(len(alive))
            mood = weather.interest(when)
            p = np.where(outbound, role.answers if column < 3 else role.answers * 0.93, theirs * mood)
            p = np.where(group[alive] & ~outbound, 1 - (1 - p) ** 1.8, p)
            if column == 1:
                weather.note_lost(~outbound & (u < theirs) & (u >= p), when, touch)
            going = u < p
            alive, key, outbound, when = alive[going], key[going], outbound[going], when[going]
            delay = t.at("reply_delay_s", draw(key, 10 * column + 1) ** np.where(outbound | (column < 2), 1.0, 1.6))
            delay = np.where(outbound, delay * role.pace + 4, delay + 3)
            when = when + (delay * 1000).astype(np.int64)
            before = rows[-1]
            place = np.searchsorted(before["session"], alive + offset)
            before["answered"][place] = before["outbound"][place]
            before["answer_at"][place] = when
            at[alive] = when
        if not len(alive):
            break
        fixed = asks.size[alive] if column == 0 else np.zeros(len(alive), dtype=np.int64)
        chatty = group[alive] & ~outbound
        size = np.where(
            fixed > 0, fixed, t.size(np.where(chatty, draw(key, 10 * column + 2) ** 0.3, draw(key, 10 * column + 2)))
        )
        failed, blocked = weather.failures(key, column, when, outbound, touch)
        rows.append(
            {
                "session": alive + offset, "column": np.full(len(alive), column), "chat": asks.chat[alive], "at": when, "outbound": outbound,
                "size": size, "gap": asks.gap[alive] if column == 0 else np.zeros(len(alive), dtype=np.int64), "failed": failed,
                "blocked": blocked, "answered": np.zeros(len(alive), dtype=bool), "answer_at": np.full(len(alive), NEVER),
                "stop": np.zeros(len(alive), dtype=bool), "opener": (asks.kind[alive] == OPEN) & (column == 0), "rank": asks.rank[alive],
                "tag": asks.tag[alive], "key": mixed(key, 500 + column),
            }
        )  # fmt: skip
        at[alive] = when + np.where(asks.gap[alive] * (column == 0) > 0, asks.gap[alive] * size, 0)
        alive = alive[~failed]
    return Turns(**{name: np.concatenate([r[name] for r in rows]) for name in rows[0]})


def _unanswered(line: Line, asks: Sessions, said: Turns, weather: Weather, offset: int, rank: int) -> Sessions:
    """Return the follow-ups to asks nobody answered: by the line's habit, or by an incident's."""
    if not len(asks.at):
        return asks
    first = said.take(np.flatnonzero((said.column == 0) & said.outbound & ~said.failed))
    place = first.session - offset
    key = mixed(asks.key[place], 900 + rank)
    tag, gap = weather.nags(first.at, key, rank)
    patient = (tag < 0) & (draw(key, 1) < line.role.patience) & (rank < 2)
    usual_gap = (DAY * (0.9 + 1.6 * draw(key, 2))).astype(np.int64)
    gap = np.where(tag >= 0, gap, usual_gap)
    due = first.at + gap
    go = (patient | (tag >= 0)) & (first.answer_at > due) & (due < line.end) & (asks.size[place] == 0)
    rows = np.flatnonzero(go)
    chosen = asks.take(place[rows])
    whole = np.zeros(len(rows), dtype=np.int64)
    made = np.where(tag[rows] >= 0, tag[rows], chosen.tag)
    return chosen.but(key=key[rows], at=due[rows], kind=whole + FOLLOW, tag=made, rank=whole + rank + 1)


def _stops(line: Line, asks: Sessions, said: Turns, weather: Weather, touch: dict[int, int]) -> Life:
    """Return the life with opt-outs: nothing is said after one, but where an incident ignores it or its person returns."""
    folk = line.people
    first = np.flatnonzero((said.column == 0) & said.outbound & ~said.failed)
    of = said.session[first]
    hazard = (
        line.role.stops * folk.cares[asks.chat[of]] * (1 + asks.rank[of]) * np.where(said.answered[first], 0.3, 1.0)
    )
    hazard = np.where(asks.leaves[of] >= 0, asks.leaves[of], np.minimum(hazard, 0.3)) * ~folk.group[asks.chat[of]]
    leaving = draw(asks.key[of], 950) < hazard
    where = first[leaving]
    delay = tables().at("reply_delay_s", draw(asks.key[said.session[where]], 951) * 0.8)
    stop_at = said.at[where] + ((delay + 5) * 1000).astype(np.int64)
    stopped = folk.stopped_before.copy()
    np.minimum.at(stopped, said.chat[where], stop_at)
    mine = (stop_at == stopped[said.chat[where]]) & (stop_at < line.end)
    where, stop_at = where[mine], stop_at[mine]
    for tag in np.unique(said.tag[where]):
        if tag >= 0:
            touch[int(tag)] = min(touch.get(int(tag), NEVER), int(said.at[where][said.tag[where] == tag].min()))
    stops = said.take(where)
    full = np.ones(len(where), dtype=bool)
    stops = Turns(**(vars(stops) | {"at": stop_at, "outbound": ~full, "stop": full, "size": full.astype(np.int64), "column": stops.column + 50,
        "gap": stops.gap * 0, "answered": ~full, "opener": ~full, "key": mixed(stops.key, 77)}))  # fmt: skip
    late = said.at > stopped[said.chat]
    returned = _returns(line, stopped)
    again = ignored(line, weather, said, late, stopped, returned)
    kept = [said.take(np.flatnonzero(~late)), stops, *again, *_back(line, stopped, returned)]
    turns = joined(kept)
    inside = np.flatnonzero((turns.at >= line.start) & (turns.at < line.end))
    turns = turns.take(inside[np.lexsort((turns.key[inside], turns.at[inside]))])
    for tag in np.unique(turns.tag[turns.tag >= 0]):
        touch[int(tag)] = min(touch.get(int(tag), NEVER), int(turns.at[turns.tag == tag].min()))
    return Life(turns, stopped, returned, touch)


def _returns(line: Line, stopped: np.ndarray) -> np.ndarray:
    key = line.people.key
    at = stopped + DAY + (draw(key, 961) * 6 * DAY).astype(np.int64)
    comes = (draw(key, 960) < _RETURNS) & (stopped >= line.start) & (stopped < line.end)
    return np.where(comes, at, NEVER)


def _back(line: Line, stopped: np.ndarray, returned: np.ndarray) -> list[Turns]:
    """Return the word of those who write again after an opt-out, which ends it."""
    who = np.flatnonzero(returned < line.end)
    return [plain_turns(who, returned[who], mixed(line.people.key[who], 962), outbound=False)] if len(who) else []
