"""Frames of all lines in, one record per line out: its asks, inbound times, chat states and running sums, each dated."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate

import polars as pl

from analysis.explain.asks import Ask, ChatStates, Row, asks_of
from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS
from analysis.settings import Settings

Span = tuple[float, float]
"""A period [from, to) in ms."""


class Running:
    """Values in order of time, summed over any period in logarithmic time."""

    def __init__(self, items: Iterable[tuple[int, float]]) -> None:
        ordered = sorted(items)
        self.times = [at for at, _ in ordered]
        self.sums = [0.0, *accumulate(value for _, value in ordered)]

    def count(self, spans: list[Span]) -> int:
        """Return how many lie in [a, b) of any span."""
        return sum(bisect_left(self.times, b) - bisect_left(self.times, a) for a, b in spans)

    def total(self, spans: list[Span]) -> float:
        """Return the sum of those in [a, b) of any span."""
        return sum(self.sums[bisect_left(self.times, b)] - self.sums[bisect_left(self.times, a)] for a, b in spans)


class LineHistory:
    """All that explanations need of one line; rates settle within the reply window, so sums over the past stay as they were.

    Args:
        line: its number.
        rows: its messages by chat, each in order of time.
        created: when chats were created, where known (ms).
        states: chat health by chat.
        settings: see Settings.
    """

    def __init__(
        self,
        line: str,
        rows: dict[str, list[Row]],
        *,
        created: dict[str, int],
        states: dict[str, ChatStates],
        settings: Settings,
    ) -> None:
        self.line, self.states = line, states
        self.first_at = min(chat[0].at for chat in rows.values())
        self.rows = rows
        none = ChatStates()
        asks: list[Ask] = []
        for chat, messages in rows.items():
            asks += asks_of(
                messages,
                first_seen=self.first_at,
                created_at=created.get(chat),
                states=states.get(chat, none),
                settings=settings,
            )
        self.asks = sorted(asks, key=lambda a: (a.first, a.chat))
        self.firsts = [a.first for a in self.asks]
        self.sends = sorted((r for chat in rows.values() for r in chat if r.outbound), key=lambda r: (r.at, r.chat))
        self.send_times = [r.at for r in self.sends]
        self.inbound = sorted(r.at for chat in rows.values() for r in chat if not r.outbound)
        self.opt_outs = sorted(at for chat in rows for at in states.get(chat, none).opt_outs)
        self.after_opt_out = [r for r in self.sends if r.chat in states and states[r.chat].at(r.at) == "OPTED_OUT"]
        self.after_opt_out_times = [r.at for r in self.after_opt_out]
        self.fingerprinted = any(r.fingerprint for r in self.sends)
        self._sum_up()

    def _sum_up(self) -> None:
        """Prepare the running sums behind every usual; outcomes later than the reply window are not counted in them."""
        measured: dict[str, list[tuple[int, float]]] = {kind: [] for kind in KINDS}
        counts: dict[str, list[tuple[int, float]]] = {kind: [] for kind in (*KINDS, "deep", "recipients")}
        outcomes: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: {"failed": [], "silent": []})
        services: dict[str, list[tuple[int, float]]] = defaultdict(list)
        messages: list[tuple[int, float]] = []
        chat_days: set[tuple[str, int]] = set()
        for ask in self.asks:
            counts["deep" if ask.deep else ask.kind].append((ask.first, 1.0))
            if ask.kind != "new":
                messages.append((ask.first, float(len(ask.times))))
                if not ask.deep and (ask.chat, ask.first // DAY) not in chat_days:
                    chat_days.add((ask.chat, ask.first // DAY))
                    counts["recipients"].append((ask.first, 1.0))
            service = ask.sends[0].service
            replied = ask.reply_at is not None
            services[service].append((ask.first, float(ask.receipt)))
            if not ask.opted_out:
                outcomes[service]["failed"].append((ask.first, float(ask.dead)))
                outcomes[service]["silent"].append((ask.first, float(not (ask.receipt or ask.dead or replied))))
                if not ask.dead and not ask.deep:
                    measured[ask.kind].append((ask.first, float(replied)))
        self.measured = {kind: Running(items) for kind, items in measured.items()}
        self.counts = {kind: Running(items) for kind, items in counts.items()}
        self.outcomes = {s: {k: Running(v) for k, v in kinds.items()} for s, kinds in outcomes.items()}
        self.services = {s: Running(items) for s, items in services.items()}
        self.messages = Running(messages)
        self.totals = Running((at, 1.0) for at in (*self.send_times, *self.inbound))

    def recent(self, since: float, t: int) -> list[Ask]:
        """Return the asks begun in (since, t]."""
        return self.asks[bisect_right(self.firsts, since) : bisect_right(self.firsts, t)]

    def sends_in(self, since: float, t: int) -> list[Row]:
        """Return the sends in (since, t]."""
        return self.sends[bisect_right(self.send_times, since) : bisect_right(self.send_times, t)]


def histories(
    messages: pl.DataFrame, chats: pl.DataFrame, chat_health: pl.DataFrame, settings: Settings
) -> dict[str, LineHistory]:
    """Return a LineHistory per line with messages, in order of line.

    Args:
        messages: MESSAGES, any order.
        chats: CHATS, any order.
        chat_health: CHAT_HEALTH, any order.
        settings: see Settings.
    """
    ms = pl.Int64
    rows = (
        messages.filter(pl.col("line").is_not_null(), pl.col("chat_id").is_not_null(), pl.col("at").is_not_null())
        .select(
            "line",
            "chat_id",
            pl.col("at").cast(ms),
            outbound=pl.col("direction") == "outbound",
            receipt=pl.min_horizontal("delivered_at", "read_at").cast(ms),
            failed=pl.when(pl.col("failed"))
            .then(pl.coalesce("failed_at", "at"))
            .otherwise(pl.col("failed_at"))
            .cast(ms),
            code="failure_code",
            service=pl.col("service").fill_null(""),
            fingerprint="fingerprint",
            message_id="message_id",
        )
        .sort("line", "chat_id", "at", pl.col("outbound").not_(), "message_id")
        .drop("message_id")
    )
    created = dict(
        chats.filter(pl.col("created_at").is_not_null()).select("chat_id", pl.col("created_at").cast(ms)).iter_rows()
    )
    known: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for chat, at, health in chat_health.select("chat_id", pl.col("at").cast(ms), "health").iter_rows():
        known[chat].append((at, health))
    states = {chat: ChatStates(items) for chat, items in known.items()}
    by_line: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for line, *values in rows.iter_rows():
        by_line[line][values[0]].append(Row(*values))
    return {
        line: LineHistory(
            line,
            dict(chats_of),
            created=created,
            states={chat: states[chat] for chat in chats_of if chat in states},
            settings=settings,
        )
        for line, chats_of in sorted(by_line.items())
    }


class Troubles:
    """Unhealthy and flagged times of one line, from SPELLS; and how its health stood at any time."""

    def __init__(self, spells: list[tuple[str, str, float, float]]) -> None:
        self.spells = sorted((a, b, kind, state) for kind, state, a, b in spells)
        self.bad = [(a, b) for a, b, _, state in self.spells if state in ("AT_RISK", "CRITICAL", "FLAGGED")]

    def flagged_since(self, t: int) -> int | None:
        """Return when the status last became FLAGGED in the 48 h up to t, where that is known."""
        starts = [a for a, _, _, state in self.spells if state == "FLAGGED" and a <= t]
        within = starts and starts[-1] >= t - CONSTANTS.flag_hours * HOUR
        return int(starts[-1]) if within else None

    def usual_spans(self, a: float, b: float, t: float) -> list[Span]:
        """Return [a, b) without unhealthy spells and the day before each, as far as they are known at t."""
        spans, at = [], a
        for start, end in self.bad:
            if start > t:
                break
            low, high = start - CONSTANTS.before_spell_days * DAY, end if end <= t else float("inf")
            if low > at and low > a:
                spans.append((at, min(low, b)))
            at = max(at, high)
        spans.append((at, b))
        return [(x, y) for x, y in spans if y > x]

    def quiet_at(self, t: int) -> bool:
        """Say whether no unhealthy or flagged spell lies within 7 days of t."""
        reach = CONSTANTS.quiet_days * DAY
        return all(b < t - reach or a > t + reach for a, b in self.bad)


def troubles(spells: pl.DataFrame) -> dict[str, Troubles]:
    """Return the Troubles of each line in SPELLS."""
    found: dict[str, list[tuple[str, str, float, float]]] = defaultdict(list)
    inf = float("inf")
    columns = spells.select("line", "kind", "state", pl.col("start_at").cast(pl.Int64), pl.col("end_at").cast(pl.Int64))
    for line, kind, state, start, end in columns.iter_rows():
        found[line].append((kind, state, -inf if start is None else start, inf if end is None else end))
    return {line: Troubles(items) for line, items in found.items()}
