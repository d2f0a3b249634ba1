"""Did it help? What people did about their lines, one verdict each, and patterns that moved on to another line."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.errors import LineHealthError
from analysis.pages import _figures as figures
from analysis.pages import _helped as parts
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.pages._foot import foot, share
from analysis.pages._frame import draw, freshness, ready
from analysis.pages._store import Here
from analysis.pipeline import Told

FLEET = "The whole fleet"


def verdicts(of: list[Told], here: Here) -> None:
    """Show a row an action, newest first: its verdict, its sentence, health since, and what began beside it."""
    with st.container(key="card_helped", gap="small"):
        st.html(
            html.h2(
                "What was done, and what came of it",
                "Up to 7 days after it against the same weekdays before, beyond what lines or spells without an action did. Intervals: 98 %.",
            )
        )
        if not of:
            st.html('<p class="lh-p">Nothing is recorded, and no line slowed down by itself after a fall.</p>')
            return
        heads = [("Verdict", False), ("What was done", False), ("How it is known", False)]
        st.html(html.table(heads, [parts.cells(told, here) for told in reversed(of)], least=330))
        foot(
            "helped",
            parts.effects_frame(of),
            here,
            name=figures.named("helped", "actions", f"to-{here.as_of:%Y-%m-%d}"),
        )


def picture(of: list[Told], here: Here) -> None:
    """Show the effects on replies in one picture."""
    marks = parts.marks(of)
    with st.container(key="card_effects", gap="small", height="stretch"):
        st.html(
            html.h2(
                "Effect on replies",
                "Dot: points beyond the comparison, on its 98 % interval; a ring where no effect is as likely.",
            )
        )
        if not marks.height:
            st.html('<p class="lh-p">No action has sends enough before and after it.</p>')
            return
        told = "; ".join(
            f"{row['action']} {100 * row['effect']:+.0f} points" for row in marks.head(6).iter_rows(named=True)
        )
        draw(charts.effects(marks, theme=here.theme), key="effects", alt=f"Effect on replies. {told}")
        foot(
            "effects", parts.effects_frame(of).filter(pl.col("measure") == "replies"), here,
            name=figures.named("helped", "replies", f"to-{here.as_of:%Y-%m-%d}"), chart=("card_effects", "Effect on replies"),
        )  # fmt: skip


def record(here: Here) -> None:
    """Offer to record an action, and to forget one."""
    with st.container(key="card_record", gap="small", height="stretch"):
        st.html(
            html.h2(
                "Record what you did",
                "Many at once: linehealth action load FILE.csv, with the columns line, at, kind, label.",
            )
        )
        if said := st.session_state.pop("said", None):
            st.html(f'<p class="lh-p" role="status">{html.text(said)}</p>')
        lines = {FLEET: None} | {words.line_name(line): line for line in here.lines()["line"]}
        now = words.wall(here.as_of, here.zone)
        with st.form("action", border=False, clear_on_submit=False):
            left, right = st.columns(2, gap="small")
            kind = left.selectbox("What", list(parts.KINDS), key="act_kind")
            line = right.selectbox("Line", list(lines), key="act_line")
            day = left.date_input("Day", now.date(), key="act_day")
            time = right.time_input(f"Time, {now:%Z}", now.time().replace(second=0, microsecond=0), key="act_time")
            label = st.text_input(
                "In a few words (optional)", max_chars=80, key="act_label", placeholder="copy B",
                help="For example “copy B”. No message, number or address.",
            )  # fmt: skip
            if st.form_submit_button("Record", key="act_record"):
                at = datetime.combine(day, time, here.zone)
                _try(
                    lambda: pipeline.add_action(
                        parts.KINDS[kind], line=lines[line], at=at, label=label, store=here.store
                    ),
                    "Recorded.",
                )
        kept = pipeline.actions(here.store)
        if kept.height:
            names = {
                f"{words.act_words(r['kind'], r['label'])}, {words.line_name(r['line']) if r['line'] else FLEET}, {words.moment(r['at'], here.zone)}": r["action_id"]
                for r in kept.iter_rows(named=True)
            }  # fmt: skip
            with st.popover("Forget one", type="tertiary", key="forget"):
                gone = st.selectbox("Which", list(names), key="act_gone")
                if st.button("Forget it", key="act_forget"):
                    _try(lambda: pipeline.remove_action(names[gone], store=here.store), "Forgotten.")


def _try(act: object, said: str) -> None:
    """Do something to the store, and show the page anew; what cannot be done is said in its place."""
    try:
        act()  # type: ignore[operator]
    except LineHealthError as error:
        st.error(f"{error.problem[:1].upper()}{error.problem[1:]}. {error.fix[:1].upper()}{error.fix[1:]}.")
        return
    st.session_state["said"] = said
    st.rerun()


def moved_on(rows: pl.DataFrame, here: Here) -> None:
    """Show patterns that moved on to another line."""
    with st.container(key="card_spread", gap="small"):
        n = rows.height
        title = (
            f"A pattern moved on to another line {n} times"
            if n > 1
            else "A pattern moved on to another line"
            if n
            else "No pattern moved on to another line"
        )
        st.html(
            html.h2(title, "New conversations jump on one line within 7 days, while they fall on another that fell or slowed down, with the same recipients.")
        )  # fmt: skip
        if not n:
            st.html(
                '<p class="lh-p">After no fall or slow-down did another line take over its recipients or its bursts.</p>'
            )
        for told in rows["sentence"]:
            st.html(f'<p class="lh-p">{html.text(told)}</p>')
        foot(
            "spread",
            parts.spread_frame(rows),
            here,
            name=figures.named("helped", "spread", f"to-{here.as_of:%Y-%m-%d}"),
        )


def main() -> None:
    """Draw the page."""
    here = ready()
    of: list[Told] = here.read(pipeline.helped)
    rows: pl.DataFrame = here.read(pipeline.spread)
    st.html(html.h1(parts.sentence(of), freshness(here)))
    with st.container(horizontal=True, horizontal_alignment="right"):
        share(parts.as_text(of, rows, here))
    lost = quality.warning(
        here, words.instant(here.status["first_at"] or here.status["as_of"]), here.as_of, days="The days loaded"
    )
    if lost:
        st.html(
            html.inset("No data for a part of these days", f"{lost} No verdict counts these as answered or as not.")
        )
    verdicts(of, here)
    left, right = st.columns([1.25, 1], gap="medium")
    with left:
        picture(of, here)
    with right:
        record(here)
    moved_on(rows, here)


main()
