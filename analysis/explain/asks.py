"""Messages of all lines in, asks out: sends that ask for one reply, with class, streak, first reply and delivery (method: asks)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

import numpy as np
import polars as pl

from analysis.explain.constants import CONSTANTS, DAY, HOUR, KINDS, MINUTE
from analysis.explain.grouped import Groups
from analysis.explain.numbers import as_enum
from analysis.explain.running import NEVER
from analysis.schema import CHAT_HEALTHS
from analysis.settings import Settings
from analysis.signals.volume import in_order, talks

_MS = pl.Int64
ASKS = pl.Schema(
    {
        "line": pl.String,
        "chat_id": pl.String,
        "first": _MS,  # first and last send, ms since 1970
        "last": _MS,
        "sends": pl.Int32,
        "kind": pl.Int8,  # place in KINDS
        "streak": pl.Int32,  # unanswered asks in a row before it
        "answered_before": pl.Boolean,  # whether the chat had ever written before it
        "opted_out": pl.Boolean,  # the chat had opted out when it was sent
        "reply_at": _MS,  # null where none came in the reply window
        "receipt_at": _MS,  # first delivery or reading of any of its sends
        "failed_at": _MS,  # when the last of its sends failed; null unless all did
        "receipt": pl.Boolean,  # a receipt came within the reply window
        "dead": pl.Boolean,  # all failed within it, and neither receipt nor reply came
        "receipts_here": pl.Boolean,  # receipts are usual in this chat on this service; null where too few asks tell
        "service": pl.String,
        "created": pl.Boolean,  # it is the first of its chat, whose creation is told with it
        "chat_no": _MS,  # a number a chat of a line, in order of both
    }
)
"""Key (line, first, chat_id); everything later than an ask's own sends is dated, so that it can be seen as of any time."""
CARRIED = pl.Schema(
    {
        "line": pl.String,
        "since": _MS,  # all chats with anything from then on are there
        "line_first": _MS,  # the line's first message
        "first_day": pl.Int64,  # the day of its first ask, since 1970
        "created": pl.Int64,  # asks before ``since`` that tell of their chat's creation
        "created_last": _MS,  # the last of these; null where none
    }
)
"""What a part of a line's chats does not tell of what was before it, key line."""


_ALSO = {
    "line": pl.col("line"),
    "receipt": pl.min_horizontal("delivered_at", "read_at").cast(_MS),
    "failed_when": pl.when("failed").then(pl.coalesce("failed_at", "at")).otherwise("failed_at").cast(_MS),
    "code": pl.col("failure_code"),
    "service": pl.col("service").fill_null(""),
    "fingerprint": pl.col("fingerprint"),
}
"""What rows carry of messages, beside what says where these stand."""


class ChatStates:
    """Chat health of one chat as it became known."""

    def __init__(self, rows: Iterable[tuple[int, str]] = ()) -> None:
        ordered = sorted(rows)
        self.times = [at for at, _ in ordered]
        self.states = [state for _, state in ordered]

    def at(self, t: int) -> str | None:
        """Return the latest health known at t."""
        i = bisect_right(self.times, t)
        return self.states[i - 1] if i else None

    def since(self, t: int) -> int | None:
        """Return when the health known at t began."""
        i = bisect_right(self.times, t)
        while i > 1 and self.states[i - 2] == self.states[i - 1]:
            i -= 1
        return self.times[i - 1] if i else None


def reports_of(chat_health: pl.DataFrame) -> pl.DataFrame:
    """Return what is known of the health of chats: chat_id, at (ms), health; one an instant, the more severe (as ``signals.chat_health``), in order.

    Args:
        chat_health: CHAT_HEALTH, any order, ties allowed.
    """
    severe = pl.col("health").replace_strict({h: i for i, h in enumerate(CHAT_HEALTHS)}, return_dtype=pl.Int8)
    ordered = chat_health.select("chat_id", pl.col("at").cast(_MS), "health", severe=severe)
    last = pl.any_horizontal((pl.col(name) != pl.col(name).shift(-1)).fill_null(True) for name in ("chat_id", "at"))
    return ordered.sort("chat_id", "at", "severe").filter(last).drop("severe")


def opt_outs_of(reports: pl.DataFrame) -> pl.DataFrame:
    """Return when chats became OPTED_OUT: chat_id, at (ms), in order of both.

    Args:
        reports: of ``reports_of``.
    """
    was_out = (pl.col("health").shift() == "OPTED_OUT") & (pl.col("chat_id").shift() == pl.col("chat_id"))
    return reports.filter(pl.col("health") == "OPTED_OUT", was_out.fill_null(False).not_()).select("chat_id", "at")


def rows_of(messages: pl.DataFrame, chat_health: pl.DataFrame) -> pl.DataFrame:
    """Return messages as the asks need them, in order of chat and time, each with what was known of its chat.

    Args:
        messages: MESSAGES, any order.
        chat_health: CHAT_HEALTH, any order.

    Returns:
        line, chat_id, at, outbound, receipt, failed (ms or null), code, service, fingerprint, stop (an inbound that is the
        opt-out itself: the chat became OPTED_OUT within a minute of it), out (the chat had opted out when this was sent, by its health
        or because the vendor refused the send for it), chat_no (a number a chat of a line, in order of both).
        In order line, chat_id, at, outbound before inbound, message_id.
    """
    return with_opt_outs(placed_rows(messages), chat_health)


def placed_rows(messages: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows_of`` but for stop and out, which ``with_opt_outs`` adds: in between, a caller can let go of the messages."""
    placed = messages.filter(pl.col("line").is_not_null(), pl.col("chat_id").is_not_null(), pl.col("at").is_not_null())
    return (
        in_order(placed, talks(placed), also=_ALSO)
        .with_columns(pl.col("at").cast(_MS), failed="failed_when")
        .rename({"talk": "chat_no"})
        .drop("line_no", "failed_when")
    )


def with_opt_outs(rows: pl.DataFrame, chat_health: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ``placed_rows`` with stop and out; arguments as ``rows_of``."""
    stop, out = _opted_out(rows, chat_health)
    return rows.with_columns(stop=stop & pl.col("outbound").not_(), out=out | _refused())


def _opted_out(rows: pl.DataFrame, chat_health: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Say of each row whether its chat became OPTED_OUT within a minute of it, and whether it was so when this was sent; few chats ever are."""
    reports = reports_of(chat_health)
    stops = opt_outs_of(reports).with_columns(stop_at=pl.col("at"))
    chats = chats_in(rows)
    ever = chats.join(stops, on="chat_id", how="semi")["chat_no"].to_numpy()
    is_any = np.zeros(chats.height, dtype=bool)
    is_any[ever] = True
    places = np.flatnonzero(is_any[rows["chat_no"].to_numpy()])
    known = reports.join(stops, on="chat_id", how="semi").select("chat_id", "at", out=pl.col("health") == "OPTED_OUT")  # fmt: skip
    slack = int(CONSTANTS.settle_seconds * 1000)
    found = (
        rows.select("chat_id", "at")[places]
        .with_columns(place=pl.Series(places))
        .sort("at", "place")
        .join_asof(known.sort("at", "chat_id"), on="at", by="chat_id", check_sortedness=False)
        .join_asof(stops.sort("at", "chat_id"), on="at", by="chat_id", strategy="nearest", check_sortedness=False)
        .select("place", near=((pl.col("stop_at") - pl.col("at")).abs() <= slack).fill_null(False), out=pl.col("out").fill_null(False))
    )  # fmt: skip
    stop, out = (np.zeros(rows.height, dtype=bool) for _ in range(2))
    stop[found["place"].to_numpy()], out[found["place"].to_numpy()] = found["near"].to_numpy(), found["out"].to_numpy()
    return pl.Series(stop), pl.Series(out)


def chats_in(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the chats of rows: line, chat_id, chat_no; in order of the last."""
    begins = pl.col("chat_no") != pl.col("chat_no").shift(fill_value=-1)
    return rows.select("line", "chat_id", "chat_no").filter(begins)


def _refused() -> pl.Expr:
    """Say whether the vendor refused a send at once because the recipient had opted out."""
    k = CONSTANTS
    at_once = pl.col("failed") - pl.col("at") <= int(k.settle_seconds * 1000)
    return ((pl.col("code") == k.refused_code) & at_once & pl.col("outbound")).fill_null(False)


def asks_of(rows: pl.DataFrame, chats: pl.DataFrame, settings: Settings, carried: pl.DataFrame) -> pl.DataFrame:
    """Return the asks of all lines.

    Args:
        rows: of ``rows_of``, in its order.
        chats: CHATS, for when chats were created.
        settings: ask gap, reply window, grace of a new chat, days in which any chat may only look new.
        carried: CARRIED: of ``carried_by`` where these are whole lines; where rows hold only the chats with anything since some day, asks from
            then on come out as of all rows.

    Returns:
        ASKS. Within a chat, sends at most ``explain_ask_gap_minutes`` apart without an inbound between are one ask. Its
        reply is the first inbound after its last send and before the next ask, within ``explain_reply_hours``, that is not
        an opt-out. Source: method sheet, 2.2.
    """
    k, window = CONSTANTS, settings.explain_reply_hours * HOUR
    asks = _together(_numbered(rows, settings.explain_ask_gap_minutes * MINUTE), window)
    before = asks.with_columns(
        before=pl.when(pl.col("chat_no") == pl.col("chat_no").shift()).then(pl.col("last").shift()),
        after=pl.when(pl.col("chat_no") == pl.col("chat_no").shift(-1)).then(pl.col("first").shift(-1)),
    ).with_columns(
        reply_at=pl.when(
            pl.col("next_in") > pl.col("last"),
            pl.col("next_in") - pl.col("last") <= window,
            pl.col("after").is_null() | (pl.col("next_in") < pl.col("after")),
        ).then("next_in"),
        failed_at=pl.when(pl.col("failed_sends") == pl.col("sends")).then("failed_at"),
        silent=pl.col("before").is_not_null() & (pl.col("last_in").is_null() | (pl.col("last_in") <= pl.col("before"))),
    )
    so_far = pl.col("silent").cum_sum().cast(pl.Int64)  # the first ask of a chat is never silent
    return (
        before.join(
            chats.select("chat_id", pl.col("created_at").cast(_MS)), on="chat_id", how="left", maintain_order="left"
        )
        .join(carried, on="line", how="left", maintain_order="left")
        .with_columns(unknown=pl.col("before").is_null() & pl.col("last_in").is_null())
        .with_columns(
            created_here=pl.col("unknown")
            & (pl.col("first") - pl.col("created_at") <= settings.new_chat_grace_hours * HOUR).fill_null(value=False)
        )
        .with_columns(
            kind=_kind(settings).cast(pl.Int8),
            answered_before=pl.col("last_in").is_not_null(),
            dead=pl.col("dead") & pl.col("receipt").not_() & pl.col("reply_at").is_null(),
        )
        .with_columns(
            _receipts_here(before, k.chat_receipt_asks, k.chat_receipt_share),
            streak=(so_far - pl.when(pl.col("silent").not_()).then(so_far).forward_fill()).cast(pl.Int32),
            created=pl.col("created_here"),
        )
        .select(*ASKS.names(), line_no=pl.col("line").rle_id())
        .sort("line_no", "first", "chat_no")
        .drop("line_no")
        .cast(dict(ASKS))  # type: ignore[arg-type]
    )


def _numbered(rows: pl.DataFrame, gap: float) -> pl.DataFrame:
    """Return rows with ``begins`` (the first send of an ask), ``last_in`` (what its person wrote last) and ``next_in``, within each chat.

    Args:
        rows: of ``rows_of``.
        gap: longest time between two sends of an ask (ms).
    """
    told = pl.when(pl.col("outbound").not_() & pl.col("stop").not_()).then("at")
    return (
        rows.select(
            *("line", "chat_id", "chat_no", "at", "outbound", "receipt", "failed", "service", "out", "stop"),
            same=(pl.col("chat_no") == pl.col("chat_no").shift()).fill_null(value=False),
        )
        .with_columns(
            begins=pl.col("outbound")
            & ~(
                pl.col("same")
                & pl.col("outbound").shift().fill_null(False)
                & (pl.col("at") - pl.col("at").shift() <= gap).fill_null(False)
            ),
            # a chat whose first row is a STOP was written by its person first, too
            told=pl.coalesce(told, pl.when(pl.col("same").not_() & pl.col("outbound").not_()).then("at")),
            inbound=told,
        )
        .with_columns(last_in=_filled("told", "forward"), next_in=_filled("inbound", "backward"))
        .drop("told", "inbound", "same", "stop")
    )


def _together(numbered: pl.DataFrame, window: float) -> pl.DataFrame:
    """Return what the sends of each ask come to. Those of one follow each other, so sums over stretches of arrays do, sooner than groups.

    Args:
        numbered: of ``_numbered``.
        window: the reply window (ms).
    """
    sent = numbered["outbound"].to_numpy().nonzero()[0]
    first = np.flatnonzero(numbered["begins"].to_numpy()[sent])
    last = np.append(first[1:], len(sent)) - 1 if len(first) else first
    at, got, dead = (numbered[name].fill_null(NEVER).to_numpy()[sent] for name in ("at", "receipt", "failed"))
    failed, receipt_at, failed_at = dead < NEVER, pl.col("receipt_at"), pl.col("failed_at")
    return (
        numbered.select("line", "chat_id", "service", "chat_no", "last_in", first="at", opted_out="out")[sent[first]]
        .hstack(numbered.select("next_in", last="at")[sent[last]])
        .with_columns(
            sends=pl.Series(last - first + 1).cast(pl.Int32),
            receipt_at=pl.Series(np.minimum.reduceat(got, first)),
            failed_at=pl.Series(np.maximum.reduceat(np.where(failed, dead, -NEVER), first)),
            failed_sends=pl.Series(np.add.reduceat(failed.astype(np.int64), first)),
            receipt=pl.Series(np.logical_or.reduceat(got - at <= window, first)),
            dead=pl.Series(np.logical_and.reduceat(dead - at <= window, first)),
        )
        .with_columns(pl.when(receipt_at < NEVER).then(receipt_at), pl.when(failed_at > -NEVER).then(failed_at))
    )


def carried_by(rows: pl.DataFrame) -> pl.DataFrame:
    """Return CARRIED of whole lines: nothing was before what is there."""
    none = {name: pl.lit(None, dtype=CARRIED[name]) for name in ("first_day", "created_last")}
    return (
        rows.group_by("line")
        .agg(line_first=pl.col("at").min())
        .with_columns(since=pl.col("line_first"), created=pl.lit(0, dtype=pl.Int64), **none)
        .select(CARRIED.names())
    )


def _filled(name: str, strategy: Literal["forward", "backward"]) -> pl.Expr:
    """Return the last value so far in its chat, or the next one; rows are in order of chat, so that no groups are made."""
    there, number = pl.col(name).is_not_null(), pl.when(pl.col(name).is_not_null()).then("chat_no")
    filled = pl.col(name).fill_null(strategy=strategy)
    return pl.when(there | (number.fill_null(strategy=strategy) == pl.col("chat_no"))).then(filled)


def _kind(settings: Settings) -> pl.Expr:
    """Return the class of an ask as its place in KINDS."""
    place = {kind: pl.lit(i) for i, kind in enumerate(KINDS)}
    young = pl.col("first") - pl.col("line_first") <= settings.young_line_days * DAY
    unknown, looks_new = pl.col("unknown"), young.not_() & _creation_is_told().not_()
    answers = pl.col("last_in").is_not_null() & (pl.col("before").is_null() | (pl.col("last_in") > pl.col("before")))
    soon = pl.col("first") - pl.col("last_in") <= CONSTANTS.answer_hours * HOUR
    again = pl.col("first") - pl.col("before") <= CONSTANTS.followup_hours * HOUR
    return (
        pl.when(unknown & pl.when(pl.col("created_at").is_not_null()).then(pl.col("created_here")).otherwise(looks_new))
        .then(place["new"])
        .when(unknown)
        .then(place["touch"])
        .when(answers & soon)
        .then(place["answer"])
        .when(answers.not_() & again)
        .then(place["followup"])
        .otherwise(place["touch"])
    )


def _creation_is_told() -> pl.Expr:
    """Say whether the vendor tells when chats of this line are created, as far as its earlier first sends show.

    Where it told of ``created_asks`` creations, the last within ``created_days``, a chat without one is from before the export:
    it only looks new.
    """
    k = CONSTANTS
    told = pl.col("created_here") & (pl.col("first") >= pl.col("since"))
    here = (told.cast(pl.Int32).cum_sum() - told.cast(pl.Int32)).over("line", order_by="first")
    last = pl.when(told).then("first").shift().forward_fill().over("line", order_by="first")
    lately = (pl.col("first") - pl.coalesce(last, "created_last") <= k.created_days * DAY).fill_null(False)
    return (pl.col("created") + here >= k.created_asks) & lately


def _receipts_here(asks: pl.DataFrame, least: int, share: float) -> pl.Series:
    """Say whether receipts are usual in a chat on a service (``receipts_here``), from the asks before this one; null where too few."""
    before = Groups(as_enum(asks["service"]).to_physical().to_numpy(), asks["chat_no"].to_numpy())
    n, got = before.sizes_before(), before.sums_before(asks["receipt"].to_numpy())
    usual = pl.DataFrame({"n": n, "usual": got >= share * n})
    return usual.select(receipts_here=pl.when(pl.col("n") >= least).then("usual")).to_series()
