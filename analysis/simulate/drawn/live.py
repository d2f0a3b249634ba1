"""A line and the incidents left in its life in, every turn out: people answer by chance, the line answers and follows up by habit."""

from __future__ import annotations

import numpy as np

from analysis.simulate.drawn.line import FOLLOW, INCOMING, OPEN, TOUCH, Asks, Line, asks, joined, pick
from analysis.simulate.shared.draws import DAY, HOUR, draw, keys, mixed, normal
from analysis.simulate.shared.incidents import Incident
from analysis.simulate.shared.turns import NEVER, Life, Turns, plain_turns
from analysis.simulate.shared.turns import joined as all_turns

_ROUNDS = 8
_EXCHANGES = 4
_USUAL_FAILURES = 0.005
_LOOP_GAP = 9_000


def live(line: Line, left: frozenset[int]) -> Life:
    """Return the life of a line in which only these incidents (by number) happen."""
    here = [i for i in line.incidents if i.number in left]
    touch: dict[int, int] = {}
    batch = _begun(line, here)
    parts: list[Turns] = []
    rounds: list[Asks] = []
    for rank in range(_ROUNDS):
        if not len(batch.at):
            break
        said = _exchanges(line, batch, here, touch, sum(len(r.at) for r in rounds))
        parts.append(said)
        rounds.append(batch)
        batch = _again(line, batch, said, here, rank, sum(len(r.at) for r in rounds[:-1]))
    return _stops(line, joined(rounds), all_turns(parts), here, touch)


def _begun(line: Line, here: list[Incident]) -> Asks:
    base = line.base
    for i in here:
        if i.kind == "pause":
            base = base.take(np.flatnonzero(~(i.inside(base.at) & (draw(base.key, 60) < 0.8))))
        if i.kind == "mix_shift":
            hit = i.inside(base.at) & (base.kind == TOUCH) & (draw(base.key, 61) < min(0.95, 0.85 * i.size))
            cold = _cold(line, i.start)
            other = cold[(draw(base.key, 62) * len(cold)).astype(np.int64)]
            base = base.but(chat=np.where(hit, other, base.chat), tag=np.where(hit, i.number, base.tag))
    return joined([base, *(_ADDS[i.kind](line, i) for i in here if i.kind in _ADDS)])


def _cold(line: Line, at: int) -> np.ndarray:
    """Return the known chats least likely to answer."""
    folk = line.people
    known = np.flatnonzero((folk.created < at) & ~folk.group & (folk.stopped_before == NEVER))
    known = known[known < len(folk.created) - sum(len(c) for c in line.fresh.values())]
    return known[np.argsort(folk.warmth[known], kind="stable")][: max(6, int(len(known) * (line.kind.cold + 0.05)))]


def _usual_count(line: Line) -> int:
    return len(line.people.created) - sum(len(c) for c in line.fresh.values())


def _more(line: Line, i: Incident, part: float, scale: float) -> Asks:
    """Return ``part`` of the usual touches again, while an incident lasts."""
    touched = line.base.take(np.flatnonzero((line.base.kind == TOUCH) & i.inside(line.base.at)))
    n = int(part * len(touched.at))
    key = keys(i.seed, n)
    at = touched.at[(draw(key, 1) * len(touched.at)).astype(np.int64)] + (draw(key, 2) * HOUR).astype(np.int64)
    chat = pick(line.people, at, draw(key, 3), _usual_count(line), warm=scale > 1)
    return asks(i.seed, chat, at, TOUCH, i.number, scale)


def _blast(line: Line, i: Incident) -> Asks:
    usual = _usual_count(line)
    known = np.flatnonzero((line.people.created[:usual] < i.start) & (line.people.stopped_before[:usual] == NEVER))
    n = min(len(known), int(i.size * max(70, 3 * line.asks_a_day)))
    chosen = known[np.argsort(draw(line.people.key[known], i.seed % 997), kind="stable")[:n]]
    at = i.start + (draw(keys(i.seed, n), 1) * (i.stop - i.start)).astype(np.int64)
    return asks(i.seed, chosen, at, TOUCH, i.number, 0.3)


def _openers(line: Line, i: Incident) -> Asks:
    chat = line.fresh[i.number]
    return asks(i.seed, chat, line.people.created[chat], OPEN, i.number, 0.4)


def _loop(line: Line, i: Incident) -> Asks:
    lively = np.setdiff1d(np.arange(max(1, _usual_count(line) // 2)), _cold(line, i.start))
    n = 1 + i.seed % 2
    key = keys(i.seed, n)
    made = asks(
        i.seed,
        lively[(draw(key, 3) * len(lively)).astype(np.int64)],
        i.start + (draw(key, 1) * 60_000).astype(np.int64),
        TOUCH,
        i.number,
        0.1,
    )
    return made.but(size=np.full(n, max(30, int(i.size * (i.stop - i.start) / _LOOP_GAP))))


_ADDS = {
    "growth_collapse": lambda line, i: _more(line, i, 1.3 * i.size, 1.0),
    "good_growth": lambda line, i: _more(line, i, 1.3, 1.25),
    "blast": _blast,
    "burst": _openers,
    "opening_days": _openers,
    "loop": _loop,
}


def _interest(here: list[Incident], at: np.ndarray) -> np.ndarray:
    factor = np.ones(len(at))
    for i in here:
        depth = {"collapse": 0.75, "growth_collapse": 0.62}.get(i.kind)
        if depth is not None:
            factor *= 1 - min(0.95, depth * i.size) * i.inside(at)
    return factor


def _delay(key: np.ndarray, slot: int) -> np.ndarray:
    """Return how long people take, in ms: most within minutes, the rest within half a day or so (log-normal both)."""
    quick = draw(key, slot) < 0.62
    return (np.where(quick, 0.12, 9.0) * np.exp(1.2 * normal(key, slot + 1)) * HOUR).astype(np.int64) + 5_000


def _exchanges(line: Line, batch: Asks, here: list[Incident], touch: dict[int, int], offset: int) -> Turns:
    kind, folk = line.kind, line.people
    usual = np.where(batch.kind == OPEN, kind.opener_replies, kind.replies)
    chance = np.clip(usual * folk.warmth[batch.chat] * batch.scale * 0.65**batch.rank, 0, 0.97)
    alive, at = np.arange(len(batch.at)), batch.at.copy()
    rows: list[dict[str, np.ndarray]] = []
    for column in range(2 * _EXCHANGES):
        outbound = (column % 2 == 0) != (batch.kind[alive] == INCOMING)
        key, when = batch.key[alive], at[alive]
        if column:
            theirs = np.where(column < 2, chance[alive], kind.talks_on)
            p = np.where(outbound, kind.answers, theirs * _interest(here, when))
            u = draw(key, 20 * column)
            if column < 3:
                _note_lost(here, when[~outbound & (u < theirs) & (u >= p)], touch)
            going = u < p
            alive, key, outbound, when = alive[going], key[going], outbound[going], when[going]
            wait = np.where(
                outbound, (np.exp(0.8 * normal(key, 20 * column + 3)) * HOUR / 8), _delay(key, 20 * column + 5)
            )
            when = when + wait.astype(np.int64) + 4_000
            place = np.searchsorted(rows[-1]["session"], alive + offset)
            rows[-1]["answered"][place] = rows[-1]["outbound"][place]
            rows[-1]["answer_at"][place] = when
        if not len(alive):
            break
        fixed = batch.size[alive] if column == 0 else np.zeros(len(alive), dtype=np.int64)
        size = np.where(fixed > 0, fixed, 1 + (draw(key, 20 * column + 9) < 0.18).astype(np.int64))
        failed, blocked = _failures(here, key, column, when, outbound, touch)
        no = np.zeros(len(alive), dtype=bool)
        rows.append(
            {
                "session": alive + offset, "column": np.full(len(alive), column), "chat": batch.chat[alive], "at": when, "outbound": outbound,
                "size": size, "gap": np.where(fixed > 0, _LOOP_GAP, 0), "failed": failed, "blocked": blocked, "answered": no.copy(),
                "answer_at": np.full(len(alive), NEVER), "stop": no, "opener": (batch.kind[alive] == OPEN) & (column == 0),
                "rank": batch.rank[alive], "tag": batch.tag[alive], "key": mixed(key, 700 + column),
            }
        )  # fmt: skip
        at[alive] = when + np.where(fixed > 0, _LOOP_GAP * size, 0)
        alive = alive[~failed]
    return Turns(**{name: np.concatenate([r[name] for r in rows]) for name in rows[0]})


def _note_lost(here: list[Incident], at: np.ndarray, touch: dict[int, int]) -> None:
    for i in here:
        if i.kind in ("collapse", "growth_collapse"):
            _note(i, at[i.inside(at)], touch)


def _note(i: Incident, at: np.ndarray, touch: dict[int, int]) -> None:
    if len(at):
        touch[i.number] = min(touch.get(i.number, NEVER), int(at.min()))


def _failures(
    here: list[Incident], key: np.ndarray, column: int, at: np.ndarray, outbound: np.ndarray, touch: dict[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    u = draw(key, 20 * column + 11)
    failed, blocked = outbound & (u < _USUAL_FAILURES), np.zeros(len(at), dtype=bool)
    for i in here:
        if i.kind in ("failures", "carrier_flag"):
            now = outbound & i.inside(at) & (u < (0.85 if i.kind == "carrier_flag" else min(0.9, 0.45 * i.size)))
            _note(i, at[now & ~failed], touch)
            blocked |= now
    return failed | blocked, blocked


def _again(line: Line, batch: Asks, said: Turns, here: list[Incident], rank: int, offset: int) -> Asks:
    """Return follow-ups to ignored asks: one after a day or two by habit, many within hours by an incident."""
    first = said.take(np.flatnonzero((said.column == 0) & said.outbound & ~said.failed))
    place = first.session - offset
    key = mixed(batch.key[place], 800 + rank)
    tag = np.full(len(place), -1)
    gap = ((22 + 40 * draw(key, 1)) * HOUR).astype(np.int64)
    go = (draw(key, 2) < line.kind.patience) & (rank < 1)
    for i in here:
        if i.kind == "nagging":
            soon = ((4 + 10 * draw(key, 3)) * HOUR).astype(np.int64)
            nags = i.inside(first.at + soon) & (draw(key, 4) < min(0.95, 0.8 * i.size))
            tag, gap, go = np.where(nags, i.number, tag), np.where(nags, soon, gap), go | nags
    due = first.at + gap
    go &= (first.answer_at > due) & (due < line.end) & (batch.size[place] == 0)
    rows = np.flatnonzero(go)
    chosen = batch.take(place[rows])
    whole = np.zeros(len(rows), dtype=np.int64)
    tags = np.where(tag[rows] >= 0, tag[rows], chosen.tag)
    return chosen.but(key=key[rows], at=due[rows], kind=whole + FOLLOW, tag=tags, rank=whole + rank + 1)


def _stops(line: Line, every: Asks, said: Turns, here: list[Incident], touch: dict[int, int]) -> Life:
    folk = line.people
    first = np.flatnonzero((said.column == 0) & said.outbound & ~said.failed & ~said.answered)
    of = said.session[first]
    leaves = (
        draw(every.key[of], 940) < line.kind.stops * folk.cares[every.chat[of]] * (1 + every.rank[of])
    ) & ~folk.group[every.chat[of]]
    where = first[leaves]
    at = said.at[where] + _delay(every.key[of][leaves], 941) // 4
    order = np.argsort(at, kind="stable")
    stopped = folk.stopped_before.copy()
    who, firsts = np.unique(said.chat[where][order], return_index=True)
    stopped[who] = np.minimum(stopped[who], at[order][firsts])
    late = said.at > stopped[said.chat]
    mine = (stopped[who] >= line.start) & (stopped[who] < line.end) & (stopped[who] == at[order][firsts])
    stops = plain_turns(who[mine], stopped[who[mine]], mixed(folk.key[who[mine]], 950), outbound=False)
    stops = Turns(**(vars(stops) | {"stop": np.ones(int(mine.sum()), dtype=bool)}))
    kept = [said.take(np.flatnonzero(~late)), stops]
    kept += [_after(line, i, stopped) for i in here if i.kind == "after_stop"]
    turns = all_turns(kept)
    inside = np.flatnonzero((turns.at >= line.start) & (turns.at < line.end))
    turns = turns.take(inside[np.lexsort((turns.key[inside], turns.at[inside]))])
    for tag in np.unique(turns.tag[turns.tag >= 0]):
        touch[int(tag)] = min(touch.get(int(tag), NEVER), int(turns.at[turns.tag == tag].min()))
    return Life(turns, stopped, np.full(len(stopped), NEVER), touch)


def _after(line: Line, i: Incident, stopped: np.ndarray) -> Turns:
    """Return sends to those who had opted out by then: a list that never took them off."""
    gone = np.flatnonzero(stopped < i.start)
    n = int(i.size * (7 + 0.1 * line.asks_a_day) * max(1.0, (i.stop - i.start) / DAY)) if len(gone) else 0
    key = keys(i.seed, n)
    at = i.start + (draw(key, 1) * (i.stop - i.start)).astype(np.int64)
    chat = gone[(draw(key, 2) * len(gone)).astype(np.int64)] if n else np.zeros(0, dtype=np.int64)
    return plain_turns(chat, at, mixed(key, 9), outbound=True, tag=i.number)
