"""Delivery and audience: its counts against a plain recount of messages and chats, its sentences, and what it says where there is nothing."""

import json
from collections import Counter
from datetime import date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _codes as codes
from analysis.pages import _delivery as parts
from analysis.pages import _replies as two
from analysis.schema import DELIVERY_DAY
from tests.pages.conftest import words_of

W = two.Window(date(2026, 3, 1), date(2026, 3, 15), date(2026, 3, 28))
THEN, NOW = date(2026, 3, 3), date(2026, 3, 20)
L1, L2 = "+14155550101", "+14155550102"
STREAKS = pl.DataFrame({"line": [L1] * 3, "unanswered": [0, 3, 9], "chats": [90, 8, 2]})
NONE = STREAKS.clear()


def _told(*rows):
    """Rows of (line, day, service, code, sends, failed, late)."""
    return pl.DataFrame(
        [(line, day, "line", service, code, sends, failed, sends - failed, late, 0, 0) for line, day, service, code, sends, failed, late in rows],
        schema=DELIVERY_DAY, orient="row",
    )  # fmt: skip


def _text(at):
    return unescape(words_of(at))


def _ends(store, days):
    end = datetime.fromisoformat(pipeline.status(store)["as_of"].rstrip("Z")).date() - timedelta(days=1)
    return end - timedelta(days=2 * days - 1), end - timedelta(days=days - 1), end


@pytest.mark.parametrize("days", [7, 30])
def test_failures_and_services_are_those_of_the_messages(open_app, demo_store, days):
    before, start, end = _ends(demo_store, days)
    sends, failed, apple = Counter(), Counter(), Counter()
    for m in pipeline.messages(demo_store).filter(pl.col("direction") == "outbound").iter_rows(named=True):
        side = "now" if start <= m["at"].date() <= end else "before" if before <= m["at"].date() < start else None
        sends[side] += 1
        apple[side] += m["service"] == "iMessage"
        if m["failed"]:
            failed[side, m["failure_code"]] += 1
    at = open_app(demo_store, "delivery", days=str(days))
    assert not at.exception
    text = _text(at)
    assert f"iMessage {apple['now']:,} of {sends['now']:,}" in text
    table = text.split("Delivered after all")[-1].split("</table>")[0]
    for code in ("4001", "3007"):
        cells = table.split(f"<code>{code}</code>")[1].split("<td")
        assert cells[2].split(">")[1].startswith(f"{failed['now', code]:,}<")
        assert f"of {sends['now']:,}<" in cells[2]
        assert cells[3].split(">")[1].startswith(f"{failed['before', code]:,}<")
    assert failed["now", "4001"] > 0


def test_who_opened_counts_the_chats_first_seen_in_the_period_and_their_replies(open_app, demo_store):
    _, start, end = _ends(demo_store, 14)
    states = pipeline.chat_states(demo_store)
    begun = states.filter(pl.col("first_at").dt.date().is_between(start, end))["opened_by"].value_counts()
    told = pipeline.deliveries(demo_store, since=start, until=end + timedelta(days=1), line=None)
    sums = dict(told.group_by("opened_by").agg(pl.col("mature").sum()).iter_rows())
    text = _text(open_app(demo_store, "delivery"))
    for kind, name in (("line", "Your line wrote first"), ("person", "The person wrote first")):
        row = text.split(f"<b>{name}</b>")[1].split("</tr>")[0]
        assert f">{begun.filter(opened_by=kind)['count'].item():,}<" in row
        assert f" of {sums[kind]:,}<" in row


def test_streaks_are_drawn_with_both_limits_and_the_longest_lead_to_their_chats(open_app, demo_store):
    at = open_app(demo_store, "delivery")
    counts = pipeline.streaks(demo_store).group_by("unanswered").agg(pl.col("chats").sum()).sort("unanswered")
    n, of = counts.filter(pl.col("unanswered") >= 3)["chats"].sum(), counts["chats"].sum()
    text = _text(at)
    assert f"{of:,} chats with a message in the last 7 days. {n:,} at 3 or more" in text
    specs = [json.loads(c.proto.spec) for c in at.get("vega_lite_chart")]
    drawn = json.dumps(next(s for s in specs if "turns in a row" in json.dumps(s)))
    assert "Linq help centre" in drawn
    assert "messages.dev" in drawn
    longest = pipeline.chat_states(demo_store, active=True, least_unanswered=3, most=1)
    line, chat = longest.select("line", "chat_id").row(0)
    assert f'href="chat?line={line[1:]}&chat={chat}"' in text


def test_where_nothing_failed_and_no_service_is_known_each_card_is_one_line(open_app, tables):
    rows = "".join(f"m{i},{L1},c{i},outbound,2026-03-{i + 1:02d}T10:00:00Z\n" for i in range(20))
    at = open_app(tables(rows), "delivery", days="7")
    assert not at.exception
    text = _text(at)
    assert "Nothing failed" in text
    assert "No send of these days says by which service it went" in text
    assert "No active chat has 3 or more turns" in text
    assert len(at.get("vega_lite_chart")) == 0


def test_without_a_send_the_page_says_what_to_load(open_app, tables):
    at = open_app(tables("", f"{L1},2026-03-01T00:00:00Z,HEALTHY,AT_RISK\n"), "delivery")
    assert not at.exception
    assert "No send is loaded for these days" in _text(at)


CALM = [(L1, THEN, "iMessage", None, 1000, 0, 0), (L1, NOW, "iMessage", None, 1000, 0, 0)]


@pytest.mark.parametrize(
    ("rows", "streaks", "said"),
    [
        ([*CALM, (L1, NOW, "iMessage", "4001", 40, 40, 0)], STREAKS, "More sends fail: 3.8\u202f% of sends failed, where 0\u202f% did."),
        ([*CALM, (L1, NOW, "SMS", None, 200, 0, 0)], STREAKS, "Fewer sends go by iMessage: 83\u202f% of them, where 100\u202f% did."),
        ([*CALM, (L1, THEN, "SMS", None, 200, 0, 0)], STREAKS, "Sends travel and fail as before; 10 of 100 active chats have stopped answering."),
        (CALM, STREAKS.head(1), "Sends travel and fail as before, and no active chat has stopped answering."),
        (CALM[1:], NONE, "Delivery and audience."),
    ],
)  # fmt: skip
def test_the_headline_is_the_worst_of_what_changed(rows, streaks, said):
    told = _told(*rows)
    assert parts.headline(parts.failures_moved(told, W), parts.service_moved(told, W), streaks, 3) == said


def test_a_difference_that_chance_makes_is_no_finding():
    told = _told(
        (L1, THEN, "iMessage", None, 40, 0, 0), (L1, NOW, "iMessage", None, 38, 0, 0), (L1, NOW, "SMS", None, 2, 0, 0)
    )
    m = parts.service_moved(told, W)
    assert m.points == pytest.approx(-0.05)
    assert parts.service_title(m, []) == "iMessage carries 95\u202f% of sends, as before"


def test_the_line_whose_share_of_imessage_fell_most_leads_and_thin_lines_are_left_out():
    told = _told(
        (L1, THEN, "iMessage", None, 100, 0, 0), (L1, NOW, "iMessage", None, 90, 0, 0), (L1, NOW, "SMS", None, 10, 0, 0),
        (L2, THEN, "iMessage", None, 100, 0, 0), (L2, NOW, "iMessage", None, 50, 0, 0), (L2, NOW, "SMS", None, 50, 0, 0),
        ("+14155550103", THEN, "iMessage", None, 9, 0, 0), ("+14155550103", NOW, "SMS", None, 9, 0, 0),
    )  # fmt: skip
    lines = parts.service_lines(told, W)
    assert [line for line, _ in lines] == [L2, L1]
    assert parts.service_title(parts.service_moved(told, W), lines).endswith("fell most on …0102")


def test_a_failure_that_a_delivery_followed_is_not_drawn_but_counted_beside():
    told = _told(*CALM, (L1, NOW, "iMessage", "4001", 5, 2, 3))
    stack, order = parts.failure_stack(told, W)
    assert (order, stack["top"].to_list()) == (["4001"], [2.0])
    row = parts.failure_codes(told, W).row(0, named=True)
    assert (row["failed_now"], row["failed_then_delivered_now"], row["lines"]) == (2, 3, [L1])


def test_more_than_four_codes_share_the_last_blue():
    told = _told(*CALM, *((L1, NOW, "iMessage", f"400{i}", 9 - i, 9 - i, 0) for i in range(6)))
    stack, order = parts.failure_stack(told, W)
    assert order == ["4000", "4001", "4002", "others"]
    assert stack["rank"].max() == 4
    assert stack["top"].max() == 9 + 8 + 7 + 6 + 5 + 4


def test_shares_of_a_day_add_up_to_one():
    told = _told((L1, NOW, "iMessage", None, 3, 0, 0), (L1, NOW, "SMS", None, 1, 0, 0), (L1, NOW, None, None, 6, 0, 0))
    stack, order = parts.service_stack(told, W)
    assert order == ["iMessage", "SMS"]
    assert stack.select("base", "top").rows() == [(0.0, 0.75), (0.75, 1.0)]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("4001", "Not delivered"),
        ("4006", "no text is published"),
        ("2024", "opted out"),
        ("no code", "Not named"),
        ("E7", "Not named"),
    ],
)
def test_codes_without_a_published_meaning_say_so(code, says):
    meaning, do = codes.meaning(code)
    assert says in meaning
    assert do.endswith(".")


def test_days_stand_where_the_stores_zone_has_them():
    assert parts.ms_of_day(date(1970, 1, 2)) == 86_400_000
    assert two.window(7, datetime(2026, 3, 29, 2), ZoneInfo("America/New_York")).end == date(2026, 3, 27)
