"""Each planted cause is named first, with little left unexplained, dated, and told in one sentence."""

import pytest

from tests.explain.builders import World, began, share
from tests.sweep import SEEDS


def fall(world, *, reply=0.1, asks=40, day=38):
    return world.steady(change=lambda d: {"reply": reply, "asks": asks} if d >= day else {})


def named(world, driver):
    (e,) = world.explain()
    assert e.drivers[0].driver == driver, [(d.driver, d.share) for d in e.drivers]
    assert share(e, "unexplained") < 0.5
    assert e.lead_hours is None or e.lead_hours >= 0
    return e


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fall_in_replies_is_engagement(seed):
    e = named(fall(World(seed)).turn("+1", 41.1), "engagement")
    assert abs(began(e) - 38.4) < 0.8
    assert e.headline.startswith(("Replies stopped: ", "Replies halved: "))
    figures = e.drivers[0].evidence
    assert figures["observed"] < 0.25 < 0.5 < figures["usual"]
    assert f"{figures['observed_count']} of {figures['observed_of']} sends answered" in e.drivers[0].summary
    assert "engagement" in {c["driver"] for c in e.chats_to_fix}


@pytest.mark.parametrize("seed", SEEDS)
def test_growth_with_a_collapse_is_engagement_not_volume(seed):
    e = named(fall(World(seed), asks=80).turn("+1", 41.1), "engagement")
    assert share(e, "recipient_spread") + share(e, "send_pace") < 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_twice_the_volume_with_usual_replies_is_no_cause(seed):
    (e,) = fall(World(seed), reply=0.6, asks=80).turn("+1", 41.1).explain()
    assert e.drivers[0].driver == "unexplained"
    assert e.drivers[0].share > 0.75
    assert share(e, "recipient_spread") + share(e, "send_pace") < 0.1
    assert e.headline.startswith("No clear cause.")
    assert e.confidence != "high"


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_out_of_the_usual_is_said_so(seed):
    (e,) = World(seed).steady().turn("+1", 41.1).explain()
    assert e.headline.startswith("No clear cause. ")
    assert "within this line's usual" in e.headline or "too small to explain it" in e.headline
    assert e.drivers[0].driver == "unexplained"
    assert e.drivers[0].share > 0.75
    assert e.onset is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_burst_of_new_conversations_is_dated_within_two_hours(seed):
    world = World(seed).steady().burst("+1", 41.5, 70).turn("+1", 42.1)
    e = named(world, "new_conversations")
    assert abs(began(e) - 41.5) * 24 < 2
    assert "new conversations opened in a day, against a usual" in e.headline
    assert e.drivers[0].evidence["observed"] >= 70
    assert any("Open at most" in a["action"] for a in e.actions)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_blast_to_many_known_chats_is_recipient_spread(seed):
    world = World(seed).steady(chats=500).burst("+1", 41.4, 300, new=False, hours=4, reply=0.05, chats=500)
    e = named(world.turn("+1", 41.9), "recipient_spread")
    assert abs(began(e) - 41.4) * 24 < 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loop_inside_one_ask_is_send_pace(seed):
    world = World(seed).steady().burst("+1", 41.4, 400, new=False, hours=4, reply=0, chats=1).turn("+1", 41.9)
    e = named(world, "send_pace")
    assert abs(began(e) - 41.4) * 24 < 1
    assert "went to one chat" in e.headline
    assert e.chats_to_fix[0]["chat_id"] == "+1-c0"


@pytest.mark.parametrize("seed", SEEDS)
def test_one_answer_does_not_make_a_loop_an_answered_one(seed):
    world = World(seed).steady().burst("+1", 41.4, 400, new=False, hours=4, reply=0, chats=1)
    world.message("+1", "+1-c0", 41.4 + 4.1 / 24, "inbound")
    named(world.turn("+1", 41.9), "send_pace")


@pytest.mark.parametrize("seed", SEEDS)
def test_follow_ups_into_silence_are_engagement(seed):
    world = World(seed).steady()
    for day in range(36, 42):
        for i in range(30):
            world.message("+1", f"+1-silent{i}", day + 0.3 + i / 100)
    e = named(world.turn("+1", 41.7), "engagement")
    assert "into chats silent for two or more" in e.headline
    worst = e.chats_to_fix[0]
    assert worst["chat_id"].startswith("+1-silent")
    assert worst["unanswered_turns"] == 6
    assert worst["silent_hours"] is None


@pytest.mark.parametrize("seed", SEEDS)
def test_sends_after_opt_outs_are_dated_to_the_first(seed):
    world = World(seed).steady()
    for i in range(10):
        world.message("+1", f"+1-stopped{i}", 20 + i / 10)
        world.opt_out(f"+1-stopped{i}", 30)
    for i in range(20):
        world.message("+1", f"+1-stopped{i % 10}", 40.5 + i / 50)
    e = named(world.turn("+1", 41.1), "opt_outs")
    assert began(e) == pytest.approx(40.5, abs=1e-6)
    assert e.headline == "20 sends to 10 people who had opted out, in 9 hours."
    assert e.chats_to_fix[0]["sends_after_opt_out"] == 2
    assert e.chats_to_fix[0]["chat_health"] == "OPTED_OUT"


@pytest.mark.parametrize("seed", SEEDS)
def test_failures_are_deliverability_and_not_fewer_replies(seed):
    world = World(seed).steady(days=40).steady(first=40, days=41.4, failed=True).turn("+1", 41.4)
    e = named(world, "deliverability")
    assert share(e, "engagement") < 0.1
    assert 40 <= began(e) < 40.5
    assert e.drivers[0].evidence["top_code"] == "4001"


@pytest.mark.parametrize("seed", SEEDS)
def test_missing_receipts_count_only_where_they_are_usual(seed):
    silent = World(seed).steady(days=40).steady(first=40, days=41.4, receipt=False, reply=0, new_reply=0)
    assert named(silent.turn("+1", 41.4), "deliverability")
    fallback = World(seed).steady(days=40).steady(first=40, days=41.4, receipt=False, service="SMS")
    (e,) = fallback.turn("+1", 41.4).explain()
    assert share(e, "deliverability") == 0
    never = World(seed).steady(receipt=False)
    (e,) = never.turn("+1", 41.4).explain()
    assert share(e, "deliverability") == 0
    assert any("receipts" in note for note in e.notes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flag_is_the_cause_of_what_follows_it(seed):
    world = World(seed).steady(days=41).turn("+1", 40.5, "FLAGGED", "ACTIVE", kind="status").turn("+1", 40.7)
    status, health = world.explain()
    for e in (status, health):
        assert e.drivers[0].driver == "flagged"
        assert began(e) == pytest.approx(40.5, abs=1e-6)
        assert e.headline.startswith("The carrier flagged the line on 10 Apr 12:00")
    assert health.lead_hours == pytest.approx(4.8, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_text_to_many_is_repeated_content_only_where_fingerprints_exist(seed):
    world = World(seed).steady(fingerprint=None)
    texts = [m for m in world.messages if m["direction"] == "outbound"]
    for i, m in enumerate(texts):
        late = m["at"] >= world.at(40)
        m["fingerprint"] = "same" if late else f"f{i}"
    e = named(world.turn("+1", 41.4), "repeated_content")
    assert "The same text went to" in e.headline
    for m in texts:
        m["fingerprint"] = None
    (e,) = world.explain()
    assert share(e, "repeated_content") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_two_causes_are_both_named(seed):
    world = World(seed).steady().burst("+1", 41.3, 40, reply=0.1)
    for i in range(12):
        world.message("+1", f"+1-stopped{i}", 20)
        world.opt_out(f"+1-stopped{i}", 30)
        world.message("+1", f"+1-stopped{i}", 41.3 + i / 50)
    (e,) = world.turn("+1", 41.9).explain()
    assert {d.driver for d in e.drivers[:2]} == {"new_conversations", "opt_outs"}
    assert e.headline.startswith("Two causes together: ")
    assert "12 sends to 12 people who had opted out" in e.headline


@pytest.mark.parametrize("seed", SEEDS)
def test_an_escalation_is_compared_with_the_healthy_usual(seed):
    world = fall(World(seed), day=34).turn("+1", 36.5).turn("+1", 41.5, "CRITICAL", "AT_RISK")
    _, escalation = world.explain()
    assert escalation.drivers[0].driver == "engagement"
    assert escalation.drivers[0].evidence["usual"] > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_week_in_which_no_chat_can_look_new_is_no_usual_for_openers(seed):
    # 30 openers a day all along: a history of 17 days shows them as known chats for the first 7
    (e,) = World(seed).steady(days=17, new=30).turn("+1", 17.2).explain()
    assert share(e, "new_conversations") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_line_that_was_never_healthy_for_long_is_compared_with_its_whole_past(seed):
    world = fall(World(seed), reply=0.05)
    for day in range(1, 37):
        world.turn("+1", day + 0.1).turn("+1", day + 0.3, "HEALTHY", "AT_RISK")
    found = world.turn("+1", 41).explain()[-1]
    assert found.drivers[0].driver == "engagement"
    assert any("hardly ever healthy" in note for note in found.notes)
