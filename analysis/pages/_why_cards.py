"""One change and its line's frames in; the cards of the Why page on the screen: each card is one question, each function one card."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.pages import _figures as figures
from analysis.pages import _html as html
from analysis.pages import _lanes, _why, _why_hours
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._foot import foot
from analysis.pages._frame import asked, draw, switch
from analysis.pages._frames import USUAL_DAYS, clipped, ms, trailing
from analysis.pages._links import CHATS, chat_link, day_query
from analysis.pages._period import strip
from analysis.pages._replies import begin
from analysis.pages._store import Here
from analysis.schema import Explanation

FIRST_CHATS = 7


def under(
    card: str, frame: pl.DataFrame, e: Explanation, here: Here, *, chart: tuple[str, str] | None = None, **values: Any
) -> None:
    """Show the foot of a card that is about one change."""
    name = figures.named("why", card, words.line_key(e.line), e.at[:10])
    foot(card, frame, here, name=name, line=e.line, chart=chart, **{**figures.of_change(e), **values})


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
        under("first", figures.change(e), e, here)


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
        if pic.quiet and asked("quiet"):
            shown += pic.quiet
        states = clipped(here.read(pipeline.spells, line=line), here.lines(), since=pic.start, until=pic.end)
        gaps = quality.gaps_in(here, pic.start, pic.end, line=line)
        done = _lanes.did(here.read(pipeline.actions, line=line), pic, here.zone)
        spec = _lanes.lanes_spec(shown, states, gaps, done, e, pic, here.zone, here.theme)
        titles = ", ".join(kind.title for kind, _ in shown)
        alt = f"{e.headline if e else 'No change of health.'} Lanes from {words.moment(pic.start, here.zone)} to {words.moment(pic.end, here.zone)}: {titles}."
        chart = f"lanes_{words.line_key(line)}_{e.at if e else ''}"
        event = st.vega_lite_chart(
            spec, theme=None, key=chart, on_select="rerun", selection_mode=["brush"], alt=alt, width="stretch"
        )
        before = words.instant(e.onset or e.at) if e else here.as_of
        strip(hours, event.get("selection") or {}, chart=chart, before=before, zone=here.zone)
        if done.height:
            st.html(f'<p class="lh-sub">Dotted, what was done: {html.text("; ".join(done["tip"]))}.</p>')
        lost = quality.warning(here, pic.start, pic.end, line=line)
        if lost:
            st.html(f'<p class="lh-sub">Grey columns: no data. {html.text(lost)}</p>')
        if any(kind.key == "chats" for kind, _ in shown):
            st.html(
                f'<p class="lh-sub">Chat health: {html.mark("CRITICAL")}critical {html.mark("AT_RISK")}at risk, grey opted out; the rest is healthy or not scored.</p>'
            )
        if pic.quiet_words:
            st.html(
                f'<p class="lh-sub">Within or near its usual, not drawn: {html.text(" · ".join(pic.quiet_words))}.</p>'
            )
            switch(f"Show {words.plural(len(pic.quiet), 'quiet lane')}", "quiet")
        foot(
            "lanes", figures.lanes(hours, pic.start, pic.end), here, line=line, start=pic.start, end=pic.end,
            name=figures.named("why", "lanes", words.line_key(line), figures.span(pic.start, pic.end)),
            chart=("card_lanes", f"{words.line_name(line)}: {e.headline if e else 'what normal looks like'}"),
        )  # fmt: skip


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
        under("evidence", figures.evidence(e), e, here)


def no_data(here: Here, since: datetime, until: datetime, line: str, days: str = "These days") -> None:
    """Say what a chart does not know because of gaps in the deliveries of its days."""
    lost = quality.warning(here, since, until, line=line, days=days)
    if lost:
        st.html(f'<p class="lh-sub">{html.text(lost)}</p>')


def volume(days: pl.DataFrame, e: Explanation, here: Here) -> None:
    """Show reply rate against volume, a point a day."""
    v = _why.volume(days, e, here)
    with st.container(key="card_volume", gap="small", height="stretch"):
        marks = f"{html.mark('HEALTHY')}healthy {html.mark('AT_RISK')}at risk {html.mark('CRITICAL')}critical"
        floor = here.settings.ref_reply_floor
        ref = (floor, f"throttled below {words.percent(floor)} over 7 days · Linq help centre")
        sub = f"One point a day: {marks}, larger with more sends counted. Blue: the path through the change. Click a day for its chats."
        st.html(html.h2(v.title, sub + html.narrow(f" Dashes: {html.text(ref[1])}.")))
        if not v.points.height:
            st.html('<p class="lh-p">No send of these days is old enough to have been answered.</p>')
            return
        spec = charts.rate_against_volume(v.points, usual=v.usual, reference=ref, theme=here.theme)
        event = st.vega_lite_chart(
            spec,
            theme=None,
            key=f"volume_{words.line_key(e.line)}_{e.at}",
            on_select="rerun",
            selection_mode=["pick_day"],
            alt=f"{v.title}: reply rate against sends for {v.points.height} days.",
            width="stretch",
        )
        picked = (event.get("selection") or {}).get("pick_day") or []
        if isinstance(picked, list) and picked and picked[0].get("day"):
            st.switch_page(CHATS, query_params=day_query(e.line, date.fromisoformat(picked[0]["day"])))
        began, changed = (words.wall(words.instant(t), here.zone).date() for t in (e.onset or e.at, e.at))
        st.page_link(CHATS, label="Chats of the day of the change", query_params=day_query(e.line, changed))
        start, end = began - timedelta(days=USUAL_DAYS), changed + timedelta(days=3)
        no_data(here, begin(start, here.zone), begin(end + timedelta(days=1), here.zone), e.line)
        under("volume", figures.days(days, start, end), e, here, chart=("card_volume", v.title), start=start, end=end)


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
            since, until = _why_hours.span(e, here)
            no_data(here, since, until, e.line, "These hours")
            under(
                "burst", _why_hours.opened(e, hours, here), e, here, chart=("card_burst", title), start=since, end=until,
                began=words.instant(e.onset or e.at), young=here.settings.young_line_days,
            )  # fmt: skip
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
            since, until = _why_hours.span(e, here)
            no_data(here, since, until, e.line, "These hours")
            found = here.read(pipeline.failures, line=e.line, since=since, until=until).rename({"hour": "hour_utc"})
            under("failures", found, e, here, chart=("card_failures", title), start=since, end=until)
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
                f"The worst {min(n, FIRST_CHATS)} of {n} listed. Open one to see its messages. People are never shown.",
            )
        )
        shown = e.chats_to_fix if asked("all_chats") else e.chats_to_fix[:FIRST_CHATS]
        heads = [
            ("Chat", False),
            ("What happened", False),
            ("Silent for", True),
            ("Sends, 7 d", True),
            ("Chat health", False),
        ]
        key = words.change_key(e, here.explanations(e.line))
        rows = _why.chat_rows(shown, e, here, name=lambda chat: chat_link(e.line, chat, key))
        st.html(html.table(heads, rows, least=560))
        if n > FIRST_CHATS:
            switch(f"Show all {n}", "all_chats")
        under("chats", figures.part(e.chats_to_fix, figures.TO_FIX), e, here)


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
        told = here.read(pipeline.what_if, line=e.line, at=e.at) if asked("what_if") else e.what_if
        for title, text in _why.what_if_words(told):
            st.html(html.inset(title, text))
        switch("Count the signals of the week again", "what_if")
        under("what_if", figures.part(e.what_if, figures.WHAT_IF), e, here)


def to_do(e: Explanation, here: Here) -> None:
    """Show what to do, and offer the evidence for the vendor's support."""
    with st.container(key="card_do", gap="small", height="stretch"):
        st.html(
            html.h2("What to do, by expected effect")
            + '<div style="height:8px"></div>'
            + html.steps(e.actions, _why.done_since(e, here))
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                "Download evidence",
                lambda: pipeline.evidence(here.store, line=e.line, at=e.at),
                file_name=f"evidence-{words.line_key(e.line)}-{e.at[:10]}.zip",
                mime="application/zip",
                type="tertiary",
                icon=":material/download:",
                key="evidence_zip",
                on_click="ignore",
            )
        under("steps", figures.part(e.actions, figures.STEPS), e, here)
