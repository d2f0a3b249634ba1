"""Every frame that crosses a room: its columns, types and key; and the fixed words of contract.md, section 1.

Instants are ``Datetime("ms")`` without a zone and mean UTC. A frame's key is named beside it; every function that
returns a frame sorts it by that key, so that equal stores give equal bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec
import polars as pl

INSTANT: Any = pl.Datetime("ms")

HEALTHS = ("HEALTHY", "AT_RISK", "CRITICAL")
"""Line health, mildest first (the vendor's words)."""
STATUSES = ("ACTIVE", "FLAGGED")
"""Line status, mildest first. Never mixed with health."""
CHAT_HEALTHS = ("HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT")
SEVERITY = {"HEALTHY": 0, "AT_RISK": 1, "CRITICAL": 2, "ACTIVE": 0, "FLAGGED": 1}

DRIVERS = (
    "engagement",
    "deliverability",
    "new_conversations",
    "recipient_spread",
    "send_pace",
    "opt_outs",
    "flagged",
    "repeated_content",
    "unexplained",
)
"""Causes of a transition, in the order of contract.md, section 5."""
VENDOR_DRIVERS = {
    "engagement": "overall_conversation_health",
    "deliverability": "overall_conversation_health",
    "new_conversations": "new_conversation_rate",
    "recipient_spread": "volume_spike",
    "send_pace": "volume_spike",
    "opt_outs": "opt_out_handling",
    "flagged": "flagged",
    "repeated_content": "other",
    "unexplained": "other",
}

MESSAGES = pl.Schema(
    {
        "message_id": pl.String,
        "line": pl.String,
        "chat_id": pl.String,
        "direction": pl.String,  # "outbound" | "inbound"
        "at": INSTANT,  # sent_at, else received or created time, else (a failure seen alone) failed_at
        "failed": pl.Boolean,  # outbound with a failure and neither delivered_at nor read_at
        "delivered_at": INSTANT,
        "read_at": INSTANT,
        "failed_at": INSTANT,
        "failure_code": pl.String,
        "service": pl.String,
        "is_group": pl.Boolean,
        "fingerprint": pl.String,
    }
)
"""Resolved messages, key message_id; in order line, chat_id, at, outbound before inbound, message_id."""

CHATS = pl.Schema(
    {
        "chat_id": pl.String,
        "line": pl.String,
        "recipient": pl.String,  # keyed pseudonym, null for groups and unknown
        "is_group": pl.Boolean,
        "created_at": INSTANT,  # as the vendor told it; null where unknown
    }
)
"""Known chats, key chat_id."""

CHAT_HEALTH = pl.Schema({"chat_id": pl.String, "at": INSTANT, "health": pl.String})
"""Chat health as it became known, key (chat_id, at)."""

CHANGES = pl.Schema(
    {
        "line": pl.String,
        "changed_at": INSTANT,
        "previous_health": pl.String,
        "new_health": pl.String,
        "previous_status": pl.String,
        "new_status": pl.String,
    }
)
"""Reported changes as loaded, key (line, changed_at, new_health, new_status)."""

OBSERVED = pl.Schema(
    {
        "line": pl.String,
        "changed_at": INSTANT,  # when it was seen: the latest time at which it can have happened
        "previous_health": pl.String,  # equal to new_health at the first look at a line: how things stand, no change
        "new_health": pl.String,
        "not_before": INSTANT,  # when the previous health was last known to hold; null where never
    }
)
"""Changes of health that no report tells, seen between two looks of a pull, key (line, changed_at)."""

SPELLS = pl.Schema(
    {
        "line": pl.String,
        "kind": pl.String,  # "health" | "status"
        "state": pl.String,
        "start_at": INSTANT,  # null: in this state since before the first report
        "end_at": INSTANT,  # null: still so
        "start_known": pl.Boolean,  # false: known only by inference (first state, or after a missed report)
    }
)
"""Time in one state, key (line, kind, start_at)."""

TRANSITIONS = pl.Schema(
    {
        "line": pl.String,
        "at": INSTANT,
        "kind": pl.String,  # "health" | "status"
        "previous": pl.String,  # null where no report and no earlier change told it
        "new": pl.String,
        "worsening": pl.Boolean,
        "missed_before": pl.Boolean,  # the report's previous value was not the last one we knew: a change was missed
    }
)
"""Changes of health or status to explain, key (line, at, kind)."""

ACTIVITY = pl.Schema({"line": pl.String, "slot": pl.Int64, "first_at": INSTANT, "last_at": INSTANT, "events": pl.Int64})
"""Slots of five minutes since 1970 with an event (send, reply, receipt) of a line, and messages in it; key (line, slot)."""

GAPS = pl.Schema(
    {
        "line": pl.String,  # null: the whole fleet
        "start_at": INSTANT,  # the last event before
        "end_at": INSTANT,  # the first event after; null: not over at as_of
        "expected": pl.Float64,  # messages that the own rhythm gives for this time
        "by_chance_a_year": pl.Float64,  # how many silences of this depth come by themselves in a year
    }
)
"""Silences in which deliveries were probably lost, key (line, start_at), the fleet first."""

FRESHNESS = pl.Schema(
    {
        "line": pl.String,
        "last_message": INSTANT,
        "last_event": INSTANT,  # receipts too
        "last_change": INSTANT,  # report of health or status
        "silent_hours": pl.Float64,  # from the line's last event to as_of; null: never heard
        "silence": pl.String,  # "gap", "unused", "never", or null: nothing unusual
    }
)
"""When each line was last heard of, key line; gaps first, then the longest silence, lines without a message last."""

DELAYS = pl.Schema(
    {
        "line": pl.String,
        "sends": pl.Int64,
        "failed": pl.Int64,
        "received": pl.Int64,  # not failed, with a delivery or read time
        "received_1h": pl.Int64,  # delivered more than an hour after the send
        "received_24h": pl.Int64,
    }
)
"""Receipts of sends, key line."""

BLINDED = pl.Schema(
    {
        "line": pl.String,
        "gaps": pl.Int64,
        "silent_hours": pl.Float64,  # in gaps, the fleet's and its own
        "mature": pl.Int64,  # sends in reach of a gap, old enough to have been answered
        "replied": pl.Int64,
    }
)
"""Sends whose answer may lie in a gap, key line: only lines with a gap in the period."""

_COUNTS = {
    "outbound": pl.Int64,
    "inbound": pl.Int64,
    "failed": pl.Int64,
    "mature": pl.Int64,
    "replied": pl.Int64,
    "reply_rate": pl.Float64,
    "new_conversations": pl.Int64,
    "new_mature": pl.Int64,
    "new_replied": pl.Int64,
    "new_reply_rate": pl.Float64,
    "history_days": pl.Int64,
    "recipients": pl.Int64,
    "peak_recipients_1h": pl.Int64,
    "peak_recipients_24h": pl.Int64,
    "peak_new_1h": pl.Int64,
    "peak_new_24h": pl.Int64,
    "peak_sends_60s": pl.Int64,
    "unanswered_turns": pl.Int64,
    "sends_after_opt_out": pl.Int64,
    "chats_active": pl.Int64,
    "chats_at_risk": pl.Int64,
    "chats_critical": pl.Int64,
    "chats_opted_out": pl.Int64,
    "health": pl.String,
    "status": pl.String,
}
SIGNALS_DAY = pl.Schema({"line": pl.String, "day": pl.Date, **_COUNTS})
"""Contract.md, section 3, key (line, day): calendar days of the store's zone."""
SIGNALS_HOUR = pl.Schema({"line": pl.String, "hour": INSTANT, **_COUNTS})
"""The same, key (line, hour): the UTC instant at which the hour begins."""

OPENED_BY = ("line", "moved", "person", "before")
"""Who opened a chat: the line; the line, to a person whom another line had talked with; the person; or it may be older than the data."""
SERVICES = ("iMessage", "RCS", "SMS", "other")
CHAT_STATE = pl.Schema(
    {
        "line": pl.String,
        "chat_id": pl.String,
        "opened_by": pl.String,  # of OPENED_BY
        "first_at": INSTANT,
        "last_sent_at": INSTANT,  # null: never sent to
        "last_received_at": INSTANT,  # null: the person never wrote
        "sends": pl.Int64,
        "received": pl.Int64,
        "failed": pl.Int64,
        "mature": pl.Int64,
        "replied": pl.Int64,
        "unanswered": pl.Int64,  # turns in a row since the person last wrote, or since the chat began
        "health": pl.String,  # the chat's, latest known; null while unknown
        "health_at": INSTANT,
    }
)
"""How each chat with a message stands at the end of the data, key (line, chat_id)."""
DELIVERY_DAY = pl.Schema(
    {
        "line": pl.String,
        "day": pl.Date,  # of the store's zone
        "opened_by": pl.String,  # of OPENED_BY: who opened the chat sent to
        "service": pl.String,  # of SERVICES; null where no event told it
        "failure_code": pl.String,  # null: no failure was told; "no code": one without a code
        "sends": pl.Int64,
        "failed": pl.Int64,  # a delivery that follows wins, as everywhere
        "delivered": pl.Int64,
        "failed_then_delivered": pl.Int64,
        "mature": pl.Int64,
        "replied": pl.Int64,
    }
)
"""What became of the sends, key (line, day, opened_by, service, failure_code), nulls first."""


ACTION_KINDS = ("pause", "slower", "new_copy", "new_list", "campaign", "deploy", "other")
"""What people do about a line, and what else they may want to see beside it."""
ACTIONS = pl.Schema(
    {
        "action_id": pl.String,  # a short name of line, at and kind
        "line": pl.String,  # null: the whole fleet
        "at": INSTANT,
        "kind": pl.String,  # of ACTION_KINDS
        "label": pl.String,  # a few words; null where none were given
        "source": pl.String,  # "hand" | "csv", or "found": a change point, not recorded
    }
)
"""Actions, key (line, at, kind), the fleet's first; in order of at, line, kind."""

LINE_TOTALS = pl.Schema(
    {
        "line": pl.String,
        "messages": pl.Int64,
        "first_at": INSTANT,
        "last_at": INSTANT,
        "last_event_at": INSTANT,  # receipts and failures too
        "sends": pl.Int64,
        "failed": pl.Int64,
        "received": pl.Int64,  # not failed, with a delivery or read time
        "received_1h": pl.Int64,  # delivered more than an hour after sending
        "received_24h": pl.Int64,
    }
)
"""Messages of a line in all, key line."""
OPENERS = pl.Schema({"line": pl.String, "chat_id": pl.String, "at": INSTANT, "answered": pl.Boolean})
"""Opening sends of new conversations, key (line, chat_id); answered is null where the send failed or is too young."""
FAILURE_HOURS = pl.Schema({"line": pl.String, "hour": INSTANT, "failure_code": pl.String, "failed": pl.Int64})
"""Failed sends, key (line, hour, failure_code)."""


FORECAST = pl.Schema(
    {
        "line": pl.String,
        "at": INSTANT,
        "health": pl.String,
        "status": pl.String,
        "p_worse_24h": pl.Float64,  # null: not enough history
        "p_worse_24h_low": pl.Float64,
        "p_worse_24h_high": pl.Float64,
        "p_worse_72h": pl.Float64,
        "p_worse_72h_low": pl.Float64,
        "p_worse_72h_high": pl.Float64,
        "note": pl.String,
    }
)
"""Contract.md, section 8, key line: probability of turning worse within 24 h and 72 h of ``at``, and its 80 % interval."""

GATE = pl.Schema(
    {
        "line": pl.String,
        "at": INSTANT,
        "health": pl.String,
        "status": pl.String,
        "decision": pl.String,  # "send" | "slow" | "pause"
        "new_recipients_left_today": pl.Int64,
        "sends_left_today": pl.Int64,
        "new_left_this_hour": pl.Int64,
        "minutes_between_new": pl.Float64,
        "new_today": pl.Int64,
        "sends_today": pl.Int64,
        "bound": pl.String,  # what binds the new recipients: health, risk, own, published, stale, young
        "p_worse_24h": pl.Float64,
        "usual_sends": pl.Float64,
        "usual_new": pl.Float64,
        "risk_by_new": pl.String,  # JSON: chance within 24 h with 0, 1, 2, … more new conversations today
        "why": pl.String,
    }
)
"""Contract.md, section 8, key line."""


ALERTS = pl.Schema(
    {
        "group": pl.String,  # alerts of one group make one message
        "kind": pl.String,  # "likely" | "changed" | "recovered"
        "line": pl.String,
        "at": INSTANT,  # when it is due
        "main_driver": pl.String,
        "p_worse_24h": pl.Float64,  # null but of "likely"
        "changed": pl.String,  # "health" | "status"; null of "likely"
        "changed_at": INSTANT,
        "new": pl.String,  # the state after the change; null of "likely"
        "told": pl.String,  # what is said of the line
    }
)
"""Alerts that are due, a group at a time, the worst first; key (kind, line, changed, changed_at)."""
ALERTED = pl.Schema(
    {
        **{
            c: ALERTS[c] for c in ("line", "kind", "at", "main_driver", "p_worse_24h", "changed", "changed_at", "group")
        },
        "calm_at": INSTANT,  # when the chance was first seen under half of the level after it; null: not yet
    }
)
"""Alerts whose delivery was confirmed, in order of time and line."""


PLAN = pl.Schema(
    {
        "day": pl.Int64,  # 0 is today
        "line": pl.String,
        "new_recipients": pl.Int64,
        "most": pl.Int64,  # what the line may open that day
        "p_worse_24h": pl.Float64,  # with them, in this model
    }
)
"""Which line opens how many new conversations on which day, key (day, line)."""


REPLAY = pl.Schema(
    {
        "line": pl.String,
        "hour": INSTANT,  # the chance at its end
        "p_before": pl.Float64,  # of turning worse within 24 h, from the messages as they were
        "p_after": pl.Float64,  # from the altered messages
        "change_low": pl.Float64,  # 80 % interval of after less before
        "change_high": pl.Float64,
    }
)
"""A what-if on real history hour by hour, key (line, hour)."""


class Driver(msgspec.Struct, frozen=True):
    """One cause in an explanation: its share of the change and the figures behind it."""

    driver: str
    vendor_driver: str
    share: float
    summary: str
    evidence: dict[str, float | int | str | None]
    onset: str | None = None
    """When this driver left its usual range, where that can be dated."""
    share_low: float | None = None
    """The share with this driver's effect as low, and as high, as chance alone may make it (80 %)."""
    share_high: float | None = None
    basis: str = ""
    """How sure its own figures are: "verified" (counted), "correlated" (against the usual), "guessed" (little data)."""
    detail: dict[str, list[dict[str, Any]]] = {}
    """Rows behind the figures: hours, openings, gaps, codes, after_opt_out (explain/detail.py)."""


class Explanation(msgspec.Struct, frozen=True):
    """Contract.md, section 7: why one transition happened. Instants are ISO 8601 text, UTC, ms, "Z"."""

    line: str
    at: str
    kind: str
    previous: str | None
    new: str
    onset: str | None
    lead_hours: float | None
    drivers: list[Driver]
    headline: str
    chats_to_fix: list[dict[str, float | int | str | None]]
    actions: list[dict[str, Any]]
    confidence: str
    confidence_p: float
    onset_earliest: str | None = None
    """The onset lies between this and ``onset_latest``: beginnings in between are almost as likely."""
    onset_latest: str | None = None
    audience: dict[str, Any] | None = None
    """Who was written to before and since, and the change in replies split into rate and mix (explain/audience.py)."""
    peers: dict[str, Any] | None = None
    """How the other lines were answered in the same time, with counts (explain/peers.py): this line, or the fleet?"""
    episode: dict[str, Any] | None = None
    """The spell of trouble this change belongs to: began, step, of, and its story so far."""
    what_if: list[dict[str, Any]] = []
    """The pressure on the line without the burst, at its usual pace, without late follow-ups, in this model (explain/whatif.py)."""
    agreement: dict[str, Any] | None = None
    """The vendor's audit of the same spell beside ours, where one is stored (explain/agreement.py)."""
    notes: list[str] = []
    """What the data could not show (missed reports, young line, no chat health, …)."""
