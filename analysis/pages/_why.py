"""One change and its line's frames in; the panels beside the lanes out: evidence, rate against volume, burst or failures, chats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from analysis import pipeline
from analysis.charts.panels import POINTS
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._frames import HIGH, LOW, USUAL_DAYS
from analysis.pages._state import State as Here
from analysis.schema import Driver, Explanation

SEEN_WORDS = {
    "engagement": "Replies",
    "deliverability": "Failed or silent sends",
    "new_conversations": "New conversations",
    "recipient_spread": "Sends, not to new chats",
    "send_pace": "Sends",
    "opt_outs": "Sends after an opt-out",
    "flagged": "Carrier's flag",
    "repeated_content": "Same text",
}
DAYS = ("outbound", "mature", "replied", "reply_rate", "health")
"""Columns of SIGNALS_DAY that rate against volume is drawn of."""
THIN_DAYS = 30
"""Fewer counted sends than this say nothing about a rate."""
RATES = ("deliverability", "repeated_content")
DETAILS = (
    ("chats", "chats silent for three or more"),
    ("follow_ups", "follow-ups into them"),
    ("peak_1h", "in the busiest hour"),
    ("recipients", "recipients"),
    ("usual_recipients", "recipients usual"),
    ("to_silent_chats", "to chats that had not answered the last one"),
    ("top_chat_sends", "to one chat"),
    ("loop_chats", "chats that got ten or more each"),
    ("people", "people who had opted out"),
    ("refused", "refused by the vendor (code 2024)"),
    ("opted_out_3d", "opted out in 3 days"),
    ("failed", "reported failed"),
    ("without_receipt", "without a receipt"),
    ("failed_after", "failed after the flag"),
)


def evidence_rows(e: Explanation) -> list[list[str]]:
    """Return the cells of the evidence table: cause and counts, seen, usual; one row a cause with figures."""
    rows = []
    for d in html.shown(e.drivers):
        f = d.evidence
        if d.driver == "unexplained" or not f:
            continue
        seen, usual = _figures(d)
        small = " · ".join([*([d.basis.capitalize()] if d.basis else []), *_details(d)])
        swatch = f'<i class="lh-sw {html.rank_class(e.drivers, d.driver)}"></i>'
        name = f"{swatch}{html.text(_name(d))}<small>{html.text(small)}</small>"
        rows.append([name, f"<b>{seen}</b>", usual])
    return rows


def _name(d: Driver) -> str:
    if d.driver == "engagement" and "follow_ups" in d.evidence:
        return "Third or later unanswered, a day"
    if d.driver == "engagement" and "unhealthy_chats" in d.evidence:
        return "Active chats at risk or critical"
    return SEEN_WORDS.get(d.driver, words.DRIVER_WORDS[d.driver])


def _figures(d: Driver) -> tuple[str, str]:
    """Return seen and usual in the unit of the cause; too few sends give counts, no rate."""
    f = d.evidence
    is_rate = d.driver in RATES or (d.driver == "engagement" and "follow_ups" not in f)
    if is_rate and (_number(f, "observed_of") or 0) < 30 and "observed_of" in f:
        return (
            f"{words.count(_number(f, 'observed_count'))} of {words.count(_number(f, 'observed_of'))}",
            words.percent(_number(f, "usual")),
        )
    write = words.percent if is_rate else words.count
    return write(_number(f, "observed")), write(_number(f, "usual")) if f.get("usual") is not None else "no usual yet"


def _number(f: Mapping[str, Any], key: str) -> float | None:
    value = f.get(key)
    return float(value) if isinstance(value, int | float) else None


def _details(d: Driver) -> list[str]:
    """Return the counts behind the figures, each with its word."""
    f, told = d.evidence, []
    if _number(f, "observed_of"):
        unit = "chats" if "unhealthy_chats" in f else "sends"
        told.append(f"{words.count(_number(f, 'observed_count'))} of {words.count(_number(f, 'observed_of'))} {unit}")
    if _number(f, "usual_of"):
        told.append(f"usual {words.count(_number(f, 'usual_count'))} of {words.count(_number(f, 'usual_of'))}")
    if _number(f, "answered_of"):
        told.append(f"{words.count(_number(f, 'answered'))} of {words.count(_number(f, 'answered_of'))} answered")
    own = {"chats": "chats behind them"} if d.driver == "deliverability" else {}
    told += [f"{words.count(n)} {own.get(key, word)}" for key, word in DETAILS if (n := _number(f, key))]
    if f.get("top_code"):
        told.append(f"code {f['top_code']}: {words.count(_number(f, 'top_code_count'))}")
    hours = _number(f, "window_hours")
    if hours:
        told.append(f"in {words.lasting(hours)}")
    limit = _number(f, "limit")
    if limit and f.get("limit_source"):
        write = words.percent if limit < 1 else words.count
        told.append(f"published: {write(limit)} ({f['limit_source']})")
    return told


AUDIENCE_TELLS = ("engagement", "new_conversations", "recipient_spread", "send_pace", "unexplained")
"""Main causes of which it is asked whether the same chats answer less, and whether other lines fell too."""


def beside(e: Explanation, here: Here) -> list[tuple[str, str]]:
    """Return the questions that the evidence answers beside the causes: same chats? only this line? what does the vendor say?"""
    found = []
    if words.worsened(e) and e.drivers[0].driver in AUDIENCE_TELLS:
        if e.audience:
            found.append(("Same chats, or different ones?", f"{e.audience['text']}"))
        if e.peers:
            found.append(("Only this line?", e.peers["text"]))
    if e.episode:
        found.append(("One story", e.episode["story"]))
    if e.agreement:
        found.append(("The vendor's own audit", _audit_words(e.agreement, here)))
    return found


VENDOR_WORDS = {
    "overall_conversation_health": "conversation health",
    "volume_spike": "volume",
    "new_conversation_rate": "new conversations",
    "opt_out_handling": "opt-outs",
    "flagged": "the carrier's flag",
    "other": "something else",
}


def _audit_words(agreement: dict[str, Any], here: Here) -> str:
    rows = [
        f"{VENDOR_WORDS.get(row['vendor_driver'], row['vendor_driver'])} ({'ranked ' + str(row['vendor_rank']) if row['vendor_rank'] else 'not named'} there, {words.percent(row['our_share'])} here): {row['verdict']}"
        for row in agreement["rows"]
    ]
    when = words.moment(words.instant(agreement["at"]), here.zone)
    return f"Of {when}. On the main cause: {agreement['main']}. {'; '.join(rows) or 'It names nothing'}."


def done_since(e: Explanation, here: Here) -> dict[str, tuple[bool | None, str]]:
    """Return for each step what the data since the change shows of it."""
    if not (words.worsened(e) and any("driver" in a for a in e.actions)):
        return {}
    steps = here.read(pipeline.progress, line=e.line, at=e.at, kind=e.kind)
    return {step["action"]: (step["done"], step["since"]) for step in steps}


def what_if_words(scenarios: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return each scenario's name and what it does: sends left out, pressure before and after, and the signals that differ."""
    found = []
    for s in scenarios:
        span = f"{s['pressure_after_low']:.1f} to {s['pressure_after_high']:.1f}"
        text = f"{words.plural(s['sends'], 'send')} fewer: pressure {s['pressure_before']:.1f} → {s['pressure_after']:.1f} times the ordinary ({span})."
        if "signals" in s:
            text += f" The week: {pipeline.changed_signals(s['signals'])}."
        found.append((s["name"], text))
    return found


# ------------------------------------------------------------------ rate against volume


@dataclass(frozen=True)
class Volume:
    """Days as points, the box of usual days, and the finding in a few words."""

    points: pl.DataFrame
    usual: tuple[float, float, float, float] | None
    title: str


def volume(days: pl.DataFrame, e: Explanation, here: Here) -> Volume:
    """Return the days from 28 before the change began to 3 after it, as points of replies against sends."""
    zone = here.zone
    began, change = (words.wall(words.instant(t), zone).date() for t in (e.onset or e.at, e.at))
    seen = days.filter(
        pl.col("day") >= began - timedelta(days=USUAL_DAYS),
        pl.col("day") <= change + timedelta(days=3),
        pl.col("mature") > 0,
    ).sort("day")
    calm = seen.filter(
        pl.col("day") < began, pl.col("mature") >= 5, (pl.col("health") == "HEALTHY") | pl.col("health").is_null()
    )
    usual = None
    if calm.height >= 7:
        box = calm.select(
            s0=pl.col("outbound").quantile(LOW, "linear"),
            s1=pl.col("outbound").quantile(HIGH, "linear"),
            r0=pl.col("reply_rate").quantile(LOW, "linear"),
            r1=pl.col("reply_rate").quantile(HIGH, "linear"),
        ).row(0)
        usual = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    on_path = (pl.col("day") >= began - timedelta(days=2)) & (pl.col("day") <= change + timedelta(days=1))
    name = pl.col("day").dt.strftime("%-d %b")
    named = pl.col("day").is_in([change, began])
    points = seen.select(
        day=pl.col("day").cast(pl.String),
        sends=pl.col("outbound").cast(pl.Float64),
        rate="reply_rate",
        counted=pl.col("mature").cast(pl.Float64),
        health="health",
        step=pl.when(on_path).then(pl.col("day").dt.epoch("d").cast(pl.Float64)),
        label=pl.when(named).then(name).otherwise(pl.lit("")),
        tip=pl.format(
            "{}: {} sends, {} of {} counted answered",
            pl.col("day").dt.strftime("%a %-d %b"),
            "outbound",
            "replied",
            "mature",
        ),
    )
    return Volume(points.select(POINTS.names()), usual, _volume_title(seen, usual, began, change))


def _volume_title(seen: pl.DataFrame, usual: tuple[float, float, float, float] | None, began: Any, change: Any) -> str:
    if usual is None:
        return "Replies against volume"
    during = seen.filter(pl.col("day") >= began, pl.col("day") <= change)
    mature, replied = int(during["mature"].sum()), int(during["replied"].sum())
    if mature < THIN_DAYS:
        return "Replies against volume"
    low = replied / mature < usual[2]
    high = bool((during["outbound"] > usual[1] * 1.2).any())
    if low:
        return "Volume rose and replies fell" if high else "Replies fell at the usual volume"
    return "Volume rose; replies stayed within usual" if high else "Replies and volume were as usual"


# ------------------------------------------------------------------ chats, text


def chat_rows(
    chats: list[dict[str, Any]], e: Explanation, here: Here, *, name: Callable[[str], str]
) -> list[list[str]]:
    """Return the cells of the table of chats to fix; ``name`` gives a chat's name as HTML from the vendor's id."""
    rows = []
    for c in chats:
        silent = _number(c, "silent_hours")
        rows.append(
            [
                name(str(c["chat_id"])),
                html.text(_happened(c)),
                html.text(words.lasting(silent)) if silent is not None else "never wrote",
                html.text(words.count(_number(c, "sends"))),
                _health(c, here),
            ]
        )
    return rows


def _health(c: Mapping[str, Any], here: Here) -> str:
    """Return the chat's health at the change, and since when it is so."""
    if not c.get("chat_health"):
        return words.DASH
    since = c.get("chat_health_since")
    if not since:
        return html.badge(c["chat_health"])
    return f'{html.badge(c["chat_health"])} <span class="lh-small" style="white-space:nowrap">since {words.day(words.instant(since), here.zone)}</span>'


def _happened(c: Mapping[str, Any]) -> str:
    reason = str(c.get("reason", ""))
    told = [reason[:1].upper() + reason[1:]]
    for key, word in (
        ("unanswered_turns", "unanswered in a row"),
        ("failed", "failed"),
        ("sends_after_opt_out", "sent after opt-out"),
    ):
        n = _number(c, key)
        if n:
            told.append(f"{words.count(n)} {word}")
    return " · ".join(told)


def as_text(e: Explanation, here: Here) -> str:
    """Return a change as text to paste into a mail or a ticket."""
    asked = [f"{title}: {text}" for title, text in beside(e, here)]
    told = [
        f"{words.line_name(e.line)}: {words.plain_state(e.previous)} -> {words.plain_state(e.new)}, {words.moment(words.instant(e.at), here.zone, year=True)}",
        e.headline,
        began_words(e, here),
        "",
        "What caused the change:",
        *[f"- {words.DRIVER_WORDS[d.driver]} {100 * d.share:.0f} %: {d.summary}" for d in html.shown(e.drivers)],
        *(["", *asked] if asked else []),
        "",
        "What to do:",
        *[f"{i}. {a.get('action', '')} {a.get('expected_effect', '')}".rstrip() for i, a in enumerate(e.actions, 1)],
        *(["", "What the data could not show:", *[f"- {n}" for n in e.notes]] if e.notes else []),
    ]
    return "\n".join(told)


def began_words(e: Explanation, here: Here) -> str:
    """Return when it began, how long before the change, and how sure the first cause is, in words."""
    parts = []
    if e.onset and (e.lead_hours or 0) >= 1 / 60:
        lead = f", {words.lasting(e.lead_hours)} before the change" if e.lead_hours is not None else ""
        parts.append(f"Began {words.moment(words.instant(e.onset), here.zone)}{lead}.")
    if words.worsened(e) and e.drivers[0].driver != "unexplained":
        parts.append(
            f"Confidence {e.confidence}: about {round(10 * e.confidence_p)} in 10 that {words.DRIVER_WORDS[e.drivers[0].driver].lower()} is the main cause."
        )
    elif words.worsened(e):
        parts.append(f"Confidence {e.confidence}: the data shows no main cause.")
    return " ".join(parts)
