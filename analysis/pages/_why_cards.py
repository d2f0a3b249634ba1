"""One change and its line's frames in; the cards of the Why page on the screen: each card is one question, each function one card."""

from __future__ import annotations

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _html as html
from analysis.pages import _lanes, _why, _why_hours
from analysis.pages import _words as words
from analysis.pages._evidence import bundle
from analysis.pages._frame import counted, csv, draw
from analysis.pages._frames import clipped, ms, trailing
from analysis.pages._period import strip
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
            f'<div class="lh-do"><p class="lh-eye">Do first</p><b>{html.whole(do.get("action", ""))}</b></div>'
            if do
            else ""
        )
        st.html(
            f'<p class="lh-small" style="display:flex;gap:8px;align-items:center;flex-wrap:wrap">{html.badge(e.previous)} → {html.badge(e.new)} {html.text(when + missed)}</p>'
            f'<div class="lh-first" style="margin-top:8px"><div><h1 class="lh-h1">{html.whole(e.headline)}</h1>'
            f'<p class="lh-small" style="margin-top:6px">{html.text(_why.began_words(e, here))}</p></div>{first}</div>'
        )
        st.html(html.share_bar(e.drivers))


@st.fragment
def moved(hours: pl.DataFrame, e: Explanation | None, line: str, here: Here) -> None:
    """Show the lanes on one time axis."""
    pic = _lanes.picture(trailing(hours), e, here.settings, here.as_of)
    with st.container(key="card_lanes", gap="small"):
        sub = '<i class="lh-sw lh-sw-band"></i>usual for this line, 28 days before &nbsp; <i class="lh-sw lh-sw-out"></i>outside it &nbsp; <i class="lh-sw lh-sw-thr"></i>published numbers'
        told = "; ".join(html.text(f"{lane.title}: {lane.reference[1]}") for _, lane in pic.drawn if lane.reference)
        sub += html.narrow(f" ({told})") if told else ""
        zone = f"{words.wall(here.as_of, here.zone):%Z}"
        st.html(html.h2("What moved, and when", f"{sub}. Times in {zone}. Paler after the change: shown, not used."))
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
        chart = f"lanes_{words.line_key(line)}_{e.at if e else ''}"
        event = st.vega_lite_chart(
            spec, theme=None, key=chart, on_select="rerun", selection_mode=["brush"], alt=alt, width="stretch"
        )
        before = words.instant(e.onset or e.at) if e else here.as_of
        strip(hours, event.get("selection") or {}, chart=chart, before=before, zone=here.zone)
        if any(kind.key == "chats" for kind, _ in shown):
            st.html(
                f'<p class="lh-sub">Chat health: {html.mark("CRITICAL")}critical {html.mark("AT_RISK")}at risk, grey opted out; the rest is healthy or not scored.</p>'
            )
        if pic.quiet_words:
            st.html(
                f'<p class="lh-sub">Within or near its usual, not drawn: {html.text(" · ".join(pic.quiet_words))}.</p>'
            )
            st.toggle(f"Show {words.plural(len(pic.quiet), 'quiet lane')}", key="quiet")
        counted("lanes", line=line)


def evidence(e: Explanation, here: Here) -> None:
    """Show the figures behind the causes, and what the data could not show."""
    with st.container(key="card_evidence", gap="small"):
        st.html(html.h2("The evidence, in counts"))
        rows = _why.evidence_rows(e)
        if rows:
            st.html(html.table([("Signal", False), ("Seen", True), ("Usual", True)], rows))
        else:
            st.html('<p class="lh-p">Nothing was seen outside this line\'s usual before this change.</p>')
        for title, told in _why.beside(e, here):
            st.html(html.inset(title, told))
        if e.notes:
            notes = "".join(f"<li>{html.text(n)}</li>" for n in e.notes)
            st.html(
                f'<div class="lh-inset"><b>What the data could not show</b><ul style="margin:4px 0 0;padding-left:18px">{notes}</ul></div>'
            )
        counted("evidence", line=e.line)


def volume(days: pl.DataFrame, e: Explanation, here: Here) -> None:
    """Show reply rate against volume, a point a day."""
    v = _why.volume(days, e, here)
    with st.container(key="card_volume", gap="small", height="stretch"):
        marks = f"{html.mark('HEALTHY')}healthy {html.mark('AT_RISK')}at risk {html.mark('CRITICAL')}critical"
        floor = here.settings.ref_reply_floor
        ref = (floor, f"throttled below {words.percent(floor)} over 7 days · Linq help centre")
        sub = f"One point a day: {marks}, larger with more sends counted. Blue: the path through the change."
        st.html(html.h2(v.title, sub + html.narrow(f" Dashes: {html.text(ref[1])}.")))
        if not v.points.height:
            st.html('<p class="lh-p">No send of these days is old enough to have been answered.</p>')
            return
        spec = charts.rate_against_volume(v.points, usual=v.usual, reference=ref, theme=here.theme)
        st.vega_lite_chart(
            spec, theme=None, key="volume", alt=f"{v.title}: reply rate against sends for {v.points.height} days."
        )
        counted("volume", line=e.line)


def hour_by_hour(hours: pl.DataFrame, e: Explanation, here: Here) -> bool:
    """Show the burst opener by opener, or the failures by hour, where one of these is a cause; return whether it is."""
    shares = {d.driver: d.share for d in e.drivers}
    start, end = (ms(t, here.zone) for t in _why_hours.span(e, here))
    told = _why_hours.moments(e, here)
    delivery = max(shares.get("deliverability", 0), shares.get("flagged", 0))
    if shares.get("new_conversations", 0) >= max(0.05, delivery):
        bars, dots, title = _why_hours.burst(e, hours, here)
        with st.container(key="card_burst", gap="small", height="stretch"):
            answered = dots.filter(pl.col("answer") == "answered").height
            known = dots.filter(pl.col("answer") != "too early to say").height
            st.html(
                html.h2(
                    title,
                    f"Bars: conversations opened. Grey step: usual for that hour of the day. Below, each opening send; filled = answered within the reply window ({answered:,} of {known:,}).",
                )
            )
            draw(
                charts.openers_by_hour(
                    bars, dots, window=(start, end), moments=told, new_state=e.new, theme=here.theme
                ),
                key="burst",
                alt=f"{title}. {answered} of {known} opening sends answered.",
            )
            counted("burst", line=e.line)
    elif delivery >= 0.05:
        rows, order, title = _why_hours.failed(e, here)
        if not order:
            return False
        with st.container(key="card_failures", gap="small", height="stretch"):
            st.html(html.h2(title, "Sends with a failure and no delivery after it, by the vendor's code."))
            draw(
                charts.failures_by_hour(
                    rows, order=order, window=(start, end), moments=told, new_state=e.new, theme=here.theme
                ),
                key="failures",
                alt=title,
            )
            counted("failures", line=e.line)
    else:
        return False
    return True


def chats(e: Explanation, here: Here) -> None:
    """Show the chats to fix first."""
    with st.container(key="card_chats", gap="small", height="stretch"):
        n = len(e.chats_to_fix)
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
        st.html(html.table(heads, _why.chat_rows(shown, here), least=560))
        with st.container(horizontal=True, vertical_alignment="center"):
            if n > FIRST_CHATS:
                st.toggle(f"Show all {n}", key="all_chats")
            chats_ = pl.DataFrame(e.chats_to_fix, infer_schema_length=None)
            csv(chats_, f"chats-{words.line_key(e.line)}", key="chats_csv")


@st.fragment
def what_if(e: Explanation, here: Here) -> None:
    """Show what the line would show without the burst, at its usual pace, without late follow-ups; signals when asked for."""
    if not e.what_if:
        return
    with st.container(key="card_what_if", gap="small"):
        st.html(
            html.h2(
                "What if", "The week with sends left out, in this model. What the vendor would have done is not known."
            )
        )
        told = here.read(pipeline.what_if, line=e.line, at=e.at) if st.session_state.get("what_if") else e.what_if
        for title, text in _why.what_if_words(told):
            st.html(html.inset(title, text))
        st.toggle("Count the signals of the week again", key="what_if")
        counted("what_if", line=e.line)


def to_do(e: Explanation, here: Here) -> None:
    """Show what to do, and the whole change as text to copy."""
    with st.container(key="card_do", gap="small", height="stretch"):
        st.html(
            html.h2("What to do, by expected effect")
            + '<div style="height:8px"></div>'
            + html.steps(e.actions, _why.done_since(e, here))
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.popover("Copy as text", type="tertiary", icon=":material/content_copy:", key="copy"):
                st.code(_why.as_text(e, here), language=None, wrap_lines=True)
            st.download_button(
                "Download evidence",
                lambda: bundle(e, here),
                file_name=f"evidence-{words.line_key(e.line)}-{e.at[:10]}.zip",
                mime="application/zip",
                type="tertiary",
                icon=":material/download:",
                key="evidence_zip",
                on_click="ignore",
            )
