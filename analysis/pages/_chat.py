"""One chat, or the chats of a line's day, in; the sentences, facts, timeline frames and tables of their page out.

The rules that live here: a run of unanswered turns is drawn from two on; of a very long chat the last MOST_DRAWN messages are drawn.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from analysis.charts import EVENTS, HEALTHS, RULES, RUNS
from analysis.charts.theme import CHAT_WORDS
from analysis.pages import _delivery as kinds
from analysis.pages import _words as words
from analysis.pages._frames import clipped, ms
from analysis.pages._store import Here
from analysis.schema import Explanation

MOST_DRAWN = 500
LEAST_RUN = 2
LEAST_SPAN = timedelta(hours=6)
TAIL = 0.25
"""Part of the chat's length that is drawn after its last message at most, where the data goes on."""
Window = tuple[datetime, datetime]
LISTED = pl.Schema(
    {
        "Time": pl.String,
        "Direction": pl.String,
        "Service": pl.String,
        "Outcome": pl.String,
        "Code": pl.String,
        "In a row": pl.Int64,
        "Message id": pl.String,
    }
)
"""Messages as the table shows them, newest first; in a row: turns without an answer, of sends."""


def sentence(state: dict, here: Here) -> str:
    """Return the finding of a chat (a row of CHAT_STATE): is the person still there, and is the line still writing."""
    name, n = words.chat_name(state["chat_id"]), state["unanswered"]
    opted = " The person has opted out." if state["health"] == "OPTED_OUT" else ""
    heard = state["last_received_at"]
    if heard is None:
        return f"Chat {name} has never answered: {words.plural(state['sends'], 'send')} in {words.plural(n, 'turn')}.{opted}"
    ago = words.lasting((here.as_of - heard).total_seconds() / 3600)
    if n:
        return f"Chat {name}: {words.plural(n, 'turn')} in a row without an answer, last heard {ago} before the latest data.{opted}"
    return f"Chat {name} answers: last heard {ago} before the latest data.{opted}"


def tiles(state: dict, here: Here) -> list[tuple[str, str, str]]:
    """Return the facts of a chat: name, figure, small print."""
    limit = here.settings.late_turn
    sent = state["last_sent_at"]
    heard = state["last_received_at"]
    health = CHAT_WORDS.get(state["health"] or "", "Not known")
    counted = f"{state['replied']:,} of {state['mature']:,} counted answered"
    failed = f" · {state['failed']:,} failed" if state["failed"] else ""
    return [
        ("Opened by", {"person": "Person", "before": "Not known"}.get(state["opened_by"], "Line"), kinds.WHO[state["opened_by"]]),
        ("Unanswered in a row", words.count(state["unanswered"]), f"turns; remove after {limit - 1}–{limit} (Linq help centre)"),
        ("Last heard", words.day(heard, here.zone) if heard else "Never", words.moment(heard, here.zone) if heard else "the person never wrote"),
        ("Last sent", words.day(sent, here.zone) if sent else "Never", words.moment(sent, here.zone) if sent else "the line never wrote"),
        ("Sends", words.count(state["sends"]), counted + failed),
        ("Chat health", health, f"since {words.moment(state['health_at'], here.zone)}" if state["health_at"] else "no event told it"),
    ]  # fmt: skip


# ------------------------------------------------------------------ the timeline


def window(messages: pl.DataFrame, as_of: datetime) -> Window:
    """Return from when to when a chat is drawn: its last MOST_DRAWN messages, and a while after."""
    at = messages["at"].tail(MOST_DRAWN).to_list()
    first, last = at[0], at[-1]  # messages are in the order of time
    span = max(last - first, LEAST_SPAN)
    end = min(as_of, last + max(TAIL * span, LEAST_SPAN))
    return first - 0.03 * span, max(end, last + 0.03 * span)


def events(messages: pl.DataFrame, here: Here) -> pl.DataFrame:
    """Return every event of the last MOST_DRAWN messages: EVENTS."""
    rows = []
    for m in messages.tail(MOST_DRAWN).iter_rows(named=True):
        name = f"message {m['message_id'][:8]}"
        if m["direction"] == "inbound":
            rows.append(_event(m["at"], "Received", "", name, here))
            continue
        rows.append(_event(m["at"], "Sent", "", f"{name}, {m['service'] or 'service not known'}", here))
        rows += [
            _event(m[column], word, "", name, here)
            for column, word in (("delivered_at", "Delivered"), ("read_at", "Read"))
            if m[column]
        ]
        if m["failed_at"]:
            late = "" if m["failed"] else ", then delivered"
            rows.append(_event(m["failed_at"], "Failed", f"{m['failure_code'] or 'no code'}{late}", name, here))
    return pl.DataFrame(rows, schema=EVENTS, orient="row")


def _event(at: datetime, row: str, label: str, name: str, here: Here) -> tuple[float, str, str, str]:
    tip = f"{row} {words.moment(at, here.zone)}, {name}" + (f", {label}" if label else "")
    return ms(at, here.zone), row, label, tip


def runs(messages: pl.DataFrame, end: datetime, here: Here) -> pl.DataFrame:
    """Return the times without an answer in which LEAST_RUN turns or more went out, up to the answer or ``end``: RUNS."""
    inbound = pl.col("direction") == "inbound"
    parts = (
        messages.with_columns(run=inbound.cum_sum(), heard=pl.when(inbound).then("at").shift(-1).backward_fill())
        .filter(~inbound)
        .group_by("run", maintain_order=True)
        .agg(start=pl.col("at").first(), stop=pl.col("heard").last(), turns=pl.col("unanswered").max())
        .filter(pl.col("turns") >= LEAST_RUN)
    )
    rows = []
    for r in parts.iter_rows(named=True):
        told = f"{r['turns']} unanswered"
        tip = f"{words.plural(r['turns'], 'turn')} without an answer from {words.moment(r['start'], here.zone)}"
        rows.append((ms(r["start"], here.zone), ms(r["stop"] or end, here.zone), told, tip))
    return pl.DataFrame(_spaced(rows), schema=RUNS, orient="row")


def _spaced(rows: list[tuple[float, float, str, str]]) -> list[tuple[float, float, str, str]]:
    """Return the runs, those too short for their words beside the chat's whole length without them."""
    if not rows:
        return []
    whole = rows[-1][1] - rows[0][0] or 1.0
    return [(a, b, label if (b - a) / whole >= 0.12 else "", tip) for a, b, label, tip in rows]


def healths(spells: pl.DataFrame, reports: pl.DataFrame, line: str, span: Window, here: Here) -> pl.DataFrame:
    """Return the health of the line, and of the chat as it became known, inside the window: HEALTHS."""
    start, end = span
    firsts = here.lines().filter(pl.col("line") == line)
    of_line = [
        (a, b, "Line health", s)
        for _, s, a, b in clipped(spells, firsts, since=start, until=end).select("line", "state", "start", "end").iter_rows()
    ]  # fmt: skip
    told = reports.with_columns(to=pl.col("at").shift(-1).fill_null(end)).select("at", "to", "health")
    of_chat = [
        (max(a, start), min(b, end), "Chat health", s) for a, b, s in told.iter_rows() if max(a, start) < min(b, end)
    ]
    rows = []
    for a, b, row, state in (*of_line, *of_chat):
        tip = f"{row}: {CHAT_WORDS.get(state, 'not scored')} from {words.moment(a, here.zone)}"
        rows.append((ms(a, here.zone), ms(b, here.zone), row, state, tip))
    return pl.DataFrame(rows, schema=HEALTHS, orient="row")


def rules(found: list[Explanation], chosen: Explanation | None, span: Window, here: Here) -> pl.DataFrame:
    """Return when the line changed for the worse within the window, and when the chosen change (else the last) began: RULES."""
    bad = [e for e in found if words.worsened(e) and span[0] <= words.instant(e.at) <= span[1]]
    marked = chosen or (bad[-1] if bad else None)
    rows: list[tuple[float, bool, str | None, str, str]] = []
    for e in bad:
        at = words.instant(e.at)
        told = f"{words.plain_state(e.new)} {words.day(at, here.zone)}"
        tip = f"The line went {words.plain_state(e.new).lower()} on {words.moment(at, here.zone)}"
        rows.append((ms(at, here.zone), True, e.new, told if e == marked else "", tip))
    if marked and marked.onset and span[0] <= words.instant(marked.onset) <= span[1]:
        began = words.instant(marked.onset)
        rows.append((ms(began, here.zone), False, None, f"Began {words.day(began, here.zone)}", f"Began {words.moment(began, here.zone)}"))  # fmt: skip
    return pl.DataFrame(rows, schema=RULES, orient="row")


# ------------------------------------------------------------------ tables


def outcome() -> pl.Expr:
    """Return what became of a message in a word."""
    return (
        pl.when(pl.col("direction") == "inbound")
        .then(pl.lit("Received"))
        .when("failed")
        .then(pl.lit("Failed"))
        .when(pl.col("failed_at").is_not_null())
        .then(pl.lit("Failed, then delivered"))
        .when(pl.col("read_at").is_not_null())
        .then(pl.lit("Read"))
        .when(pl.col("delivered_at").is_not_null())
        .then(pl.lit("Delivered"))
        .otherwise(pl.lit("Sent"))
    )


def listed(messages: pl.DataFrame, here: Here) -> pl.DataFrame:
    """Return the messages as the table shows them: LISTED."""
    newest = messages.reverse().with_columns(outcome=outcome())
    return newest.select(
        pl.Series("Time", [words.moment(at, here.zone, weekday=False) for at in newest["at"]], dtype=pl.String),
        pl.when(pl.col("direction") == "inbound").then(pl.lit("Received")).otherwise(pl.lit("Sent")).alias("Direction"),
        Service="service",
        Outcome="outcome",
        Code="failure_code",
        **{
            "In a row": pl.when(pl.col("direction") == "outbound").then("unanswered"),
            "Message id": pl.col("message_id"),
        },
    ).cast(LISTED)


def day_sentence(chats: pl.DataFrame, line: str, day: datetime) -> str:
    """Return the finding of a line's day: how many chats, sends and answers, and how many chats were opened."""
    name = f"{day:%a} {day.day} {day:%b}"
    if chats.is_empty():
        return f"{words.line_name(line)} had no message on {name}."
    sends, received = int(chats["sends"].sum()), int(chats["received"].sum())
    new = chats.filter("is_new", pl.col("opened_by").is_in(["line", "moved"])).height
    failed = int(chats["failed"].sum())
    told = [f"{sends:,} sent", f"{received:,} received"] + ([f"{failed:,} failed"] if failed else [])
    opened = f"; {words.plural(new, 'conversation')} opened" if new else ""
    return f"{name}: {', '.join(told)} in {words.plural(chats.height, 'chat')} of {words.line_name(line)}{opened}."


def day_rows(chats: pl.DataFrame, here: Here) -> pl.DataFrame:
    """Return the chats of a day as the table shows them, in their order."""
    zone = here.zone
    spans = [f"{words.wall(a, zone):%H:%M} – {words.wall(b, zone):%H:%M}" for a, b in chats.select("first_at", "last_at").iter_rows()]  # fmt: skip
    return chats.select(
        pl.Series("When", spans, dtype=pl.String),
        Chat=pl.col("chat_id").str.slice(0, 8),
        Sent="sends",
        Received="received",
        Failed="failed",
        Opened=pl.when("is_new").then(pl.lit("that day, ")).otherwise(pl.lit("before, "))
        + pl.col("opened_by").replace_strict(
            {"line": "by the line", "moved": "by the line", "person": "by the person", "before": "not known by whom"},
            default="not known by whom",
        ),
        Unanswered="unanswered",
        Health=pl.col("health").replace_strict(CHAT_WORDS, default="Not known"),
    ).select("Chat", "When", "Sent", "Received", "Failed", "Opened", "Unanswered", "Health")
