"""Lives of drawn lines in, a hidden vendor's hourly score out: three more judges unlike each other and unlike the replay family's."""

from __future__ import annotations

import numpy as np

from analysis.simulate.drawn.line import Line
from analysis.simulate.shared.draws import DAY, HOUR
from analysis.simulate.shared.scores import hourly, leaky, ticks, window
from analysis.simulate.shared.turns import NEVER, Life


class _Events:
    """What happens on a line by hour: asks, replies, silence after a while, openers, failures, opt-outs."""

    def __init__(self, line: Line, life: Life, patience: float) -> None:
        said = life.turns
        out = said.take(np.flatnonzero(said.outbound))
        asked = out.take(np.flatnonzero(out.column == 0))
        gone = life.stopped_at[asked.chat] < asked.at
        silent = (asked.answer_at == NEVER) | (asked.answer_at - asked.at > patience * HOUR)
        reached = ~asked.failed & ~gone
        self.sends = hourly(line, out.at, out.size.astype(float))
        self.asks = hourly(line, asked.at)
        self.known = hourly(line, asked.at, (~asked.opener).astype(float))
        self.replies = hourly(line, said.at[~said.outbound & ~said.stop])
        self.silent = hourly(line, asked.at + int(patience * HOUR), (silent & reached).astype(float))
        self.again = hourly(
            line, asked.at + int(patience * HOUR), (silent & reached) * np.minimum(asked.rank, 5).astype(float)
        )
        self.openers = hourly(line, asked.at, asked.opener.astype(float))
        self.ignored_openers = hourly(
            line, asked.at + int(patience * HOUR), (asked.opener & silent & reached).astype(float)
        )
        self.failed = hourly(line, out.at, out.failed.astype(float))
        self.gone = hourly(line, asked.at, gone.astype(float))
        self.stops = hourly(line, said.at[said.stop])


class Ledger:
    """A trust account: replies pay in, every ask costs, more so the busier the day; what is owed beyond habit is the score."""

    def __init__(self, lines: list[Line], quiet: list[Life], seed: int) -> None:
        rng = np.random.default_rng([seed, 31])
        self._lines, self._price = lines, rng.lognormal(0.0, 0.12, (len(lines), 5))
        self._usual = [self._flow(p, life)[1] for p, life in enumerate(quiet)]
        self._size = [max(6.0, line.asks_a_day) for line in lines]

    def _flow(self, place: int, life: Life) -> tuple[np.ndarray, float]:
        line, price = self._lines[place], self._price[place]
        e = _Events(line, life, patience=14)
        day, habit = window(e.asks, 24), leaky(e.asks, 24 * 10) * np.log(2) / 10
        crowded = np.maximum(0.0, day / np.maximum(habit, 0.4 * line.asks_a_day) - 1.7)
        owed = 1.5 * price[0] * (e.silent + 0.35 * e.again) + 1.2 * price[1] * e.ignored_openers
        owed += e.asks * 0.6 * price[2] * np.minimum(crowded, 3) * (e.silent.sum() / max(1.0, e.asks.sum()) + 0.3)
        owed += 5.0 * price[3] * e.failed + 7.0 * price[4] * e.gone + 1.5 * e.stops
        owed += 0.5 * np.maximum(0.0, e.sends - 12)
        flow = owed - 0.5 * np.minimum(e.replies, 1.5 * e.asks + 1)
        return flow, float(flow.sum() / max(1.0, e.asks.sum()))

    def __call__(self, place: int, life: Life) -> np.ndarray:
        """Return what the line owes beyond its habit, in days of asks."""
        flow, _ = self._flow(place, life)
        e_asks = _Events(self._lines[place], life, patience=14).asks
        return leaky(flow - self._usual[place] * e_asks, 40) / self._size[place]


class Sickness:
    """Every chat is well or ill by what was done to it lately; the score is the ill share among the active, and what the line did at once."""

    def __init__(self, lines: list[Line], quiet: list[Life], seed: int) -> None:
        self._lines = lines
        self._usual = [self._ill(line, life) for line, life in zip(lines, quiet, strict=True)]
        self._means = [float(np.median(share[72:])) for share in self._usual]
        self._habits = [self._habit(line, life) for line, life in zip(lines, quiet, strict=True)]

    @staticmethod
    def _ill(line: Line, life: Life) -> np.ndarray:
        said = life.turns
        out = np.flatnonzero(said.outbound & (said.column == 0))
        chat, at = said.chat[out], said.at[out]
        silent = (said.answer_at[out] == NEVER) | (said.answer_at[out] - at > 20 * HOUR)
        gone = life.stopped_at[chat] < at
        hurt = np.where(silent, 0.9 + 0.25 * np.minimum(said.rank[out], 4), -0.3)
        hurt = np.where(said.failed[out], 1.0, hurt)
        hurt = np.where(gone, 2.5, hurt) * np.where(said.opener[out] & silent, 1.3, 1.0)
        late = np.where(silent & ~said.failed[out] & ~gone, 20 * HOUR, HOUR)
        ill = np.clip(hurt, 0, 3)
        n = ticks(line)
        active = leaky(hourly(line, at), 60) + 0.3 * max(4.0, line.asks_a_day)
        assert len(active) == n
        return leaky(hourly(line, at + late, ill), 60) / active

    @staticmethod
    def _habit(line: Line, life: Life) -> tuple[float, float, float]:
        e = _Events(line, life, patience=20)
        return (
            float(np.quantile(window(e.openers, 24), 0.97)),
            float(np.quantile(window(e.known, 3), 0.99)),
            float(np.quantile(window(e.sends, 2), 0.995)),
        )

    def __call__(self, place: int, life: Life) -> np.ndarray:
        """Return the ill share beyond its usual, plus rushes."""
        line = self._lines[place]
        e = _Events(line, life, patience=20)
        fresh, people, pace = self._habits[place]
        answered = window(e.replies, 24) / (window(e.asks, 24) + 2)
        rush = np.maximum(0, np.log((window(e.openers, 24) + 8) / (1.6 * fresh + 8)))
        rush += np.maximum(0, np.log((window(e.known, 3) + 8) / (1.6 * people + 8))) * np.clip(1.2 - answered, 0.1, 1)
        rush += 0.6 * np.maximum(0, np.log((window(e.sends, 2) + 15) / (2.5 * pace + 15)))
        fresh_failures = window(e.failed, 18) / (window(e.asks, 18) + 4)
        return self._ill(line, life) - self._means[place] + leaky(0.035 * rush, 12) + 0.9 * fresh_failures


class Surprise:
    """How unlikely the last hours are under the line's own weeks: surprises of several counts, faded and added."""

    _PARTS = (("silent", 36, 2.6), ("again", 40, 0.6), ("openers", 20, 0.9), ("known", 5, 0.35), ("sends", 2, 0.6), ("failed", 16, 1.0), ("gone", 40, 0.9), ("stops", 30, 0.5))  # fmt: skip

    def __init__(self, lines: list[Line], quiet: list[Life], seed: int) -> None:
        rng = np.random.default_rng([seed, 41])
        self._lines = lines
        self._worth = rng.lognormal(0, 0.15, (len(lines), len(self._PARTS)))
        self._means = [self._levels(line, life) for line, life in zip(lines, quiet, strict=True)]
        self._spread = [m.std(axis=1) + 0.15 * m.mean(axis=1) + 0.35 for m in self._means]
        self._middle = [m.mean(axis=1) for m in self._means]

    def _levels(self, line: Line, life: Life) -> np.ndarray:
        e = _Events(line, life, patience=12)
        return np.stack([leaky(getattr(e, name), half) for name, half, _ in self._PARTS])

    def __call__(self, place: int, life: Life) -> np.ndarray:
        """Return the sum of one-sided surprises."""
        z = (self._levels(self._lines[place], life) - self._middle[place][:, None]) / self._spread[place][:, None]
        beyond = np.log1p(np.maximum(0.0, z - 1.5) ** 1.4)
        worth = self._worth[place] * np.array([w for _, _, w in self._PARTS])
        return leaky((worth[:, None] * beyond).sum(axis=0), 4) * (1 - 0.5 ** (1 / 4))


assert DAY == 24 * HOUR
