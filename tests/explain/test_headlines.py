"""Every rule of the design sheet's headlines, on figures written by hand."""

from zoneinfo import ZoneInfo

import pytest

from analysis.explain import headline
from analysis.explain.words import count, in_100, lasting, one_in, percent

UTC = ZoneInfo("UTC")
DAY = 24 * 3_600_000
T = 1_774_180_800_000  # 22 Mar 2026, 12:00 UTC


def replies(answered, of, usual=0.64, ripe=1.0, days=7):
    return {
        "observed": answered / of / ripe,
        "usual": usual,
        "observed_count": answered,
        "observed_of": of,
        "usual_by_now": usual * of * ripe,
        "ripe": ripe,
        "window_hours": days * 24.0,
    }


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        (replies(45, 500), "Replies stopped: 9 in 100 sends answered since 15 Mar, where 64 used to be."),
        (replies(120, 500, 0.53), "Replies halved: 24 in 100 sends answered since 15 Mar, where 53 used to be."),
        (replies(200, 500, 0.53), "Replies fell: 40 in 100 sends answered since 15 Mar, where 53 used to be."),
        (replies(3, 11), "Replies halved: 3 of 11 sends answered since 15 Mar, where 7 would be usual by now."),
        (replies(2, 60, ripe=0.5), "Replies stopped: 2 of 60 sends answered since 15 Mar, where 19 would be usual by now."),
        (replies(0, 500), "Replies stopped: none of 500 sends answered since 15 Mar, where 64 used to be."),
        (replies(45, 500, days=2), "Replies stopped: 9 in 100 sends answered in the 2 days before the change, where 64 used to be."),
    ],
)  # fmt: skip
def test_replies_stopped_halved_fell(figures, text):
    assert headline.replies_fell(figures, T - 7 * DAY, T, UTC) == text


def test_bursts():
    figures = {"observed": 61, "usual": 6.2, "answered": 21, "answered_of": 60}
    assert headline.burst(figures) == (
        "61 new conversations opened in a day, against a usual 6.2. 35 % of them answered."
    )
    figures |= {"usual": 2, "answered_of": 20, "answered": 3}
    assert headline.burst(figures) == (
        "61 new conversations in a day on a line that usually opens 2. 3 of 20 answered."
    )
    assert headline.burst(figures | {"usual": None, "line_days": 5.2}) == (
        "61 new conversations in a day on a line 5 days old, too young to have a usual. 3 of 20 answered."
    )


def test_volume():
    figures = {"observed": 342, "usual": 19, "window_hours": 7.0, "recipients": 300, "to_silent_chats": 276}
    assert headline.volume(figures) == (
        "342 sends to 300 chats in 7 hours, usually 19; 276 of them went to chats that had not answered the last one."
    )
    assert headline.volume({"observed": 9200, "usual": 800, "limit": 7000}) == (
        "9,200 messages in a day, usually 800; at most 7,000 are recommended."
    )


def test_opt_outs_delivery_and_flag():
    figures = {"observed": 18, "people": 12, "window_hours": 10.0}
    assert headline.opted_out(figures) == "18 sends to 12 people who had opted out, in 10 hours."
    figures = {"observed": 0.125, "observed_count": 50, "observed_of": 400, "failed": 50, "usual": 1 / 104, "usual_of": 900, "usual_count": 9}  # fmt: skip
    assert headline.delivery(figures, T - 2 * DAY, T, UTC) == (
        "1 in 8 sends failed since 20 Mar 12:00; 1 in 104 is usual."
    )
    assert headline.delivery(figures | {"usual_count": 0}, None, T, UTC) == (
        "1 in 8 sends failed; none of 900 did before."
    )
    figures = {"sends_after": 40, "failed_after": 21}
    assert headline.flag(figures, T, UTC, alone=True) == (
        "The carrier flagged the line on 22 Mar 12:00; 21 of the next 40 sends failed."
    )
    assert headline.flag({}, T, UTC, alone=False) == "The carrier flagged the line on 22 Mar 12:00."


@pytest.mark.parametrize(("second", "two"), [(0.3, True), (0.24, False), (0.26, False)])
def test_two_causes_from_a_quarter_and_half_the_first(second, two):
    first = 0.7 - second if second == 0.3 else 0.97 - second
    shares = [("new_conversations", first), ("opt_outs", second), ("unexplained", 1 - first - second)]
    figures = {
        "new_conversations": {"observed": 61, "usual": 6, "answered": 20, "answered_of": 60},
        "opt_outs": {"observed": 3, "people": 3, "window_hours": 5.0},
    }
    text = headline.worsening(shares, figures, {}, T, UTC)
    wanted = "Two causes together: 61 new conversations in a day, and 3 sends to 3 people who had opted out."
    assert (text == wanted) is two
    assert text.startswith("Two causes") or text.startswith("61 new conversations opened")


def test_many_recipients_and_pace_are_not_told_as_two_causes():
    figures = {"observed": 816, "usual": 13, "window_hours": 2.0, "recipients": 400, "answered": 9, "answered_of": 800}
    both = {"recipient_spread": figures, "send_pace": figures}
    shares = [("recipient_spread", 0.5), ("send_pace", 0.4), ("unexplained", 0.1)]
    told = headline.worsening(shares, both, {}, T, UTC)
    assert told == "816 sends to 400 chats in 2 hours, usually 13; 9 of 800 were answered."
    with_third = [("recipient_spread", 0.4), ("send_pace", 0.3), ("opt_outs", 0.25), ("unexplained", 0.05)]
    told = headline.worsening(with_third, both | {"opt_outs": {"observed": 3, "people": 3}}, {}, T, UTC)
    assert (
        told
        == "Two causes together: 816 sends in 2 hours where 13 are usual, and 3 sends to 3 people who had opted out."
    )


def test_no_clear_cause_names_the_largest_change_if_any():
    assert headline.worsening([("unexplained", 1.0)], {}, {}, T, UTC) == (
        "No clear cause. Replies, volume, openers and failures were all within this line's usual."
    )
    shares = [("unexplained", 0.6), ("opt_outs", 0.4)]
    text = headline.worsening(shares, {"opt_outs": {"observed": 1, "people": 1}}, {}, T, UTC)
    assert text == (
        "No clear cause. The largest change, too small to explain it: 1 send to 1 person who had opted out."
    )


def test_volume_that_was_answered_is_not_said_to_be_within_the_usual():
    rise = {"observed": 640, "usual": 40, "answered": 381, "answered_of": 636, "usual_by_now": 384.2}
    told = "No clear cause. Volume rose, 640 sends in a day where 40 are usual, and 381 of 636 were answered where 384 is usual."
    assert headline.worsening([("unexplained", 1.0)], {}, {}, T, UTC, rise) == told
    shares = [("unexplained", 0.6), ("send_pace", 0.4)]
    assert headline.worsening(shares, {"send_pace": {"observed": 640}}, {}, T, UTC, rise) == told
    shares = [("unexplained", 0.6), ("opt_outs", 0.4)]
    assert "opted out" in headline.worsening(shares, {"opt_outs": {"observed": 1, "people": 1}}, {}, T, UTC, rise)


def test_not_enough_data():
    assert headline.not_enough(11, young_days=None, any_message=True) == (
        "Not enough data to say: 11 sends in the week before the change."
    )


def test_recovered():
    reasons = ["no send has failed since 11 Mar", "53 in 100 sends are answered"]
    assert headline.recovered("Healthy again", 4 * DAY, reasons, T, UTC) == (
        "Healthy again after 4 days: no send has failed since 11 Mar and 53 in 100 sends are answered."
    )
    assert headline.recovered("Healthy again", None, [], T, UTC) == (
        "Healthy again on 22 Mar. What eased does not show in the data."
    )


def test_words():
    assert [count(0.14), count(6.2), count(9.99), count(1234), count(0)] == ["0.1", "6.2", "10", "1,234", "0"]
    assert [percent(0.09), percent(0.095), percent(0.355)] == ["9 %", "9.5 %", "36 %"]
    assert [in_100(0.094), in_100(0.001), one_in(0.5), one_in(1 / 104)] == ["9 in 100", "fewer than 1 in 100", "50 in 100", "1 in 104"]  # fmt: skip
    assert [lasting(2 * 3_600_000), lasting(0), lasting(26 * 3_600_000)] == ["2 hours", "an hour", "a day"]
