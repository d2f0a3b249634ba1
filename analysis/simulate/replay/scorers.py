"""Lives of lines in, a hidden vendor's hourly score out: three judges unlike each other, none built on the product's signals.

Each is fitted on the fleet's own quiet lives (nothing planted), as a vendor would set its limits on its population.
"""

from __future__ import annotations

import numpy as np

from analysis.simulate.replay.line import Line
from analysis.simulate.shared.draws import HOUR, draw
from analysis.simulate.shared.scores import hourly, hourly_max, leaky, running_max, window
from analysis.simulate.shared.turns import NEVER, Life


def _patience(turns_at: np.ndarray, answer_at: np.ndarray, hours: float) -> np.ndarray:
    """Return which sends are still unanswered after so many hours."""
    return (answer_at == NEVER) | (answer_at - turns_at > hours * HOUR)


class Annoyance:
    """People have had enough: each recipient's hidden annoyance rises and leaks away; a line is ranked by the sum against the population."""

    def __init__(self, lines: list[Line], quiet: list[Life]) -> None:
        self._lines = lines
        levels = [self._level(line, life) for line, life in zip(lines, quiet, strict=True)]
        self._usual = [float(level[len(level) // 8 :].mean()) for level in levels]
        ratios = [np.log((level + 5) / (usual + 5)) for level, usual in zip(levels, self._usual, strict=True)]
        self._population = np.sort(np.concatenate(ratios))

    def __call__(self, place: int, life: Life) -> np.ndarray:
        """Return the rank against the population, continued beyond its end, as a number without upper end."""
        level = np.log((self._level(self._lines[place], life) + 5) / (self._usual[place] + 5))
        n = len(self._population)
        rank = np.searchsorted(self._population, level) / (n + 1)
        top = self._population[int(0.98 * n)]
        beyond = np.maximum(0.0, level - top) * 6
        return -np.log10(np.maximum(1 - np.minimum(rank, 0.98), 1e-9)) + beyond

    @staticmethod
    def _level(line: Line, life: Life) -> np.ndarray:
        said, folk = life.turns, line.people
        out = np.flatnonzero(said.outbound)
        at, chat, size = said.at[out], said.chat[out], said.size[out].astype(float)
        reached = ~said.failed[out]
        cares = folk.cares[chat] * np.where(folk.group[chat], 0.4, 1.0) * reached
        waits = _patience(at, said.answer_at[out], 10)
        after = life.stopped_at[chat] < at
        answered = said.answer_at[out] < NEVER
        sent = 0.12 * cares * np.sqrt(size) * np.where(answered, 0.05, 1.0)
        ignored = (
            np.where(said.column[out] == 0, 0.9, 0.08)
            * cares
            * size**0.75
            * waits
            * np.where(said.opener[out], 3.2, 1.0)
        )
        before = _felt(chat, at, sent + ignored)
        more = 1 + 0.45 * np.minimum(before, 14)
        reports = draw(said.key[out], 31) < np.minimum(0.25, 0.012 * before)
        inflow = hourly(line, at, sent * more) + hourly(line, at + 10 * HOUR, ignored * more)
        inflow += hourly(line, at + 2 * HOUR, 8.0 * reports * reached) + hourly(line, at, 5.0 * after)
        inflow += hourly(line, at, 4.0 * said.failed[out]) + hourly(line, said.at[said.stop], 4.0)
        return leaky(inflow, 36)


def _felt(chat: np.ndarray, at: np.ndarray, inc: np.ndarray, half_life: float = 60.0) -> np.ndarray:
    """Return what each recipient still feels of earlier sends at each send."""
    order = np.lexsort((at, chat))
    hours = (at[order] - at.min()) / HOUR if len(at) else np.zeros(0)
    grown = np.exp2((hours - 720) / half_life)
    total = np.cumsum(inc[order] * grown)
    starts = np.searchsorted(chat[order], chat[order])
    until = np.concatenate([[0.0], total])[:-1] if len(at) else total
    first = until[starts] if len(at) else until
    felt = np.empty(len(at))
    felt[order] = (until - first) / grown
    return np.maximum(felt, 0.0)


class StateSpace:
    """A line has a hidden standing with a slow and a fast part; each kind of trouble feeds one of them, with gains of its own."""

    def __init__(self, lines: list[Line], quiet: list[Life], *, seed: int) -> None:
        rng = np.random.default_rng([seed, 5])
        self._lines = lines
        self._usual = [_Usual(line, life) for line, life in zip(lines, quiet, strict=True)]
        self._gain = rng.lognormal(0.0, 0.15, (len(lines), 6))

    def __call__(self, place: int, life: Life) -> np.ndarray:
        """Return the standing (higher is worse), without the noise of observation."""
        line, usual = self._lines[place], self._usual[place]
        seen = _Seen(line, life, usual, patience=20)
        gain = self._gain[place]
        crowd = seen.sends / usual.sends_a_day
        pushed = np.maximum(0.0, crowd - 0.35) * (1 - np.minimum(1.0, seen.answered / np.maximum(seen.asks, 1)))
        fast = gain[0] * 1.6 * np.minimum(3, seen.fresh / (usual.openers_a_day + 3))
        fast += gain[1] * 1.3 * np.minimum(3, pushed) + gain[2] * 3.0 * seen.failed / usual.asks_a_day
        fast += gain[3] * 0.8 * np.minimum(3, np.maximum(0.0, seen.cold / usual.asks_a_day - 0.05))
        slow = gain[4] * 0.75 * seen.missed / usual.asks_a_day**0.8 / 1.6 + 0.35 * seen.failed / usual.asks_a_day
        slow += gain[5] * 0.30 * (seen.after_stop + 0.7 * seen.stops) / (1 + 0.03 * usual.asks_a_day)
        return leaky(fast, 10) + leaky(slow, 84)


class _Usual:
    """What is usual for a line, from its quiet life."""

    def __init__(self, line: Line, life: Life) -> None:
        said = life.turns
        asked = said.outbound & (said.column == 0)
        self.asks_a_day = max(4.0, asked.sum() / line.days)
        self.sends_a_day = max(8.0, said.size[said.outbound].sum() / line.days)
        self.openers_a_day = said.opener.sum() / line.days
        known, fresh = asked & ~said.opener & ~said.failed, said.opener & ~said.failed
        self.replies = (said.answered[known].sum() + 1) / (known.sum() + 10)
        self.opener_replies = (said.answered[fresh].sum() + 1) / (fresh.sum() + 10)
        self.rank_a_day = (said.rank[asked] >= 2).sum() / line.days


class _Seen:
    """What a vendor sees of a life, by hour."""

    def __init__(self, line: Line, life: Life, usual: _Usual, *, patience: float) -> None:
        said = life.turns
        out = said.take(np.flatnonzero(said.outbound))
        ask = out.take(np.flatnonzero(out.column == 0))
        after = life.stopped_at[ask.chat] < ask.at
        fine = ~ask.failed & ~after
        waits = _patience(ask.at, ask.answer_at, patience)
        hoped = np.where(ask.opener, usual.opener_replies, usual.replies)
        self.sends = hourly(line, out.at, out.size.astype(float))
        self.asks = hourly(line, ask.at)
        self.answered = hourly(line, ask.at, ask.answered.astype(float))
        self.missed = hourly(
            line, ask.at + int(patience * HOUR), fine * (waits - (1 - hoped)) * np.where(ask.rank >= 2, 1.8, 1.0)
        )
        self.fresh = hourly(line, ask.at, (ask.opener & ~ask.answered).astype(float))
        self.failed = hourly(line, out.at, out.failed.astype(float))
        self.after_stop = hourly(line, ask.at, after.astype(float))
        self.stops = hourly(line, said.at[said.stop])
        self.nagged = hourly(line, ask.at, (ask.rank >= 2).astype(float))
        self.cold = hourly(line, ask.at, (_quiet_since(life, ask.chat, ask.at) & ~ask.opener & ~after).astype(float))
        self.largest = hourly_max(line, out.at, out.size.astype(float))


def _quiet_since(life: Life, chat: np.ndarray, at: np.ndarray, days: float = 7.0) -> np.ndarray:
    """Return for each send whether its chat said nothing in the week before."""
    said = life.turns
    heard = said.take(np.flatnonzero(~said.outbound))
    span = 1 << 45
    base = min(int(said.at.min()) if len(said.at) else 0, int(at.min()) if len(at) else 0)
    words = np.sort(heard.chat * span + (heard.at - base))
    place = np.searchsorted(words, chat * span + (at - base)) - 1
    last = np.where(place >= 0, words[np.maximum(place, 0)] if len(words) else -1, -1)
    same = (last >= 0) & (last // span == chat)
    return ~(same & (at - base - last % span < days * 24 * HOUR))


class Forest:
    """Trees with random splits on what a vendor could see, taught by made-up verdicts in which more of anything bad is never better."""

    _TREES, _DEPTH, _SAMPLE = 90, 6, 4000

    def __init__(self, lines: list[Line], quiet: list[Life], *, seed: int) -> None:
        self._lines = lines
        self._usual = [_Usual(line, life) for line, life in zip(lines, quiet, strict=True)]
        every = np.concatenate([self._seen(p, life) for p, life in enumerate(quiet)])
        self._scale = np.quantile(every, 0.99, axis=0) + np.array([0.15, 0.5, 0.15, 0.05, 1.0, 0.5, 0.4, 1.0])
        self._grow(np.random.default_rng([seed, 9]))

    def __call__(self, place: int, life: Life) -> np.ndarray:
        """Return the mean verdict of the trees, a little smoothed."""
        x = self._seen(place, life) / self._scale
        votes = np.zeros(len(x))
        for feature, limit, leaf in zip(self._features, self._limits, self._leaves, strict=True):
            node = np.zeros(len(x), dtype=np.int64)
            for _ in range(self._DEPTH):
                node = 2 * node + 1 + (x[np.arange(len(x)), feature[node]] > limit[node])
            votes += leaf[node - (2**self._DEPTH - 1)]
        return leaky(votes / self._TREES * (1 - 0.5 ** (1 / 5)), 5)

    def _seen(self, place: int, life: Life) -> np.ndarray:
        line, usual = self._lines[place], self._usual[place]
        seen = _Seen(line, life, usual, patience=16)
        asks = window(seen.asks, 72)
        return np.stack(
            [
                np.maximum(0, window(seen.missed, 72)) / (asks + usual.asks_a_day),
                window(seen.fresh, 24) / (usual.openers_a_day + 3),
                np.maximum(0, running_max(seen.sends, 24) / usual.sends_a_day - 0.2) * (1 - window(seen.answered, 24) / np.maximum(window(seen.asks, 24), 1)),
                window(seen.failed, 36) / (window(seen.asks, 36) + 0.5 * usual.asks_a_day),
                (window(seen.after_stop, 96) + 1.2 * window(seen.stops, 48)) / (1 + 0.04 * usual.asks_a_day),
                np.maximum(0, window(seen.nagged, 96) - 4 * usual.rank_a_day) / usual.asks_a_day,
                window(seen.cold, 24) / usual.asks_a_day,
                np.log1p(running_max(seen.largest, 24)),
            ],
            axis=1,
        )  # fmt: skip

    def _grow(self, rng: np.random.Generator) -> None:
        x = np.exp(rng.normal(-0.7, 1.0, (self._SAMPLE, 8))) * (rng.random((self._SAMPLE, 8)) < 0.6)
        weight = rng.uniform(0.7, 1.5, 8)
        harm = (
            (np.maximum(0, x - 0.75) ** 0.8 * weight).sum(axis=1) + 0.15 * x[:, 0] * x[:, 5] + 0.1 * x[:, 1] * x[:, 2]
        )
        label = 1 - np.exp(-0.55 * harm) + rng.normal(0, 0.12, self._SAMPLE)
        nodes = 2**self._DEPTH - 1
        self._features, self._limits, self._leaves = [], [], []
        for _ in range(self._TREES):
            feature = rng.integers(0, 8, nodes)
            limit = np.exp(rng.normal(0.0, 0.55, nodes))
            node = np.zeros(self._SAMPLE, dtype=np.int64)
            for _ in range(self._DEPTH):
                node = 2 * node + 1 + (x[np.arange(len(x)), feature[node]] > limit[node])
            leaf = node - nodes
            count = np.bincount(leaf, minlength=nodes + 1)
            mean = np.bincount(leaf, weights=label, minlength=nodes + 1)
            self._features.append(feature)
            self._limits.append(limit)
            self._leaves.append((mean + label.mean() * 4) / (count + 4))
