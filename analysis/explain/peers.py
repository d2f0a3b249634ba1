"""All lines' asks in, how the other lines were answered while one fell out: whether a fall is this line's or the fleet's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from analysis.explain.constants import CONSTANTS, HOUR
from analysis.explain.history import LineHistory
from analysis.explain.running import Array
from analysis.explain.words import iso


@dataclass(frozen=True)
class Hours:
    """Asks that can be answered, those answered soon, and which lines sent any, by hour: whole numbers that add up exactly."""

    begin: int
    """Hour of the second row, hours since 1970; the first row is 0, for what comes before."""
    asks: Array
    answered: Array
    sent: Array
    """A row an hour, a bit a line."""


def added(parts: Sequence[Hours]) -> Hours:
    """Return the counts of all parts together; no line is in two of them."""
    told = [part for part in parts if part.asks.any()]
    begin = min((part.begin for part in told), default=0)
    length = max((part.begin + len(part.asks) for part in told), default=begin + 2) - begin
    asks, answered = np.zeros(length), np.zeros(length)
    sent = np.zeros((length, sum(part.sent.shape[1] for part in told)), dtype=np.uint8)
    column = 0
    for part in told:
        here = slice(part.begin - begin, part.begin - begin + len(part.asks))
        asks[here] += part.asks
        answered[here] += part.answered
        sent[here, column : column + part.sent.shape[1]] = part.sent
        column += part.sent.shape[1]
    return Hours(begin, asks, answered, sent)


class Own(NamedTuple):
    """Asks of one line that can be answered, by when they were sent (ms, in order): how many, and how many of these were answered soon."""

    at: Array
    asks: Array
    answered: Array


NO_ASKS = Own(*(np.zeros(0, dtype=np.int64),) * 3)


class AsksTold(Mapping[str, Own]):
    """``asks_told`` of lines by their histories: worked out when asked for; of the line asked for last it is held."""

    def __init__(self, histories: Mapping[str, LineHistory]) -> None:
        self._histories, self._last = histories, ("", NO_ASKS)

    def __getitem__(self, line: str) -> Own:
        if line != self._last[0]:
            self._last = line, asks_told(self._histories[line])
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._histories)

    def __len__(self) -> int:
        return len(self._histories)


class Peers:
    """Hourly counts of the fleet's asks and of those answered soon: exact for any period, without reading a line twice.

    An ask counts as answered where its reply came within ``peers_hours``: so short that periods up to a change compare as
    they are, without an estimate of replies still to come.

    Args:
        told: asks of the lines that are asked for.
        hours: of all lines.
    """

    def __init__(self, told: Mapping[str, Own], hours: Hours) -> None:
        self._own, self.hours = told, hours
        self._asks, self._answered = np.cumsum(self.hours.asks), np.cumsum(self.hours.answered)

    def beside(self, line: str, since: float, t: int) -> dict[str, Any] | None:
        """Return how often asks were answered within ``peers_hours``, on the other lines and on this one.

        Args:
            line: the line that changed.
            since: ms; whole hours from then to ``peers_hours`` before t are "after", the 28 days before it "before".
            t: ms of the change; nothing later is used.

        Returns:
            lines (others that sent in that time), within_hours, since, and for "peers" and "own" asks and answered, before and
            after; None where the others or the line have too few asks to compare.
        """
        k = CONSTANTS
        start, end = -int(-since // HOUR), int((t - k.settle_seconds * 1000 - k.peers_hours * HOUR) // HOUR)
        spans = {"before": (start - int(k.peers_days * 24), start), "after": (start, end)}
        found: dict[str, Any] = {"since": iso(start * HOUR), "within_hours": k.peers_hours}
        for word, (a, b) in spans.items():
            whole, own = self._between(a, b), self._of_line(line, a * HOUR, b * HOUR)
            if b <= a or min(own[0], whole[0] - own[0]) < k.spoken_rate:
                return None
            for name, (asks, answered) in (("own", own), ("peers", (whole[0] - own[0], whole[1] - own[1]))):
                found |= {f"{name}_asks_{word}": asks, f"{name}_answered_{word}": answered}
        found["lines"] = self._lines(start, end) - 1
        return found | {"text": told(found)}

    def _places(self, a: int, b: int) -> tuple[int, int]:
        low, high = (int(np.clip(h - self.hours.begin, 0, len(self._asks) - 1)) for h in (a, b))
        return low, high

    def _between(self, a: int, b: int) -> tuple[int, int]:
        low, high = self._places(a, b)
        return int(self._asks[high] - self._asks[low]), int(self._answered[high] - self._answered[low])

    def own(self, line: str) -> Own:
        """Return the asks of one line."""
        return self._own[line]

    def _of_line(self, line: str, a: int, b: int) -> tuple[int, int]:
        own = self.own(line)
        low, high = np.searchsorted(own.at, (a, b))
        return int(own.asks[low:high].sum()), int(own.answered[low:high].sum())

    def _lines(self, a: int, b: int) -> int:
        """Return how many lines sent in the hours [a, b): a line that pauses then, whatever it does later, is none of them."""
        low, high = self._places(a, b)
        return int(np.bitwise_count(np.bitwise_or.reduce(self.hours.sent[low + 1 : high + 1], axis=0)).sum())


def asks_told(h: LineHistory) -> Own:
    """Return the asks of a line that can be answered, and which were answered soon."""
    kept = answerable(h.last, h.opted_out, h.failed_at, h.receipt_at, h.gap_at)
    order = np.argsort(h.last[kept], kind="stable")
    at = h.last[kept][order]
    return Own(at, np.ones(len(at), dtype=np.int64), answered_soon(h.last, h.reply_at)[kept][order])


def answerable(last: Array, opted_out: Array, failed_at: Array, receipt_at: Array, gap_at: Array) -> Array:
    """Say of each ask whether it can be answered soon.

    Asks whose answer may lie in a gap of the deliveries are left out, answered or not: else only answered ones would be left.
    """
    soon = CONSTANTS.peers_hours * HOUR
    failed = (failed_at <= last + soon) & (receipt_at > last + soon)
    return np.asarray(~opted_out & ~failed & (gap_at > last + soon))


def answered_soon(last: Array, reply_at: Array) -> Array:
    """Say of each ask whether it was answered within ``peers_hours``."""
    return np.asarray(reply_at - last <= CONSTANTS.peers_hours * HOUR)


def told(peers: dict[str, Any]) -> str:
    """Return in a sentence whether the other lines fell too."""
    before, after = (peers[f"peers_answered_{w}"] / peers[f"peers_asks_{w}"] for w in ("before", "after"))
    own_before, own_after = (peers[f"own_answered_{w}"] / peers[f"own_asks_{w}"] for w in ("before", "after"))
    fell, own = (1 - a / b if b else 0.0 for b, a in ((before, after), (own_before, own_after)))
    n = peers["lines"]
    others = f"the other {n} lines" if n > 1 else "the other line"
    seen = f"On {others} {100 * after:.0f} in 100 sends were answered within {peers['within_hours']:g} h, {100 * before:.0f} before; on this one {100 * own_after:.0f}, {100 * own_before:.0f} before"
    if own < CONSTANTS.peers_fall:
        return f"{seen}."
    if fell < CONSTANTS.peers_part * own:
        return f"{seen}: it is this line, not the fleet."
    return f"{seen}: the others fell too, so look for what the lines share."
