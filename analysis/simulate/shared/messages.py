"""Lives of lines in, the frames a store would hand on out: messages, chats and chat health, with what gets lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.schema import CHAT_HEALTH, CHATS, INSTANT, MESSAGES
from analysis.simulate.shared.draws import HOUR, draw, mixed, normal
from analysis.simulate.shared.lines import MadeLine
from analysis.simulate.shared.turns import Life

_HEALTHS = ("HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT")
_CODES = np.array(["4001", "4001", "4001", "4002", "4006", "3007"])
_NO_RECEIPT = 0.02
"""Share of messages to a phone that was off: delivered hours later, or never told."""
_DELIVERED_AFTER_FAILURE = 0.03


@dataclass(frozen=True)
class Outage:
    """A time in which deliveries of events were lost."""

    start: int
    end: int
    receipts_only: bool

    def over(self, at: np.ndarray) -> np.ndarray:
        """Return which instants lie in it."""
        return (at >= self.start) & (at < self.end)


def outages(rng: np.random.Generator, *, start: int, end: int) -> list[Outage]:
    """Return a fleet's outages: one in three weeks or so, half an hour to five hours."""
    count = 1 + int(rng.poisson((end - start) / HOUR / 24 / 28))
    begins = rng.integers(start, end, count)
    return [
        Outage(int(b), int(b + h * HOUR), bool(r))
        for b, h, r in zip(begins, rng.uniform(0.5, 5.0, count), rng.random(count) < 0.35, strict=True)
    ]


@dataclass(frozen=True)
class Manners:
    """How single messages of a family go: from draws in [0, 1) to seconds."""

    gap_s: Callable[[np.ndarray], np.ndarray]
    """Between messages of a turn."""
    looks_s: Callable[[np.ndarray], np.ndarray]
    """From delivery to reading."""
    by_sms: Callable[[np.ndarray], np.ndarray]
    """Which instants (ms) go by SMS although their chat does not."""


def messages(line: MadeLine, place: int, life: Life, manners: Manners, lost: list[Outage], end: int) -> pl.DataFrame:
    """Return MESSAGES of one line, each known by ``end``, without what outages swallowed."""
    said, folk = life.turns, line.people
    row = np.repeat(np.arange(len(said.at)), said.size)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(said.size) - said.size, said.size)
    key = mixed(said.key[row] + nth.astype(np.uint64), 3)
    gap = np.where(said.gap[row] > 0, said.gap[row], (manners.gap_s(draw(key, 1)) * 1000).astype(np.int64))
    gap[nth == 0] = 0
    total = np.cumsum(gap)
    at = said.at[row] + total - np.repeat(total[np.cumsum(said.size) - said.size], said.size)
    out, chat = said.outbound[row], said.chat[row]
    sms = folk.sms[chat] | manners.by_sms(at)
    failed = said.failed[row] & out
    late = draw(key, 2)
    receipt = np.exp(0.6 + 0.9 * normal(key, 4)) * 1000
    receipt = np.where(late < _NO_RECEIPT / 2, draw(key, 3) * 30 * HOUR, receipt)
    arrives = at + np.where(failed, 20 * receipt, receipt).astype(np.int64)
    told = (
        out
        & ~sms
        & (~failed | (draw(key, 5) < _DELIVERED_AFTER_FAILURE))
        & (late < 1 - _NO_RECEIPT / 2)
        & (arrives < end)
    )
    opened = arrives + (manners.looks_s(draw(key, 6)) * 1000).astype(np.int64)
    looked = told & (draw(key, 7) < 0.55) & (opened < end)
    fails_at = at + (1 + 20 * draw(key, 8) ** 3 * 60).astype(np.int64) * 1000
    failing = failed & (fails_at < end)
    known = at < end
    for o in lost:
        known &= ~o.over(at) | o.receipts_only
        told &= ~o.over(arrives)
        looked &= ~o.over(opened)
        failing &= ~o.over(fails_at)
    code = _CODES[(draw(mixed(said.key[row], 8), 1) * len(_CODES)).astype(np.int64)]
    route = np.where(sms, "SMS", "iMessage")
    ids = (key[known] >> np.uint64(1)).astype(np.int64)
    frame = pl.DataFrame(
        {
            "number": ids, "chat": chat[known], "direction": np.where(out[known], "outbound", "inbound"), "at": at[known],
            "delivered_at": _some(arrives, told, known), "read_at": _some(opened, looked & told, known),
            "failed_at": _some(fails_at, failing, known), "failure_code": code[known], "service": route[known], "is_group": folk.group[chat[known]],
        }
    )  # fmt: skip
    return frame.with_columns(
        message_id=pl.format("m{}-{}", pl.lit(place), "number"),
        line=pl.lit(line.number),
        chat_id=pl.format("c{}-{}", pl.lit(place), "chat"),
        failure_code=pl.when(pl.col("failed_at").is_not_null()).then("failure_code"),
        failed=pl.col("failed_at").is_not_null() & pl.col("delivered_at").is_null() & pl.col("read_at").is_null(),
        fingerprint=pl.lit(None, dtype=pl.String),
    ).select(
        pl.col(c).cast(pl.Int64).cast(dtype) if dtype == INSTANT else pl.col(c).cast(dtype)
        for c, dtype in MESSAGES.items()
    )


def _some(value: np.ndarray, where: np.ndarray, known: np.ndarray) -> pl.Series:
    kept = value[known].astype(np.int64)
    return pl.Series(kept).set(pl.Series(~where[known]), None)


def chats(line: MadeLine, place: int, seen: pl.DataFrame) -> pl.DataFrame:
    """Return CHATS of one line: those with a message; half of the lines' owners also know when old ones began."""
    folk = line.people
    used = (
        seen.select(chat=pl.col("chat_id").str.split("-").list.last().cast(pl.Int64))
        .unique()
        .sort("chat")["chat"]
        .to_numpy()
    )
    told = np.where(np.arange(len(folk.created)) < folk.old, line.seed % 2 == 0, True)[used]
    people = [
        None if folk.group[c] else f"p{k:016x}" for c, k in zip(used, mixed(folk.key[used], 5).tolist(), strict=True)
    ]
    frame = pl.DataFrame(
        {
            "chat_id": [f"c{place}-{c}" for c in used], "line": [line.number] * len(used), "recipient": people,
            "is_group": folk.group[used], "created_at": _some(folk.created[used], told, np.ones(len(used), dtype=bool)),
        },
        schema_overrides={"recipient": pl.String, "chat_id": pl.String, "line": pl.String},
    )  # fmt: skip
    return frame.select(pl.col(c).cast(dtype) for c, dtype in CHATS.items())


def chat_health(line: MadeLine, place: int, life: Life, end: int) -> pl.DataFrame:
    """Return CHAT_HEALTH of one line: the vendor's own view, from unanswered turns and failures in a row, and opt-outs."""
    said, folk = life.turns, line.people
    order = np.lexsort((said.at, said.chat))
    s = said.take(order[said.at[order] < end])
    first = np.r_[True, np.diff(s.chat) != 0] if len(s.chat) else np.zeros(0, dtype=bool)
    group = np.cumsum(first) - 1
    heard = np.where(~s.outbound, np.arange(len(s.at)), -1)
    start = np.flatnonzero(first)
    last = np.maximum(np.maximum.accumulate(heard) if len(heard) else heard, start[group] - 1 if len(start) else heard)
    sent = np.cumsum(s.outbound)
    streak = sent - np.where(last >= 0, sent[np.maximum(last, 0)], 0)
    patient = 4 if line.type_name in ("alert", "campaign") else 0
    limit = 3 + patient + (draw(folk.key, 970) * 2.2).astype(np.int64)[s.chat]
    state = np.where(streak >= 2 * limit, 2, np.where(streak >= limit, 1, 0)) * s.outbound
    out = (life.stopped_at[s.chat] <= s.at) & (s.at < life.returned_at[s.chat])
    state = np.where(out, 3, state)
    before = np.r_[-1, state[:-1]]
    keep = first | (state != before)
    known = np.where(first & out & (life.stopped_at[s.chat] < line.start), life.stopped_at[s.chat], s.at)
    found = pl.DataFrame({"chat": s.chat[keep], "at": known[keep], "health": np.array(_HEALTHS)[state[keep]]})
    return (
        found.select(
            chat_id=pl.format("c{}-{}", pl.lit(place), "chat"),
            at=pl.col("at").cast(pl.Int64).cast(INSTANT),
            health="health",
        )
        .select(pl.col(c).cast(dtype) for c, dtype in CHAT_HEALTH.items())
        .unique(["chat_id", "at"], keep="last", maintain_order=True)
    )
