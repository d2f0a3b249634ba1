"""The incidents that change how messages fare in, chances at an instant out: interest, failures, routes, nagging. None of them adds a conversation."""

from __future__ import annotations

import numpy as np

from analysis.simulate.replay.line import Line
from analysis.simulate.shared.draws import HOUR, draw
from analysis.simulate.shared.incidents import Incident
from analysis.simulate.shared.turns import NEVER

_USUAL_FAILURES = 0.004
_FLAG_FAILURES = 0.9
_NAGS = 6


class Weather:
    """What lies over one line in one of its lives."""

    def __init__(self, line: Line, left: frozenset[int]) -> None:
        here = [i for i in line.incidents if i.number in left]
        self._interest = [i for i in here if i.kind in ("collapse", "slow_fade")]
        self._blocks = [i for i in here if i.kind in ("carrier_block", "carrier_flag")]
        self._nags = [i for i in here if i.kind == "nagging"]
        self._fallbacks = [i for i in here if i.kind == "sms_fallback"]
        self.ignoring = [i for i in here if i.kind == "ignored_opt_outs"]
        self._usual_failures = _USUAL_FAILURES * (4 if line.sms else 1)

    def interest(self, at: np.ndarray) -> np.ndarray:
        """Return the factor on a person's chance to answer something said at these instants."""
        factor = np.ones(len(at))
        for i in self._interest:
            depth = min(0.95, 0.82 * i.size)
            if i.kind == "slow_fade":
                factor *= 1 - depth * np.clip((at - i.start) / (0.7 * (i.stop - i.start)), 0, 1) * (at < i.stop)
            else:
                factor *= 1 - depth * i.inside(at)
        return factor

    def note_lost(self, lost: np.ndarray, at: np.ndarray, touch: dict[int, int]) -> None:
        """Note the first message whose answer an incident took away."""
        for i in self._interest:
            self._note(i, at[lost & i.inside(at)], touch)

    def failures(
        self, key: np.ndarray, column: int, at: np.ndarray, outbound: np.ndarray, touch: dict[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which turns fail, and which of them because of an incident."""
        u = draw(key, 10 * column + 5)
        failed = outbound & (u < self._usual_failures)
        blocked = np.zeros(len(at), dtype=bool)
        for i in self._blocks:
            chance = _FLAG_FAILURES if i.kind == "carrier_flag" else float(np.clip(0.55 * i.size, 0.05, 0.9))
            now = outbound & i.inside(at) & (u < chance)
            self._note(i, at[now & ~failed], touch)
            blocked |= now
        return failed | blocked, blocked

    def nags(self, at: np.ndarray, key: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """Return, for unanswered sends, the incident that makes the line send again (else -1), and after how long."""
        tag = np.full(len(at), -1)
        gap = ((5 + 12 * draw(key, 11)) * HOUR).astype(np.int64)
        for i in self._nags:
            go = i.inside(at + gap) & (draw(key, 12) < min(0.95, 0.8 * i.size)) & (rank < _NAGS)
            tag = np.where(go, i.number, tag)
        return tag, gap

    def fallback(self, at: np.ndarray, touch: dict[int, int]) -> np.ndarray:
        """Return what goes by SMS although its chat does not."""
        over = np.zeros(len(at), dtype=bool)
        for i in self._fallbacks:
            over |= i.inside(at)
            self._note(i, at[i.inside(at)], touch)
        return over

    @staticmethod
    def _note(incident: Incident, at: np.ndarray, touch: dict[int, int]) -> None:
        if len(at):
            touch[incident.number] = min(touch.get(incident.number, NEVER), int(at.min()))
