"""Messages, chats and chat health in; the same messages, in order, with what each one is, out: judged once, counted in several tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from analysis.schema import INSTANT
from analysis.settings import Settings
from analysis.signals import chat_health as chat_state
from analysis.signals.calendar import Calendar, Grain, calendar
from analysis.signals.new_conversations import openers
from analysis.signals.peaks import Sliding, sliding
from analysis.signals.reply_rate import fates
from analysis.signals.turns import late_turns
from analysis.signals.volume import in_order, talks


@dataclass(frozen=True)
class Judged:
    """Messages with what each one is, the chats they stand in, and what is known of these chats' health.

    ``messages``: as `volume.in_order` gives, with ``mature``, ``replied``, ``opener``, ``unanswered``, ``late_turn``, ``after_opt_out``.
    ``talks``: as `volume.talks` gives. ``created``: ``talk``, ``created_at`` of known chats. ``reports``: as `chat_health.reports` gives.
    """

    messages: pl.DataFrame
    talks: pl.DataFrame
    created: pl.DataFrame
    reports: pl.DataFrame
    born: pl.DataFrame | None = None
    """line, first_at, since: each line's first message, and from when on it is counted, where the messages may begin later; else None."""

    @cached_property
    def sliding(self) -> tuple[Sliding, Sliding]:
        """Sliding counts over sends and over opening sends, made once for days and hours."""
        return sliding(self.messages)

    def calendar(self, zone: str, grain: Grain) -> Calendar:
        """Return the days or hours of a zone that hold every message; there must be one."""
        at = self.messages["at"]
        first: Any = at.min() if self.born is None else min(self.born["first_at"].min(), at.min())  # type: ignore[type-var]
        return calendar(first, at.max(), zone=zone, grain=grain)  # type: ignore[arg-type]

    def first_at(self) -> pl.Series:
        """Return the time of each line's first message, in the order of their numbers."""
        return self._of_lines("first_at")

    def since(self) -> pl.Series:
        """Return from when on each line is counted, in the order of their numbers."""
        return self._of_lines("since")

    def _of_lines(self, name: str) -> pl.Series:
        if self.born is not None:
            return self.talks.select("line", "line_no").unique().join(self.born, on="line").sort("line_no")[name]
        line_no, at = self.messages["line_no"].to_numpy(), self.messages["at"].to_physical().to_numpy()
        begins = np.flatnonzero(np.diff(line_no, prepend=-1))  # they stand in order of line
        return pl.Series(np.minimum.reduceat(at, begins)).cast(INSTANT)


def judge(
    messages: pl.DataFrame,
    chats: pl.DataFrame,
    chat_health: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    also: Mapping[str, pl.Expr] | None = None,
    born: pl.DataFrame | None = None,
) -> Judged:
    """Return messages in order with what each one is: mature, replied, opener, unanswered so far, late turn, after an opt-out.

    Args:
        messages: MESSAGES, any order.
        chats: CHATS, key chat_id.
        chat_health: CHAT_HEALTH, any order; two reports of one instant count as the more severe.
        as_of: the latest event time of the store; nothing after it is assumed.
        settings: windows and limits.
        also: further columns of the messages to carry, by name.
        born: line, first_at of each line's first message, and since, from when on it is counted, where ``messages`` may begin later.
    """
    known = talks(messages)
    reports = chat_state.reports(chat_health, known)
    created = chats.join(known, on="chat_id").select("talk", "created_at")
    return judge_in_order(
        in_order(messages, known, also=also), known, created, reports, as_of=as_of, settings=settings, born=born
    )


def judge_in_order(
    messages: pl.DataFrame,
    talks: pl.DataFrame,
    created: pl.DataFrame,
    reports: pl.DataFrame,
    *,
    as_of: datetime,
    settings: Settings,
    born: pl.DataFrame | None = None,
) -> Judged:
    """Return the same of messages whose lines and chats have numbers and that stand in order already.

    Args:
        messages: as `volume.in_order` gives.
        talks: as `volume.talks` gives.
        created: ``talk``, ``created_at``: when chats are known to have been created.
        reports: as `chat_health.reports` gives.
        as_of: the latest event time of the store.
        settings: windows and limits.
        born: as for ``judge``.
    """
    judged = fates(messages, window=timedelta(hours=settings.reply_window_hours), as_of=as_of)
    judged = openers(judged, created, grace=timedelta(hours=settings.new_chat_grace_hours))
    judged = late_turns(judged, gap=timedelta(minutes=settings.turn_gap_minutes), late=settings.late_turn)
    return Judged(chat_state.after_opt_out(judged, reports), talks, created, reports, born)
