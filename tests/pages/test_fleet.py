"""The Fleet page: who stands where against last week, head-room used, and the ways to find a line."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _fleet as parts
from analysis.schema import SPELLS
from tests.pages.conftest import words_of

AT = datetime(2026, 3, 8)


def spell(line, state, start, end, kind="health"):
    day = lambda n: None if n is None else AT + timedelta(days=n)  # noqa: E731
    return (line, kind, state, day(start), day(end), True)


def test_lines_are_counted_by_the_state_they_were_in_a_week_ago():
    rows = [
        spell("a", "HEALTHY", None, -1), spell("a", "AT_RISK", -1, 0), spell("a", "CRITICAL", 0, None),
        spell("b", "HEALTHY", None, 3), spell("b", "AT_RISK", 3, None), spell("b", "FLAGGED", -2, 1, "status"),
        spell("c", "HEALTHY", 2, None),
    ]  # fmt: skip
    assert parts.standing(pl.DataFrame(rows, schema=SPELLS, orient="row"), AT) == {
        "CRITICAL": 1,
        "HEALTHY": 1,
        "FLAGGED": 1,
    }


@pytest.mark.parametrize(
    ("now", "then", "said"),
    [(3, 1, "2 more than a week ago"), (1, 2, "1 fewer than a week ago"), (2, 2, "as a week ago")],
)
def test_the_change_against_last_week_is_told(open_app, now, then, said):
    assert parts._since_last_week(now, then) == said


def test_the_head_room_is_that_of_the_gate(open_app, demo_store):
    at = open_app(demo_store)
    gate = pipeline.gate(demo_store)
    able = gate.filter(~pl.col("bound").is_in(["health", "stale"]))
    opened, left = able["new_today"].sum(), gate["new_recipients_left_today"].sum()
    assert f"{opened:,} opened, {left:,} left today" in words_of(at)
    table = at.dataframe[0].value.set_index("Line")
    for row in gate.iter_rows(named=True):
        name = f"{row['line'][:2]} {row['line'][2:5]} {row['line'][5:8]} {row['line'][8:]}"
        assert table.loc[name, "New left"] == row["new_recipients_left_today"]
        if row["bound"] == "health":
            assert table.loc[name, "Used today"] != table.loc[name, "Used today"]  # none to use: blank


def test_lines_are_found_by_their_cause_and_by_a_word_of_their_reason(open_app, demo_store):
    at = open_app(demo_store)
    whole = at.dataframe[0].value
    cause = whole["Main cause"].dropna().iloc[0]
    at.selectbox(key="cause").set_value(cause).run()
    assert set(at.dataframe[0].value["Main cause"]) == {cause}
    at.selectbox(key="cause").set_value(None).run()
    word = whole["Next step"].dropna().iloc[0].split()[0]
    at.text_input(key="find").set_value(word.upper()).run()
    found = at.dataframe[0].value
    assert 0 < len(found) < len(whole)
    assert whole["Line"][whole["Next step"].fillna("").str.contains(word)].isin(found["Line"]).all()


def test_five_hundred_lines_open_quickly_and_show_the_troubled_ones_first(open_app, store, write):
    import time

    rows, changes = [], []
    for n in range(500):
        line = f"+1415555{n:04d}"
        rows += [
            f"{line}-{d},{line},{line}-c{d % 3},{'inbound' if d % 2 else 'outbound'},2026-03-{d + 1:02d}T12:00:00Z"
            for d in range(8)
        ]
        if n % 5 == 0:
            changes.append(f"{line},2026-03-07T10:00:00Z,HEALTHY,AT_RISK")
    messages = write("m.csv", "message_id,line,chat_id,direction,sent_at\n" + "\n".join(rows))
    told = write("c.csv", "line,changed_at,previous_health,new_health\n" + "\n".join(changes))
    pipeline.load([messages, told], store=store)
    at = open_app(store)
    assert not at.exception
    assert "100 of 500 lines need you." in words_of(at)
    assert "Show all 100" in [t.label for t in at.toggle]
    assert at.dataframe[0].value["Health"].tolist()[:100] == ["▲ At risk"] * 100
    started = time.process_time()
    at.run()
    assert time.process_time() - started < 0.6  # a whole rerun with 1,000 small pictures: 0.06 s
