"""A line's past and a rule in; the card of Ahead that tries the rule on it, out. Nothing is computed before it is asked for.

What is asked stands in the address (hist, rule, n, others, begin, end); the button puts it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import streamlit as st

from analysis import charts, pipeline
from analysis.errors import UsageError
from analysis.pages import _figures as figures
from analysis.pages import _figures_more as more
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._foot import foot
from analysis.pages._frame import draw
from analysis.pages._frames import ms
from analysis.pages._store import Here

RULES = {
    "spread": "Spread over days",
    "cap": "At most a day",
    "lines": "Over other lines",
    "stop": "Stop follow-ups",
}
NUMBERS = {"spread": ("Days", 7, 60), "cap": ("New conversations a day", 10, 1000), "stop": ("After unanswered", 2, 20)}
"""What the number of a rule is called, its first value and its most."""
FLAGS = {"spread": "--spread", "cap": "--cap", "lines": "--over-lines", "stop": "--stop-after"}
WEEK = 7


@dataclass(frozen=True)
class Try:
    """What is asked: days of the store's zone, the last one included."""

    line: str
    begin: date
    end: date
    rule: str
    number: int
    others: tuple[str, ...]

    def query(self) -> dict[str, str]:
        """Return it as the address has it."""
        own = (
            {"others": ",".join(words.line_key(o) for o in self.others)}
            if self.rule == "lines"
            else {"n": str(self.number)}
        )
        days = {"begin": self.begin.isoformat(), "end": self.end.isoformat()}
        return {"hist": words.line_key(self.line), "rule": self.rule, **own, **days}

    def period(self, here: Here) -> tuple[datetime, datetime]:
        """Return begin and end as instants."""
        first, last = (
            datetime(d.year, d.month, d.day, tzinfo=here.zone).astimezone(UTC).replace(tzinfo=None)
            for d in (self.begin, self.end + timedelta(days=1))
        )
        return first, last

    def asks(self) -> dict[str, Any]:
        """Return the rule as the verb takes it."""
        name = {"stop": "stop_after"}.get(self.rule, self.rule)
        return {name: self.others if self.rule == "lines" else self.number}


KEYS = ("hist", "rule", "n", "others", "begin", "end")


def asked(lines: list[str]) -> Try | None:
    """Return what the address asks for, or None where it asks for nothing that can be tried."""
    q = st.query_params
    by_key = {words.line_key(line): line for line in lines}
    try:
        line, rule = by_key[q["hist"]], q["rule"]
        begin, end = date.fromisoformat(q["begin"]), date.fromisoformat(q["end"])
        number = int(q.get("n", "1"))
        others = tuple(by_key[key] for key in q.get("others", "").split(",") if key)
    except (KeyError, ValueError):
        return None
    if rule not in RULES or begin > end or (rule == "lines" and not others):
        return None
    return Try(line, begin, end, rule, number, others)


def card(here: Here) -> None:
    """Show the form, and what the rule that was asked for does."""
    lines = sorted(here.lines().filter(pl.col("messages") > 0)["line"])
    with st.container(key="card_replay", gap="small"):
        st.html(
            html.h2(
                "What if, on your own history",
                "One rule, tried on a line's past: its messages are moved or left out, every signal is counted again, and the model as it had been learned before says what the risk would read.",
            )
        )
        if not lines:
            st.html('<p class="lh-p">No line has a message yet.</p>')
            return
        told = asked(lines)
        _form(here, lines, told)
        if told is None:
            st.html('<p class="lh-small">Nothing is computed until you ask.</p>')
            return
        _result(here, told)


def last_falls(here: Here) -> dict[str, datetime]:
    """Return for each line that ever left its health when it last did, the latest fall last."""
    falls = [e for e in here.explanations() if e.kind == "health" and words.worsened(e)]
    first_steps = [e for e in falls if (e.previous or "HEALTHY") == "HEALTHY"]
    found = {e.line: words.instant(e.at) for e in [*falls, *first_steps]}
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def _form(here: Here, lines: list[str], told: Try | None) -> None:
    falls = {line: at for line, at in last_falls(here).items() if line in lines}
    latest = next(reversed(falls), lines[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        line = st.selectbox(
            "Line",
            lines,
            index=lines.index(told.line if told else latest),
            format_func=words.line_name,
            key="replay_line",
            width=190,
        )
        end = words.wall(falls.get(line, here.as_of), here.zone).date()
        usual = (told.begin, told.end) if told and told.line == line else (end - timedelta(days=WEEK - 1), end)
        days = st.date_input(
            "Period, both days included",
            usual,
            max_value=max(usual[1], words.wall(here.as_of, here.zone).date()),
            key=f"replay_days_{words.line_key(line)}",
            format="YYYY-MM-DD",
            width=230,
            help="The week up to the line's last fall, until you choose another.",
        )
        rules = list(RULES)
        rule = st.selectbox(
            "Rule",
            rules,
            index=rules.index(told.rule) if told else 0,
            format_func=RULES.__getitem__,
            key="replay_rule",
            width=170,
        )
        number = 1
        others: tuple[str, ...] = ()
        if rule == "lines":
            free = [one for one in lines if one != line]
            others = tuple(
                st.multiselect(
                    "Other lines, healthy all the time",
                    free,
                    [o for o in told.others if o in free] if told else [],
                    format_func=words.line_name,
                    key="replay_others",
                    width=300,
                )
            )
        else:
            name, first, most = NUMBERS[rule]
            begin = told.number if told and told.rule == rule and 1 <= told.number <= most else first
            number = int(st.number_input(name, 1, most, begin, key=f"replay_n_{rule}", width=170))
        chosen = tuple(days) if isinstance(days, tuple) else (days,)
        whole = len(chosen) == 2 and (rule != "lines" or bool(others))
        now = Try(line, chosen[0], chosen[-1], rule, number, others) if whole else None
        st.button("Try it", type="primary", key="replay_try", disabled=now is None, on_click=_ask, args=(now,))
    if told and now and now != told:
        st.html(
            '<p class="lh-small">What is shown below is what you asked before. Press Try it for the new choice.</p>'
        )


def _ask(now: Try | None) -> None:
    if now:
        for key in KEYS:
            st.query_params.pop(key, None)
        st.query_params.update(now.query())


def _result(here: Here, told: Try) -> None:
    since, until = told.period(here)
    try:
        with st.spinner("Counting again …"):
            found = here.read(pipeline.replay, line=told.line, since=since, until=until, **told.asks())
    except UsageError as e:
        st.html(
            html.inset("This can't be tried", html.text(f"{e.where}: {e.problem}. {e.fix[:1].upper()}{e.fix[1:]}."))
        )
        return
    record = found.record
    st.html(html.h2(record["title"], "Thin: as it was. Thick: with the rule, on the 80 % band of the change. Dashed: the chance from which new conversations are held back."))  # fmt: skip
    frame, window = hours(found.rows, told.line, here)
    draw(
        charts.replayed(
            frame,
            window=window,
            threshold=record["gate_risk"],
            moments=_moments(here, record),
            theme=here.theme,
        ),
        key="replayed",
        alt=f"{record['title']}. {record['sentences'][1]}",
    )
    st.html("".join(f'<p class="lh-p">{html.text(_unbroken(s))}</p>' for s in record["sentences"]))
    if len(record["worst"]) > 1:
        st.html(html.table([("Line", False), ("Worst hour as it was", True), ("With the rule", True), ("Change, points (80 %)", True)], _by_line(record), least=420))  # fmt: skip
    limits = "".join(f"<li>{html.text(one)}</li>" for one in record["limits"])
    st.html(f'<p class="lh-small">What this can\'t say:</p><ul class="lh-small">{limits}</ul>')
    flag = f"{FLAGS[told.rule]} {','.join(told.others) if told.rule == 'lines' else told.number}"
    name = figures.named("ahead", "replay", words.line_key(told.line), told.rule, f"{told.begin}", f"{told.end}")
    foot(
        "replay",
        more.replay(found.rows),
        here,
        name=name,
        line=told.line,
        chart=("card_replay", record["title"]),
        since=since,
        until=until,
        flag=flag,
    )


def hours(rows: pl.DataFrame, line: str, here: Here) -> tuple[pl.DataFrame, tuple[float, float]]:
    """Return REPLAYED of one line, and the first and last moment of it."""
    data = []
    for r in rows.filter(pl.col("line") == line).iter_rows(named=True):
        end = r["hour"] + timedelta(hours=1)
        before, after = r["p_before"], r["p_after"]
        low, high = (min(1.0, max(0.0, before + r[c])) for c in ("change_low", "change_high"))
        tip = f"{words.moment(end, here.zone)}: {words.percent(before)} as it was, {words.percent(after)} with the rule ({round(100 * low)}–{round(100 * high)})"
        data.append(
            (ms(r["hour"], here.zone), ms(end, here.zone), before, after, min(low, after), max(high, after), tip)
        )
    frame = pl.DataFrame(data, schema=charts.REPLAYED, orient="row")
    return frame, (data[0][0], data[-1][1])


def _unbroken(sentence: str) -> str:
    """Return a sentence whose figures keep their unit on the line."""
    return sentence.replace(" %", f"{words.THIN}%")


def _moments(here: Here, record: dict[str, Any]) -> list[tuple[float, str]]:
    found = [(ms(words.instant(record["until"]), here.zone), "period ends")]
    if record["fell_at"]:
        found.append((ms(words.instant(record["fell_at"]), here.zone), "fell"))
    return sorted(found)


def _by_line(record: dict[str, Any]) -> list[list[str]]:
    return [
        [
            html.text(words.line_name(line)),
            words.percent(c["before"]),
            words.percent(c["after"]),
            f"{100 * c['change']:+.1f} ({100 * c['low']:+.1f} to {100 * c['high']:+.1f})".replace("-", "−"),
        ]
        for line, c in record["worst"].items()
    ]
