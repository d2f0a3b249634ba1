from __future__ import annotations

from datetime import datetime

import pytest

from analysis.schema import DRIVERS
from analysis.simulate.causes import plans
from analysis.simulate.fleet import live
from analysis.simulate.records import Life
from analysis.simulate.rhythm import DAY, HOUR, milliseconds
from tests.sweep import EVERY

END = milliseconds(datetime(2026, 11, 22))
WORSE = [("HEALTHY", "AT_RISK"), ("AT_RISK", "CRITICAL"), ("HEALTHY", "CRITICAL")]
# story: the driver of each time the line left HEALTHY, and the longest time from onset to that
EXPECTED = {
    "growth with good replies": ([], 0),
    "a campaign that people ignore": (["engagement"], 96),
    "a morning of openers, later failures": (["new_conversations", "deliverability"], 72),
    "stop requests ignored": (["opt_outs"], 72),
    "a wave of failures": (["deliverability"], 60),
    "flagged without warning": (["flagged"], 1),
    "growth while replies fall": (["engagement"], 110),
    "nagging silent people": (["engagement"], 96),
    "a blast to known people": (["recipient_spread"], 24),
    "a loop gone wild": (["send_pace"], 24),
    "a change nothing explains": (["unexplained"], 3),
    "a young line in a hurry": (["new_conversations"], 24),
}


def lives(seed: int, lines: int = 12, days: int = 60) -> list[Life]:
    return [live(p, end=END, seed=seed) for p in plans(lines, start=END - days * DAY, end=END, seed=seed)]


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5, 7] if EVERY else [1, 5, 7])
def fleet(request) -> list[Life]:
    return lives(request.param)


def spells(life: Life) -> list:
    return [c for c in life.changes if c.kind == "health" and c.previous == "HEALTHY"]


def test_every_story_ends_as_planted(fleet):
    assert {life.plan.story for life in fleet} == set(EXPECTED)
    for life in fleet:
        drivers, longest = EXPECTED[life.plan.story]
        found = spells(life)
        assert [c.episode.driver for c in found] == drivers, life.plan.story
        for change in found:
            lag = (change.at - (change.episode.onset or change.episode.start)) / HOUR
            assert 0 <= lag <= longest, (life.plan.story, lag)


def test_the_busy_line_doubles_and_never_changes(fleet):
    busy = next(life for life in fleet if life.plan.healthy_busy)
    middle = busy.plan.episodes[0].start
    sends = [m.at for m in busy.messages if m.outbound]
    before = sum(middle - 21 * DAY <= at < middle for at in sends)
    after = sum(middle + 2 * DAY <= at < middle + 23 * DAY for at in sends)
    assert busy.changes == []
    assert after > 1.7 * before


def test_some_escalate_some_recover_and_some_need_attention_now(fleet):
    last = {life.plan.line: life.changes[-1] for life in fleet if life.changes}
    ill = [c for c in last.values() if c.health[1] != "HEALTHY"]
    assert len(ill) >= 3
    assert sum(c.at > END - 3 * DAY for c in ill) >= 3
    assert any((c.previous, c.new) == ("AT_RISK", "CRITICAL") for life in fleet for c in life.changes)
    assert sum(c.kind == "health" and c.new == "HEALTHY" for life in fleet for c in life.changes) >= 6


def test_recovery_takes_days_and_names_the_cause_of_its_spell(fleet):
    for life in fleet:
        cause = None
        for c in (c for c in life.changes if c.kind == "health"):
            if (c.previous, c.new) in WORSE:
                cause, began = c.episode, c.at
            else:
                assert c.episode is cause
                assert 30 * HOUR <= c.at - began <= 12 * DAY
            assert c.episode.driver in DRIVERS


def test_changes_follow_on_each_other(fleet):
    for life in fleet:
        health, status, at = "HEALTHY", "ACTIVE", 0
        for c in life.changes:
            assert c.at >= at
            assert c.previous == (health if c.kind == "health" else status)
            health, status = (c.new, status) if c.kind == "health" else (health, c.new)
            at = c.at
            assert at < END


def test_the_flag_comes_without_warning_and_goes_again(fleet):
    flagged = next(life for life in fleet if life.plan.story == "flagged without warning")
    status = [(c.previous, c.new, c.at) for c in flagged.changes if c.kind == "status"]
    assert [s[:2] for s in status] == [("ACTIVE", "FLAGGED"), ("FLAGGED", "ACTIVE")]
    assert status[1][2] - status[0][2] >= 24 * HOUR
    assert any(c.kind == "health" and c.new == "CRITICAL" and c.at == status[0][2] for c in flagged.changes)


def test_replies_fall_only_while_people_ignore_the_campaign():
    life = next(x for x in lives(7) if x.plan.story == "a campaign that people ignore")
    episode = life.plan.episodes[0]

    def rate(first: int, last: int) -> float:
        sends = [m for m in life.messages if m.outbound and first <= m.at < last]
        inbound: dict[str, list[int]] = {}
        for m in life.messages:
            if not m.outbound:
                inbound.setdefault(m.chat.chat_id, []).append(m.at)
        return sum(any(m.at < u <= m.at + DAY for u in inbound.get(m.chat.chat_id, [])) for m in sends) / len(sends)

    assert rate(episode.start - 14 * DAY, episode.start) > 0.45
    assert rate(episode.start, episode.stop) < 0.33
    assert rate(episode.stop + 2 * DAY, episode.stop + 16 * DAY) > 0.45


def test_stories_leave_the_traces_they_are_named_for():
    found = {life.plan.story: life for life in lives(7)}
    blast = next(b for b in found["a blast to known people"].bursts if b.kind == "recipient_spread")
    sends = [m for m in found["a blast to known people"].messages if m.outbound and blast.start <= m.at <= blast.end]
    assert len({m.chat.chat_id for m in sends}) > 100
    assert all(m.chat.created < blast.start - 2 * DAY for m in sends if m.chat.old)

    loop = found["a loop gone wild"].bursts[0]
    sends = [m for m in found["a loop gone wild"].messages if m.outbound and loop.start <= m.at <= loop.end]
    assert len(sends) > 400
    assert len({m.chat.chat_id for m in sends}) < 20

    stops = found["stop requests ignored"]
    out = [(m.chat, m.at) for m in stops.messages if m.outbound]
    after = sum(max((h for h in chat.health if h[0] < at), default=(0, ""))[1] == "OPTED_OUT" for chat, at in out)
    assert after > 40

    young = found["a young line in a hurry"]
    assert END - young.messages[0].at < 10 * DAY


@pytest.mark.parametrize(("lines", "days"), [(1, 3), (2, 5), (5, 21), (26, 14)])
def test_other_sizes_live_too(lines, days):
    fleet = lives(7, lines, days)
    assert len({life.plan.line for life in fleet}) == lines
    assert all(END - days * DAY <= m.at < END for life in fleet for m in life.messages)
    assert any(life.messages for life in fleet)


def test_small_fleets_tell_a_story_first():
    first = lives(7, 1, 30)[0]
    assert first.plan.story == "a morning of openers, later failures"
    assert spells(first)


def test_no_two_lines_share_a_number():
    numbers = [p.line for p in plans(2000, start=END - 9 * DAY, end=END, seed=7)]
    assert len(set(numbers)) == 2000
    assert numbers[0] == "+14155550101"
