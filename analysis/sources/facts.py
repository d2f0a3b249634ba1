"""Raw rows in, typed facts and refusals out: the rules by which a row is used or refused, with a reason a person can act on.

Nothing that leaves this module holds message content or a plain recipient.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from analysis.schema import CHAT_HEALTHS, HEALTHS, INSTANT, STATUSES
from analysis.sources.checks import REFUSED, Check, Rules, as_word, bounds, by_word
from analysis.sources.pseudonym import canonical_line
from analysis.sources.times import in_range, instants

_MESSAGE_TIMES = ("sent_at", "seen_at", "delivered_at", "read_at", "failed_at")
RAW_MESSAGES = (
    "position", "message_id", "line", "chat_id", "recipient", "direction", *_MESSAGE_TIMES, "failure_code", "service", "is_group",
    "fingerprint", "trace_id", "chat_health", "chat_health_at", "event_at",
)  # fmt: skip
"""Columns of a raw message row; every one but position may be missing or text."""
LATE_HOURS = (1, 24)
"""An event told this long after it happened is late: after an hour the vendor's retries (30 min) are over, after 24 h the reply window."""
RAW_CHATS = ("position", "chat_id", "line", "recipient", "is_group", "created_at", "health", "health_updated_at")
RAW_CHANGES = ("position", "line", "changed_at", "previous_health", "new_health", "previous_status", "new_status")

MESSAGE_FACTS = pl.Schema(
    {
        "position": pl.Int64, "message_id": pl.String, "line": pl.String, "chat_id": pl.String, "recipient": pl.String,
        "direction": pl.String, "sent_at": INSTANT, "seen_at": INSTANT, "delivered_at": INSTANT, "read_at": INSTANT,
        "failed_at": INSTANT, "failure_code": pl.String, "service": pl.String, "is_group": pl.Boolean,
        "fingerprint": pl.String, "trace_id": pl.String,
    }
)  # fmt: skip
CHAT_FACTS = pl.Schema(
    {
        "position": pl.Int64,
        "chat_id": pl.String,
        "line": pl.String,
        "recipient": pl.String,
        "is_group": pl.Boolean,
        "created_at": INSTANT,
    }
)
HEALTH_FACTS = pl.Schema({"chat_id": pl.String, "at": INSTANT, "health": pl.String})
CHANGE_FACTS = pl.Schema(
    {
        "position": pl.Int64, "line": pl.String, "changed_at": INSTANT, "previous_health": pl.String, "new_health": pl.String,
        "previous_status": pl.String, "new_status": pl.String,
    }
)  # fmt: skip

_DIRECTIONS = {
    "outbound": "outbound", "inbound": "inbound", "outgoing": "outbound", "incoming": "inbound", "out": "outbound", "in": "inbound",
    "sent": "outbound", "received": "inbound",
}  # fmt: skip
_SERVICES = {"imessage": "iMessage", "sms": "SMS", "rcs": "RCS", "mms": "SMS"}


@dataclass
class Facts:
    """What one block of rows told: facts by kind, refused rows, and notes with how often they apply."""

    messages: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MESSAGE_FACTS))
    chats: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CHAT_FACTS))
    health: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HEALTH_FACTS))
    changes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CHANGE_FACTS))
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSED))
    notes: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    """Message events by how late they were told: "timed" (both times known), "late_1h", "late_24h" of these."""


def _lines(frame: pl.DataFrame) -> pl.DataFrame:
    names = {text: canonical_line(text) for text in frame["line"].drop_nulls().unique()}
    names = {text: name for text, name in names.items() if name != text}
    return frame.with_columns(pl.col("line").replace(list(names), list(names.values()))) if names else frame


def _words(words: tuple[str, ...]) -> dict[str, str]:
    return {w.lower(): w for w in words}


def message_facts(raw: pl.DataFrame, rules: Rules, *, line_needed: bool = True, time_needed: bool = True) -> Facts:
    """Return the facts of raw message rows (RAW_MESSAGES, any of them missing).

    ``line_needed``: refuse rows without a line (tables); webhook events of a known chat may lack it. ``time_needed``: refuse rows
    that tell no time at all. Chat health with an unknown word or an unusable time is left out and noted; the message is kept.
    """
    check = Check(raw, "message", RAW_MESSAGES, rules, times=(*_MESSAGE_TIMES, "event_at"))
    check.text(
        "message_id",
        "line",
        "chat_id",
        "recipient",
        "failure_code",
        "service",
        "fingerprint",
        "trace_id",
        "chat_health",
    )
    check.instants(*_MESSAGE_TIMES)
    if "event_at" in check.read:
        check.frame = check.frame.with_columns(check.read["event_at"])
    check.words("direction", _DIRECTIONS, "outbound, inbound")
    check.flag("is_group")
    if line_needed:
        check.refuse(
            pl.col("line").is_null(), "line is missing", "export the sending or receiving line of every message"
        )
        check.refuse(
            pl.col("direction").is_null() & pl.col("_direction").is_null(),
            "direction is missing",
            "say outbound or inbound for every message",
        )
    check.refuse(
        pl.col("chat_id").is_null() & pl.col("recipient").is_null(),
        "neither chat_id nor recipient is given",
        "export one of the two",
    )
    check.refuse(
        pl.col("chat_id").is_null() & pl.col("line").is_null(), "neither line nor chat_id is given", "export the line"
    )
    if time_needed:
        told = pl.any_horizontal(pl.col(f"_{c}").is_not_null() for c in _MESSAGE_TIMES)
        check.refuse(~told, "no time is given", "export sent_at")
    good, refused = check.split()
    facts = Facts(refused=refused, notes=check.notes)
    people = rules.pseudonyms
    good = _lines(good).with_columns(
        people.ids(good["message_id"]),
        people.ids(good["chat_id"], repeated=True),
        people.fingerprints(good["fingerprint"]),
        # a group has no one recipient; its chat stands for it
        people.recipients(
            good.select(pl.when(~pl.col("is_group").fill_null(False)).then("recipient").alias("recipient")).to_series()
        ),
        by_word(
            good["service"],
            pl.col("service").str.to_lowercase().replace_strict(_SERVICES, default="other", return_dtype=pl.String),
        ),
        pl.when(pl.col("failure_code").str.contains(r"^[A-Za-z_]{0,24}\d{0,6}$"))
        .then("failure_code")
        .when(pl.col("failure_code").is_not_null())
        .then(pl.lit("other"))
        .alias("failure_code"),
        pl.when(pl.col("trace_id").str.contains(r"^[0-9a-f-]{16,40}$") & pl.col("failed_at").is_not_null())
        .then("trace_id")
        .alias("trace_id"),
    )
    facts.messages = good.select(MESSAGE_FACTS.names()).cast(MESSAGE_FACTS)
    facts.late = _late(good)
    facts.health = _message_health(good, rules, facts.notes)
    return facts


def _late(good: pl.DataFrame) -> Counter[str]:
    """Count message events by the time between what they tell and when the vendor made them."""
    if good["event_at"].null_count() == good.height:
        return Counter()
    # the newest time that an event tells is its own: a delivery also repeats when the message was sent
    happened = pl.max_horizontal("sent_at", "delivered_at", "read_at", "failed_at")
    told = good.select(delay=instants(good["event_at"]) - happened).drop_nulls()
    late = {f"late_{h}h": int((told["delay"] > timedelta(hours=h)).sum()) for h in LATE_HOURS}
    return Counter({"timed": told.height, **late})


def _message_health(good: pl.DataFrame, rules: Rules, notes: Counter[str]) -> pl.DataFrame:
    told = good.filter(pl.col("chat_health").is_not_null() & pl.col("chat_id").is_not_null())
    return _health_rows(
        told,
        "chat_health",
        "chat_health_at",
        pl.coalesce(pl.col("sent_at"), pl.col("seen_at"), pl.col("delivered_at")),
        rules,
        notes,
    )


def _health_rows(
    told: pl.DataFrame, word: str, at: str, else_at: pl.Expr, rules: Rules, notes: Counter[str]
) -> pl.DataFrame:
    if told.is_empty():
        return pl.DataFrame(schema=HEALTH_FACTS)
    # a chat's every event repeats its health: what is told alike is read once
    alike = told.group_by("chat_id", word, at, pl.when(pl.col(at).is_null()).then(else_at).alias("_else")).len("_times")
    read = alike.with_columns(
        instants(alike[at]).alias("_read"), by_word(alike[word], as_word(word, _words(CHAT_HEALTHS))).alias("health")
    )
    usable = in_range("_read", *bounds(rules.settings))
    rows = read.select(
        "chat_id",
        pl.when(pl.col(at).is_null()).then("_else").when(usable).then("_read").alias("at"),
        "health",
        "_times",
    )
    known = rows.drop_nulls()
    left_out = told.height - sum(known["_times"])
    notes["chat health reports had an unknown word or no usable time and were left out"] += left_out
    return known.drop("_times").unique().cast(HEALTH_FACTS).select(HEALTH_FACTS.names()).sort(HEALTH_FACTS.names())


def chat_facts(raw: pl.DataFrame, rules: Rules) -> Facts:
    """Return the facts of raw chat rows (RAW_CHATS, any of them missing); health without its time cannot be placed and is left out."""
    check = Check(raw, "chat", RAW_CHATS, rules, times=("created_at",))
    check.text("chat_id", "line", "recipient", "health")
    check.instants("created_at")
    if check.frame["health_updated_at"].dtype != pl.String or rules.unit or rules.zone:
        check.frame = check.frame.with_columns(
            instants(check.frame["health_updated_at"], unit=rules.unit, zone=rules.zone)
        )
    check.flag("is_group")
    check.refuse(pl.col("chat_id").is_null(), "chat_id is missing", "export the id of every chat")
    check.refuse(pl.col("line").is_null(), "line is missing", "export the line of every chat")
    good, refused = check.split()
    people = rules.pseudonyms
    good = _lines(good).with_columns(
        people.ids(good["chat_id"]),
        people.recipients(
            good.select(pl.when(~pl.col("is_group").fill_null(False)).then("recipient").alias("recipient")).to_series()
        ),
    )
    facts = Facts(refused=refused, notes=check.notes, chats=good.select(CHAT_FACTS.names()).cast(CHAT_FACTS))
    told = good.filter(pl.col("health").is_not_null())
    facts.health = _health_rows(told, "health", "health_updated_at", pl.lit(None, dtype=INSTANT), rules, facts.notes)
    return facts


def change_facts(raw: pl.DataFrame, rules: Rules) -> Facts:
    """Return the facts of raw line changes (RAW_CHANGES, any of them missing)."""
    check = Check(raw, "transition", RAW_CHANGES, rules, times=("changed_at",))
    check.text("line")
    check.instants("changed_at", needed=("changed_at",))
    for column, words in (
        ("previous_health", HEALTHS),
        ("new_health", HEALTHS),
        ("previous_status", STATUSES),
        ("new_status", STATUSES),
    ):
        check.words(column, _words(words), ", ".join(words))
    check.refuse(pl.col("line").is_null(), "line is missing", "export the line of every transition")
    nothing = pl.all_horizontal(pl.col(f"_{c}").is_null() for c in ("new_health", "new_status"))
    check.refuse(nothing, "neither new_health nor new_status is given", "export one of the two")
    good, refused = check.split()
    return Facts(
        refused=refused, notes=check.notes, changes=_lines(good).select(CHANGE_FACTS.names()).cast(CHANGE_FACTS)
    )
