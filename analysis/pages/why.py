"""Why: one change of one line. What happened, what caused it, what moved and when, and what to do first."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _html as html
from analysis.pages import _lanes, _why
from analysis.pages import _words as words
from analysis.pages._choice import Choice, choose, pickers
from analysis.pages._frame import counted, freshness, ready
from analysis.pages._frames import USUAL_DAYS, clipped, ms, trailing
from analysis.pages._store import Here
from analysis.schema import Explanation

FIRST_CHATS = 7


def first_card(e: Explanation, here: Here) -> None:
    """Show the change, the sentence, when it began, how sure it is, what to do first, and the shares of the causes."""
    with st.container(key="card_first", gap="small"):
        when = words.moment(words.instant(e.at), here.zone, year=True)
        missed = "" if e.previous else " · the state before is not known"
        do = e.actions[0] if e.actions else {}
        first = (
            f'<div class="lh-do"><p class="lh-eye">Do first</p><b>{html.text(do.get("action", ""))}</b></div>'
            if do
            else ""
        )
        st.html(
            f'<p class="lh-small" style="display:flex;gap:8px;align-items:center;flex-wrap:wrap">{html.badge(e.previous)} → {html.badge(e.new)} {html.text(when + missed)}</p>'
            f'<div class="lh-first" style="margin-top:8px"><div><h1 class="lh-h1">{html.text(e.headline)}</h1>'
            f'<p class="lh-small" style="margin-top:6px">{html.text(_why.began_words(e, here))}</p></div>{first}</div>'
        )
        st.html(html.share_bar(e.drivers))


def moved(hours: pl.DataFrame, e: Explanation | None, line: str, here: Here) -> None:
    """Show the lanes on one time axis."""
    pic = _lanes.picture(trailing(hours), e, here.settings, here.as_of)
    with st.container(key="card_lanes", gap="small"):
        sub = '<i class="lh-sw lh-sw-band"></i>usual for this line, 28 days before &nbsp; <i class="lh-sw lh-sw-out"></i>outside it &nbsp; <i class="lh-sw lh-sw-thr"></i>published numbers.'
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        st.html(html.h2("What moved, and when", f"{sub} Times in {zone}. Paler after the change: shown, not used."))
        if not pic.drawn:
            st.html(
                '<p class="lh-p">No messages of this line are loaded for this period. Load its message export on the Data page to see what moved.</p>'
            )
            return
        shown = list(pic.drawn)
        if pic.quiet and st.session_state.get("quiet"):
            shown += pic.quiet
        states = clipped(here.read(pipeline.spells, line=line), here.lines(), since=pic.start, until=pic.end)
        spec = _lanes.lanes_spec(shown, states, e, pic, here.zone, here.theme)
        titles = ", ".join(kind.title for kind, _ in shown)
        alt = f"{e.headline if e else 'No change of health.'} Lanes from {words.moment(pic.start, here.zone)} to {words.moment(pic.end, here.zone)}: {titles}."
        st.vega_lite_chart(spec, theme=None, key="lanes", alt=alt)
        if any(kind.key == "chats" for kind, _ in shown):
            st.html(
                f'<p class="lh-sub">Chat health: {html.mark("CRITICAL")}critical {html.mark("AT_RISK")}at risk, grey opted out; the rest is healthy or not scored.</p>'
            )
        if pic.quiet_words:
            st.html(f'<p class="lh-sub">Within usual, not drawn: {html.text(" · ".join(pic.quiet_words))}.</p>')
            st.toggle(f"Show {words.plural(len(pic.quiet), 'quiet lane')}", key="quiet")
        counted(
            "Lanes",
            "Each point is the 24 h up to the end of its hour (chat health: 7 days). Replies: sends answered in the same chat within the reply window, of those old enough to have been; answers that came after the moment shown count too. Usual: 10th to 90th percentile of this line's own healthy hours in the 28 days before.",
            f"linehealth signals --grain hour --line {line} --json",
            key="lanes",
        )


def evidence(e: Explanation, line: str) -> None:
    """Show the figures behind the causes, and what the data could not show."""
    with st.container(key="card_evidence", gap="small"):
        st.html(html.h2("The evidence, in counts"))
        rows = _why.evidence_rows(e)
        if rows:
            st.html(html.table([("Signal", False), ("Seen", True), ("Usual", True)], rows))
        else:
            st.html('<p class="lh-p">Nothing was seen outside this line\'s usual before this change.</p>')
        if e.notes:
            notes = "".join(f"<li>{html.text(n)}</li>" for n in e.notes)
            st.html(
                f'<div class="lh-inset"><b>What the data could not show</b><ul style="margin:4px 0 0;padding-left:18px">{notes}</ul></div>'
            )
        counted(
            "Causes and shares",
            "Each cause is compared with this line's own past, after taking out what other causes explain; the shares, with unexplained among them, add up to 100 %. Nothing later than a change for the worse is used to explain it.",
            f"linehealth explain --line {line} --json",
            key="evidence",
        )


def volume(days: pl.DataFrame, e: Explanation, here: Here) -> None:
    """Show reply rate against volume, a point a day."""
    v = _why.volume(days, e, here)
    with st.container(key="card_volume", gap="small", height="stretch"):
        marks = f"{html.mark('HEALTHY')}healthy {html.mark('AT_RISK')}at risk {html.mark('CRITICAL')}critical"
        st.html(
            html.h2(
                v.title, f"One point a day: {marks}, larger with more sends counted. Blue: the path through the change."
            )
        )
        if not v.points.height:
            st.html('<p class="lh-p">No send of these days is old enough to have been answered.</p>')
            return
        floor = here.settings.ref_reply_floor
        ref = (floor, f"throttled below {words.percent(floor)} over 7 days · Linq help centre")
        spec = charts.rate_against_volume(v.points, usual=v.usual, reference=ref, theme=here.theme)
        st.vega_lite_chart(
            spec, theme=None, key="volume", alt=f"{v.title}: reply rate against sends for {v.points.height} days."
        )
        counted(
            "Reply rate against volume",
            "Sends of the day, and of those old enough the share with an answer in the same chat within the reply window. The box holds the 10th to 90th percentile of healthy days before it began.",
            f"linehealth signals --grain day --line {e.line} --json",
            key="volume",
        )


def hour_by_hour(hours: pl.DataFrame, e: Explanation, here: Here) -> None:
    """Show the burst opener by opener, or the failures by hour, where one of these is a cause; else nothing."""
    shares = {d.driver: d.share for d in e.drivers}
    start, end = (ms(t, here.zone) for t in _why.span(e, here))
    told = _why.moments(e, here)
    delivery = max(shares.get("deliverability", 0), shares.get("flagged", 0))
    if shares.get("new_conversations", 0) >= max(0.05, delivery):
        bars, dots, title = _why.burst(e, hours, here)
        with st.container(key="card_burst", gap="small", height="stretch"):
            answered = dots.filter(pl.col("answer") == "answered").height
            known = dots.filter(pl.col("answer") != "too early to say").height
            st.html(
                html.h2(
                    title,
                    f"Bars: conversations opened. Grey step: usual for that hour of the day. Below, each opening send; filled = answered within the reply window ({answered:,} of {known:,}).",
                )
            )
            st.vega_lite_chart(
                charts.openers_by_hour(
                    bars, dots, window=(start, end), moments=told, new_state=e.new, theme=here.theme
                ),
                theme=None,
                key="burst",
                alt=f"{title}. {answered} of {known} opening sends answered.",
            )
            counted(
                "New conversations",
                "A chat whose first message ever seen is a send of this line, at that message; a chat known to be older is not new. Answered: an inbound message in that chat within the reply window.",
                f"linehealth signals --grain hour --line {e.line} --json",
                key="burst",
            )
    elif delivery >= 0.05:
        rows, order, title = _why.failed(e, here)
        if not order:
            return
        with st.container(key="card_failures", gap="small", height="stretch"):
            st.html(html.h2(title, "Sends with a failure and no delivery after it, by the vendor's code."))
            st.vega_lite_chart(
                charts.failures_by_hour(
                    rows, order=order, window=(start, end), moments=told, new_state=e.new, theme=here.theme
                ),
                theme=None,
                key="failures",
                alt=title,
            )
            counted(
                "Failed sends",
                "Outbound messages with a failure and neither a delivery nor a read time: a delivery after a failure wins.",
                f"linehealth signals --grain hour --line {e.line} --json",
                key="failures",
            )


def chats(e: Explanation) -> None:
    """Show the chats to fix first."""
    with st.container(key="card_chats", gap="small", height="stretch"):
        n = len(e.chats_to_fix)
        if not n:
            st.html(html.h2("No chat stands out", "No chat weighs more than others in this change."))
            return
        st.html(
            html.h2(
                "Chats to fix first",
                f"The worst {min(n, FIRST_CHATS)} of {n} listed. Chats are named by the vendor's id; people are never shown.",
            )
        )
        shown = e.chats_to_fix if st.session_state.get("all_chats") else e.chats_to_fix[:FIRST_CHATS]
        heads = [
            ("Chat", False),
            ("What happened", False),
            ("Silent for", True),
            ("Sends, 7 d", True),
            ("Chat health", False),
        ]
        st.html(html.table(heads, _why.chat_rows(shown), least=560))
        with st.container(horizontal=True):
            if n > FIRST_CHATS:
                st.toggle(f"Show all {n}", key="all_chats")
            csv = pl.DataFrame(e.chats_to_fix, infer_schema_length=None).write_csv()
            st.download_button(
                "CSV",
                csv,
                file_name=f"chats-{words.line_key(e.line)}.csv",
                mime="text/csv",
                type="tertiary",
                icon=":material/download:",
                key="chats_csv",
                on_click="ignore",
            )


def to_do(e: Explanation, here: Here) -> None:
    """Show what to do, and the whole change as text to copy."""
    with st.container(key="card_do", gap="small", height="stretch"):
        st.html(
            html.h2("What to do, by weight of the cause") + '<div style="height:8px"></div>' + html.steps(e.actions)
        )
        with st.popover("Copy as text", type="tertiary", icon=":material/content_copy:", key="copy"):
            st.code(_why.as_text(e, here), language=None, wrap_lines=True)


def normal(c: Choice, hours: pl.DataFrame, here: Here) -> None:
    """Show what normal looks like, where the line has never changed."""
    days = max(
        1,
        round(
            (
                here.as_of - (words.instant(here.status["first_at"]) if here.status["first_at"] else here.as_of)
            ).total_seconds()
            / 86400
        ),
    )
    st.html(
        html.h1(
            f"This line has not changed health in {words.plural(days, 'day')} of data. Here is what normal looks like."
        )
    )
    st.html(
        '<p class="lh-small">Changes come with the line-health exports or webhooks. If they are not loaded yet, load them on the Data page.</p>'
    )
    moved(hours, None, c.line, here)


def main() -> None:
    """Draw the page."""
    here = ready()
    c = choose(here)
    pickers(c, here)
    if c.said:
        st.html(f'<p class="lh-small">{html.text(c.said)}</p>')
    e = c.change
    since = (
        words.instant(e.onset or e.at) - timedelta(days=USUAL_DAYS + 1)
        if e
        else here.as_of - timedelta(days=USUAL_DAYS + 31)
    )
    hours = here.read(pipeline.signals, grain="hour", line=c.line, since=since)
    if e is None:
        normal(c, hours, here)
        return
    first_card(e, here)
    left, right = st.columns([2.05, 1], gap="medium")
    with left:
        moved(hours, e, c.line, here)
    with right:
        evidence(e, c.line)
    days = here.read(pipeline.signals, grain="day", line=c.line)
    left, right = st.columns(2, gap="medium")
    with left:
        volume(days, e, here)
    with right:
        hour_by_hour(hours, e, here)
        to_do(e, here)
    chats(e)
    st.html(f'<p class="lh-small">{html.text(freshness(here))}</p>')


main()
