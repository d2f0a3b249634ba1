"""Replies and volume: figures against a plain recount of the day signals, the address, thin and empty data, and the sentences."""

import json
from datetime import date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis import pipeline
from analysis.charts import replies as pictures
from analysis.pages import _replies as parts
from analysis.pages import _words as words
from analysis.schema import SIGNALS_DAY
from tests.pages.conftest import words_of

UTC = ZoneInfo("UTC")
AS_OF = datetime(2026, 3, 29, 10)
L1, L2, L3 = "+14155550101", "+14155550102", "+14155550103"


def _spec(at, number):
    return json.loads(at.get("vega_lite_chart")[number].proto.spec)


def _recount(store, days):
    """Sends, counted and answered of each line in both periods, day by day; the periods end on the day before the latest."""
    last = datetime.fromisoformat(pipeline.status(store)["as_of"].rstrip("Z")).date() - timedelta(days=1)
    sums = {line: {"now": [0, 0, 0], "before": [0, 0, 0]} for line in pipeline.lines(store)["line"]}
    for r in pipeline.signals(store, grain="day").iter_rows(named=True):
        age = (last - r["day"]).days
        side = "now" if 0 <= age < days else "before" if days <= age < 2 * days else None
        if side:
            for i, column in enumerate(("outbound", "mature", "replied")):
                sums[r["line"]][side][i] += r[column]
    return sums


def _rows(at):
    """Rows of the table of lines by line, in order."""
    text = unescape(next(h.proto.body for h in at.get("html") if "Replies before" in h.proto.body))
    rows = text.split("<tr>")[2:]
    return {"+" + "".join(c for c in row.split("</b>")[0] if c.isdigit()): row for row in rows}


@pytest.mark.parametrize("days", [7, 14, 30])
def test_the_tables_counts_are_those_of_the_day_signals(open_app, demo_store, days):
    at = open_app(demo_store, "replies", days=str(days))
    assert not at.exception
    rows, counts = _rows(at), _recount(demo_store, days)
    assert set(rows) == set(counts)
    rated = 0
    for line, sides in counts.items():
        cells = rows[line].split("<td")
        for side, rate_cell, volume_cell in (("now", 2, 5), ("before", 3, 6)):
            sends, mature, replied = sides[side]
            assert f"<small>{sends:,} in " in cells[volume_cell]
            if mature >= 30:
                assert f">{words.percent(replied / mature)}<small>{replied:,} of {mature:,}<" in cells[rate_cell]
            elif mature:
                assert f">{replied:,} of {mature:,}<small>too few for a rate<" in cells[rate_cell]
        if ">–<" not in cells[4]:
            rated += 1
            (_, m1, r1), (_, m0, r0) = sides["now"], sides["before"]
            assert parts.points(r1 / m1 - r0 / m0) in cells[4]
    assert rated
    assert f"reply rate of {rated} lines" in str(at.get("vega_lite_chart")[0].proto)


def test_lines_stand_worst_first_each_with_its_way_to_its_last_change(open_app, demo_store):
    rows = _rows(open_app(demo_store, "replies"))
    counts = _recount(demo_store, 14)
    change = {}
    for line, sides in counts.items():
        (_, m1, r1), (_, m0, r0) = sides["now"], sides["before"]
        if min(m1, m0) >= 30:
            change[line] = r1 / m1 - r0 / m0
    order = [line for line in rows if line in change]
    assert order == sorted(order, key=change.get)
    for line, row in rows.items():
        found = pipeline.explanations(demo_store, line=line)
        at = f"&at={words.change_key(found[-1], found)}" if found else ""
        assert f'href="why?line={words.line_key(line)}{at}"' in row


def test_kinds_of_sends_add_up_to_the_recount(open_app, demo_store):
    text = words_of(open_app(demo_store, "replies", days="7"))
    last = datetime.fromisoformat(pipeline.status(demo_store)["as_of"].rstrip("Z")).date() - timedelta(days=1)
    sent = new = late = 0
    for r in pipeline.signals(demo_store).iter_rows(named=True):
        if r["history_days"] >= 7 and 0 <= (last - r["day"]).days < 7:
            sent, new, late = sent + r["outbound"], new + r["new_conversations"], late + r["unanswered_turns"]
    for kind in (new, late, sent - new - late):
        assert f"{kind:,} of {sent:,}" in text
    assert sent > new + late > 0


def test_the_period_stands_in_the_address_and_a_click_changes_it(open_app, demo_store):
    at = open_app(demo_store, "replies", days="30")
    assert "against the 30 days before, UTC" in words_of(at)
    at.button_group(key="period").set_value(7).run()
    assert not at.exception
    assert "against the 7 days before, UTC" in words_of(at)
    assert at.query_params["days"] in ("7", ["7"])


@pytest.mark.parametrize("days", ["9", "-7", "x", "", "٧", "14 or 1=1"])
def test_a_wrong_period_leads_to_the_usual_one_and_says_so(open_app, demo_store, days):
    at = open_app(demo_store, "replies", days=days)
    assert not at.exception
    text = words_of(at)
    assert "period that is not offered" in text
    assert "against the 14 days before" in text


def test_charts_draw_the_lines_with_two_rates_and_name_the_quadrants(open_app, demo_store):
    at = open_app(demo_store, "replies")
    spec = json.dumps(_spec(at, 0), ensure_ascii=False)
    assert "throttled below 15\u202f% over 7 days" in spec
    assert "answered within 24 h, % of sends" in spec
    spec = json.dumps(_spec(at, 1))
    for volume in ("more volume,", "no more volume,"):
        for replies in ("replies kept", "fewer replies"):
            assert f'["{volume}", "{replies}"]' in spec
    assert at.get("download_button")


def test_a_clicked_mark_opens_why(open_app, demo_store):
    at = open_app(demo_store, "replies")
    line = next(iter(_rows(at)))
    at.session_state["moves"] = {"selection": {"pick_moves": [{"line": line}]}}
    at.run()
    assert not at.exception
    assert any(c.key == "pick_line" and c.value == line for c in at.selectbox)


# ------------------------------------------------------------------ thin and empty data


def _sends(line, n, day):
    return "".join(f"{line}-{day}-{i},{line},c{i},outbound,2026-03-{day:02d}T{i:02d}:00:00Z\n" for i in range(n))


def test_without_a_store_and_without_messages_the_page_says_what_to_do(open_app, store, tables):
    assert "Nothing is loaded yet" in words_of(open_app(store, "replies"))
    at = open_app(tables("", f"{L1},2026-03-10T12:00:00Z,HEALTHY,AT_RISK\n"), "replies")
    assert not at.exception
    assert "No send is loaded for these days." in words_of(at)


def test_too_few_sends_give_counts_and_no_rate(open_app, tables):
    made = tables("".join(_sends(L1, 3, d) for d in range(1, 16)))
    at = open_app(made, "replies", days="7")
    assert not at.exception
    text = words_of(at)
    assert "No line has enough sends in both periods to compare its replies." in text
    assert "Too few for a rate (under 30 counted sends in a period): …0101." in text
    assert "0 of 21" in text
    assert not at.get("vega_lite_chart")


def test_one_day_of_data_is_not_compared_with_anything(open_app, tables):
    at = open_app(tables(_sends(L1, 5, 1)), "replies")
    assert not at.exception
    assert "No send is loaded for these days." in words_of(at)


# ------------------------------------------------------------------ rules and sentences


def _days(*lines, days=7):
    """Day rows of lines as (line, sends and replies a day before, sends and replies a day now[, days known before])."""
    w = parts.window(days, AS_OF, UTC)
    rows = []
    for line, before, now, *known in lines:
        for i in range(2 * days):
            day, (sends, replies) = w.before + timedelta(days=i), before if i < days else now
            if i >= days - (known[0] if known else days):
                row = dict.fromkeys(SIGNALS_DAY.names(), 0)
                rows.append({**row, "line": line, "day": day, "outbound": sends, "mature": sends, "replied": replies})
    strings = {"health": None, "status": None, "reply_rate": None, "new_reply_rate": None}
    return pl.DataFrame([{**r, **strings} for r in rows], schema=SIGNALS_DAY)


def _compared(*lines):
    of = pl.DataFrame(
        {"line": [line[0] for line in lines], "health": None, "status": None},
        schema={"line": pl.String, "health": pl.String, "status": pl.String},
    )
    return parts.compared(_days(*lines), of, parts.window(7, AS_OF, UTC))


UP_LOST = ((40, 20), (60, 12))
UP_KEPT = ((40, 20), (60, 30))
SAME_LOST = ((40, 20), (40, 8))
SAME_KEPT = ((40, 20), (41, 20))
THIN = ((2, 1), (2, 0))


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([UP_LOST, UP_KEPT, SAME_KEPT], "Replies fell on 1 of 3 lines while volume rose. 1 other sent more and kept its replies."),
        ([UP_LOST, SAME_LOST, THIN], "Replies fell on 1 of 2 compared lines while volume rose, and on 1 without it."),
        ([SAME_LOST, UP_KEPT, UP_KEPT], "Replies fell on 1 of 3 lines, without more volume. Every line that sends more keeps its replies."),
        ([SAME_LOST], "Replies fell on 1 of 1 line, without more volume."),
        ([UP_KEPT, UP_KEPT], "Every line that sends more keeps its replies."),
        ([UP_KEPT, SAME_KEPT], "The one line that sends more keeps its replies."),
        ([SAME_KEPT, SAME_KEPT], "No line sends more than before, and none lost replies."),
        ([SAME_KEPT], "The line sends no more than before, and its replies held."),
        ([THIN], "No line has enough sends in both periods to compare its replies."),
    ],
)  # fmt: skip
def test_the_headline_says_where_volume_rose_with_and_without_replies(kinds, said):
    assert parts.headline(_compared(*((f"+1415555010{i}", *k) for i, k in enumerate(kinds)))) == said


def test_a_fall_that_chance_makes_is_not_a_fall_and_is_drawn_pale():
    few, many = _compared((L1, (5, 3), (5, 2))), _compared((L1, (50, 30), (50, 20)))
    assert few["points"][0] == pytest.approx(-0.2)
    assert (few["fell"][0], many["fell"][0]) == (False, True)
    assert (parts.moves(few)["sure"][0], parts.moves(many)["sure"][0]) == (False, True)
    small = _compared((L1, (5000, 2500), (5000, 2300)))  # sure, but 4 points
    assert not small["fell"][0]


def test_rates_of_nought_and_of_all_are_compared_too():
    c = _compared((L1, (40, 40), (40, 0)), (L2, (40, 0), (40, 0)), (L3, (40, 40), (40, 40)))
    assert dict(zip(c["line"], c["fell"], strict=True)) == {L1: True, L2: False, L3: False}
    assert parts.moves(c).height == 3


def test_a_line_that_came_lately_is_counted_from_its_first_day_and_not_compared_too_soon():
    c = _compared((L1, (40, 20), (40, 20), 4), (L2, (40, 20), (40, 20), 3), (L3, *THIN))
    half, late, few = (c.filter(line=line).row(0, named=True) for line in (L1, L2, L3))
    assert (half["known_before"], half["a_day_before"], half["times"], half["enough"]) == (4, 40, 1, True)
    assert (late["mature_before"], late["enough"], late["rate_now"]) == (120, False, None)
    assert not few["enough"]
    said = parts.thin_words(c, parts.window(7, AS_OF, UTC))
    assert said.startswith("Too few for a rate (under 30 counted sends in a period): …0103.")
    assert said.endswith("In the data for too little of the period before: …0102.")
    assert parts.thin_words(c.filter("enough"), parts.window(7, AS_OF, UTC)) == ""


def test_a_period_is_whole_days_of_the_zone_without_the_latest():
    w = parts.window(7, datetime(2026, 3, 29, 3), ZoneInfo("America/New_York"))
    assert (w.before, w.start, w.end, w.days) == (date(2026, 3, 14), date(2026, 3, 21), date(2026, 3, 27), 7)
    said = parts.period_words(w, date(2026, 3, 18), "EDT")
    assert "21 Mar to 27 Mar against the 7 days before, EDT." in said
    assert "The data begins on 18 Mar, so it has 3 days of the period before." in said


def test_titles_tell_the_largest_fall_and_the_counts():
    c = _compared((L2, *UP_KEPT), (L3, *SAME_KEPT), (L1, *UP_LOST))
    two = _compared((L2, (40, 20), (60, 20)), (L1, *UP_LOST))
    assert parts.moves_title(two) == parts.moves_title(c)
    assert parts.moves_title(c) == "The largest fall: 20 in 100 sends answered on …0101, where 50 were"
    assert parts.growth_title(c) == "1 of 2 lines that send more lost replies"
    assert parts.table_title(c) == "Replies fell on 1 line, rose on 0, held on 2"
    calm = _compared((L1, *UP_KEPT), (L2, *UP_KEPT))
    assert parts.moves_title(calm) == "No line lost replies"
    assert parts.growth_title(calm) == "All 2 lines that send more kept their replies"


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ((10, 5), (10, 15), "More sends go to people who do not answer: 15 in 100, where 5 did"),
        ((20, 5), (10, 9), "Fewer sends open a conversation: 10 in 100, where 20 did"),
        ((10, 5), (11, 6), "The sends go to the same kinds of chats as before"),
    ],
)
def test_the_mix_is_told_by_what_moved_most(before, now, said):
    rows = [(k, b, n, 100, 100) for k, b, n in (("new", before[0], now[0]), ("late", before[1], now[1]))]
    kinds = pl.DataFrame(rows, schema=parts.MIX, orient="row")
    assert parts.mix_title(parts.Mix(kinds, (0, 0), (0, 0))) == said
    few = kinds.with_columns(before_of=pl.lit(29, pl.Int64))
    assert parts.mix_title(parts.Mix(few, (0, 0), (0, 0))) == "Who the sends go to"


def test_days_in_which_every_chat_looks_new_are_left_out_of_the_mix():
    days = _days((L1, (40, 20), (40, 20))).with_columns(
        history_days=(pl.col("day") - date(2026, 3, 15)).dt.total_days() + 1, new_conversations=pl.lit(4, pl.Int64)
    )
    kinds = parts.mix(days, parts.window(7, AS_OF, UTC), young=7).kinds
    assert kinds.filter(kind="new").row(0) == ("new", 4, 28, 40, 280)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (parts.points(-0.46), "\u221246"),
        (parts.points(0.03), "+3"),
        (parts.points(-0.004), "0"),
        (parts.points(None), "–"),
        (parts.times(1.44), "1.4\u202f×"),
        (parts.rate_cell(3, 11), ("3 of 11", "too few for a rate")),
        (parts.rate_cell(0, 0), ("–", "no send counted")),
    ],
)
def test_differences_and_rates_are_written_as_the_design_sheet_says(written, expected):
    assert written == expected


def test_labels_that_would_touch_stand_on_the_other_side_or_not_at_all():
    c = _compared(*((f"+1415555010{i}", *UP_LOST) for i in range(4)))
    frame = pictures.growth(parts.moves(c), grew=1.1, fell=-5)["datasets"]["lines"]
    assert sum(label != "" for label in frame["label"]) <= 2
    lone = pictures.moves(parts.moves(c.head(1)), reference=None, window_hours=24)["datasets"]["lines"]
    assert lone["label"].to_list() == ["…0100"]
